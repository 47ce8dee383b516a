import type { Clock, Logger } from '@ascribe/kit'
import { isEdgeProbe } from '@ascribe/identity/edge-probe'
import type { Decision, Reply, RequestHead, Resend, Verdict } from '@ascribe/relay'
import { boundText, spliceIncludeUsage } from '@ascribe/usage'
import type { Intent, RequestFacts } from '@ascribe/usage'
import type { AdmissionControl, RequestHold } from './admission-control.ts'
import type { Admission, Admitted } from './admission.ts'
import { unreadBody } from './body-format.ts'
import type { BodyLog } from './body-log/body-log.ts'
import type { EdgeProbe } from './edge-probe.ts'
import { requestFacts } from './endpoint-facts.ts'
import { endpointReply } from './endpoint-replies.ts'
import { upstreamTarget } from './endpoints.ts'
import type { Endpoint, EndpointTable } from './endpoints.ts'
import type { GatewayMeters } from './gateway-meters.ts'
import { MeteredExchange } from './metered-exchange.ts'
import { invalidRequest } from './replies.ts'
import type { Claims, RequestClaims } from './request-claims.ts'
import type { Route, Wanted } from './routes.ts'
import { dispatch, unserved } from './routing/dispatch.ts'
import type { RouteBook } from './routing/route-book.ts'
import type { RoutingMeters } from './routing/routing-meters.ts'
import type { TokenizedStreams } from './silent-streams.ts'
import { upstreamHeaders } from './upstream-headers.ts'
import { openRecord } from './usage-journal.ts'
import type { JournalPort } from './usage-journal.ts'

export type RequestHandlerDeps = {
  readonly admit: (head: RequestHead) => Admission
  /** Budgets and rate limits. */
  readonly control: Pick<AdmissionControl, 'isActive' | 'take'>
  /** Terms of credentials, and what a request needs for itself alone. */
  readonly claims: Pick<RequestClaims, 'refusal' | 'take'>
  readonly probe: EdgeProbe
  readonly endpoints: EndpointTable
  /** Streams of engines whose tokenizers are asked. */
  readonly tokenized: Pick<TokenizedStreams, 'follow'>
  /** Bodies of those who have agreed to it; `undefined`: of nobody. */
  readonly bodies: Pick<BodyLog, 'follow'> | undefined
  readonly routes: Pick<RouteBook, 'find' | 'models' | 'setOf'>
  readonly routing: RoutingMeters
  readonly journal: JournalPort
  readonly newId: () => string
  readonly clock: Clock
  readonly meters: GatewayMeters
  readonly logger: Logger
  readonly bodyBytesMax: number
  /** Lower-case prefix of identity headers. */
  readonly identityPrefix: string
  readonly secretHeader: string | undefined
}

/** As long as the engine's own name for a model may be in a record. */
const MODEL_LENGTH_MAX = 512

const STORED_RESPONSE = 'This model keeps no responses for later: send the whole input, and leave out what refers to anything stored.'

type ForwardedEndpoint = Extract<Endpoint, { kind: 'forwarded' }>

/** Gives the first word on every request: what it is, whose it is, and where it goes. */
export function createRequestHandler(deps: RequestHandlerDeps): (head: RequestHead) => Verdict {
  function decide({ head, admitted, endpoint }: Asked, body: Buffer): Decision {
    const facts = requestFacts(body, endpoint.api, head)
    if (facts.kind === 'invalid') return refuse(deps, 'invalid_body', facts.message, facts.param)
    if (facts.model !== undefined && isEdgeProbe(facts.model)) {
      return { kind: 'reply', reply: deps.probe.replyTo(facts.model, { head, admitted }) }
    }
    const wanted = { model: facts.model, resourceId: admitted.caller.resourceId }
    const route = deps.routes.find(wanted)
    if (route === undefined) return unroutable(deps, wanted)
    const idle = unserved(route, deps.routes, wanted)
    if (idle !== undefined) return refusal(deps, idle)
    // Embeddings have one count for all inputs with every engine.
    if (route.multipleChoices === 'refuse' && endpoint.api !== 'embeddings' && facts.choices * facts.prompts > 1) {
      return refuse(deps, 'multiple_choices', 'This model serves one choice for one prompt at a time.', facts.choices > 1 ? 'n' : 'prompt')
    }
    if (route.silentStreams === 'refuse' && facts.streams) return refuse(deps, 'stream', 'This model does not stream.', 'stream')
    if (facts.storedBy !== undefined && route.storedResponses !== true) {
      return refuse(deps, 'stored_response', STORED_RESPONSE, facts.storedBy)
    }
    const startedAt = deps.clock()
    const eventId = deps.newId()
    const claims = deps.claims.take(admitted, eventId)
    if (claims.kind === 'refused') return refusal(deps, claims)
    const asked = { head, admitted, endpoint, body, facts, route, startedAt, eventId, claims }
    if (!deps.control.isActive) return forward(deps, asked, undefined)
    const bounds = deps.control.take({ caller: admitted.caller, key: admitted.key, facts, body, route, startedAt })
    if (bounds?.kind !== 'refused') return forward(deps, asked, bounds?.hold)
    claims.claim?.release()
    return refusal(deps, bounds)
  }

  return (head) => {
    // Before anything else: who cannot be attributed learns nothing about what is here.
    const admission = deps.admit(head)
    if (admission.kind === 'refused') return { kind: 'reply', reply: admission.reply }
    const endpoint = deps.endpoints(head.method, head.target)
    if (endpoint.kind !== 'forwarded') {
      const { reply, reason } = endpointReply(endpoint, head, deps.routes.models)
      if (reason !== undefined) deps.meters.refused.add(1, { reason })
      return { kind: 'reply', reply }
    }
    const unread = unreadBody(head, endpoint.api)
    if (unread !== undefined) return refusal(deps, unread)
    const crowded = deps.claims.refusal(admission)
    if (crowded !== undefined) return refusal(deps, crowded)
    return { kind: 'read', bodyBytesMax: deps.bodyBytesMax, decide: (body) => decide({ head, admitted: admission, endpoint }, body) }
  }
}

type Asked = {
  readonly head: RequestHead
  readonly admitted: Admitted
  readonly endpoint: ForwardedEndpoint
}

type Forwarded = Asked & {
  readonly body: Buffer
  readonly facts: RequestFacts
  readonly route: Route
  readonly startedAt: number
  readonly eventId: string
  readonly claims: Claims
}

function forward(deps: RequestHandlerDeps, forwarded: Forwarded, hold: RequestHold | undefined): Decision {
  const { head, admitted, endpoint, body, facts, route, eventId, claims } = forwarded
  const intent = intentOf(forwarded)
  const record = openRecord(deps.journal, intent)
  const { parts, injected } = spliceIncludeUsage(body, facts)
  // The last upstream that it was sent to.
  let servedBy = route
  const requestAt = (at: Route): Resend => {
    servedBy = at
    return {
      upstream: at.upstream,
      target: upstreamTarget(at.basePath, endpoint),
      headers: upstreamHeaders(head.headers, {
        route: at,
        identityPrefix: deps.identityPrefix,
        isIdentityTrusted: admitted.isIdentityTrusted,
        secretHeader: deps.secretHeader,
        eventId,
        clientRequestId: admitted.caller.requestId,
      }),
    }
  }
  const dispatched = route.balance === undefined ? undefined : dispatch(route.balance, { ...forwarded, requestAt }, deps)
  const { upstream, target, headers } = dispatched?.first ?? requestAt(route)
  const retry = dispatched?.attempts.retry
  return {
    kind: 'forward',
    upstream,
    method: endpoint.method,
    target,
    headers,
    body: parts,
    ready: record.admitted,
    ...(retry !== undefined && { retry }),
    exchange: new MeteredExchange({
      intent,
      record,
      facts,
      injected,
      hold,
      terms: claims.terms,
      claim: claims.claim,
      attempts: dispatched?.attempts,
      multipleChoices: route.multipleChoices,
      silent: route.silentStreams === 'tokenize' ? deps.tokenized.follow({ facts, body, servedBy: () => servedBy }) : undefined,
      bodies: deps.bodies?.follow({ intent, head, body }, claims.terms.bodySample),
      clock: deps.clock,
      meters: deps.meters,
      logger: deps.logger,
    }),
  }
}

/** Field by field, as {@link Caller} is made. */
function intentOf({ admitted, endpoint, facts, route, startedAt, eventId }: Forwarded): Intent {
  const { caller } = admitted
  const { resourceId = route.resourceId } = caller
  // The type that a route has is of its own resource: a header may name another one.
  const resourceType = caller.resourceType ?? (resourceId === route.resourceId ? route.resourceType : undefined)
  const intent: { -readonly [Name in keyof Intent]: Intent[Name] } = {
    eventId,
    startedAt,
    requestId: caller.requestId ?? eventId,
    identifiedBy: caller.identifiedBy,
    authId: caller.authId,
    resourceId,
    route: route.id,
    api: endpoint.api,
    streamed: facts.streams,
  }
  if (resourceType !== undefined) intent.resourceType = resourceType
  if (caller.userId !== undefined) intent.userId = caller.userId
  if (caller.groupId !== undefined) intent.groupId = caller.groupId
  if (caller.baseModel !== undefined) intent.baseModel = caller.baseModel
  if (caller.claimedOrganizationId !== undefined) intent.claimedOrganizationId = caller.claimedOrganizationId
  if (caller.headers !== undefined) intent.headers = caller.headers
  if (caller.idempotencyKey !== undefined) intent.idempotencyKey = caller.idempotencyKey
  if (facts.model !== undefined) intent.modelAsked = boundText(facts.model, MODEL_LENGTH_MAX)
  return intent
}

type Refused = { readonly reason: string; readonly reply: Reply }

function refusal(deps: RequestHandlerDeps, { reason, reply }: Refused): Extract<Decision, { kind: 'reply' }> {
  deps.meters.refused.add(1, { reason })
  return { kind: 'reply', reply }
}

function refuse(deps: RequestHandlerDeps, reason: string, message: string, param?: string): Decision {
  deps.meters.refused.add(1, { reason })
  return { kind: 'reply', reply: invalidRequest(message, param === undefined ? {} : { param }) }
}

function unroutable(deps: RequestHandlerDeps, { model, resourceId }: Wanted): Decision {
  if (model === undefined && resourceId === undefined) return refuse(deps, 'no_model', 'You must provide a model parameter.', 'model')
  deps.meters.refused.add(1, { reason: model === undefined ? 'unknown_resource' : 'unknown_model' })
  const name = boundText(model ?? resourceId ?? '', MODEL_LENGTH_MAX)
  const message = `The ${model === undefined ? 'resource' : 'model'} \`${name}\` does not exist or you do not have access to it.`
  const options = model === undefined ? { code: 'resource_not_found' } : { code: 'model_not_found', param: 'model' }
  return { kind: 'reply', reply: invalidRequest(message, { status: 404, ...options }) }
}
