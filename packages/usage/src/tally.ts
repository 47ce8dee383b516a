import type { MediaSeen } from './media/media-seen.ts'
import type { UsageCounts, UsageReading } from './usage-counts.ts'
import type { Fields } from './usage-counts.ts'

/**
 * What an event of a stream is to us: `usage`: the answer to `include_usage`, and nothing else. `end`: the terminal event, of an API
 * whose events say by their type what they are. `part`: anything else.
 */
export type Word = 'part' | 'usage' | 'end'

/** What is known of an event that was too long to be parsed. */
export type LongEvent = {
  readonly bytes: number
  readonly type: string | undefined
  readonly model: string | undefined
  readonly finishReason: string | undefined
  readonly usage: UsageReading
}

/** Adds up what the events of one stream say. One for each way in which APIs stream. */
export type Tally = {
  readonly model: string | undefined
  readonly finishReason: string | undefined
  /** The last usage object that was not null. */
  readonly usage: UsageReading
  /** Whether that one was the last word. */
  readonly final: boolean
  /** One block for each choice, or none. */
  readonly blocks: readonly UsageCounts[]
  readonly deltas: number
  readonly contentBytes: number
  /** Choices that have ended. */
  readonly choices: number
  readonly limited: number
  readonly failed: boolean
  /** Of an API that counts other things than text. */
  readonly media?: MediaSeen | undefined
  /** An event that was not parsed: its content was measured on its bytes. */
  content(bytes: number): void
  /** An event that was parsed. */
  event(event: Fields): Word
  long(event: LongEvent): Word
}
