import { DatabaseError } from '@ascribe/postgres'
import type { Database, Queryable } from '@ascribe/postgres'
import { hourOf } from '@ascribe/units'
import type { Currency, Instant, Period } from '@ascribe/units'
import { sqlInstant } from './instants.ts'
import { adjustDirtyMonths } from './adjust-months.ts'
import { causesOf } from './causes.ts'
import { sumChargeDays } from './charge-days.ts'
import { lockHour, lockRatingShared } from './locks.ts'
import { readDatedBooks, shelfOf, slicesOf, versionsAt } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { createHourRating } from './rate-groups.ts'
import type { BookInForce, BooksInForce, RatedUsage } from './rate-groups.ts'
import { replaceHour } from './replace-hour.ts'
import { readGroups } from './usage-group.ts'

export type RateSummary = {
  /** Hours that were rated. */
  readonly hours: number
  /** Rows of charges that those hours have now. */
  readonly charges: number
  /** Whether dirty hours were left behind: by the limit or the signal, or because more came meanwhile. */
  readonly more: boolean
}

export type RateOptions = {
  /** Hours at most. Default 1000. */
  readonly limit?: number
  /** Hours at a time, each on a connection of its own. Default 2: one is grouped while the other is written. */
  readonly parallel?: number
  /** Leaves hours alone that were marked after {@link newestMark} gave this: they grow still, and would have to be rated again. */
  readonly unmarkedSince?: bigint
  /** Stops between two hours. */
  readonly signal?: AbortSignal
  /** Keeps parsed price books from one call to the next. Default: one that lives as long as the database is open. */
  readonly books?: BookShelf
}

const LIMIT = 1000
const PARALLEL = 2
/** A transaction that lost a race is repeated; with one rater at a time it can lose only to changes of the directory. */
const ATTEMPTS_MAX = 5
/**
 * Rates the dirty hours, oldest first: groups their records, prices each at its own instant, and replaces the hour's charges and
 * held usage as a whole; in a closed month it books adjustments instead. One transaction an hour. Any number of raters work at once: each
 * hour has one at a time, and one that another is at is left to it. The same records, mappings and books give the same bytes, in
 * whatever order they came.
 */
export async function rateDirtyHours(db: Database, options: RateOptions = {}): Promise<RateSummary> {
  const { limit = LIMIT, signal, books = shelfOf(db), parallel = PARALLEL, unmarkedSince = null } = options
  // Each hour once: the current one gets new marks all the time and would keep us here for ever.
  const { rows } = await db.query<{ hour: number }>(
    'select hour from dirty_hour group by hour having $2::bigint is null or max(mark) <= $2::bigint order by hour limit $1::integer',
    [limit, unmarkedSince],
  )
  let [hours, charges] = [0, 0]
  const busy: Instant[] = []
  const rate = async (hour: Instant, wait: boolean): Promise<void> => {
    const rated = await withRetries(() => rateHour(db, hour, { books, wait }))
    if (rated === 'busy') busy.push(hour)
    else if (rated !== 'done') [hours, charges] = [hours + 1, charges + rated]
  }
  const left = rows.values()
  // One iterator for all: each hour is taken once, oldest first.
  const work = async (): Promise<void> => {
    for (const { hour } of left) {
      if (signal?.aborted === true) return
      await rate(hour, false)
    }
  }
  await Promise.all(Array.from({ length: parallel }, work))
  // Those that another was at: it may have died, or have read before what marked them again.
  for (const hour of busy.splice(0)) {
    if (signal?.aborted === true) break
    await rate(hour, true)
  }
  if (signal?.aborted !== true) await adjustDirtyMonths(db, { books, withRetries })
  await sumChargeDays(db, { signal })
  const dirty = await db.query('select from (select from dirty_hour union all select from dirty_period) d limit 1')
  return { hours, charges, more: dirty.rowCount > 0 }
}

/** The mark that was made last of those that are left; 0: none is. */
export async function newestMark(db: Queryable): Promise<bigint> {
  const { rows } = await db.query<{ mark: bigint }>('select coalesce(max(mark), 0)::bigint as mark from dirty_hour')
  return rows[0]?.mark ?? 0n
}

async function withRetries<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (thrown) {
      if (!(thrown instanceof DatabaseError) || thrown.kind !== 'retry' || attempt === ATTEMPTS_MAX) throw thrown
    }
  }
}

type Mark = { readonly mark: bigint; readonly cause: string; readonly archived: boolean }

// Archived hours take no marks, but for one that commits just when the hour is frozen: what is absent from here is not unused.
const MARKS = `
select mark, cause, exists (select from usage_archive a where hour between a.first_hour and a.last_hour) as archived
from dirty_hour where hour = $1::timestamptz`

type RateHour = { readonly books: BookShelf; readonly wait: boolean }

/** Gives the number of charges; `done` when another rater has done the hour, `busy` when one is at it. */
async function rateHour(db: Database, hour: Instant, { books, wait }: RateHour): Promise<number | 'done' | 'busy'> {
  return db.transaction(async (tx) => {
    await lockRatingShared(tx)
    if (!(await lockHour(tx, hour, { wait }))) return 'busy'
    // The marks first, the records after: whatever a mark stands for was committed with it, so we see it. A mark that commits
    // later is not in the list and stays, whether or not we happened to see its records.
    const marks = await tx.query<Mark>(MARKS, [sqlInstant(hour)])
    const [mark] = marks.rows
    if (mark === undefined) return 'done'
    const rated = mark.archived ? undefined : await ratePeriod(tx, hourOf(hour), { versions: await readDatedBooks(tx), books })
    if (rated !== undefined) await replaceHour(tx, hour, { rated, cause: causesOf(marks.rows) })
    await tx.query('delete from dirty_hour where hour = $1::timestamptz and mark = any($2::bigint[])', [
      sqlInstant(hour),
      marks.rows.map((row) => row.mark),
    ])
    return rated?.charges.length ?? 'done'
  })
}

/** Rates the records of an hour, or of a part of one, without storing anything. */
export async function ratePeriod(
  db: Queryable,
  period: Period,
  { versions, books }: { readonly versions: readonly DatedBook[]; readonly books: BookShelf },
): Promise<RatedUsage> {
  const rating = createHourRating()
  for (const slice of slicesOf(period, versions)) {
    const [inForce, groups] = [await booksAt(db, slice.start, versions, books), await readGroups(db, slice)]
    for (const group of groups) rating.add(group, inForce)
  }
  return rating.rows()
}

/** The books of each currency that may price something at an instant. */
async function booksAt(db: Queryable, at: Instant, versions: readonly DatedBook[], books: BookShelf): Promise<BooksInForce> {
  const inForce = new Map<Currency, readonly BookInForce[]>()
  for (const currency of new Set(versions.map((version) => version.currency))) {
    const own: BookInForce[] = []
    for (const version of versionsAt(versions, { currency, at })) {
      own.push({ sequence: version.sequence, book: await books.bookOf(db, version) })
    }
    inForce.set(currency, own)
  }
  return inForce
}

/** Marks rated hours of a period so that they will be rated again, and gives their number. Changes nothing else. */
export async function markRatedHours(db: Queryable, period?: Period): Promise<number> {
  const marked = await db.query(
    'insert into dirty_hour (hour) select distinct hour from usage_hour where hour >= $1::timestamptz and hour < $2::timestamptz',
    period === undefined ? ['-infinity', 'infinity'] : [sqlInstant(hourOf(period.start).start), sqlInstant(period.end)],
  )
  return marked.rowCount
}
