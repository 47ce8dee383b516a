import { EACH } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { listBudgets } from '../budgets/list-budgets.ts'
import type { BudgetState } from '../budgets/list-budgets.ts'

/** What belongs to an organization and to nobody else, by scope: only of this may its people see how it stands. */
type Own = Readonly<Record<BudgetState['scope'], ReadonlySet<string>>>

type Row = { readonly kind: 'credential' | 'user' | 'group'; readonly id: string }

// A user who is another organization's as well has spent there too: his budget is then told by neither. Indexes auth_mapping_organization,
// organization_member_organization, group_version_organization.
const OWN = `
with mapped as (
  select a.auth_id, m.organization_id, m.user_id, m.group_id
  from (select distinct auth_id from auth_mapping where organization_id = $1::uuid) a
  cross join lateral (
    select organization_id, user_id, group_id from auth_mapping m where m.auth_id = a.auth_id and m.valid_from <= clock_timestamp()
    order by valid_from desc, revision desc limit 1
  ) m
  where m.organization_id = $1::uuid
), users as (
  select user_id from mapped where user_id is not null
  union select user_id from organization_member where organization_id = $1::uuid
), groups as (
  select group_id from mapped where group_id is not null
  union select group_id from group_version where organization_id = $1::uuid
)
select 'credential' as kind, auth_id as id from mapped
where not exists (select from auth_mapping o where o.auth_id = mapped.auth_id and o.organization_id <> $1::uuid)
union all
select 'user', user_id from users u
where not exists (select from auth_mapping o where o.user_id = u.user_id and o.organization_id <> $1::uuid)
  and not exists (select from organization_member o where o.user_id = u.user_id and o.organization_id <> $1::uuid)
union all
select 'group', group_id from groups g
where not exists (select from auth_mapping o where o.group_id = g.group_id and o.organization_id <> $1::uuid)
  and not exists (select from group_version o where o.group_id = g.group_id and o.organization_id <> $1::uuid)`

/**
 * The budgets that bound an organization, its users, groups or keys, and how those of them stand that are its own; where each is by itself of
 * a budget for everybody (`*`), only its own. Whoever is also another organization's is left out: what was spent there is none of its business.
 */
export async function readBudgetsOf(db: Queryable, organizationId: string, now: Instant): Promise<readonly BudgetState[]> {
  if (!isUuid(organizationId) || (await db.query('select from budget limit 1')).rowCount === 0) return []
  const { rows } = await db.query<Row>(OWN, [organizationId])
  const idsOf = (kind: Row['kind']): ReadonlySet<string> => new Set(rows.filter((row) => row.kind === kind).map(({ id }) => id))
  const own: Own = {
    organization: new Set([organizationId]),
    user: idsOf('user'),
    group: idsOf('group'),
    credential: idsOf('credential'),
  }
  const subjects = [...new Set(Object.values(own).flatMap((ids) => [...ids]))]
  return (await listBudgets(db, now, { subjects })).flatMap((budget) => {
    const standings = budget.standings.filter(({ subject }) => own[budget.scope].has(subject))
    if (budget.subject !== EACH && !own[budget.scope].has(budget.subject)) return []
    if (budget.subject === EACH && own[budget.scope].size === 0) return []
    return [{ ...budget, standings }]
  })
}
