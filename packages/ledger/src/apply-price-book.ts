import type { Database, Queryable } from '@ascribe/postgres'
import { parsePriceBook, versionAt } from '@ascribe/rating'
import { hourOf } from '@ascribe/units'
import type { Currency, Instant } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'
import { sqlInstant, startOf } from './instants.ts'
import type { Start } from './instants.ts'
import { lockRating } from './locks.ts'
import { createBookShelf, readDatedBooks } from './price-versions.ts'
import type { DatedBook } from './price-versions.ts'
import { ratePeriod } from './rate.ts'

export type NewPriceBook = {
  /** The YAML file. */
  readonly text: string
  /** Its name, for messages. */
  readonly file: string
  /** In force for usage from this instant on. Default: now, or just after the latest charged instant if that is later. */
  readonly effectiveFrom?: Start
  /** Who did it. */
  readonly appliedBy: string
}

/**
 * - `applied`: in force from `effectiveFrom` until the next version of its currency; the `hours` that were held for want of a
 *   price will be rated again.
 * - `unchanged`: the same bytes are in force there already.
 * - `overlap`: charges cover instants that it would govern, so nothing was changed: `records` charged, the earliest at
 *   `firstInstant`. What has been charged is never repriced.
 */
export type ApplyOutcome =
  | {
      readonly kind: 'applied'
      readonly sequence: number
      readonly currency: Currency
      readonly effectiveFrom: Start
      readonly hours: number
    }
  | { readonly kind: 'unchanged'; readonly sequence: number; readonly currency: Currency; readonly effectiveFrom: Start }
  | { readonly kind: 'overlap'; readonly effectiveFrom: Start; readonly records: bigint; readonly firstInstant: Instant }

/**
 * Adds a version to the price book of the file's currency. It governs [effectiveFrom, the next version's effectiveFrom) and
 * nothing that is charged. Waits until the rater is between two hours, so that no charge appears while it looks.
 * @throws {PriceBookError} for a file that is no price book.
 */
export async function applyPriceBook(db: Database, input: NewPriceBook): Promise<ApplyOutcome> {
  const { text, file, appliedBy } = input
  const book = parsePriceBook(text, { file })
  const { currency, sha256 } = book
  if (appliedBy === '') throw new LedgerInputError('Cannot apply the price book: nobody is named who applies it')
  return db.transaction(async (tx) => {
    await lockRating(tx)
    const all = await readDatedBooks(tx)
    const versions = all.filter((version) => version.currency === currency)
    const now = await clockOf(tx)
    const wanted = input.effectiveFrom === 'beginning' ? -Infinity : (input.effectiveFrom ?? now)
    const inForce = versionAt(versions, wanted)
    if (inForce?.sha256 === sha256) {
      return { kind: 'unchanged', sequence: inForce.sequence, currency, effectiveFrom: startOf(inForce.effectiveFrom) }
    }
    const from = input.effectiveFrom === undefined && inForce !== undefined ? await afterCharges(tx, wanted, inForce) : wanted
    const overlap = inForce === undefined ? undefined : await chargedFrom(tx, { from, inForce, all })
    if (overlap !== undefined) return { kind: 'overlap', effectiveFrom: startOf(from), ...overlap }
    const sequence = (all.at(-1)?.sequence ?? 0) + 1
    await tx.query(
      `insert into price_version (sequence, currency, effective_from, sha256, source, file, applied_by)
       values ($1::integer, $2::text, $3::timestamptz, $4::text, $5::bytea, $6::text, $7::text)`,
      [sequence, currency, sqlInstant(from), sha256, new TextEncoder().encode(text), file, appliedBy],
    )
    const next = Math.min(...versions.map((version) => version.effectiveFrom).filter((at) => at > from))
    const hours = await markUnpriced(tx, { currency, from, next })
    return { kind: 'applied', sequence, currency, effectiveFrom: startOf(from), hours }
  })
}

/** The database's clock, in whole milliseconds as all instants; not now(), which is when the transaction began to wait. */
async function clockOf(tx: Queryable): Promise<Instant> {
  const { rows } = await tx.query<{ at: number }>("select date_trunc('milliseconds', clock_timestamp()) as at")
  return rows[0]?.at ?? Date.now()
}

/** `now`, or the millisecond after the latest charged instant: a gateway's clock may be ahead of ours. */
async function afterCharges(tx: Queryable, now: Instant, inForce: DatedBook): Promise<Instant> {
  const { rows } = await tx.query<{ last: number | null }>(
    "select max(last_instant) as last from usage_hour where state = 'charged' and price_sequence = $1::integer and hour >= $2::timestamptz",
    [inForce.sequence, sqlInstant(hourOf(now).start)],
  )
  return Math.max(now, (rows[0]?.last ?? -Infinity) + 1)
}

type Overlap = { readonly records: bigint; readonly firstInstant: Instant }

/**
 * What the version in force at `from` charges from there on. All its instants lie in its own stretch, in which `from` lies too:
 * so those that the new version would take over are exactly those at or after `from`.
 */
async function chargedFrom(
  tx: Queryable,
  { from, inForce, all }: { readonly from: number; readonly inForce: DatedBook; readonly all: readonly DatedBook[] },
): Promise<Overlap | undefined> {
  const hour = from === -Infinity ? undefined : hourOf(from)
  const { rows } = await tx.query<{ later: string | null; first: number | null; cut: boolean | null; cut_first: number | null }>(
    `select sum(record_count) filter (where hour > $3::timestamptz) as later,
       min(first_instant) filter (where hour > $3::timestamptz) as first,
       bool_or(hour = $3::timestamptz) as cut,
       min(greatest(first_instant, $2::timestamptz)) filter (where hour = $3::timestamptz) as cut_first
     from usage_hour
     where state = 'charged' and price_sequence = $1::integer and hour >= $3::timestamptz and last_instant >= $2::timestamptz`,
    [inForce.sequence, sqlInstant(from), sqlInstant(hour?.start ?? -Infinity)],
  )
  const [found] = rows
  if (found === undefined || (found.later === null && found.cut !== true)) return undefined
  const later = { records: BigInt(found.later ?? '0'), firstInstant: found.first ?? Infinity }
  if (hour === undefined || found.cut !== true) return later
  // Only the records say how many of the hour that `from` cuts are on its far side.
  const part = await ratePeriod(tx, { start: from, end: hour.end }, { versions: all, books: createBookShelf() })
  const charged = part.usage.filter((row) => row.priceSequence === inForce.sequence)
  // A charge stands whatever its records would be charged today: the hour may wait to be rated again.
  if (charged.length === 0) return { records: later.records + 1n, firstInstant: Math.min(found.cut_first ?? Infinity, later.firstInstant) }
  return {
    records: charged.reduce((sum, row) => sum + row.recordCount, later.records),
    firstInstant: Math.min(later.firstInstant, ...charged.map((row) => row.firstInstant)),
  }
}

async function markUnpriced(
  tx: Queryable,
  { currency, from, next }: { readonly currency: Currency; readonly from: number; readonly next: number },
): Promise<number> {
  const marked = await tx.query(
    `insert into dirty_hour (hour)
     select distinct u.hour from usage_hour u join organization o using (organization_id)
     where u.state = 'unpriced' and o.currency = $1::text and u.last_instant >= $2::timestamptz and u.first_instant < $3::timestamptz`,
    [currency, sqlInstant(from), next === Infinity ? 'infinity' : sqlInstant(next)],
  )
  return marked.rowCount
}
