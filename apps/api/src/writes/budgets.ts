import { randomBytes } from 'node:crypto'
import { endOwnBudget, rotateWebhookSecret, setOwnBudget } from '@ascribe/contract/writes'
import type { OwnBudget, RotateWebhookSecret, SetBudget, WebhookSecret } from '@ascribe/contract/writes'
import { alertSecrets, formatWebhookSecret } from '@ascribe/identity'
import type { ServerSecret } from '@ascribe/identity'
import { endBudget, findBudget, isCredentialOf, isGroupOf, rotateWebhookSecret as rotate } from '@ascribe/ledger'
import type { FoundBudget } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { authorOf } from '../admin/by.ts'
import { budgetOf, putBudget } from '../admin/budgets.ts'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'

export type OwnBudgetDeps = { readonly serverSecret: ServerSecret }

const SALT_BYTES = 16
const OVERLAP_SECONDS = 86_400

/** Budgets that a customer sets for itself: beside those of the platform, never over them. */
export function ownBudgetRoutes({ serverSecret }: OwnBudgetDeps): readonly Route[] {
  return [
    organizationRoute(setOwnBudget, (context, { body }) => put(context, body)),
    organizationRoute(endOwnBudget, async (context, { params }) => {
      const found = await customersBudget(context, params.budgetId)
      await endBudget(context.db, { budgetId: found.id, by: authorOf(context.caller) }, context.clock())
      return new PlainReply({ status: 204 })
    }),
    organizationRoute(rotateWebhookSecret, (context, { params, body }) =>
      makeSecret(context, { serverSecret, budgetId: params.budgetId, body }),
    ),
  ]
}

async function customersBudget(context: OrganizationContext, budgetId: string): Promise<FoundBudget> {
  const found = await findBudget(context.db, { id: budgetId })
  if (found === undefined || !(await isOwn(context, found.scope, found.subject))) throw new Refusal('not_found', 'There is no such budget.')
  requireCustomers(found.createdBy)
  context.note({ budget: found.id })
  return found
}

/** The secret is derived and answered once: what is stored is a salt. */
async function makeSecret(
  context: OrganizationContext,
  {
    serverSecret,
    budgetId,
    body,
  }: { readonly serverSecret: ServerSecret; readonly budgetId: string; readonly body: RotateWebhookSecret | undefined },
): Promise<WebhookSecret> {
  const { id } = await customersBudget(context, budgetId)
  const salt = randomBytes(SALT_BYTES).toString('hex')
  const overlapMs = (body?.overlapSeconds ?? OVERLAP_SECONDS) * 1000
  const oldEndsAt = await rotate(context.db, { budgetId: id, salt, overlapMs, by: authorOf(context.caller) })
  // Without a URL's secret: there is a salt. The newest server secret comes first.
  const [secret] = alertSecrets(serverSecret, { url: '', budgetId: id, salts: [salt] })
  if (secret === undefined) throw new Refusal('unavailable', 'Try again.')
  return { secret: formatWebhookSecret(secret), ...(oldEndsAt !== undefined && { oldEndsAt: formatInstant(oldEndsAt) }) }
}

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
