import type { Held, Statement } from '@ascribe/contract'
import type { Database, Queryable } from '@ascribe/postgres'
import { formatNano, isUuid } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { claimAgreesSql } from './attribution-sql.ts'
import { sqlInstant } from './instants.ts'
import { parseMonth } from './parse-month.ts'
import { shelfOf } from './price-versions.ts'
import { readAdjustmentLines, readLinesOfMonth, readUsageLines } from './statement-lines.ts'

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
  const { organizationId, month, scope } = query
  const period = parseMonth(month)
  if (!isUuid(organizationId)) return undefined
  // One snapshot: an hour that is replaced meanwhile must not be charged and held at once.
  return db.transaction(
    async (tx) => {
      const { rows } = await tx.query<{ currency: string; closed: boolean }>(
        `select currency, coalesce($2::date <= (select max(month) from billing_period), false) as closed
         from organization where organization_id = $1::uuid`,
        [organizationId, `${month}-01`],
      )
      const [organization] = rows
      if (organization === undefined) return undefined
      const provisional = !organization.closed
      const lines = [
        ...(await readUsageLines(tx, organizationId, period)),
        ...(await readLinesOfMonth(tx, { organizationId, month, provisional, books: shelfOf(db) })),
        ...(await readAdjustmentLines(tx, organizationId, month)),
      ]
      return {
        organization_id: organizationId,
        month,
        currency: organization.currency,
        provisional,
        total: formatNano(lines.reduce((sum, { nano }) => sum + nano, 0n)),
        lines: lines.map(({ line }) => line),
        held: await readHeld(tx, { organizationId, period, scope }),
      }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
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
