import { periodLines, resolvePrice } from '@ascribe/rating'
import type { PeriodPrice, PriceBook } from '@ascribe/rating'
import type { Instant, Nano, Quantity, Rate } from '@ascribe/units'

/** What a line of a month is that no hourly charge makes. */
export type LineKind = 'usage' | 'tier' | 'package' | 'included' | 'minimum' | 'commitment'

/** A line of an organization's month: of all of its keys together. */
export type MonthLine = {
  readonly organizationId: string
  readonly kind: LineKind
  /** Empty, as is the meter, for a minimum or a commitment. */
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
  readonly rate: Rate
  readonly quantity: Quantity
  readonly amount: Nano
  /** Never holds what changes with usage: lines are told apart by it. */
  readonly description: string
}

/** What was used in a month of what its total prices. */
export type MonthTotal = {
  readonly organizationId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
  readonly quantity: Quantity
}

/** The books of the versions that totals name. */
export type MonthBooks = ReadonlyMap<number, { readonly effectiveFrom: Instant; readonly book: PriceBook }>

type Segment = { readonly price: PeriodPrice; quantity: Quantity; readonly sequence: number; readonly effectiveFrom: Instant }
type Priced = { readonly total: MonthTotal; readonly pool: string; readonly segments: Map<number, Segment> }

/**
 * The lines that totals make, by organization, model and meter. Versions follow each other by when they are in force from, then by
 * when they were applied; positions go on over them, see periodLines(). Meters that are counted together make the lines of one.
 */
export function linesOfTotals(totals: readonly MonthTotal[], books: MonthBooks): readonly MonthLine[] {
  const priced = new Map<string, Priced>()
  for (const total of totals) {
    const { organizationId, model, baseModel, meter, priceSequence } = total
    const version = books.get(priceSequence)
    const price = version && resolvePrice(version.book, { organizationId, model, baseModel: baseModel ?? undefined })?.rates.get(meter)
    if (version === undefined || price === undefined || typeof price === 'bigint' || price.kind === 'provider') {
      throw new Error(`version ${priceSequence} does not price ${meter} of ${model} by the month`)
    }
    const key = JSON.stringify([organizationId, model, baseModel, price.pool])
    const { segments } = priced.getOrInsertComputed(key, () => ({ total, pool: price.pool, segments: new Map<number, Segment>() }))
    const { effectiveFrom } = version
    segments.getOrInsertComputed(priceSequence, () => ({ price, quantity: 0n, sequence: priceSequence, effectiveFrom })).quantity +=
      total.quantity
  }
  return [...priced.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, each]) => linesOf(each))
}

function linesOf({ total, pool, segments }: Priced): readonly MonthLine[] {
  const inOrder = [...segments.values()].toSorted(inForceOrder)
  const { organizationId, model, baseModel } = total
  return periodLines(inOrder).map(({ segment, kind, quantity, rate, amount, description }) => ({
    organizationId,
    kind,
    model,
    baseModel,
    meter: pool,
    priceSequence: inOrder[segment]?.sequence ?? 0,
    rate,
    quantity,
    amount,
    description,
  }))
}

function inForceOrder(a: Segment, b: Segment): number {
  if (a.effectiveFrom !== b.effectiveFrom) return a.effectiveFrom < b.effectiveFrom ? -1 : 1
  return a.sequence - b.sequence
}

/** By what two lines of a month are the same one, now and when they were stored. */
export function lineKey(line: MonthLine): string {
  const { organizationId, kind, model, baseModel, meter, priceSequence, rate, description } = line
  return JSON.stringify([organizationId, kind, model, baseModel, meter, priceSequence, String(rate), description])
}
