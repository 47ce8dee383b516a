/** From here on the time left is in amber, counts seconds, and is said aloud. */
export const SOON_MS = 5 * 60_000

export type TimeLeft = {
  readonly text: string
  /** At most five minutes. */
  readonly isSoon: boolean
  /** When the text changes next, milliseconds from now. */
  readonly changesInMs: number
}

/** What the banner says of an acting session that has `ms` left: whole minutes begun, seconds at the end. */
export function timeLeft(ms: number): TimeLeft {
  if (ms <= 0) return { text: 'no time left', isSoon: true, changesInMs: Number.POSITIVE_INFINITY }
  const seconds = Math.ceil(ms / 1000)
  if (ms > SOON_MS) {
    const minutes = Math.ceil(seconds / 60)
    return { text: `${minutes} min left`, isSoon: false, changesInMs: ms - (minutes - 1) * 60_000 }
  }
  const whole = Math.floor(seconds / 60)
  const text = whole === 0 ? `${seconds} s left` : `${whole} min ${seconds % 60} s left`
  return { text, isSoon: true, changesInMs: ms - (seconds - 1) * 1000 }
}

/** What is said aloud at five minutes and at one; else nothing. `endsAt` is a time as the banner shows it. */
export function spokenWarning(ms: number, endsAt: string): string {
  if (ms <= 0 || ms > SOON_MS) return ''
  const minutes = ms > 60_000 ? '5 minutes' : '1 minute'
  return `${minutes} left. Viewing ends at ${endsAt}.`
}
