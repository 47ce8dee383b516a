import type { Database } from '@ascribe/postgres'
import { parsePriceBook } from '@ascribe/rating'
import { hourOf } from '@ascribe/units'
import type { Currency, Nano } from '@ascribe/units'
import { sqlInstant } from './instants.ts'
import { createBookShelf, readDatedBooks } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { ratePeriod } from './rate.ts'
import { parseMonth } from './parse-month.ts'

/** What a month of one organization comes to, as it is charged and as it would be. */
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

type Totals = { readonly amounts: Map<string, bigint>; readonly unpriced: Map<string, bigint> }

/**
 * Says what a month would have come to, had this price book been in force all along. Reads one snapshot, changes nothing.
 * @throws {PriceBookError} for a file that is no price book. @throws {LedgerInputError} for what is no month.
 */
export async function dryRun(
  db: Database,
  input: { readonly text: string; readonly file: string; readonly month: string },
): Promise<DryRun> {
  const book = parsePriceBook(input.text, { file: input.file })
  const bounds = [parseMonth(input.month)].flatMap(({ start, end }) => [sqlInstant(start), sqlInstant(end)])
  return db.transaction(
    async (tx) => {
      const { rows: hours } = await tx.query<{ hour: number }>(
        `select hour from usage_hour where hour >= $1::timestamptz and hour < $2::timestamptz
         union select hour from dirty_hour where hour >= $1::timestamptz and hour < $2::timestamptz order by hour`,
        bounds,
      )
      const stored = await readDatedBooks(tx)
      const trial: DatedBook = {
        sequence: (stored.at(-1)?.sequence ?? 0) + 1,
        effectiveFrom: -Infinity,
        currency: book.currency,
        sha256: book.sha256,
      }
      const shelf = createBookShelf()
      const books: BookShelf = { bookOf: async (db_, version) => (version === trial ? book : shelf.bookOf(db_, version)) }
      const versions = [...stored.filter(({ currency }) => currency !== book.currency), trial]
      const after: Totals = { amounts: new Map(), unpriced: new Map() }
      for (const { hour } of hours) {
        const { usage, charges } = await ratePeriod(tx, hourOf(hour), { versions, books })
        for (const row of charges) add(after.amounts, row.organizationId, row.amount)
        for (const row of usage) if (row.state === 'unpriced') add(after.unpriced, row.organizationId, row.recordCount)
      }
      const before = await tx.query<{ organization_id: string; name: string; amount: string; unpriced: string }>(
        `select o.organization_id, o.name,
           (select coalesce(sum(c.amount_nano), 0) from charge c
            where c.organization_id = o.organization_id and c.hour >= $1::timestamptz and c.hour < $2::timestamptz) as amount,
           (select coalesce(sum(u.record_count), 0) from usage_hour u
            where u.organization_id = o.organization_id and u.hour >= $1::timestamptz and u.hour < $2::timestamptz and u.state = 'unpriced') as unpriced
         from organization o where o.currency = $3::text
         order by o.name collate "C", o.organization_id`,
        [...bounds, book.currency],
      )
      const rows = before.rows.map((row) => ({
        organizationId: row.organization_id,
        name: row.name,
        before: BigInt(row.amount),
        after: after.amounts.get(row.organization_id) ?? 0n,
        unpricedBefore: BigInt(row.unpriced),
        unpricedAfter: after.unpriced.get(row.organization_id) ?? 0n,
      }))
      return { currency: book.currency, rows: rows.filter(hasUsage) }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

function add(totals: Map<string, bigint>, organizationId: string | null, amount: bigint): void {
  if (organizationId !== null) totals.set(organizationId, (totals.get(organizationId) ?? 0n) + amount)
}

function hasUsage(row: DryRunRow): boolean {
  return row.before !== 0n || row.after !== 0n || row.unpricedBefore !== 0n || row.unpricedAfter !== 0n
}
