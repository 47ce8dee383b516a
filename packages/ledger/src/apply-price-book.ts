import type { Database, Queryable } from '@ascribe/postgres'
import { diffBooks, parsePriceBook, versionAt } from '@ascribe/rating'
import type { BookDiff, KnownOrganizations, PriceBook } from '@ascribe/rating'
import { hourOf } from '@ascribe/units'
import type { Currency, Instant } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'
import { sqlInstant, startOf } from './instants.ts'
import type { Start } from './instants.ts'
import { lockRating } from './locks.ts'
import { createBookShelf, readDatedBooks, shelfOf } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { ratePeriod } from './rate.ts'

export type NewPriceBook = {
  /** The YAML file. */
  readonly text: string
  /** Its name, for messages. */
  readonly file: string
  /**
   * In force for usage from this instant on. Default: now, or just after the latest charged instant if that is later; of a supplement, the
   * beginning.
   */
  readonly effectiveFrom?: Start
  /** Price only what has no price yet, up to `until` (default: now), and nothing else. Default: a full version. */
  readonly supplement?: { readonly until?: Instant }
  /** Who did it. */
  readonly appliedBy: string
}

/**
 * - `applied`: in force from `effectiveFrom` until the next full version of its currency, or until `effectiveUntil`; the `hours` that were
 *   held for want of a price will be rated again. `diff`: to the full version in force at `effectiveFrom`; of a supplement, what it adds.
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
      readonly effectiveUntil?: Instant
      readonly hours: number
      readonly diff: BookDiff
    }
  | { readonly kind: 'unchanged'; readonly sequence: number; readonly currency: Currency; readonly effectiveFrom: Start }
  | { readonly kind: 'overlap'; readonly effectiveFrom: Start; readonly records: bigint; readonly firstInstant: Instant }

/**
 * Adds a version to the price book of the file's currency. A full one governs [effectiveFrom, the next one's effectiveFrom) and nothing
 * that is charged; a supplement prices, in its period, only records that no full version and no earlier supplement prices, so that it can
 * touch nothing that is charged. Waits until nobody rates, so that no charge appears while it looks.
 * @throws {PriceBookError} for a file that is no price book, or that names organizations that are not here.
 */
export async function applyPriceBook(db: Database, input: NewPriceBook): Promise<ApplyOutcome> {
  const { text, file, appliedBy } = input
  if (appliedBy === '') throw new LedgerInputError('Cannot apply the price book: nobody is named who applies it')
  return db.transaction(async (tx) => {
    await lockRating(tx)
    const book = parsePriceBook(text, { file, organizations: await readKnownOrganizations(tx) })
    const trial = { book, all: await readDatedBooks(tx), now: await clockOf(tx), shelf: shelfOf(db) }
    return input.supplement === undefined ? applyFull(tx, input, trial) : applySupplement(tx, { ...input, ...input.supplement }, trial)
  })
}

/** Every organization, and what it is billed in: to check a price book against. */
export async function readKnownOrganizations(db: Queryable): Promise<KnownOrganizations> {
  const { rows } = await db.query<{ organization_id: string; currency: string }>('select organization_id, currency from organization')
  return new Map(rows.map((row) => [row.organization_id, row.currency]))
}

type Trial = { readonly book: PriceBook; readonly all: readonly DatedBook[]; readonly now: Instant; readonly shelf: BookShelf }

async function applyFull(tx: Queryable, input: NewPriceBook, trial: Trial): Promise<ApplyOutcome> {
  const { book, all, now } = trial
  const { currency } = book
  const wanted = input.effectiveFrom === 'beginning' ? -Infinity : (input.effectiveFrom ?? now)
  const own = all.filter((version) => version.currency === currency)
  const versions = own.filter(({ until }) => until === undefined)
  const inForce = versionAt(versions, wanted)
  if (inForce?.sha256 === book.sha256) {
    return { kind: 'unchanged', sequence: inForce.sequence, currency, effectiveFrom: startOf(inForce.effectiveFrom) }
  }
  const rivals = [...(inForce === undefined ? [] : [inForce]), ...own.filter(({ until }) => until !== undefined)]
  const from = input.effectiveFrom === undefined ? await afterCharges(tx, wanted, rivals) : wanted
  const next = Math.min(...versions.map((version) => version.effectiveFrom).filter((at) => at > from))
  const overlap = rivals.length === 0 ? undefined : await chargedWithin(tx, { from, next, rivals, all })
  if (overlap !== undefined) return { kind: 'overlap', effectiveFrom: startOf(from), ...overlap }
  const sequence = await insertVersion(tx, { input, trial, from, until: null })
  const hours = await markUnpriced(tx, { currency, from, next })
  return { kind: 'applied', sequence, currency, effectiveFrom: startOf(from), hours, diff: await diffTo(tx, trial, inForce) }
}

async function applySupplement(tx: Queryable, input: NewPriceBook & { readonly until?: Instant }, trial: Trial): Promise<ApplyOutcome> {
  const { book, all, now } = trial
  const { currency } = book
  const from = input.effectiveFrom === undefined || input.effectiveFrom === 'beginning' ? -Infinity : input.effectiveFrom
  const until = input.until ?? now
  if (until <= from) throw new LedgerInputError('Cannot apply the supplement: it ends before it begins')
  const same = all.find(
    (each) => each.sha256 === book.sha256 && each.until !== undefined && each.effectiveFrom <= from && until <= each.until,
  )
  if (same !== undefined) return { kind: 'unchanged', sequence: same.sequence, currency, effectiveFrom: startOf(same.effectiveFrom) }
  const inForce = versionAt(
    all.filter((each) => each.currency === currency && each.until === undefined),
    from,
  )
  const sequence = await insertVersion(tx, { input, trial, from, until })
  const hours = await markUnpriced(tx, { currency, from, next: until })
  // What else differs has no effect: a supplement takes no price away, changes none, and agrees to nothing.
  const { rates } = await diffTo(tx, trial, inForce)
  const diff = { rates: rates.filter(({ change }) => change === 'added'), agreements: [] }
  return { kind: 'applied', sequence, currency, effectiveFrom: startOf(from), effectiveUntil: until, hours, diff }
}

async function diffTo(tx: Queryable, { book, shelf }: Trial, before: DatedBook | undefined): Promise<BookDiff> {
  return diffBooks(before === undefined ? undefined : await shelf.bookOf(tx, before), book)
}

type NewVersion = { readonly input: NewPriceBook; readonly trial: Trial; readonly from: number; readonly until: number | null }

async function insertVersion(tx: Queryable, { input, trial, from, until }: NewVersion): Promise<number> {
  const { currency, sha256 } = trial.book
  const sequence = (trial.all.at(-1)?.sequence ?? 0) + 1
  await tx.query(
    `insert into price_version (sequence, currency, effective_from, sha256, source, file, applied_by, kind, effective_until)
     values ($1::integer, $2::text, $3::timestamptz, $4::text, $5::bytea, $6::text, $7::text, $8::text, $9::timestamptz)`,
    [
      sequence,
      currency,
      sqlInstant(from),
      sha256,
      new TextEncoder().encode(input.text),
      input.file,
      input.appliedBy,
      until === null ? 'full' : 'supplement',
      until === null ? null : sqlInstant(until),
    ],
  )
  return sequence
}

/** The database's clock, in whole milliseconds as all instants; not now(), which is when the transaction began to wait. */
async function clockOf(tx: Queryable): Promise<Instant> {
  const { rows } = await tx.query<{ at: number }>("select date_trunc('milliseconds', clock_timestamp()) as at")
  return rows[0]?.at ?? Date.now()
}

/** `now`, or the millisecond after the latest charged instant: a gateway's clock may be ahead of ours. */
async function afterCharges(tx: Queryable, now: Instant, rivals: readonly DatedBook[]): Promise<Instant> {
  const { rows } = await tx.query<{ last: number | null }>(
    `select max(last_instant) as last from usage_hour
     where state = 'charged' and price_sequence = any($1::integer[]) and hour >= $2::timestamptz`,
    [rivals.map(({ sequence }) => sequence), sqlInstant(hourOf(now).start)],
  )
  return Math.max(now, (rows[0]?.last ?? -Infinity) + 1)
}

type Overlap = { readonly records: bigint; readonly firstInstant: Instant }

type Within = {
  readonly from: number
  /** Where the next full version begins; `Infinity`: there is none. */
  readonly next: number
  /** The full version in force at `from`, and the supplements. */
  readonly rivals: readonly DatedBook[]
  readonly all: readonly DatedBook[]
}

/**
 * What the version in force at `from`, and supplements, charge in [from, next): the new version would take it over. Of the hour in which
 * `next` lies, what supplements charge counts whole.
 */
async function chargedWithin(tx: Queryable, { from, next, rivals, all }: Within): Promise<Overlap | undefined> {
  const hour = from === -Infinity ? undefined : hourOf(from)
  const sequences = rivals.map(({ sequence }) => sequence)
  const { rows } = await tx.query<{ later: string | null; first: number | null; cut: boolean | null; cut_first: number | null }>(
    `select sum(record_count) filter (where hour > $3::timestamptz) as later,
       min(first_instant) filter (where hour > $3::timestamptz) as first,
       bool_or(hour = $3::timestamptz) as cut,
       min(greatest(first_instant, $2::timestamptz)) filter (where hour = $3::timestamptz) as cut_first
     from usage_hour
     where state = 'charged' and price_sequence = any($1::integer[]) and hour >= $3::timestamptz and last_instant >= $2::timestamptz
       and first_instant < $4::timestamptz`,
    [sequences, sqlInstant(from), sqlInstant(hour?.start ?? -Infinity), next === Infinity ? 'infinity' : sqlInstant(next)],
  )
  const [found] = rows
  if (found === undefined || (found.later === null && found.cut !== true)) return undefined
  const later = { records: BigInt(found.later ?? '0'), firstInstant: found.first ?? Infinity }
  if (hour === undefined || found.cut !== true) return later
  // Only the records say how many of the hour that `from` cuts are on its far side.
  const part = await ratePeriod(tx, { start: from, end: Math.min(hour.end, next) }, { versions: all, books: createBookShelf() })
  const charged = part.usage.filter((row) => row.priceSequence !== null && sequences.includes(row.priceSequence))
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
    `insert into dirty_hour (hour, cause)
     select distinct u.hour, 'price' from usage_hour u join organization o using (organization_id)
     where u.state = 'unpriced' and o.currency = $1::text and u.last_instant >= $2::timestamptz and u.first_instant < $3::timestamptz`,
    [currency, sqlInstant(from), next === Infinity ? 'infinity' : sqlInstant(next)],
  )
  return marked.rowCount
}
