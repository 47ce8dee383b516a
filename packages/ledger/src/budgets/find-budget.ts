import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { BudgetKey } from './set-budget.ts'

/** A budget as far as it matters who may change it. */
export type FoundBudget = BudgetKey & { readonly id: string; readonly createdBy: string }

/** The budget in force, or to come, with this id, or for the same as a new one would be. */
export async function findBudget(db: Queryable, by: { readonly id: string } | BudgetKey): Promise<FoundBudget | undefined> {
  if ('id' in by && !isUuid(by.id)) return undefined
  const place = 'id' in by ? 'budget_id = $1::uuid' : 'scope = $1::text and subject = $2::text and unit = $3::text and period = $4::text'
  const { rows } = await db.query<Omit<FoundBudget, 'id' | 'createdBy'> & { readonly budget_id: string; readonly created_by: string }>(
    `select budget_id, scope, subject, unit, period, created_by from budget
     where (effective_until is null or effective_until > clock_timestamp()) and ${place}
     order by effective_from desc limit 1`,
    'id' in by ? [by.id] : [by.scope, by.subject, by.unit, by.period],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { budget_id: id, created_by: createdBy, ...key } = row
  return { ...key, id, createdBy }
}
