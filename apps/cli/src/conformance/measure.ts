import type { Tokenizer } from '@ascribe/gateway/tokenizer'
import type { Api } from '@ascribe/usage'
import type { EngineCounter } from './counter.ts'
import type { AskOptions, EngineClient, EngineReply } from './engine-client.ts'
import { messageOf, readReply, textsOf } from './reading.ts'
import type { Reading } from './reading.ts'

/** What every check is given. */
export type Examination = {
  readonly client: EngineClient
  readonly model: string
  readonly counter: EngineCounter | undefined
  readonly tokenizer: Tokenizer
  /** Different in each run: a prompt that begins with it is in no cache. */
  readonly nonce: string
}

/** A reply and what the engine's own counter made of it. */
export type Measured = {
  readonly kind: 'measured'
  readonly reply: EngineReply
  readonly reading: Reading
  /** Tokens generated since before the question, by the engine's counter. */
  readonly counted: number | undefined
  /** Prompt tokens found in a cache, likewise. */
  readonly countedCached: number | undefined
}

/** The engine does not do this, or not so. */
export type Refused = { readonly kind: 'absent'; readonly says: string } | { readonly kind: 'refused'; readonly says: string }

export const PATHS = {
  chat: '/chat/completions',
  completions: '/completions',
  embeddings: '/embeddings',
  responses: '/responses',
  messages: '/messages',
} as const

export type CheckedApi = keyof typeof PATHS & Api

/** Headers that an API wants beside the body. */
const HEADERS: Partial<Record<CheckedApi, Readonly<Record<string, string>>>> = { messages: { 'anthropic-version': '2023-06-01' } }

/**
 * Longer replies make better tests: `ignore_eos` is how vLLM, SGLang and llama-server are told not to end by themselves. An engine that
 * refuses what it does not know is asked again without.
 */
const EXTRAS = { temperature: 0, ignore_eos: true }

/** Asks for a reply and has it counted. @throws {HttpCallError} {BudgetSpentError} */
export async function measure(
  { client, counter }: Pick<Examination, 'client' | 'counter'>,
  api: CheckedApi,
  body: object,
  options: AskOptions = {},
): Promise<Measured | Refused> {
  const headers = { ...HEADERS[api], ...options.headers }
  const before = await counter?.read()
  const generates = api !== 'embeddings'
  let asked: object = generates ? { ...body, ...EXTRAS } : body
  let reply = await client.post(PATHS[api], asked, { ...options, headers })
  if (generates && (reply.status === 400 || reply.status === 422)) {
    asked = body
    reply = await client.post(PATHS[api], asked, { ...options, headers })
  }
  if (reply.status === 404 || reply.status === 405 || reply.status === 501) return { kind: 'absent', says: `it answers ${reply.status}` }
  if (reply.status >= 400) return { kind: 'refused', says: `it answers ${reply.status}: ${messageOf(reply)}` }
  const reading = readReply(api, asked, reply)
  if (reading === undefined) return { kind: 'refused', says: 'a gateway would not send this request' }
  const after = counter === undefined || !generates ? undefined : (await counter.settled()).counts
  const since = (name: 'generated' | 'cached'): number | undefined => {
    const [from, to] = [before?.[name], after?.[name]]
    return from === undefined || to === undefined ? undefined : to - from
  }
  return { kind: 'measured', reply, reading, counted: since('generated'), countedCached: since('cached') }
}

/** How many tokens were generated, by somebody else's word than the usage block's. */
export type Truth = { readonly tokens: number; readonly by: string; /** How far off it may be. */ readonly tolerance: number }

/** By the engine's counter, else by the limit that every choice ran into, else by its tokenizer. `undefined`: nobody knows. */
export async function truthOf(
  { counter, tokenizer }: Pick<Examination, 'counter' | 'tokenizer'>,
  { reply, reading, counted }: Measured,
  { maxTokens }: { readonly maxTokens: number },
): Promise<Truth | undefined> {
  // The token that ends a reply is counted by some, and is in no text.
  if (counted !== undefined) return { tokens: counted, by: `counted by ${counter?.name}`, tolerance: 0 }
  const { choices, limited, form, deltas } = reading.observation
  if (choices > 0 && limited === choices) return { tokens: choices * maxTokens, by: 'by the limit that it ran into', tolerance: 0 }
  if (form === 'sse') return deltas === 0 ? undefined : { tokens: deltas, by: 'pieces of text', tolerance: Math.max(2, deltas / 2) }
  const texts = textsOf(reply)
  const counts = await Promise.all(texts.map((text) => tokenizer.count(text, 'output').catch(() => undefined)))
  if (counts.length === 0 || counts.includes(undefined)) return undefined
  const tokens = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
  return { tokens, by: 'by its tokenizer', tolerance: Math.max(2 * texts.length, Math.ceil(tokens / 10)) }
}

/** Whether `tokens` is what the truth says, as near as it is known. */
export function agrees(tokens: number, truth: Truth): boolean {
  return Math.abs(tokens - truth.tokens) <= truth.tolerance
}
