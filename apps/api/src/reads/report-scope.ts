import type { CostDimension, ReportFilter } from '@ascribe/contract/reads'
import { DIMENSIONS, readFamily } from '@ascribe/ledger/views'
import type { DimensionFilter } from '@ascribe/ledger/views'
import type { OrganizationContext } from '../handler.ts'

/** Whom a report is about; each child whose data may be in it is told. */
export async function subjectsOf(context: OrganizationContext, children: boolean): Promise<readonly string[]> {
  const { db, organizationId } = context
  if (!children) return [organizationId]
  const ids = (await readFamily(db, organizationId)).map(({ id }) => id)
  context.alsoAbout(ids.filter((id) => id !== organizationId))
  return ids
}

/** Every dimension that a report can be narrowed by: all of the ledger. */
export const FILTERS: readonly CostDimension[] = DIMENSIONS

/** The keys that a question names, by dimension. */
export function filterOf(query: ReportFilter): DimensionFilter {
  return Object.fromEntries(FILTERS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])))
}
