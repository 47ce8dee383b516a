import type { Statement, StatementMemo } from '@ascribe/contract'
import type { Database, Queryable } from '@ascribe/postgres'
import { formatNano, isUuid } from '@ascribe/units'
import { claimAgreesSql } from './attribution-sql.ts'
import { sqlInstant } from './instants.ts'
import { parseMonth } from './parse-month.ts'
import { shelfOf } from './price-versions.ts'
import type { BookShelf } from './price-versions.ts'
import { readStatementMemo } from './statement-memo.ts'
import { ADJUSTMENT_LINES, USAGE_LINES, adjustmentLines, readLinesOfMonth, usageLines } from './statement-lines.ts'
import type { AdjustmentLineRow, ExactLine, UsageLineRow } from './statement-lines.ts'

export type StatementQuery = {
  readonly organizationId: string
  /** `2026-11`. */
  readonly month: string
  /**
   * Whose eyes: an `operator` sees in `held.unattributed` everything of the month that is nobody's, a `customer` only the records
   * that claim or map to its own organization: how much others fail to attribute is none of its business.
   */
  readonly scope: 'operator' | 'customer'
}

/** Reads a statement; `undefined` for an organization that does not exist. @throws {LedgerInputError} for what is no month. */
export async function readStatement(db: Database, query: StatementQuery): Promise<Statement | undefined> {
  const { organizationId, month } = query
  const values = valuesOf(query)
  if (!isUuid(organizationId)) return undefined
  const books = shelfOf(db)
  const facts = await readFacts(db, values)
  if (facts === undefined) return undefined
  // Most months have hourly charges and nothing else: then one question was enough.
  if (!facts.has_memo && !(await hasLinesOfMonth(db, facts, books))) return statementOf(query, facts, { linesOfMonth: [], memo: undefined })
  // One snapshot: an hour that is replaced meanwhile must not be charged and held at once.
  return db.transaction(
    async (tx) => {
      const again = await readFacts(tx, values)
      if (again === undefined) return undefined
      const { start, end } = parseMonth(month)
      const memo = again.has_memo
        ? await readStatementMemo(tx, { organizationId, bounds: [sqlInstant(start), sqlInstant(end)] })
        : undefined
      const linesOfMonth = (await hasLinesOfMonth(tx, again, books))
        ? await readLinesOfMonth(tx, { organizationId, month, provisional: !again.closed, books })
        : []
      return statementOf(query, again, { linesOfMonth, memo })
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/**
 * Reads the lines of a month that no hourly charge makes: those of {@link readStatement}, each with the version of the prices behind it. None for an
 * organization that does not exist. @throws {LedgerInputError} for what is no month
 */
export async function readStatementOfMonth(
  db: Database,
  { organizationId, month }: Omit<StatementQuery, 'scope'>,
): Promise<readonly ExactLine[]> {
  const values = valuesOf({ organizationId, month, scope: 'operator' })
  if (!isUuid(organizationId)) return []
  const books = shelfOf(db)
  return db.transaction(
    async (tx) => {
      const facts = await readFacts(tx, values)
      if (facts === undefined || !(await hasLinesOfMonth(tx, facts, books))) return []
      return readLinesOfMonth(tx, { organizationId, month, provisional: !facts.closed, books })
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** What one statement of SQL, hence one snapshot, says of an organization's month. */
type Facts = {
  readonly currency: string
  readonly closed: boolean
  readonly usage: readonly UsageLineRow[]
  readonly adjustments: readonly AdjustmentLineRow[]
  readonly unpriced: bigint
  readonly unknown: bigint
  readonly unattributed: bigint
  /** Whether there are lines that no hourly charge makes: stored, or of what the total of the month prices. */
  readonly by_month: boolean
  /** Whether somebody else bills something of the month. */
  readonly has_memo: boolean
  /** The book in force when the month ends, whose minimums and commitments hold. */
  readonly sequence: number | null
  readonly sha256: string | null
}

// Rows as JSON, their numbers as text: JSON has no exact ones. One question instead of eight: on a busy machine waiting for answers
// took longer than making them.
const FACTS = `
select o.currency, p.closed, h.unpriced, h.unknown, h.unattributed, v.sequence, v.sha256,
  (select coalesce(json_agg(l), '[]') from (${USAGE_LINES}) l) as usage,
  (select coalesce(json_agg(l), '[]') from (${ADJUSTMENT_LINES}) l) as adjustments,
  case when p.closed then exists (select from statement_line where month = $4::date and organization_id = $1::uuid)
    else exists (select from period_quantity where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz)
  end as by_month,
  exists (select from provider_charge where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz) as has_memo
from organization o
cross join (select coalesce($4::date <= (select max(month) from billing_period), false) as closed) p
cross join (
  select
    coalesce(sum(record_count) filter (where state = 'unpriced' and organization_id = $1::uuid), 0)::bigint as unpriced,
    coalesce(sum(record_count) filter (where state = 'unknown' and organization_id = $1::uuid), 0)::bigint as unknown,
    coalesce(sum(record_count) filter (where state = 'unattributed' and ($5::boolean or organization_id = $1::uuid
      or (claimed_organization_id is not null and ${claimAgreesSql('claimed_organization_id', '$1::uuid')}))), 0)::bigint as unattributed
  from usage_hour
  where hour >= $2::timestamptz and hour < $3::timestamptz and state in ('unpriced', 'unattributed', 'unknown')
) h
left join lateral (
  select sequence, sha256 from price_version
  where kind = 'full' and currency = o.currency and effective_from < $3::timestamptz
  order by effective_from desc, sequence desc limit 1
) v on true
where o.organization_id = $1::uuid`

function valuesOf({ organizationId, month, scope }: StatementQuery): readonly unknown[] {
  const { start, end } = parseMonth(month)
  return [organizationId, sqlInstant(start), sqlInstant(end), `${month}-01`, scope === 'operator']
}

async function readFacts(db: Queryable, values: readonly unknown[]): Promise<Facts | undefined> {
  const { rows } = await db.query<Facts>(FACTS, values)
  return rows[0]
}

async function hasLinesOfMonth(db: Queryable, { by_month: byMonth, closed, sequence, sha256 }: Facts, books: BookShelf): Promise<boolean> {
  if (byMonth || closed || sequence === null || sha256 === null) return byMonth
  const { minimums, commitments } = await books.bookOf(db, { sequence, sha256 })
  return minimums.length > 0 || commitments.length > 0
}

function statementOf(
  { organizationId, month }: StatementQuery,
  facts: Facts,
  { linesOfMonth, memo }: { readonly linesOfMonth: readonly ExactLine[]; readonly memo: StatementMemo | undefined },
): Statement {
  const lines = [...usageLines(facts.usage), ...linesOfMonth, ...adjustmentLines(facts.adjustments)]
  return {
    organization_id: organizationId,
    month,
    currency: facts.currency,
    provisional: !facts.closed,
    total: formatNano(lines.reduce((sum, { nano }) => sum + nano, 0n)),
    lines: lines.map(({ line }) => line),
    held: { unpriced: Number(facts.unpriced), unattributed: Number(facts.unattributed), unknown: Number(facts.unknown) },
    ...(memo !== undefined && { memo }),
  }
}
