import type { Database } from '@ascribe/postgres'
import { monthOf } from '@ascribe/units'
import type { Currency, Instant, Nano } from '@ascribe/units'
import { readClosedThrough } from '../periods.ts'
import { readCosts } from './costs.ts'
import { dayText } from './day-window.ts'

/** A month that an organization has a statement of. */
export type StatementSummary = {
  /** `2026-11`. */
  readonly month: string
  readonly currency: Currency
  /** The month is not closed: it may change. */
  readonly isProvisional: boolean
  readonly total: Nano
}

export type StatementPage = { readonly statements: readonly StatementSummary[]; readonly next: string | undefined }

/** Months of one page: what a window of reports holds. */
const MONTHS = 12

const FIRST_MONTH = `
select to_char(least(
    (select min(hour) from usage_hour where organization_id = $1::uuid) at time zone 'UTC',
    (select min(hour) from charge where organization_id = $1::uuid) at time zone 'UTC',
    (select min(month) from statement_line where organization_id = $1::uuid),
    (select min(booked_month) from adjustment where organization_id = $1::uuid)), 'YYYY-MM') as month, currency
from organization where organization_id = $1::uuid`

/**
 * The months from the first with usage to the one of now, the newest first, with what they came to: each total is that of its statement.
 */
export async function listStatements(
  db: Database,
  { organizationId, now, before }: { readonly organizationId: string; readonly now: Instant; readonly before?: string },
): Promise<StatementPage> {
  const { rows } = await db.query<{ month: string | null; currency: string }>(FIRST_MONTH, [organizationId])
  const [row] = rows
  const [first, currency] = [row?.month ?? null, row?.currency ?? '']
  const last = before === undefined ? dayText(now).slice(0, 7) : monthBefore(before)
  if (first === null || first > last) return { statements: [], next: undefined }
  const months: string[] = []
  for (let month = last; month >= first && months.length < MONTHS; month = monthBefore(month)) months.push(month)
  const oldest = months.at(-1) ?? last
  const window = { from: `${oldest}-01`, to: dayText((monthOf(last)?.end ?? now) - 1) }
  const costs = await readCosts(db, { organizationIds: [organizationId], window, grain: 'month', by: [], filter: {}, now, limit: MONTHS })
  const totals = new Map(costs.rows.map((row) => [row.start, row.amount]))
  const closedThrough = (await readClosedThrough(db)) ?? ''
  return {
    statements: months.map((month) => ({ month, currency, isProvisional: month > closedThrough, total: totals.get(month) ?? 0n })),
    next: oldest > first ? oldest : undefined,
  }
}

function monthBefore(month: string): string {
  const start = monthOf(month)?.start
  return start === undefined ? '' : dayText(start - 1).slice(0, 7)
}
