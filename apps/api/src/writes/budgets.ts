import { endOwnBudget, setOwnBudget } from '@ascribe/contract/writes'
import type { OwnBudget, SetBudget } from '@ascribe/contract/writes'
import { endBudget, findBudget, isCredentialOf, isGroupOf } from '@ascribe/ledger'
import { authorOf } from '../admin/by.ts'
import { budgetOf, putBudget } from '../admin/budgets.ts'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'

/** Budgets that a customer sets for itself: beside those of the platform, never over them. */
export const ownBudgetRoutes: readonly Route[] = [
  organizationRoute(setOwnBudget, (context, { body }) => put(context, body)),
  organizationRoute(endOwnBudget, async (context, { params }) => {
    const { db, caller, clock, note } = context
    const found = await findBudget(db, { id: params.budgetId })
    if (found === undefined || !(await isOwn(context, found.scope, found.subject)))
      throw new Refusal('not_found', 'There is no such budget.')
    requireCustomers(found.createdBy)
    note({ budget: found.id })
    await endBudget(db, { budgetId: found.id, by: authorOf(caller) }, clock())
    return new PlainReply({ status: 204 })
  }),
]

async function put(context: OrganizationContext, body: OwnBudget): Promise<SetBudget> {
  const { db, organizationId } = context
  const { scope, unit, period } = body
  const subject = body.subject ?? (scope === 'organization' ? organizationId : '')
  if (!(await isOwn(context, scope, subject))) throw new Refusal('not_found', `There is no such ${scope} in the organization.`)
  const before = await findBudget(db, { scope, subject, unit, period })
  if (before !== undefined) requireCustomers(before.createdBy)
  return putBudget(context, budgetOf({ ...body, subject }))
}

/** What the provider bounds is not for the customer to widen. */
function requireCustomers(createdBy: string): void {
  if (!createdBy.startsWith('user:')) throw new Refusal('conflict', 'The provider has set this budget: ask the provider to change it.')
}

async function isOwn({ db, organizationId }: OrganizationContext, scope: string, subject: string): Promise<boolean> {
  switch (scope) {
    case 'organization':
      return subject.toLowerCase() === organizationId
    case 'group':
      return isGroupOf(db, { groupId: subject, organizationId })
    case 'credential':
      return isCredentialOf(db, { authId: subject, organizationId })
    default:
      // A user may belong to several organizations, and `*` is everybody's.
      return false
  }
}
