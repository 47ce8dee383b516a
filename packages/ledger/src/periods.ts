import type { Queryable } from '@ascribe/postgres'
import { monthAfter } from '@ascribe/rating'
import type { Instant } from '@ascribe/units'

/** The month up to which all are closed, this one included; `undefined` when none is. `2026-10`. */
export async function readClosedThrough(db: Queryable): Promise<string | undefined> {
  const { rows } = await db.query<{ month: string | null }>(`select to_char(max(month), 'YYYY-MM') as month from billing_period`)
  return rows[0]?.month ?? undefined
}

/** Whether a month, `2026-10`, is closed: months close in order, so it is when it or a later one has been. */
export async function isMonthClosed(db: Queryable, month: string): Promise<boolean> {
  const through = await readClosedThrough(db)
  return through !== undefined && month <= through
}

/** The oldest open month after a closed one: what corrects closed months is booked there. */
export async function readBookedMonth(db: Queryable): Promise<string> {
  const through = await readClosedThrough(db)
  if (through === undefined) throw new Error('there is nothing to correct: no month is closed')
  return monthAfter(through)
}

/** The UTC month of an instant, `2026-10`. */
export function monthOfInstant(at: Instant): string {
  return new Date(at).toISOString().slice(0, 7)
}
