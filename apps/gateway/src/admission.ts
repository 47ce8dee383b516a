import type { Logger } from '@ascribe/kit'
import { INVALID_REQUEST_ID, isRequestId } from '@ascribe/identity'
import type { GateInput, GateOutcome, PolicyKey } from '@ascribe/identity'
import type { Reply, RequestHead } from '@ascribe/relay'
import type { GatewayMeters } from './gateway-meters.ts'
import { invalidKeyReply, isIdempotencyKey } from './idempotency.ts'
import { invalidRequest, openAiError, plainReply } from './replies.ts'

/** Who a request belongs to, from its head alone. */
export type Caller = {
  readonly identifiedBy: 'headers' | 'key'
  readonly authId: string
  /** Only when trusted headers name it; else it, and its type, come from the route. */
  readonly resourceId?: string
  readonly resourceType?: string
  readonly userId?: string
  readonly groupId?: string
  readonly baseModel?: string
  readonly claimedOrganizationId?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The client's `X-Request-Id`, if it sent one. Valid. */
  readonly requestId?: string
  /** The client's `Idempotency-Key`, if it sent one. Valid. */
  readonly idempotencyKey?: string
}

export type Admitted = {
  readonly kind: 'caller'
  readonly caller: Caller
  /** The key that named the caller; `undefined`: a trusted edge did. */
  readonly key: PolicyKey | undefined
  /** Whether the request's identity headers were believed; else nothing that reads them may get them. */
  readonly isIdentityTrusted: boolean
}

export type Admission = Admitted | { readonly kind: 'refused'; readonly reply: Reply }

export type AdmissionDeps = {
  readonly gate: (input: GateInput) => GateOutcome
  /** Lower-case name of the edge's secret header, which is never recorded, whatever it is called. */
  readonly secretHeader: string | undefined
  readonly meters: GatewayMeters
  readonly logger: Logger
}

/** Lets in what can be attributed. Everything else is answered here, before any upstream work and without a record. */
export function createAdmission(deps: AdmissionDeps): (head: RequestHead) => Admission {
  const { gate, secretHeader, meters, logger } = deps

  function refuse(reason: string, reply: Reply): Admission {
    meters.refused.add(1, { reason })
    return { kind: 'refused', reply }
  }

  function noteStripped(count: number, peer: string): void {
    if (count === 0) return
    meters.strippedHeaders.add(count)
    logger.warn('identity headers dropped: their peer is not trusted', { peer, count })
  }

  return (head) => {
    const outcome = gate(head)
    switch (outcome.kind) {
      case 'missing':
        logger.warn('request refused: billing identity is missing', { peer: head.peer, missing: outcome.missing })
        return refuse('missing_identity', plainReply(400, outcome.message))
      case 'repeated':
        logger.warn('request refused: billing identity is repeated', { peer: head.peer, name: outcome.name })
        return refuse('repeated_identity', plainReply(400, outcome.message))
      case 'unauthenticated':
        noteStripped(outcome.stripped, head.peer)
        return refuse(outcome.reason, unauthenticated(outcome.reason))
      case 'key':
        noteStripped(outcome.stripped, head.peer)
        if (!outcome.key.scopes.includes('inference')) return refuse('insufficient_scope', insufficientScope())
        break
      case 'headers':
        break
    }
    const ids = clientIdsOf(head)
    if (ids === 'invalid_idempotency_key') return refuse(ids, invalidKeyReply())
    if (ids === 'invalid_request_id') {
      logger.warn('request refused: X-Request-Id is invalid', { peer: head.peer })
      return refuse(ids, plainReply(400, INVALID_REQUEST_ID))
    }
    return {
      kind: 'caller',
      caller: callerOf(outcome, ids, secretHeader),
      key: outcome.kind === 'key' ? outcome.key : undefined,
      isIdentityTrusted: outcome.kind === 'headers' || outcome.stripped === 0,
    }
  }
}

type ClientIds = Pick<Caller, 'requestId' | 'idempotencyKey'>

const NO_IDS: ClientIds = {}

/** By which the client calls its request: `X-Request-Id`, where blank is absent, and `Idempotency-Key`. One that comes twice is invalid. */
function clientIdsOf({ headers }: RequestHead): ClientIds | 'invalid_request_id' | 'invalid_idempotency_key' {
  let requestId: string | undefined
  let idempotencyKey: string | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    // The length tells most names apart without making another string.
    if (name.length === 12 && name.toLowerCase() === 'x-request-id') {
      const value = (headers[index + 1] ?? '').trim()
      if (value === '') continue
      if (requestId !== undefined || !isRequestId(value)) return 'invalid_request_id'
      requestId = value
    } else if (name.length === 15 && name.toLowerCase() === 'idempotency-key') {
      const value = (headers[index + 1] ?? '').trim()
      if (idempotencyKey !== undefined || !isIdempotencyKey(value)) return 'invalid_idempotency_key'
      idempotencyKey = value
    }
  }
  if (idempotencyKey !== undefined) return requestId === undefined ? { idempotencyKey } : { requestId, idempotencyKey }
  return requestId === undefined ? NO_IDS : { requestId }
}

type Attributed = Extract<GateOutcome, { kind: 'headers' | 'key' }>

/** Field by field: copying what is left of an object costs a microsecond. */
function callerOf(outcome: Attributed, { requestId, idempotencyKey }: ClientIds, secretHeader: string | undefined): Caller {
  const { identity } = outcome
  const { resourceType, userId, groupId, baseModel, claimedOrganizationId, others } = identity
  const caller: { -readonly [Name in keyof Caller]: Caller[Name] } = {
    identifiedBy: outcome.kind,
    authId: outcome.kind === 'headers' ? outcome.identity.authId : outcome.key.authId,
  }
  // A type is of the resource beside it: that of a route has its own.
  if (outcome.kind === 'headers' && outcome.identity.resourceId !== undefined) {
    caller.resourceId = outcome.identity.resourceId
    if (resourceType !== undefined) caller.resourceType = resourceType
  }
  if (userId !== undefined) caller.userId = userId
  if (groupId !== undefined) caller.groupId = groupId
  if (baseModel !== undefined) caller.baseModel = baseModel
  if (claimedOrganizationId !== undefined) caller.claimedOrganizationId = claimedOrganizationId
  const headers = secretHeader === undefined ? others : without(others, secretHeader)
  if (headers !== undefined) caller.headers = headers
  if (requestId !== undefined) caller.requestId = requestId
  if (idempotencyKey !== undefined) caller.idempotencyKey = idempotencyKey
  return caller
}

/** The secret may have a name with the prefix of identity headers, and would be taken for one. */
function without(
  headers: Readonly<Record<string, string>> | undefined,
  lowerCaseName: string,
): Readonly<Record<string, string>> | undefined {
  if (headers === undefined) return undefined
  const kept = Object.entries(headers).filter(([name]) => name.toLowerCase() !== lowerCaseName)
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

function unauthenticated(reason: 'no_key' | 'unknown_key'): Reply {
  const message =
    reason === 'no_key'
      ? "You didn't provide an API key. Send it in an Authorization header: Authorization: Bearer YOUR_KEY."
      : 'Incorrect API key provided.'
  return openAiError(401, { message, type: 'invalid_request_error', code: 'invalid_api_key' }, ['www-authenticate', 'Bearer'])
}

function insufficientScope(): Reply {
  return invalidRequest('This API key may not be used for inference: it lacks the scope "inference".', {
    status: 403,
    code: 'insufficient_scope',
  })
}
