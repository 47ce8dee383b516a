import { endActingSession, getActingSession, redirect, searchOrganizations, startActingSession } from '@ascribe/contract'
import type { ActingSessionJson, StartActing } from '@ascribe/contract'
import { mayView } from '@ascribe/identity/teleport'
import { checkRedirectTarget } from '@ascribe/identity/view-as'
import type { OriginPattern } from '@ascribe/identity/view-as'
import { delegationOf, endActing, lookUpOrganizations, readLineage, startActing } from '@ascribe/ledger'
import type { ActingSession } from '@ascribe/ledger'
import { formatInstant } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { PlainReply, organizationRoute, route } from '../handler.ts'
import type { Caller, RequestContext, Route } from '../handler.ts'

type Operator = Extract<Caller, { readonly kind: 'operator' }>

/** What only operators have: their sessions, the look-up, the way in. */
export function internalRoutes(allowOrigins: readonly OriginPattern[]): readonly Route[] {
  return [
    { ...route(startActingSession, (context, { body }) => start(context, body)), auditsItself: true },
    { ...route(endActingSession, (context, { body }) => end(context, body.organization)), auditsItself: true },
    organizationRoute(getActingSession, async ({ caller }) => {
      const { acting } = operatorOf(caller)
      if (acting === undefined) throw new Error('an organization is looked at without a session')
      return sessionJson(acting)
    }),
    route(searchOrganizations, async (context, { query }) => {
      const { policy } = operatorOf(context.caller)
      if (!policy.maySearch) throw new Refusal('insufficient_role', 'Your roles do not allow to look organizations up.')
      const { organizations, more } = await lookUpOrganizations(context.db, {
        q: query.q,
        limit: query.limit,
        ...(!policy.mayViewAll && { within: { organizations: policy.organizations, childrenOf: policy.childrenOf } }),
      })
      return { data: organizations.map(({ id, name }) => ({ id, name })), more }
    }),
    {
      ...route(redirect, async ({ caller }, { query }) => {
        const target = checkRedirectTarget(query.to, allowOrigins)
        if (target.kind === 'refused') throw new Refusal('redirect_refused', target.message)
        requireNamed(operatorOf(caller), target.organizationId)
        return new PlainReply({ status: 302, headers: { location: target.location, 'referrer-policy': 'no-referrer' } })
      }),
      isNavigation: true,
      leavesNoLine: true,
    },
  ]
}

function operatorOf(caller: Caller): Operator {
  if (caller.kind !== 'operator') throw new Error(`a ${caller.kind} came through the operators' door`)
  return caller
}

/** What the request names beside must be the same. */
function requireNamed({ named }: Operator, organizationId: string | undefined): void {
  if (organizationId === undefined || named.every((each) => each === organizationId)) return
  throw new Refusal('organization_ambiguous', 'The request names two organizations. Name one.')
}

async function start(context: RequestContext, { organization, reason, ticket, minutes }: StartActing): Promise<ActingSessionJson> {
  const operator = operatorOf(context.caller)
  const organizationId = organization.toLowerCase()
  requireNamed(operator, organizationId)
  const lineage = await readLineage(context.db, organizationId)
  if (lineage === undefined || !mayView(operator.policy, lineage.id, lineage.ancestors)) {
    // In the log of whom it was about, if it is anybody's, as every other look that is refused.
    if (lineage !== undefined) await context.auditIn(context.db, { kind: 'refusal', status: 404, organizationId: lineage.id })
    context.note({ organization: organizationId })
    throw unknownOrganization()
  }
  const outcome = await startActing(context.db, {
    operator,
    organizationId,
    reason,
    ticket,
    minutes,
    audit: (tx, made) =>
      context.auditIn(tx, {
        kind: 'session',
        status: STATUS[made.kind],
        organizationId,
        ...(made.kind === 'started' && { act: { sessionId: made.session.id, reason, ticket, expiresAt: made.session.expiresAt } }),
        detail: { outcome: made.kind, minutes },
      }),
  })
  switch (outcome.kind) {
    case 'started':
      return sessionJson(outcome.session)
    case 'already_active':
      throw new Refusal('conflict', `A session lasts already, until ${formatInstant(outcome.session.expiresAt)}. End it first.`)
    case 'approval_required':
      throw new Refusal(
        'approval_required',
        `The customer has been asked (request ${outcome.supportRequestId}). Try again when it is approved.`,
      )
    case 'unknown_organization':
      throw unknownOrganization()
  }
}

const STATUS = { started: 201, already_active: 409, approval_required: 403, unknown_organization: 404 } as const

async function end(context: RequestContext, organization: string): Promise<{ readonly ended: boolean }> {
  const operator = operatorOf(context.caller)
  const organizationId = organization.toLowerCase()
  requireNamed(operator, organizationId)
  const outcome = await endActing(context.db, {
    operator,
    organizationId,
    audit: (tx, made) => context.auditIn(tx, { kind: 'session', status: 200, organizationId, detail: { outcome: made.kind } }),
  })
  return { ended: outcome.kind === 'ended' }
}

function unknownOrganization(): Refusal {
  return new Refusal('organization_not_found', 'There is no such organization.')
}

function sessionJson(session: ActingSession): ActingSessionJson {
  const { id, organizationId, operator, reason, ticket, startedAt, expiresAt } = session
  return {
    id,
    organizationId,
    operator: operator.name,
    reason,
    ticket,
    startedAt: formatInstant(startedAt),
    expiresAt: formatInstant(expiresAt),
    delegation: delegationOf(session),
  }
}
