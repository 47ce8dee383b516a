import type { Logger } from '@ascribe/kit'
import { errorChain } from '@ascribe/kit'
import { ReplyText, promptTexts } from '@ascribe/usage'
import type { Ending, Observation, RequestFacts } from '@ascribe/usage'
import type { GatewayMeters } from './gateway-meters.ts'
import type { Route } from './routes.ts'
import { createTokenizer } from './tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'

/** A client's last byte waits for the tokenizer, and for no longer than this; a tokenizer that is alive takes some milliseconds. */
const TOKENIZE_MS_MAX = 1000
/** Of one reply, and of one request's body. Text that is longer is estimated by its size. */
const TEXT_BYTES_MAX = 256 * 1024
/** Of all open streams together. */
const TEXT_BYTES_HELD_MAX = 64 * 1024 * 1024
/** Questions that may be open at once; streams that end meanwhile are estimated. */
const QUESTIONS_MAX = 64
/** Each is a question of its own. */
const PROMPTS_MAX = 8
/** Engines that are remembered by what their tokenizer speaks. */
const TOKENIZERS_MAX = 1024

export type SilentStreamsDeps = { readonly meters: GatewayMeters; readonly logger: Logger; readonly timeoutMs?: number }

export type Followed = {
  readonly facts: RequestFacts
  readonly body: Buffer
  /** Where it went, when it has ended. */
  readonly servedBy: () => Pick<Route, 'upstream' | 'basePath' | 'credential'>
}

/** What is kept of one stream until it has ended. */
export type SilentStream = {
  readonly text: ReplyText
  /** Asks the tokenizer, if the stream has said nothing of its usage; `undefined`: there is no reason to. Called once. Never rejects. */
  count(seen: Observation | undefined): Promise<Ending['tokenized']> | undefined
  /** Gives back what was kept, without a question. */
  release(): void
}

/** The streams of engines whose tokenizers are asked, and what is kept of them. */
export class TokenizedStreams {
  readonly #deps: SilentStreamsDeps
  readonly #tokenizers = new Map<string, { readonly tokenizer: Tokenizer; readonly credential: Route['credential'] }>()
  #held = 0
  #open = 0

  constructor(deps: SilentStreamsDeps) {
    this.#deps = deps
  }

  /** Bytes of text that are kept now. */
  get heldBytes(): number {
    return this.#held
  }

  /** `undefined`: this is no such stream. */
  follow({ facts, body, servedBy }: Followed): SilentStream | undefined {
    const { api } = facts
    if (!facts.streams || (api !== 'chat' && api !== 'completions')) return undefined
    let held = 0
    let replyBytes = 0
    const take = (bytes: number): boolean => {
      if (this.#held + bytes > TEXT_BYTES_HELD_MAX) return false
      this.#held += bytes
      held += bytes
      return true
    }
    const release = (): void => {
      this.#held -= held
      held = 0
    }
    // A copy: what it is a part of may be larger, and is free once it has gone up.
    const prompt = body.length <= TEXT_BYTES_MAX && take(body.length) ? Buffer.from(body) : undefined
    const text = new ReplyText((bytes) => (replyBytes += bytes) <= TEXT_BYTES_MAX && take(bytes))
    return {
      text,
      release,
      count: (seen) => {
        const texts = isSilent(seen) ? text.texts : undefined
        const asking =
          texts === undefined
            ? undefined
            : this.#ask(this.#tokenizerOf(servedBy(), facts.model ?? ''), texts, prompt && promptTexts(prompt, api))
        if (asking === undefined) release()
        return asking?.finally(release)
      },
    }
  }

  #tokenizerOf({ upstream, basePath, credential }: ReturnType<Followed['servedBy']>, model: string): Tokenizer {
    const name = `${upstream.origin}${basePath} ${model}`
    const known = this.#tokenizers.get(name)
    // Another route's, or one that has been replaced, is refused or opens what it should not.
    if (known !== undefined && known.credential === credential) return known.tokenizer
    const made = createTokenizer(
      { origin: upstream.origin, basePath, model, ...(credential !== undefined && { credential }) },
      { timeoutMs: this.#deps.timeoutMs ?? TOKENIZE_MS_MAX },
    )
    if (this.#tokenizers.size >= TOKENIZERS_MAX) this.#tokenizers.clear()
    this.#tokenizers.set(name, { tokenizer: made, credential })
    return made
  }

  #ask(tokenizer: Tokenizer, texts: readonly string[], prompts: readonly string[] | undefined): Promise<Ending['tokenized']> | undefined {
    if (this.#open >= QUESTIONS_MAX) {
      this.#deps.meters.tokenized.add(1, { result: 'overloaded' })
      return undefined
    }
    this.#open += 1
    return this.#counts(tokenizer, texts, prompts).finally(() => {
      this.#open -= 1
    })
  }

  async #counts(tokenizer: Tokenizer, texts: readonly string[], prompts: readonly string[] | undefined): Promise<Ending['tokenized']> {
    const { meters, logger, timeoutMs = TOKENIZE_MS_MAX } = this.#deps
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const completion = await sumOf(texts, (text) => tokenizer.count(text, 'output', signal))
      if (completion !== undefined) {
        const isFew = prompts !== undefined && prompts.length <= PROMPTS_MAX
        const prompt = isFew ? await sumOf(prompts, (text) => tokenizer.count(text, 'prompt', signal)).catch(() => undefined) : undefined
        meters.tokenized.add(1, { result: 'counted' })
        return { completion, ...(prompt !== undefined && prompt > 0 && { prompt }) }
      }
    } catch (error) {
      logger.debug('a tokenizer does not answer', { cause: errorChain(error) })
    }
    meters.tokenized.add(1, { result: 'failed' })
    return undefined
  }
}

/** Content came, and not a word about how much. */
function isSilent(seen: Observation | undefined): boolean {
  return seen !== undefined && seen.form === 'sse' && seen.usage.kind === 'absent' && seen.deltas > 0
}

/** One after the other: an engine that is asked for much at once answers others later. */
async function sumOf(texts: readonly string[], count: (text: string) => Promise<number | undefined>): Promise<number | undefined> {
  let sum = 0
  for (const text of texts) {
    const tokens = await count(text)
    if (tokens === undefined) return undefined
    sum += tokens
  }
  return sum
}
