import type { EventId } from '@ascribe/units'

/**
 * The APIs whose usage we read: OpenAI's Chat Completions, Completions, Embeddings, Responses, audio (`speech`; `transcriptions`, translations
 * too) and `images`; Anthropic's Messages; `rerank` as Cohere, Jina and vLLM have it. `free`: a path that costs nobody anything, forwarded all the same.
 */
export type Api =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'responses'
  | 'messages'
  | 'speech'
  | 'transcriptions'
  | 'images'
  | 'rerank'
  | 'free'

/**
 * How a request ended.
 * - `completed`: the upstream's reply was whole, status below 400, and the client got it or was offered all of it.
 * - `aborted`: the client left before its last byte.
 * - `upstream_error`: the upstream answered 400 or above, or gave no reply at all (refused, reset, timed out before the head).
 * - `upstream_reset`: the upstream's reply broke off after its head.
 * - `interrupted`: we stopped the request while shutting down.
 * - `unknown`: the process died; only the intent is known. Written by journal recovery.
 */
export type Outcome = 'completed' | 'aborted' | 'upstream_error' | 'upstream_reset' | 'interrupted' | 'unknown'

/**
 * How the quantities are known: `reported` by the engine at the end, `continuous` from the engine's last running count
 * before the reply broke off, `estimated` by us from what passed, `unknown` not at all.
 */
export type Provenance = 'reported' | 'continuous' | 'estimated' | 'unknown'

/**
 * Disjoint classes of quantity of one request; they add up to what was used. Integers, 0 or more, at most 2^53 - 1.
 * Known names, input: `input_tokens` (none of the following), `cached_input_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`,
 * `input_audio_tokens`, `input_image_tokens`. Output: `output_tokens` (none of the following), `reasoning_tokens`, `output_audio_tokens`,
 * `output_image_tokens`. Where an API does not count tokens: `input_characters`, `input_audio_ms`, `images`, `search_units`. Empty when nothing is known.
 */
export type Meters = Readonly<Record<string, number>>

/** What is known when a request is admitted, before the upstream sees a byte. Absent is absent: never an empty string. */
export type Intent = {
  /** Ours, UUIDv7; the key of the record everywhere. */
  readonly eventId: EventId
  /** When the request was admitted: the record's instant, by which it is priced. UTC epoch milliseconds. */
  readonly startedAt: number
  /** The client's `X-Request-Id` if it was valid, else the event id. Correlation only, not unique. */
  readonly requestId: string
  /** The attribution key: token or API-key id. */
  readonly authId: string
  readonly resourceId: string
  readonly resourceType?: string
  readonly userId?: string
  readonly groupId?: string
  readonly baseModel?: string
  /** `X-Saturn-Org-Id`: what the edge claims. Never believed over the directory. */
  readonly claimedOrganizationId?: string
  /** Every other `X-Saturn-*` header, verbatim, names as they were sent. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether trusted headers or an API key named the identity. */
  readonly identifiedBy: 'headers' | 'key'
  /** Id of the route that was taken. */
  readonly route: string
  readonly api: Api
  /** The `model` of the request body. */
  readonly modelAsked?: string
  /** Whether the client asked for a stream. */
  readonly streamed: boolean
  /** The client's `Idempotency-Key`, where it sent one. */
  readonly idempotencyKey?: string
}

/** One try of a request at one upstream. */
export type Attempt = {
  /** Id of the upstream: unique in its route. */
  readonly upstream: string
  /** Milliseconds from admission to its beginning and its end. */
  readonly startedMs: number
  readonly endedMs: number
  /** Of its reply; absent when there was none. */
  readonly status?: number
  /** Why it did not give the client its reply: a word of the relay's, for example `connect` or `head_timeout`. Absent: it did. */
  readonly failure?: string
  /** What it has used by itself, where that is known, and how. */
  readonly provenance: Provenance
  readonly meters: Meters
  /** Whether the record's own meters include these. */
  readonly billed: boolean
}

/** The most attempts that a record lists. */
export const ATTEMPTS_MAX = 4

/** What is known when a request has ended, on whatever way out. */
export type Settlement = {
  /** UTC epoch milliseconds. */
  readonly endedAt: number
  readonly outcome: Outcome
  readonly provenance: Provenance
  /** Status of the upstream's reply; absent when there was none. */
  readonly status?: number
  /** The model that the engine named; at most 512 characters (longer: cut, with a hash appended). Prices go by it. */
  readonly model?: string
  readonly finishReason?: string
  /** The engine's totals, cached tokens inside `promptTokens`, reasoning inside `completionTokens`; null: unknown. */
  readonly promptTokens: number | null
  readonly cachedTokens: number | null
  readonly completionTokens: number | null
  readonly meters: Meters
  /** Milliseconds from admission to the first byte of the upstream's reply. */
  readonly firstByteMs?: number
  /**
   * The engine's usage was malformed or contradicted itself. With counts that are null it could not be read at all; otherwise
   * they are those that give no credit.
   */
  readonly invalidUsage?: true
  /** Numbers of the engine's usage block that no class of ours stands for, under the engine's own names (`.` between levels); never charged, never dropped. At most 16. */
  readonly unclassified?: Readonly<Record<string, number>>
  /** Every try, in order; only where there was more than one. At most {@link ATTEMPTS_MAX}. */
  readonly attempts?: readonly Attempt[]
}

/** One immutable fact: who used what, how much, when, and how we know. The only thing that crosses to billing. */
export type UsageRecord = Omit<Intent, 'api' | 'identifiedBy'> & {
  /** `event`: no gateway saw it, somebody else reported it. `machine`: a stretch of a virtual machine's life. */
  readonly api: Api | 'event' | 'machine'
  /** `binding`: a controller, by the owner binding of the namespace. */
  readonly identifiedBy: Intent['identifiedBy'] | 'event' | 'binding'
} & Settlement

/** What recovery writes for an intent whose process died: nothing is known, and nothing is zero. */
export function unknownSettlement(endedAt: number): Settlement {
  return {
    endedAt,
    outcome: 'unknown',
    provenance: 'unknown',
    promptTokens: null,
    cachedTokens: null,
    completionTokens: null,
    meters: {},
  }
}
