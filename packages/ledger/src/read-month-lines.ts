import type { Queryable } from '@ascribe/postgres'
import { commitmentDue, covers, minimumOf, monthsOf, shortfall } from '@ascribe/rating'
import type { PriceBook } from '@ascribe/rating'
import { formatNano } from '@ascribe/units'
import type { Currency, Nano } from '@ascribe/units'
import { sqlInstant } from './instants.ts'
import { linesOfTotals } from './month-lines.ts'
import type { LineKind, MonthBooks, MonthLine, MonthTotal } from './month-lines.ts'
import { parseMonth } from './parse-month.ts'
import { isMonthClosed } from './periods.ts'
import { readDatedBooks, versionsAt } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { storedRate } from './stored-rate.ts'

export type MonthQuery = {
  readonly month: string
  /** Default: all organizations. */
  readonly organizationId?: string
  readonly books: BookShelf
  /** Said by whoever knows that the month is open, which saves asking. */
  readonly isOpen?: boolean
  /** By these versions instead of those that are stored, for those who try prices. */
  readonly versions?: readonly DatedBook[]
  /** What was counted elsewhere instead of what is stored, for those who check it or try prices. */
  readonly counted?: { readonly totals: readonly MonthTotal[]; readonly charged: ReadonlyMap<string, Nano> }
}

/**
 * Computes the lines of a month that no hourly charge makes, as they are now: by organization; within one, what totals price, then
 * the minimum, then the commitment. Of a closed month, minimums and commitments are those of versions that were applied before.
 */
export async function readMonthLines(db: Queryable, query: MonthQuery): Promise<readonly MonthLine[]> {
  const versions = query.versions ?? (await readDatedBooks(db))
  const totals = query.counted?.totals ?? (await readTotals(db, query))
  const named = new Set(totals.map(({ priceSequence }) => priceSequence))
  const books = await readMonthBooks(
    db,
    versions.filter(({ sequence }) => named.has(sequence)),
    query.books,
  )
  const lines = linesOfTotals(totals, books)
  const agreements = await readAgreedBooks(db, query, versions)
  return agreements.length === 0 ? lines : withAgreements(db, query, { lines, agreements })
}

const TOTALS = `
select organization_id, model, base_model, meter, price_sequence, sum(quantity) as quantity
from period_quantity
where hour >= $1::timestamptz and hour < $2::timestamptz and ($3::uuid is null or organization_id = $3::uuid)
group by 1, 2, 3, 4, 5`

type TotalRow = {
  readonly organization_id: string
  readonly model: string
  readonly base_model: string | null
  readonly meter: string
  readonly price_sequence: number
  readonly quantity: string
}

/** What was used of what the total of a month prices. Index period_quantity_organization. */
async function readTotals(db: Queryable, query: Omit<MonthQuery, 'books'>): Promise<readonly MonthTotal[]> {
  const { rows } = await db.query<TotalRow>(TOTALS, boundsOf(query))
  return rows.map((row) => ({
    organizationId: row.organization_id,
    model: row.model,
    baseModel: row.base_model,
    meter: row.meter,
    priceSequence: row.price_sequence,
    quantity: BigInt(row.quantity),
  }))
}

async function readMonthBooks(db: Queryable, versions: readonly DatedBook[], books: BookShelf): Promise<MonthBooks> {
  const found = new Map<number, { readonly effectiveFrom: number; readonly book: PriceBook }>()
  for (const version of versions) {
    found.set(version.sequence, { effectiveFrom: version.effectiveFrom, book: await books.bookOf(db, version) })
  }
  return found
}

type AgreedBook = { readonly currency: Currency; readonly sequence: number; readonly book: PriceBook }

/** The books whose minimums and commitments hold in a month: those in force when it ends, if they have any. */
async function readAgreedBooks(
  db: Queryable,
  { month, books, isOpen = false, versions: tried }: MonthQuery,
  versions: readonly DatedBook[],
): Promise<readonly AgreedBook[]> {
  const until = tried === undefined && !isOpen ? await sequenceAtClose(db, month) : Infinity
  const known = versions.filter(({ sequence, until: end }) => end === undefined && sequence <= until)
  const found: AgreedBook[] = []
  for (const currency of new Set(known.map((version) => version.currency))) {
    const [version] = versionsAt(known, { currency, at: parseMonth(month).end - 1 })
    if (version === undefined) continue
    const book = await books.bookOf(db, version)
    const isAgreed = book.commitments.length > 0 || book.minimums.some((minimum) => covers(minimum, month))
    if (isAgreed) found.push({ currency, sequence: version.sequence, book })
  }
  return found
}

async function sequenceAtClose(db: Queryable, month: string): Promise<number> {
  const { rows } = await db.query<{ price_sequence: number | null }>(
    'select price_sequence from billing_period where month >= $1::date order by month limit 1',
    [`${month}-01`],
  )
  const [row] = rows
  return row === undefined ? Infinity : (row.price_sequence ?? 0)
}

type Agreed = { readonly lines: readonly MonthLine[]; readonly agreements: readonly AgreedBook[] }

async function withAgreements(db: Queryable, query: MonthQuery, { lines, agreements }: Agreed): Promise<readonly MonthLine[]> {
  const spent = query.counted?.charged ?? (await readCharged(db, query))
  const own = Map.groupBy(lines, (line) => line.organizationId)
  const result: MonthLine[] = []
  for (const { id, currency } of await readOrganizations(db, query.organizationId)) {
    const linesOfOwn = own.get(id) ?? []
    result.push(...linesOfOwn)
    const agreed = agreements.find((each) => each.currency === currency)
    if (agreed === undefined) continue
    const charged = spent.get(id)
    const total = linesOfOwn.reduce((sum, { amount }) => sum + amount, charged ?? 0n)
    const hasUsage = charged !== undefined || linesOfOwn.length > 0
    const minimum = minimumLine(agreed, { organizationId: id, month: query.month, hasUsage, spent: total })
    const paid = total + (minimum?.amount ?? 0n)
    const commitment = await commitmentLine(db, query, { agreed, organizationId: id, spent: paid })
    result.push(...[minimum, commitment].filter((line) => line !== undefined))
  }
  return result
}

type MinimumOf = { readonly organizationId: string; readonly month: string; readonly hasUsage: boolean; readonly spent: Nano }

function minimumLine({ book, sequence }: AgreedBook, { spent, ...of }: MinimumOf): MonthLine | undefined {
  const minimum = minimumOf(book.minimums, of)
  if (minimum === undefined) return undefined
  const missing = shortfall(minimum.amount, spent)
  const description = `to the minimum of ${formatNano(minimum.amount)} a month`
  return agreementLine('minimum', { organizationId: of.organizationId, sequence, missing, description })
}

type CommitmentOf = { readonly agreed: AgreedBook; readonly organizationId: string; readonly spent: Nano }

async function commitmentLine(
  db: Queryable,
  { month, books }: MonthQuery,
  { agreed, organizationId, spent }: CommitmentOf,
): Promise<MonthLine | undefined> {
  const commitment = commitmentDue(agreed.book.commitments, { organizationId, month })
  if (commitment?.from === undefined || commitment.to === undefined) return undefined
  let total = spent
  for (const earlier of monthsOf({ from: commitment.from, to: month })) {
    total += await readSpent(db, { month: earlier, organizationId, books })
  }
  const missing = shortfall(commitment.amount, total)
  const description = `to the commitment of ${formatNano(commitment.amount)} from ${commitment.from} to the end of ${month}`
  return agreementLine('commitment', { organizationId, sequence: agreed.sequence, missing, description })
}

function agreementLine(
  kind: 'minimum' | 'commitment',
  of: { readonly organizationId: string; readonly sequence: number; readonly missing: Nano; readonly description: string },
): MonthLine | undefined {
  if (of.missing === 0n) return undefined
  return {
    organizationId: of.organizationId,
    kind,
    model: '',
    baseModel: null,
    meter: '',
    priceSequence: of.sequence,
    rate: of.missing * NANO_RATE,
    quantity: 1n,
    amount: of.missing,
    description: of.description,
  }
}

/** A rate is in 10^-18, an amount in 10^-9. */
const NANO_RATE = 10n ** 9n

/** What a month of an organization came to, but for commitments. A closed one: what is stored and what corrected it. */
async function readSpent(db: Queryable, query: MonthQuery & { readonly organizationId: string }): Promise<Nano> {
  const { month, organizationId } = query
  const charged = (await readCharged(db, query)).get(organizationId) ?? 0n
  if (!(await isMonthClosed(db, month))) {
    if (!(await willBeBilled(db, month))) return 0n
    const lines = await readMonthLines(db, query)
    return lines.reduce((sum, { kind, amount }) => (kind === 'commitment' ? sum : sum + amount), charged)
  }
  const stored = await readStoredLines(db, query)
  return stored.reduce((sum, { line }) => (line.kind === 'commitment' ? sum : sum + line.amount), charged)
}

/** Whether an open month has a closed one before it, or usage in or before it: the first month that is closed is the first that is billed. */
async function willBeBilled(db: Queryable, month: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from billing_period where month < $1::date union all select from usage_hour where hour < $2::timestamptz limit 1`,
    [`${month}-01`, sqlInstant(parseMonth(month).end)],
  )
  return rowCount > 0
}

const CHARGED = `
select organization_id, sum(amount_nano) as amount from (
  select organization_id, amount_nano, record_count from charge
  where hour >= $1::timestamptz and hour < $2::timestamptz and ($3::uuid is null or organization_id = $3::uuid)
  union all
  select organization_id, amount_nano, record_count from adjustment
  where month = $4::date and hour is not null and ($3::uuid is null or organization_id = $3::uuid)
) charged group by 1 having sum(record_count) <> 0`

/** Hourly charges of a month with what corrected them, by organization: those from which all was taken back have used nothing. */
export async function readCharged(db: Queryable, query: Omit<MonthQuery, 'books'>): Promise<ReadonlyMap<string, Nano>> {
  const { rows } = await db.query<{ organization_id: string; amount: string }>(CHARGED, [...boundsOf(query), `${query.month}-01`])
  return new Map(rows.map((row) => [row.organization_id, BigInt(row.amount)]))
}

async function readOrganizations(
  db: Queryable,
  organizationId: string | undefined,
): Promise<readonly { readonly id: string; readonly currency: Currency }[]> {
  const { rows } = await db.query<{ organization_id: string; currency: string }>(
    'select organization_id, currency from organization where $1::uuid is null or organization_id = $1::uuid order by organization_id',
    [organizationId ?? null],
  )
  return rows.map((row) => ({ id: row.organization_id, currency: row.currency }))
}

const STORED = `
select organization_id, kind, model, base_model, meter, price_sequence, rate::text as rate, description,
  sum(quantity) as quantity, sum(amount_nano) as amount, count(*) filter (where is_adjustment) as adjusted
from (
  select organization_id, kind, model, base_model, meter, price_sequence, rate, description, quantity, amount_nano, false as is_adjustment
  from statement_line where month = $1::date and ($2::uuid is null or organization_id = $2::uuid)
  union all
  select organization_id, kind, model, base_model, meter, price_sequence, rate, description, quantity, amount_nano, true
  from adjustment where month = $1::date and hour is null and ($2::uuid is null or organization_id = $2::uuid)
) stored
group by 1, 2, 3, 4, 5, 6, 7, 8`

type StoredRow = TotalRow & {
  readonly kind: LineKind
  readonly rate: string
  readonly description: string
  readonly amount: string
  readonly adjusted: bigint
}

/** A line of a closed month with what corrected it, and by how many adjustments. */
export type StoredLine = { readonly line: MonthLine; readonly adjusted: bigint }

/** The lines of a closed month, with what corrected them: where that takes a line back, its sums are 0. */
export async function readStoredLines(db: Queryable, query: Omit<MonthQuery, 'books'>): Promise<readonly StoredLine[]> {
  const { rows } = await db.query<StoredRow>(STORED, [`${query.month}-01`, query.organizationId ?? null])
  return rows.map((row) => ({
    line: {
      organizationId: row.organization_id,
      kind: row.kind,
      model: row.model,
      baseModel: row.base_model,
      meter: row.meter,
      priceSequence: row.price_sequence,
      rate: storedRate(row.rate),
      quantity: BigInt(row.quantity),
      amount: BigInt(row.amount),
      description: row.description,
    },
    adjusted: row.adjusted,
  }))
}

function boundsOf({ month, organizationId }: Omit<MonthQuery, 'books'>): readonly (string | null)[] {
  const { start, end } = parseMonth(month)
  return [sqlInstant(start), sqlInstant(end), organizationId ?? null]
}
