import type { Nano, Quantity, Rate } from '@ascribe/units'
import { chargeNano } from './charge-nano.ts'

/** One step of tiers: `rate` for the units up to and including the `upTo`-th; the last one has no bound. */
export type Tier = { readonly upTo: Quantity | undefined; readonly rate: Rate }

/**
 * A price that depends on the total of an organization's month, so that no hour has it. What is `included` comes off first, in order
 * of time; tiers and packages see only what exceeds it.
 * - `linear`: one rate beyond what is included.
 * - `graduated`: each unit costs the rate of the tier that it falls in.
 * - `volume`: all units cost the rate of the tier that the total falls in.
 * - `package`: blocks of `size` units at `price` (10^-18 of the currency) each; a block that is begun counts.
 */
export type PeriodPrice =
  | { readonly kind: 'linear'; readonly included: Quantity; readonly rate: Rate }
  | { readonly kind: 'graduated' | 'volume'; readonly included: Quantity; readonly tiers: readonly Tier[] }
  | { readonly kind: 'package'; readonly included: Quantity; readonly size: Quantity; readonly price: Rate }

/** What was used under one version of a price, in the order in which the versions were in force. */
export type PeriodSegment = { readonly price: PeriodPrice; readonly quantity: Quantity }

/** `amount` is `quantity` × `rate`, rounded once; of a package, the quantity is blocks. `segment` counts from 0. */
export type PeriodLine = {
  readonly segment: number
  readonly kind: 'usage' | 'tier' | 'package' | 'included'
  readonly quantity: Quantity
  readonly rate: Rate
  readonly amount: Nano
  readonly description: string
}

/**
 * Prices a month's quantities of one meter of one model of one organization. Positions go on from segment to segment: when prices
 * change within the month, graduated tiers, blocks and what is included go on where the version before left off, each segment at its
 * own version's rates; a volume tier is found by the total of the month in every version. How the quantity came about, in which
 * hours and in which order within a segment, changes nothing.
 */
export function periodLines(segments: readonly PeriodSegment[]): readonly PeriodLine[] {
  const total = segments.reduce((sum, { quantity }) => sum + quantity, 0n)
  const lines: PeriodLine[] = []
  let start = 0n
  for (const [segment, { price, quantity }] of segments.entries()) {
    const end = start + quantity
    lines.push(...segmentLines(price, { start, end, total }).map((line) => ({ segment, ...line })))
    start = end
  }
  return lines
}

/** The units after the `start`-th up to the `end`-th of `total`. */
type Span = { readonly start: Quantity; readonly end: Quantity; readonly total: Quantity }
type Line = Omit<PeriodLine, 'segment'>

function segmentLines(price: PeriodPrice, { start, end, total }: Span): readonly Line[] {
  const { included } = price
  const beyond = { start: above(start, included), end: above(end, included), total: above(total, included) }
  const free = end - start - (beyond.end - beyond.start)
  return [...lineOf({ kind: 'included', quantity: free, rate: 0n, description: `of ${included} included` }), ...billed(price, beyond)]
}

function billed(price: PeriodPrice, span: Span): readonly Line[] {
  switch (price.kind) {
    case 'linear':
      return lineOf({
        kind: 'usage',
        quantity: span.end - span.start,
        rate: price.rate,
        description: `beyond the ${price.included} included`,
      })
    case 'graduated':
      return price.tiers.flatMap((tier, index) => {
        const [from, to] = [price.tiers[index - 1]?.upTo ?? 0n, tier.upTo ?? span.end]
        const quantity = least(span.end, to) - greatest(span.start, from)
        return lineOf({ kind: 'tier', quantity, rate: tier.rate, description: tierText(price.tiers, index) })
      })
    case 'volume': {
      const index = price.tiers.findIndex(({ upTo }) => upTo === undefined || span.total <= upTo)
      const rate = price.tiers[index]?.rate ?? 0n
      return lineOf({ kind: 'tier', quantity: span.end - span.start, rate, description: `all at ${tierText(price.tiers, index)}` })
    }
    case 'package': {
      const quantity = blocks(span.end, price.size) - blocks(span.start, price.size)
      return lineOf({ kind: 'package', quantity, rate: price.price, description: `blocks of ${price.size}` })
    }
  }
}

function lineOf(line: Omit<Line, 'amount'>): readonly Line[] {
  return line.quantity > 0n ? [{ ...line, amount: chargeNano(line.quantity, line.rate) }] : []
}

function tierText(tiers: readonly Tier[], index: number): string {
  const [from, to] = [tiers[index - 1]?.upTo ?? 0n, tiers[index]?.upTo]
  const range = to === undefined ? `above ${from}` : `${from + 1n} to ${to}`
  return `tier ${index + 1} of ${tiers.length}: ${range}`
}

function blocks(quantity: Quantity, size: Quantity): Quantity {
  return (quantity + size - 1n) / size
}

function above(position: Quantity, bound: Quantity): Quantity {
  return position > bound ? position - bound : 0n
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function greatest(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
