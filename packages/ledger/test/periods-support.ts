import assert from 'node:assert/strict'
import type { Database } from '@ascribe/postgres'
import { closeMonth } from '../src/index.ts'
import { rateAll, statementOf } from './support.ts'

export const MARCH: number = Date.UTC(2026, 2, 10, 10)
export const APRIL: number = Date.UTC(2026, 3, 10, 10)
export const MAY: number = Date.UTC(2026, 4, 10, 10)

/** Rates everything and closes a month, which must work. */
export async function close(db: Database, month: string, options: { readonly force?: boolean } = {}): Promise<void> {
  await rateAll(db)
  const outcome = await closeMonth(db, { month, closedBy: 'test', ...options })
  assert.equal(
    outcome.kind,
    'closed',
    JSON.stringify(outcome, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  )
}

/** The lines of a statement as people would say them. */
export async function lines(db: Database, organizationId: string, month: string): Promise<readonly string[]> {
  const { lines: all } = await statementOf(db, organizationId, month)
  return all.map(({ kind, model, meter, auth_id, quantity, rate, amount, description }) =>
    [kind, model, meter, auth_id, `${quantity} × ${rate} = ${amount}`, description]
      .filter((part) => part !== undefined && part !== '')
      .join(' '),
  )
}

/** What is frozen, as text. */
export async function dumpFrozen(db: Database): Promise<string> {
  const { rows } = await db.query<{ line: string }>(
    `select line from (
       select 'charge ' || c::text as line from charge c where utc_month(hour) <= (select max(month) from billing_period)
       union all select 'line ' || l::text from statement_line l
     ) t order by line collate "C"`,
  )
  return rows.map(({ line }) => line).join('\n')
}
