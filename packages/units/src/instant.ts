import type { Flavor } from './flavor.ts'

/** A moment: UTC milliseconds since 1970-01-01T00:00:00Z, an integer; negative before that. Years 0000 to 9999. */
export type Instant = Flavor<number, 'instant'>

export type ParseInstantOptions = {
  /** Whether `2026-11-01` is taken too, as the start of that day in UTC. Default false. */
  readonly allowDate?: boolean
}

// RFC 3339 section 5.6. `t` and `z` may be lower case there; a blank in the place of `T` is not part of the grammar.
const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/
const DATE_TIME =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))$/

const MINUTE_MS = 60_000
const INSTANT_MIN = Date.parse('0000-01-01T00:00:00.000Z')
const INSTANT_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * Parses an RFC 3339 date-time, whose offset (or `Z`) is required; `undefined` for anything else, for a day that is not in
 * the calendar and for a leap second. What is finer than a millisecond is cut off.
 */
export function parseInstant(text: string, options: ParseInstantOptions = {}): Instant | undefined {
  if (options.allowDate === true) {
    const date = DATE.exec(text)
    if (date !== null) return startOfDay(date)
  }
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const [, , , , hour, minute, second, fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match
  const day = startOfDay(match)
  if (day === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const timeMs = (Number(hour) * 60 + Number(minute)) * MINUTE_MS + Number(second) * 1000 + ms
  const offsetMs = (Number(offsetHour) * 60 + Number(offsetMinute)) * MINUTE_MS * (sign === '-' ? -1 : 1)
  const at = day + timeMs - offsetMs
  return at >= INSTANT_MIN && at <= INSTANT_MAX ? at : undefined
}

/** Formats an instant as RFC 3339 with `Z`, with milliseconds only where there are any: `2026-11-01T00:00:00Z`. */
export function formatInstant(at: Instant): string {
  if (!Number.isInteger(at) || at < INSTANT_MIN || at > INSTANT_MAX) {
    throw new RangeError(`Cannot format instant ${at}: it must be an integer of milliseconds in the years 0000 to 9999`)
  }
  return new Date(at).toISOString().replace('.000Z', 'Z')
}

function startOfDay(match: RegExpExecArray): Instant | undefined {
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const date = new Date(0)
  // Not `Date.UTC`, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day)
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined
}
