import type { Database, Queryable } from '@ascribe/postgres'
import { parsePriceBook } from '@ascribe/rating'
import { hourOf } from '@ascribe/units'
import type { Currency, Nano } from '@ascribe/units'
import { readKnownOrganizations } from './apply-price-book.ts'
import { LedgerInputError } from './errors.ts'
import { sqlInstant } from './instants.ts'
import type { MonthTotal } from './month-lines.ts'
import { parseMonth } from './parse-month.ts'
import { isMonthClosed } from './periods.ts'
import { readDatedBooks, shelfOf } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { ratePeriod } from './rate.ts'
import { readCharged, readMonthLines, readStoredLines } from './read-month-lines.ts'

/** What a month of one organization comes to, as it is charged and as it would be: lines of the month and minimums included. */
export type DryRunRow = {
  readonly organizationId: string
  readonly name: string
  readonly before: Nano
  readonly after: Nano
  /** Records without a price. */
  readonly unpricedBefore: bigint
  readonly unpricedAfter: bigint
}

/** The organizations of the book's currency that used something; for the others nothing would change. */
export type DryRun = { readonly currency: Currency; readonly rows: readonly DryRunRow[] }

/**
 * Says what a month would have come to, had this price book been in force all along; supplements go on to price what it does not. Of a
 * closed month, with what corrected it, wherever that was booked. Reads one snapshot, changes nothing.
 * @throws {PriceBookError} for a file that is no price book. @throws {LedgerInputError} for what is no month, or one whose records are in an
 * archive.
 */
export async function dryRun(
  db: Database,
  input: { readonly text: string; readonly file: string; readonly month: string },
): Promise<DryRun> {
  return db.transaction((tx) => run(tx, input, shelfOf(db)), { isolation: 'repeatable read', readOnly: true })
}

async function run(
  tx: Queryable,
  { text, file, month }: { readonly text: string; readonly file: string; readonly month: string },
  shelf: BookShelf,
): Promise<DryRun> {
  const book = parsePriceBook(text, { file, organizations: await readKnownOrganizations(tx) })
  await refuseArchived(tx, month)
  const stored = await readDatedBooks(tx)
  const trial: DatedBook = {
    sequence: (stored.at(-1)?.sequence ?? 0) + 1,
    effectiveFrom: -Infinity,
    currency: book.currency,
    sha256: book.sha256,
  }
  const books: BookShelf = { bookOf: async (db, version) => (version.sequence === trial.sequence ? book : shelf.bookOf(db, version)) }
  const versions = [...stored.filter(({ currency, until }) => currency !== book.currency || until !== undefined), trial]
  const after = await tryMonth(tx, { month, versions, books })
  const before = await readBefore(tx, { month, books })
  const organizations = await tx.query<{ organization_id: string; name: string }>(
    'select organization_id, name from organization where currency = $1::text order by name collate "C", organization_id',
    [book.currency],
  )
  const rows = organizations.rows.map(({ organization_id: organizationId, name }) => ({
    organizationId,
    name,
    before: before.amounts.get(organizationId) ?? 0n,
    after: after.amounts.get(organizationId) ?? 0n,
    unpricedBefore: before.unpriced.get(organizationId) ?? 0n,
    unpricedAfter: after.unpriced.get(organizationId) ?? 0n,
  }))
  return { currency: book.currency, rows: rows.filter(hasUsage) }
}

/** Of a month whose records are not here any more nobody can say what it would come to. */
async function refuseArchived(tx: Queryable, month: string): Promise<void> {
  const { rowCount } = await tx.query(
    'select from usage_archive where first_hour < $2::timestamptz and last_hour >= $1::timestamptz limit 1',
    boundsOf(month),
  )
  if (rowCount > 0) throw new LedgerInputError(`Cannot try prices on ${month}: its records are in an archive`)
}

type Totals = { readonly amounts: Map<string, bigint>; readonly unpriced: Map<string, bigint> }
type Try = { readonly month: string; readonly versions: readonly DatedBook[]; readonly books: BookShelf }

async function tryMonth(tx: Queryable, { month, versions, books }: Try): Promise<Totals> {
  const { rows: hours } = await tx.query<{ hour: number }>(
    `select hour from usage_hour where hour >= $1::timestamptz and hour < $2::timestamptz
     union select hour from dirty_hour where hour >= $1::timestamptz and hour < $2::timestamptz order by hour`,
    boundsOf(month),
  )
  const totals: Totals = { amounts: new Map(), unpriced: new Map() }
  const quantities = new Map<string, MonthTotal>()
  for (const { hour } of hours) {
    const { usage, charges, period } = await ratePeriod(tx, hourOf(hour), { versions, books })
    for (const row of charges) add(totals.amounts, row.organizationId, row.amount)
    for (const row of usage) if (row.state === 'unpriced') add(totals.unpriced, row.organizationId, row.recordCount)
    for (const { organizationId, model, baseModel, meter, priceSequence, quantity } of period) {
      const key = JSON.stringify([organizationId, model, baseModel, meter, priceSequence])
      const before = quantities.get(key)?.quantity ?? 0n
      quantities.set(key, { organizationId, model, baseModel, meter, priceSequence, quantity: before + quantity })
    }
  }
  const counted = { totals: [...quantities.values()], charged: new Map(totals.amounts) }
  for (const line of await readMonthLines(tx, { month, books, versions, counted })) add(totals.amounts, line.organizationId, line.amount)
  return totals
}

async function readBefore(tx: Queryable, { month, books }: Omit<Try, 'versions'>): Promise<Totals> {
  const amounts = new Map(await readCharged(tx, { month }))
  const lines = (await isMonthClosed(tx, month))
    ? (await readStoredLines(tx, { month })).map(({ line }) => line)
    : await readMonthLines(tx, { month, books })
  for (const line of lines) add(amounts, line.organizationId, line.amount)
  const { rows } = await tx.query<{ organization_id: string; unpriced: string }>(
    `select organization_id, sum(record_count) as unpriced from usage_hour
     where hour >= $1::timestamptz and hour < $2::timestamptz and state = 'unpriced' group by 1`,
    boundsOf(month),
  )
  return { amounts, unpriced: new Map(rows.map((row) => [row.organization_id, BigInt(row.unpriced)])) }
}

function boundsOf(month: string): readonly string[] {
  const { start, end } = parseMonth(month)
  return [sqlInstant(start), sqlInstant(end)]
}

function add(totals: Map<string, bigint>, organizationId: string | null, amount: bigint): void {
  if (organizationId !== null) totals.set(organizationId, (totals.get(organizationId) ?? 0n) + amount)
}

function hasUsage(row: DryRunRow): boolean {
  return row.before !== 0n || row.after !== 0n || row.unpricedBefore !== 0n || row.unpricedAfter !== 0n
}
