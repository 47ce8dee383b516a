import { DatabaseError } from '@ascribe/postgres'
import type { Database, Queryable } from '@ascribe/postgres'
import { versionAt } from '@ascribe/rating'
import { formatRate, hourOf } from '@ascribe/units'
import type { Currency, Instant, Period } from '@ascribe/units'
import { sqlInstant } from './instants.ts'
import { lockRating } from './locks.ts'
import { createBookShelf, readDatedBooks, slicesOf } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { createHourRating } from './rate-groups.ts'
import type { BookInForce, ChargeRow, RatedUsage, UsageRow } from './rate-groups.ts'
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
  /** Stops between two hours. */
  readonly signal?: AbortSignal
  /** Keeps parsed price books from one call to the next. Default: one that lives as long as the call. */
  readonly books?: BookShelf
}

const LIMIT = 1000
/** A transaction that lost a race is repeated; with one rater at a time it can lose only to changes of the directory. */
const ATTEMPTS_MAX = 5
/** Rows sent at once; the bound on the size of a statement. */
const ROWS_MAX = 5000

/**
 * Rates the dirty hours, oldest first: groups their records, prices each at its own instant, and replaces the hour's charges and
 * held usage as a whole. One transaction an hour, and one rater at a time: another waits for its turn. The same records, mappings
 * and books give the same bytes, in whatever order they came.
 */
export async function rateDirtyHours(db: Database, options: RateOptions = {}): Promise<RateSummary> {
  const { limit = LIMIT, signal, books = createBookShelf() } = options
  // Each hour once: the current one gets new marks all the time and would keep us here for ever.
  const { rows } = await db.query<{ hour: number }>('select distinct hour from dirty_hour order by hour limit $1::integer', [limit])
  let [hours, charges] = [0, 0]
  for (const { hour } of rows) {
    if (signal?.aborted === true) break
    const rated = await withRetries(() => rateHour(db, hour, books))
    if (rated === undefined) continue
    hours += 1
    charges += rated
  }
  const { rowCount } = await db.query('select from dirty_hour limit 1')
  return { hours, charges, more: rowCount > 0 }
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

/** Gives the number of charges; `undefined` when another rater has done the hour. */
async function rateHour(db: Database, hour: Instant, books: BookShelf): Promise<number | undefined> {
  return db.transaction(async (tx) => {
    await lockRating(tx)
    // The marks first, the records after: whatever a mark stands for was committed with it, so we see it. A mark that commits
    // later is not in the list and stays, whether or not we happened to see its records.
    const marks = await tx.query<{ mark: bigint }>('select mark from dirty_hour where hour = $1::timestamptz', [sqlInstant(hour)])
    if (marks.rowCount === 0) return undefined
    const rated = await ratePeriod(tx, hourOf(hour), { versions: await readDatedBooks(tx), books })
    await replaceHour(tx, hour, rated)
    await tx.query('delete from dirty_hour where hour = $1::timestamptz and mark = any($2::bigint[])', [
      sqlInstant(hour),
      marks.rows.map(({ mark }) => mark),
    ])
    return rated.charges.length
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

/** The book of each currency that is in force at an instant. */
async function booksAt(
  db: Queryable,
  at: Instant,
  versions: readonly DatedBook[],
  books: BookShelf,
): Promise<ReadonlyMap<Currency, BookInForce>> {
  const inForce = new Map<Currency, BookInForce>()
  for (const currency of new Set(versions.map((version) => version.currency))) {
    const version = versionAt(
      versions.filter((candidate) => candidate.currency === currency),
      at,
    )
    if (version !== undefined) inForce.set(currency, { sequence: version.sequence, book: await books.bookOf(db, version) })
  }
  return inForce
}

const INSERT_USAGE = `
insert into usage_hour (hour, state, organization_id, claimed_organization_id, auth_id, user_id, resource_id, model, base_model,
  price_sequence, meters, record_count, first_instant, last_instant)
select $1::timestamptz, state, organization_id, claimed_organization_id, auth_id, user_id, resource_id, model, base_model,
  price_sequence, meters, record_count, first_instant, last_instant
from json_to_recordset($2::json) as r (state text, organization_id uuid, claimed_organization_id text, auth_id text, user_id text,
  resource_id text, model text, base_model text, price_sequence integer, meters jsonb, record_count bigint,
  first_instant timestamptz, last_instant timestamptz)`

const INSERT_CHARGES = `
insert into charge (hour, organization_id, auth_id, user_id, resource_id, model, base_model, meter, price_sequence, rate, quantity,
  amount_nano, record_count)
select $1::timestamptz, organization_id, auth_id, user_id, resource_id, model, base_model, meter, price_sequence, rate, quantity,
  amount_nano, record_count
from json_to_recordset($2::json) as r (organization_id uuid, auth_id text, user_id text, resource_id text, model text,
  base_model text, meter text, price_sequence integer, rate numeric, quantity numeric, amount_nano numeric, record_count bigint)`

async function replaceHour(tx: Queryable, hour: Instant, rated: RatedUsage): Promise<void> {
  const at = sqlInstant(hour)
  await tx.query('delete from charge where hour = $1::timestamptz', [at])
  await tx.query('delete from usage_hour where hour = $1::timestamptz', [at])
  await insertRows(tx, { sql: INSERT_USAGE, hour: at, rows: rated.usage.map(usageJson) })
  await insertRows(tx, { sql: INSERT_CHARGES, hour: at, rows: rated.charges.map(chargeJson) })
}

async function insertRows(
  tx: Queryable,
  { sql, hour, rows }: { readonly sql: string; readonly hour: string; readonly rows: readonly object[] },
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_MAX) {
    await tx.query(sql, [hour, JSON.stringify(rows.slice(start, start + ROWS_MAX))])
  }
}

function usageJson(row: UsageRow): object {
  return {
    state: row.state,
    organization_id: row.organizationId,
    claimed_organization_id: row.claimedOrganizationId,
    auth_id: row.authId,
    user_id: row.userId,
    resource_id: row.resourceId,
    model: row.model,
    base_model: row.baseModel,
    price_sequence: row.priceSequence,
    meters: Object.fromEntries(Object.entries(row.meters).map(([meter, quantity]) => [meter, String(quantity)])),
    record_count: String(row.recordCount),
    first_instant: sqlInstant(row.firstInstant),
    last_instant: sqlInstant(row.lastInstant),
  }
}

function chargeJson(row: ChargeRow): object {
  return {
    organization_id: row.organizationId,
    auth_id: row.authId,
    user_id: row.userId,
    resource_id: row.resourceId,
    model: row.model,
    base_model: row.baseModel,
    meter: row.meter,
    price_sequence: row.priceSequence,
    rate: formatRate(row.rate),
    quantity: String(row.quantity),
    amount_nano: String(row.amount),
    record_count: String(row.recordCount),
  }
}

/** Marks rated hours of a period so that they will be rated again, and gives their number. Changes nothing else. */
export async function markRatedHours(db: Queryable, period?: Period): Promise<number> {
  const marked = await db.query(
    'insert into dirty_hour (hour) select distinct hour from usage_hour where hour >= $1::timestamptz and hour < $2::timestamptz',
    period === undefined ? ['-infinity', 'infinity'] : [sqlInstant(hourOf(period.start).start), sqlInstant(period.end)],
  )
  return marked.rowCount
}
