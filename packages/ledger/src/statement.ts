import type { Held, Statement, StatementLine } from '@ascribe/contract'
import { assert } from '@ascribe/kit'
import type { Database, Queryable } from '@ascribe/postgres'
import { formatNano, formatRate, isUuid, monthOf, parseRate } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { claimAgreesSql } from './attribution-sql.ts'
import { LedgerInputError } from './errors.ts'
import { sqlInstant } from './instants.ts'
import { isMonthClosed } from './periods.ts'

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

type LineRow = {
  readonly model: string
  readonly auth_id: string
  readonly meter: string
  readonly rate: string
  readonly quantity: string
  readonly amount: string
}

/** Reads a statement; `undefined` for an organization that does not exist. @throws {LedgerInputError} for what is no month. */
export async function readStatement(db: Database, query: StatementQuery): Promise<Statement | undefined> {
  const { organizationId, month, scope } = query
  const period = parseMonth(month)
  if (!isUuid(organizationId)) return undefined
  // One snapshot: an hour that is replaced meanwhile must not be charged and held at once.
  return db.transaction(
    async (tx) => {
      const { rows } = await tx.query<{ currency: string }>('select currency from organization where organization_id = $1::uuid', [
        organizationId,
      ])
      const [organization] = rows
      if (organization === undefined) return undefined
      const lines = await readLines(tx, organizationId, period)
      return {
        organization_id: organizationId,
        month,
        currency: organization.currency,
        provisional: !(await isMonthClosed(tx, month)),
        total: formatNano(lines.reduce((sum, line) => sum + BigInt(line.amount), 0n)),
        lines: lines.map(lineOf),
        held: await readHeld(tx, { organizationId, period, scope }),
      }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** The period of a month such as `2026-11`. @throws {LedgerInputError} */
export function parseMonth(month: string): Period {
  const period = monthOf(month)
  if (period === undefined) throw new LedgerInputError(`Cannot read the month ${JSON.stringify(month)}`, { hint: 'Write it as 2026-11.' })
  return period
}

// Rows of one rate become one line, also when the price book changed in between and left that rate alone. Index charge_organization.
const LINES = `
select model, auth_id, meter, rate, sum(quantity) as quantity, sum(amount_nano) as amount
from charge
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
group by model, auth_id, meter, rate
order by model collate "C", auth_id collate "C", meter collate "C", rate`

async function readLines(tx: Queryable, organizationId: string, period: Period): Promise<readonly LineRow[]> {
  return (await tx.query<LineRow>(LINES, [organizationId, sqlInstant(period.start), sqlInstant(period.end)])).rows
}

function lineOf(row: LineRow): StatementLine {
  const quantity = Number(row.quantity)
  assert(Number.isSafeInteger(quantity), `quantity ${row.quantity} of a statement line is beyond 2^53 - 1`)
  return {
    kind: 'usage',
    model: row.model,
    auth_id: row.auth_id,
    meter: row.meter,
    quantity,
    rate: plainRate(row.rate),
    amount: formatNano(BigInt(row.amount)),
  }
}

/** A stored rate without zeros at its end. */
function plainRate(stored: string): string {
  const rate = parseRate(stored, 1)
  assert(typeof rate === 'bigint', `stored rate ${stored} is no rate`)
  return formatRate(rate)
}

async function readHeld(
  tx: Queryable,
  { organizationId, period, scope }: { readonly organizationId: string; readonly period: Period; readonly scope: 'operator' | 'customer' },
): Promise<Held> {
  const { rows } = await tx.query<Record<keyof Held, bigint>>(
    `select
       coalesce(sum(record_count) filter (where state = 'unpriced' and organization_id = $1::uuid), 0)::bigint as unpriced,
       coalesce(sum(record_count) filter (where state = 'unknown' and organization_id = $1::uuid), 0)::bigint as unknown,
       coalesce(sum(record_count) filter (where state = 'unattributed' and ($4::boolean or organization_id = $1::uuid
         or (claimed_organization_id is not null and ${claimAgreesSql('claimed_organization_id', '$1::uuid')}))), 0)::bigint as unattributed
     from usage_hour
     where hour >= $2::timestamptz and hour < $3::timestamptz and state in ('unpriced', 'unattributed', 'unknown')`,
    [organizationId, sqlInstant(period.start), sqlInstant(period.end), scope === 'operator'],
  )
  const [held] = rows
  return { unpriced: Number(held?.unpriced ?? 0n), unattributed: Number(held?.unattributed ?? 0n), unknown: Number(held?.unknown ?? 0n) }
}
