import { priceGroup, resolvePrice } from '@ascribe/rating'
import type { PriceBook, PriceKey } from '@ascribe/rating'
import { isCloudAuthId } from '@ascribe/units'
import type { Currency, Instant, Nano, Quantity, Rate } from '@ascribe/units'
import type { RecordsDigest } from './records-digest.ts'
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
  readonly groupId: string | null
  readonly resourceId: string
  readonly model: string | null
  readonly baseModel: string | null
  readonly priceSequence: number | null
  readonly meters: Readonly<Record<string, Quantity>>
  readonly recordCount: bigint
  readonly firstInstant: Instant
  readonly lastInstant: Instant
}

/** A charged quantity of one meter in an hour. */
type ChargedQuantity = {
  readonly organizationId: string
  readonly authId: string
  readonly userId: string | null
  readonly groupId: string | null
  readonly resourceId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
  readonly quantity: Quantity
  readonly recordCount: bigint
  readonly digest: RecordsDigest
}

/** One row of charge, but for its hour; or of provider_charge, which has the same. */
export type ChargeRow = ChargedQuantity & { readonly rate: Rate; readonly amount: Nano }

/** One row of period_quantity, but for its hour: what it costs only the total of the month says. */
export type PeriodQuantityRow = ChargedQuantity

/** A book that may price something, and which version it is. */
export type BookInForce = { readonly sequence: number; readonly book: PriceBook }

/** By currency, in the order in which they are asked. */
export type BooksInForce = ReadonlyMap<Currency, readonly BookInForce[]>

export type RatedUsage = {
  readonly usage: readonly UsageRow[]
  readonly charges: readonly ChargeRow[]
  readonly period: readonly PeriodQuantityRow[]
  /** What somebody else bills, at list prices. */
  readonly memos: readonly ChargeRow[]
}

type Charged = {
  readonly row: UsageRow
  readonly book: PriceBook
  readonly quantities: Map<string, { quantity: Quantity; recordCount: bigint; digest: RecordsDigest }>
}

/** Collects the groups of one hour, whose slices may have different books, and gives its rows. */
export type HourRating = {
  add(group: UsageGroup, books: BooksInForce): void
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

  function charge(row: UsageRow, book: PriceBook, digest: RecordsDigest): void {
    const entry = charged.getOrInsertComputed(identityOf(row), () => ({ row, book, quantities: new Map() }))
    for (const [meter, quantity] of Object.entries(row.meters)) {
      const before = entry.quantities.get(meter)
      entry.quantities.set(meter, {
        quantity: (before?.quantity ?? 0n) + quantity,
        recordCount: (before?.recordCount ?? 0n) + row.recordCount,
        digest: (before?.digest ?? 0n) ^ digest,
      })
    }
  }

  return {
    add(group, books) {
      const { row, book } = fateOf(group, books)
      count(row)
      if (book !== undefined) charge(row, book, group.digest)
    },
    rows: () => {
      const priced = sortedBy([...charged.entries()]).map(chargesOf)
      return {
        usage: sortedBy([...usage.entries()]),
        charges: priced.flatMap(({ charges }) => charges),
        period: priced.flatMap(({ period }) => period),
        memos: priced.flatMap(({ memos }) => memos),
      }
    },
  }
}

/** What rows of charge and usage_hour have in common. */
function identityOf(row: UsageRow): string {
  const { organizationId, authId, userId, groupId, resourceId, model, baseModel, priceSequence } = row
  return JSON.stringify([organizationId, authId, userId, groupId, resourceId, model, baseModel, priceSequence])
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
function fateOf(group: UsageGroup, books: BooksInForce): { readonly row: UsageRow; readonly book?: PriceBook } {
  const { organizationId, currency } = group
  const isEmpty = Object.keys(group.quantities).length === 0
  if (group.failed && isEmpty) return { row: rowOf(group, 'free') }
  if (organizationId === null || currency === null || !group.claimAgrees) return { row: rowOf(group, 'unattributed') }
  if (group.unknown) return { row: rowOf(group, 'unknown') }
  if (isEmpty) return { row: rowOf(group, 'free') }
  const key = keyOf(group)
  const prices = books.get(currency)?.find(({ book }) => priceGroup(book, { ...key, quantities: group.quantities }).kind === 'priced')
  if (prices === undefined) return { row: { ...rowOf(group, 'unpriced'), baseModel: group.baseModel } }
  const decides = resolvePrice(prices.book, key)?.via === 'base_model'
  const row = { ...rowOf(group, 'charged'), baseModel: decides ? group.baseModel : null, priceSequence: prices.sequence }
  return { row, book: prices.book }
}

function rowOf(group: UsageGroup, state: UsageState): UsageRow {
  return {
    state,
    organizationId: group.organizationId,
    claimedOrganizationId: state === 'unattributed' ? group.claimedOrganizationId : null,
    authId: group.authId,
    userId: group.userId,
    groupId: group.groupId,
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

function keyOf({
  model,
  baseModel,
  organizationId,
  authId,
}: Pick<UsageRow, 'model' | 'baseModel' | 'organizationId' | 'authId'>): PriceKey {
  return {
    model: model ?? undefined,
    baseModel: baseModel ?? undefined,
    organizationId: organizationId ?? undefined,
    isMachine: isCloudAuthId(authId),
  }
}

/** Prices the sum of all groups with one identity, so that an amount is rounded once. */
function chargesOf({ row, book, quantities }: Charged): Omit<RatedUsage, 'usage'> {
  const sums = Object.fromEntries([...quantities].map(([meter, { quantity }]) => [meter, quantity]))
  const priced = priceGroup(book, { ...keyOf(row), quantities: sums })
  const { organizationId, authId, userId, groupId, resourceId, model, baseModel, priceSequence } = row
  if (priced.kind === 'unpriced' || organizationId === null || model === null || priceSequence === null) {
    throw new Error('a group that was priced has no price for its sum')
  }
  const identity = { organizationId, authId, userId, groupId, resourceId, model, baseModel, priceSequence }
  const covers = (meter: string): { readonly recordCount: bigint; readonly digest: RecordsDigest } => {
    const { recordCount = 0n, digest = 0n } = quantities.get(meter) ?? {}
    return { recordCount, digest }
  }
  return {
    charges: priced.charges.map((charge) => ({ ...identity, ...charge, ...covers(charge.meter) })),
    period: priced.period.map((quantity) => ({ ...identity, ...quantity, ...covers(quantity.meter) })),
    memos: priced.memos.map((memo) => ({ ...identity, ...memo, ...covers(memo.meter) })),
  }
}
