import { InvalidArgumentError } from 'commander'
import { monthOf, parseInstant } from '@ascribe/units'

/** An instant on the command line. @throws {InvalidArgumentError} */
export function instantArgument(text: string): number {
  const at = parseInstant(text, { allowDate: true })
  if (at === undefined)
    throw new InvalidArgumentError('Write an instant as RFC 3339, for example 2026-11-22T06:00:00Z, or a day, 2026-11-22.')
  return at
}

/** A calendar month, UTC. @throws {InvalidArgumentError} */
export function monthArgument(text: string): string {
  if (monthOf(text) === undefined) throw new InvalidArgumentError('Write a month as YYYY-MM, for example 2026-11.')
  return text
}

/** A port; 0 takes a free one. @throws {InvalidArgumentError} */
export function portArgument(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('Write a port as a number from 0 to 65535; 0 takes a free one.')
  return port
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Ten years: what is longer is a slip, or means for ever. */
const DURATION_MS_MAX = 3653 * 86_400_000

/** A duration, in milliseconds. @throws {InvalidArgumentError} */
export function durationArgument(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text.trim()) ?? []
  const duration = Number(count) * (UNIT_MS[unit] ?? Number.NaN)
  if (text.trim() === '0') return 0
  if (!(duration <= DURATION_MS_MAX)) throw new InvalidArgumentError('Write a duration such as 30m, 24h or 90d; at most 3653d.')
  return duration
}

/** A positive count. @throws {InvalidArgumentError} */
export function countArgument(text: string): number {
  const count = Number(text)
  if (!/^\d{1,9}$/.test(text) || count < 1) throw new InvalidArgumentError('Write a whole number, 1 or more.')
  return count
}

/** A comma-separated list. */
export function listArgument(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
