import {
  approveSupportRequest,
  closeSupportWindow,
  getSupportAccess,
  listSupportRequests,
  openSupportWindow,
  refuseSupportRequest,
  revokeSupportRequest,
  setSupportAccess,
} from '@ascribe/contract/writes'
import type { SupportAccess, SupportRequestJson } from '@ascribe/contract/writes'
import {
  closeSupportWindow as close,
  decideSupportRequest,
  listSupportRequests as list,
  openSupportWindow as open,
  readSupportAccess,
  setSupportAccess as set,
} from '@ascribe/ledger'
import type { SupportRequest } from '@ascribe/ledger'
import type { Queryable } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import { authorOf, instantOf } from '../admin/by.ts'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { Detail, OrganizationContext, Route } from '../handler.ts'

/** The customer's say in who looks: off by default, and at once. */
export const supportRoutes: readonly Route[] = [
  organizationRoute(getSupportAccess, (context) => read(context)),
  {
    ...organizationRoute(setSupportAccess, async (context, { body: { requireApproval } }) => {
      const { db, organizationId } = context
      await set(db, { organizationId, requireApproval, by: authorOf(context.caller), audit: audited(context, 200, { requireApproval }) })
      return read(context)
    }),
    auditsItself: true,
  },
  {
    ...organizationRoute(openSupportWindow, async (context, { body }) => {
      const { db, organizationId } = context
      const until = instantOf(body.until)
      await open(db, { organizationId, until, by: authorOf(context.caller), audit: audited(context, 200, { until: body.until }) })
      return read(context)
    }),
    auditsItself: true,
  },
  {
    ...organizationRoute(closeSupportWindow, async (context) => {
      const { db, organizationId } = context
      await close(db, { organizationId, by: authorOf(context.caller), audit: audited(context, 200, { window: 'closed' }) })
      return read(context)
    }),
    auditsItself: true,
  },
  organizationRoute(listSupportRequests, async ({ db, organizationId }, { query: { cursor, limit } }) => {
    const page = await list(db, { organizationId, limit, ...(cursor !== undefined && { cursor }) })
    if (page === 'bad_cursor') throw new Refusal('invalid_request', 'Cannot use the query: cursor: is none of this list')
    return { data: page.requests.map(requestJson), ...(page.nextCursor !== undefined && { nextCursor: page.nextCursor }) }
  }),
  {
    ...organizationRoute(approveSupportRequest, (context, { params, body }) =>
      decide(context, {
        requestId: params.requestId,
        decision: 'approve',
        ...(body?.until !== undefined && { until: instantOf(body.until) }),
      }),
    ),
    auditsItself: true,
  },
  {
    ...organizationRoute(refuseSupportRequest, (context, { params }) =>
      decide(context, { requestId: params.requestId, decision: 'refuse' }),
    ),
    auditsItself: true,
  },
  {
    ...organizationRoute(revokeSupportRequest, (context, { params }) =>
      decide(context, { requestId: params.requestId, decision: 'revoke' }),
    ),
    auditsItself: true,
  },
]

/** The line of a change, in its transaction: none without the other. */
function audited(context: OrganizationContext, status: number, detail: Detail): (tx: Queryable) => Promise<void> {
  return (tx) => context.auditIn(tx, { kind: 'support', status, detail })
}

type Decision = { readonly requestId: string; readonly decision: 'approve' | 'refuse' | 'revoke'; readonly until?: number }

async function decide(context: OrganizationContext, { requestId, decision, until }: Decision): Promise<SupportRequestJson> {
  const { db, organizationId } = context
  const outcome = await decideSupportRequest(db, {
    organizationId,
    requestId,
    decision,
    ...(until !== undefined && { until }),
    by: authorOf(context.caller),
    audit: (tx, made) =>
      context.auditIn(tx, {
        kind: 'support',
        status: made.kind === 'decided' ? 200 : made.kind === 'unknown' ? 404 : 409,
        detail: { request: requestId, decision, outcome: made.kind },
      }),
  })
  switch (outcome.kind) {
    case 'decided':
      return requestJson(outcome.request)
    case 'unknown':
      throw new Refusal('not_found', 'There is no such request.')
    case 'not_possible':
      throw new Refusal('conflict', `The request is ${outcome.state}.`)
  }
}

async function read({ db, organizationId }: OrganizationContext): Promise<SupportAccess> {
  const found = await readSupportAccess(db, organizationId)
  if (found === undefined) throw new Refusal('organization_not_found', 'There is no such organization.')
  const { requireApproval, window, changedAt, changedBy } = found
  return {
    requireApproval,
    ...(window !== undefined && { window: { ...window, until: formatInstant(window.until) } }),
    ...(changedAt !== undefined && { changedAt: formatInstant(changedAt) }),
    ...(changedBy !== undefined && { changedBy }),
  }
}

function requestJson({
  id,
  operator,
  reason,
  ticket,
  minutes,
  requestedAt,
  state,
  until,
  decidedAt,
  decidedBy,
}: SupportRequest): SupportRequestJson {
  return {
    id,
    operator,
    reason,
    ticket,
    minutes,
    requestedAt: formatInstant(requestedAt),
    state,
    ...(until !== undefined && { until: formatInstant(until) }),
    ...(decidedAt !== undefined && { decidedAt: formatInstant(decidedAt) }),
    ...(decidedBy !== undefined && { decidedBy }),
  }
}
