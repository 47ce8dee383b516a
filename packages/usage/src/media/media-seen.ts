import type { MediaUsage } from './media-usage.ts'

/** What was seen of a reply that is not text, beside what every reply shows. */
export type MediaSeen = {
  readonly usage: MediaUsage
  /** `images`: how many came; `undefined`: the reply is not in a form in which they can be counted. */
  readonly images: number | undefined
  /** `transcriptions`: where the last line of subtitles ends, in milliseconds. */
  readonly endMs: number | undefined
}
