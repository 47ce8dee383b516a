import { formatInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'

/** An instant, or the beginning of time: before anything that could be recorded. */
export type Start = Instant | 'beginning'

/** The text form for a parameter of type `timestamptz`. */
export function sqlInstant(at: Start): string {
  return at === 'beginning' || at === -Infinity ? '-infinity' : formatInstant(at)
}

/** What a `timestamptz` column with `-infinity` means. */
export function startOf(at: number): Start {
  return at === -Infinity ? 'beginning' : at
}
