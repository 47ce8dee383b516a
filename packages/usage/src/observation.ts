import type { MediaAsked } from './media/media-asked.ts'
import type { MediaSeen } from './media/media-seen.ts'
import type { Api } from './record.ts'
import type { UsageCounts, UsageReading } from './usage-counts.ts'

/** What of a request bears on how its reply is counted. `RequestFacts` fit. */
export type Asked = {
  readonly choices: number
  readonly prompts: number
  readonly maxTokens?: number
  readonly promptBytes: number
  readonly media?: MediaAsked
}

/** What a reader has seen of a reply so far. Only {@link settle} draws conclusions from it. */
export type Observation = {
  readonly api: Api
  readonly form: 'sse' | 'json'
  readonly asked: Asked
  /** The engine's name for the model, the last one that was not empty; raw. */
  readonly model: string | undefined
  /** The last one that was not empty; raw. */
  readonly finishReason: string | undefined
  /** Bytes of the reply's body, white space around a JSON body not counted. */
  readonly bytes: number
  /** The last usage object that was not null. */
  readonly usage: UsageReading
  /** Whether that one was the last word on its choice: it came without choices, with a finish reason, or in a whole JSON body. */
  readonly final: boolean
  /** One block for each choice, where an engine reports choice by choice (llama-server); else empty. */
  readonly blocks: readonly UsageCounts[]
  /** Pieces of content, one for each choice in each event of a stream; never more than the tokens they are made of, as engines send one token or more in an event. */
  readonly deltas: number
  /** Bytes of that content in UTF-8. */
  readonly contentBytes: number
  /** Choices that the reply has; in a stream, those that have ended. */
  readonly choices: number
  /** Choices that ended because a limit of tokens was reached. */
  readonly limited: number
  /** The reply is a lone error object, sent with a status of success. */
  readonly failed: boolean
  /** The reply was read to its end: the body was whole, or the stream's terminal event or proper end came. */
  readonly whole: boolean
  /** Of an API that counts other things than text. */
  readonly media?: MediaSeen | undefined
}
