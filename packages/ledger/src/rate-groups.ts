import { priceGroup, resolvePrice } from '@ascribe/rating'
import type { PriceBook } from '@ascribe/rating'
import type { Currency, Instant, Nano, Quantity, Rate } from '@ascribe/units'
import type { UsageGroup } from './usage-group.ts'

/** What became of a record when its hour was rated; every record has exactly one. See the table usage_hour. */
export type UsageState = 'charged' | 'free' | 'unpriced' | 'unattributed' | 'unknown'

/** One row of usage_hour, but for its hour. */
export type UsageRow = {
  readonly state: UsageState
  readonly organizationId: string | null
  readonly claimedOrganizationId: string | null
  readonly authId: string
  readonly userId: string | null
  readonly resourceId: string
  readonly model: string | null
  readonly baseModel: string | null
  readonly priceSequence: number | null
  readonly meters: Readonly<Record<string, Quantity>>
  readonly recordCount: bigint
  readonly firstInstant: Instant
  readonly lastInstant: Instant
}

/** One row of charge, but for its hour. */
export type ChargeRow = {
  readonly organizationId: string
  readonly authId: string
  readonly userId: string | null
  readonly resourceId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
  readonly rate: Rate
  readonly quantity: Quantity
  readonly amount: Nano
  readonly recordCount: bigint
}

/** The book in force for a currency, and which version it is. */
export type BookInForce = { readonly sequence: number; readonly book: PriceBook }

export type RatedUsage = { readonly usage: readonly UsageRow[]; readonly charges: readonly ChargeRow[] }

type Charged = {
  readonly row: UsageRow
  readonly book: PriceBook
  readonly quantities: Map<string, { quantity: Quantity; recordCount: bigint }>
}

/** Collects the groups of one hour, whose slices may have different books, and gives its rows. */
export type HourRating = {
  add(group: UsageGroup, books: ReadonlyMap<Currency, BookInForce>): void
  rows(): RatedUsage
}

/** Makes the rating of one hour. The order in which groups are added does not matter. */
export function createHourRating(): HourRating {
  const usage = new Map<string, UsageRow>()
  const charged = new Map<string, Charged>()

  function count(row: UsageRow): void {
    const key = JSON.stringify([identityOf(row), row.state, row.claimedOrganizationId, Object.keys(row.meters).toSorted()])
    const before = usage.get(key)
    usage.set(key, before === undefined ? row : merged(before, row))
  }

  function charge(row: UsageRow, book: PriceBook): void {
    const entry = charged.getOrInsertComputed(identityOf(row), () => ({ row, book, quantities: new Map() }))
    for (const [meter, quantity] of Object.entries(row.meters)) {
      const before = entry.quantities.get(meter)
      entry.quantities.set(meter, {
        quantity: (before?.quantity ?? 0n) + quantity,
        recordCount: (before?.recordCount ?? 0n) + row.recordCount,
      })
    }
  }

  return {
    add(group, books) {
      const { row, book } = fateOf(group, books)
      count(row)
      if (book !== undefined) charge(row, book)
    },
    rows: () => ({
      usage: sortedBy([...usage.entries()]),
      charges: sortedBy([...charged.entries()]).flatMap(chargesOf),
    }),
  }
}

/** What rows of charge and usage_hour have in common. */
function identityOf(row: UsageRow): string {
  return JSON.stringify([row.organizationId, row.authId, row.userId, row.resourceId, row.model, row.baseModel, row.priceSequence])
}

function sortedBy<Value>(entries: [string, Value][]): Value[] {
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
}

function merged(a: UsageRow, b: UsageRow): UsageRow {
  return {
    ...a,
    meters: Object.fromEntries(Object.entries(a.meters).map(([meter, quantity]) => [meter, quantity + (b.meters[meter] ?? 0n)])),
    recordCount: a.recordCount + b.recordCount,
    firstInstant: Math.min(a.firstInstant, b.firstInstant),
    lastInstant: Math.max(a.lastInstant, b.lastInstant),
  }
}

/**
 * Decides, in this order: a failed request without quantities is free; then whose it is; then whether anybody knows how much it
 * was; then whether it was anything; then whether all of it has a price. A record is charged whole or held whole.
 */
function fateOf(group: UsageGroup, books: ReadonlyMap<Currency, BookInForce>): { readonly row: UsageRow; readonly book?: PriceBook } {
  const { organizationId, currency } = group
  const isEmpty = Object.keys(group.quantities).length === 0
  if (group.failed && isEmpty) return { row: rowOf(group, 'free') }
  if (organizationId === null || currency === null || !group.claimAgrees) return { row: rowOf(group, 'unattributed') }
  if (group.unknown) return { row: rowOf(group, 'unknown') }
  if (isEmpty) return { row: rowOf(group, 'free') }
  const inForce = books.get(currency)
  const key = keyOf(group)
  if (inForce === undefined || priceGroup(inForce.book, { ...key, quantities: group.quantities }).kind === 'unpriced') {
    return { row: { ...rowOf(group, 'unpriced'), baseModel: group.baseModel } }
  }
  const { book, sequence } = inForce
  const decides = resolvePrice(book, key)?.via === 'base_model'
  return { row: { ...rowOf(group, 'charged'), baseModel: decides ? group.baseModel : null, priceSequence: sequence }, book }
}

function rowOf(group: UsageGroup, state: UsageState): UsageRow {
  return {
    state,
    organizationId: group.organizationId,
    claimedOrganizationId: state === 'unattributed' ? group.claimedOrganizationId : null,
    authId: group.authId,
    userId: group.userId,
    resourceId: group.resourceId,
    model: group.model,
    baseModel: null,
    priceSequence: null,
    meters: group.quantities,
    recordCount: group.recordCount,
    firstInstant: group.firstInstant,
    lastInstant: group.lastInstant,
  }
}

function keyOf({ model, baseModel }: { readonly model: string | null; readonly baseModel: string | null }): {
  model?: string
  baseModel?: string
} {
  return { ...(model === null ? {} : { model }), ...(baseModel === null ? {} : { baseModel }) }
}

/** Prices the sum of all groups with one identity, so that an amount is rounded once. */
function chargesOf({ row, book, quantities }: Charged): readonly ChargeRow[] {
  const sums = Object.fromEntries([...quantities].map(([meter, { quantity }]) => [meter, quantity]))
  const priced = priceGroup(book, { ...keyOf(row), quantities: sums })
  const { organizationId, model, priceSequence } = row
  if (priced.kind === 'unpriced' || organizationId === null || model === null || priceSequence === null) {
    throw new Error('a group that was priced has no price for its sum')
  }
  return priced.charges.map((charge) => ({
    organizationId,
    authId: row.authId,
    userId: row.userId,
    resourceId: row.resourceId,
    model,
    baseModel: row.baseModel,
    priceSequence,
    ...charge,
    recordCount: quantities.get(charge.meter)?.recordCount ?? 0n,
  }))
}
