import { walkTokens } from './tokens.ts'

// vLLM's default block; only whole blocks are cached (docs.vllm.ai, automatic prefix caching).
const BLOCK_TOKENS = 16
const BLOCKS_MAX = 16_384
// Beyond it a prompt is counted, but no longer looked up: a body of many megabytes must not sweep the cache.
const BLOCKS_OF_PROMPT_MAX = 256

/** What a prompt costs: its tokens, how many of them were there from earlier prompts with the same beginning, and how many are kept as asked. */
export type PromptCount = { readonly tokens: number; readonly cached: number; readonly write5m?: number; readonly write1h?: number }

/** Simulates an engine's prefix cache: by blocks of 16 tokens, least recently made out first. */
export class PrefixCache {
  readonly #blocks = new Set<string>()

  /** Counts `text` after `extraTokens` of a template, and remembers its blocks for `model`. At least one token is never cached. */
  count(model: string, text: string, extraTokens: number): PromptCount {
    let tokens = 0
    let chain = 0
    let cached = 0
    let isPrefix = true
    walkTokens(text, (hash) => {
      tokens += 1
      chain = Math.imul(chain ^ hash, 0x01000193) ^ (hash >>> 15)
      if (tokens % BLOCK_TOKENS !== 0 || tokens > BLOCK_TOKENS * BLOCKS_OF_PROMPT_MAX) return
      const block = `${model} ${tokens} ${chain}`
      isPrefix &&= this.#blocks.has(block)
      if (isPrefix) cached = tokens
      else this.#remember(block)
    })
    return { tokens: tokens + extraTokens, cached: Math.min(cached, Math.max(0, tokens + extraTokens - 1)) }
  }

  #remember(block: string): void {
    this.#blocks.add(block)
    if (this.#blocks.size <= BLOCKS_MAX) return
    const [oldest] = this.#blocks
    if (oldest !== undefined) this.#blocks.delete(oldest)
  }
}
