import type { RouteDef } from '@ascribe/contract'
import type { AssertionVerifier, Operator } from '@ascribe/identity/teleport'
import { decideOrigin, matchOrigin, selectOrganization } from '@ascribe/identity/view-as'
import type { AllowedOrigin, OrganizationSource, OriginPattern, RouteKind } from '@ascribe/identity/view-as'
import type { Logger, Meters } from '@ascribe/kit'
import { readLineage } from '@ascribe/ledger'
import type { Lineage } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal } from '../errors.ts'
import type { Caller } from '../handler.ts'
import type { Established, Gate } from '../http/gate.ts'
import type { Incoming } from '../http/incoming.ts'
import type { RouteMatch } from '../http/router.ts'
import type { FindSession } from './find-session.ts'

export type InternalGateOptions = {
  readonly db: Database
  readonly verifier: AssertionVerifier
  readonly organizationFrom: readonly OrganizationSource[]
  readonly allowOrigins: readonly OriginPattern[]
  readonly findSession: FindSession
  /** Throws when one operator asks for too much. */
  readonly limit: (operator: string) => void
  readonly logger: Logger
  readonly meters: Meters
}

type OperatorCaller = Extract<Caller, { readonly kind: 'operator' }>

/** What is known between the two questions, beside what the exchange keeps. */
type Known = Established & { readonly operator?: Operator; readonly lineage?: Lineage | undefined }

const EXPOSED = 'X-Request-Id, X-Acting-As, X-Acting-Expires, Content-Disposition'
const PREFLIGHT_SECONDS = 600
/** In the log. */
const PATH_SHOWN_MAX = 200

/** The operators' door: behind Teleport, on a port of its own, reading only. */
export function createInternalGate(options: InternalGateOptions): Gate {
  const { allowOrigins } = options
  const refusals = options.meters.counter(
    'ascribe_api_assertions_refused_total',
    'Teleport assertions refused, by what is wrong with them.',
  )

  async function establish(incoming: Incoming, def: RouteDef, params: Readonly<Record<string, string>>): Promise<Known> {
    if (def.subject === 'none') return { caller: { kind: 'anonymous' }, organizationId: undefined }
    const operator = await operatorOf(options, incoming, (check) => refusals.add(1, { check }))
    try {
      options.limit(`${operator.issuer}/${operator.name}`)
      return await establishedOf(options, incoming, { def, params, operator })
    } catch (thrown) {
      noteRefusal(options.logger, incoming, { thrown, operator: operator.name })
      throw thrown
    }
  }

  return {
    listener: 'internal',
    replyHeaders: (incoming) => corsHeaders(allowOrigins, incoming),
    admit(incoming, match) {
      try {
        requireMethod(incoming, match)
        requireOrigin(allowOrigins, incoming, match)
      } catch (thrown) {
        noteRefusal(options.logger, incoming, { thrown })
        throw thrown
      }
    },
    optionsHeaders: (incoming, match) => optionsHeaders(incoming, match),
    establish,
    authorize: (established, def) => authorize(options, established as Known, def),
    async stillMay({ caller }) {
      if (caller.kind === 'operator' && caller.acting !== undefined) await options.findSession.stillLasts(caller.acting)
    },
  }
}

/** What is about nobody yet leaves no line in the trail: it stands in the log. Values of the request do not. */
function noteRefusal(
  logger: Logger,
  { requestId, peer, method, path }: Incoming,
  { thrown, operator }: { readonly thrown: unknown; readonly operator?: string },
): void {
  if (!(thrown instanceof Refusal) || thrown.status >= 500) return
  const who = operator === undefined ? {} : { operator }
  logger.info('refused at the operators’ door', { requestId, peer, ...who, method, path: path.slice(0, PATH_SHOWN_MAX), code: thrown.code })
}

type Asked = { readonly def: RouteDef; readonly params: Readonly<Record<string, string>>; readonly operator: Operator }

/** @throws {Refusal} when the request does not say of whom, or says it in two ways */
async function establishedOf(options: InternalGateOptions, incoming: Incoming, { def, params, operator }: Asked): Promise<Known> {
  const { name, issuer, roles, policy } = operator
  const named = namedBy(options, incoming)
  const caller: OperatorCaller = { kind: 'operator', name, issuer, roles, policy, named }
  if (def.subject !== 'organization') {
    // Where no header names one, a page that is served for one organization speaks for that one alone all the same.
    const ofPage = allowedOrigin(options.allowOrigins, incoming)?.organizationId
    const bound = named.length === 0 && ofPage !== undefined ? [ofPage] : named
    return { caller: { ...caller, named: bound }, organizationId: undefined, operator }
  }
  const [organizationId] = named
  if (organizationId === undefined) throw new Refusal('organization_required', 'Say whose data is wanted: Accept: ORGANIZATION-ID.')
  const { id = organizationId } = params
  if (id.toLowerCase() !== organizationId)
    throw new Refusal('organization_ambiguous', 'The request is about another organization than its path.')
  const lineage = await readLineage(options.db, organizationId)
  const headers = { 'x-acting-as': actingAs(organizationId, name) }
  return { caller, organizationId: lineage?.id, headers, operator, lineage }
}

function requireOrigin(patterns: readonly OriginPattern[], incoming: Incoming, match: RouteMatch | undefined): void {
  const decision = decideOrigin({ route: kindOf(incoming, match), rawHeaders: incoming.message.rawHeaders, patterns })
  if (decision.kind === 'refused') throw new Refusal('origin_refused', decision.message)
}

/** Reading is all there is, but for two forms. Nothing else is even looked at. */
function requireMethod({ method }: Incoming, match: RouteMatch | undefined): void {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return
  if (method === 'POST' && match?.byMethod.has('POST') === true) return
  throw new Refusal('method_not_allowed', 'This listener only reads.', { headers: { allow: match?.allow ?? 'GET, HEAD, OPTIONS' } })
}

function kindOf({ method, valuesOf }: Incoming, match: RouteMatch | undefined): RouteKind {
  if (method === 'POST') return 'write'
  if (method === 'OPTIONS') return valuesOf('origin').length > 0 ? 'preflight' : 'data'
  const route = match?.byMethod.get('GET')
  if (route?.isFile === true) return 'file'
  return route?.isNavigation === true ? 'navigation' : 'data'
}

/** Of an allow-listed page, on every status: a refusal that cannot be read looks like a broken network (R13). */
function corsHeaders(patterns: readonly OriginPattern[], incoming: Incoming): Readonly<Record<string, string>> {
  const allowed = allowedOrigin(patterns, incoming)
  if (allowed === undefined) return {}
  return {
    'access-control-allow-origin': allowed.origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': EXPOSED,
  }
}

function allowedOrigin(patterns: readonly OriginPattern[], { valuesOf }: Incoming): AllowedOrigin | undefined {
  const [origin, ...others] = valuesOf('origin')
  return origin === undefined || others.length > 0 ? undefined : matchOrigin(patterns, origin)
}

function optionsHeaders({ headers }: Incoming, match: RouteMatch | undefined): Readonly<Record<string, string>> {
  const allow = match?.allow ?? 'GET, HEAD, OPTIONS'
  if (headers['access-control-request-method'] === undefined) return { allow }
  return {
    allow,
    'access-control-allow-methods': allow,
    'access-control-allow-headers': 'Accept, Content-Type, X-Materialize-Organization-Id',
    'access-control-max-age': String(PREFLIGHT_SECONDS),
  }
}

async function operatorOf(
  { verifier, logger }: InternalGateOptions,
  incoming: Incoming,
  count: (check: string) => void,
): Promise<Operator> {
  const outcome = await verifier.verify(incoming.message.rawHeaders)
  switch (outcome.kind) {
    case 'verified':
      return outcome.operator
    case 'unavailable':
      throw new Refusal('unavailable', 'Nobody can be recognised now. Try again soon.', {
        headers: { 'retry-after': '1' },
        cause: outcome.cause,
      })
    case 'refused': {
      const { check, detail } = outcome
      count(check)
      logger.warn('assertion refused', { requestId: incoming.requestId, peer: incoming.peer, check, detail })
      if (check === 'role') throw new Refusal('insufficient_role', 'Your roles do not include that of a viewer.')
      throw new Refusal('unauthenticated', 'A valid Teleport-Jwt-Assertion is needed.', {
        headers: { 'www-authenticate': 'Teleport' },
      })
    }
  }
}

/** The organization that the request names, in whatever way: none or one. @throws {Refusal} */
function namedBy({ organizationFrom, allowOrigins }: InternalGateOptions, incoming: Incoming): readonly string[] {
  const encoded = allowedOrigin(allowOrigins, incoming)?.organizationId
  const selection = selectOrganization(incoming.message.rawHeaders, {
    organizationFrom,
    ...(encoded !== undefined && { encoded: [{ where: 'origin', organizationId: encoded }] }),
  })
  switch (selection.kind) {
    case 'one':
      return [selection.organizationId]
    case 'none':
      return []
    case 'refused': {
      const isTwo = selection.reason === 'disagreement' || selection.reason === 'repeated'
      throw new Refusal(isTwo ? 'organization_ambiguous' : 'invalid_request', selection.message)
    }
  }
}

/** `organization=UUID; operator=NAME`, the name as a header can hold it. */
function actingAs(organizationId: string, operator: string): string {
  const name = operator.replaceAll(/[^!#$&'*+\-.^_`|~@/:\w]/gu, encodeURIComponent)
  return `organization=${organizationId}; operator=${name}`
}

async function authorize(options: InternalGateOptions, known: Known, def: RouteDef): Promise<Established> {
  const { caller, operator, lineage, organizationId } = known
  if (def.subject !== 'organization' || operator === undefined || caller.kind !== 'operator') return known
  // What does not exist and what this operator may not see are one answer, and leave a line each, so that they take the same time.
  if (lineage === undefined || organizationId === undefined || !options.findSession.mayView(operator, lineage)) {
    throw new Refusal('organization_not_found', 'There is no such organization.')
  }
  const acting = await options.findSession.find(operator, organizationId)
  return {
    caller: { ...caller, acting },
    organizationId,
    headers: { ...known.headers, 'x-acting-expires': new Date(acting.expiresAt).toISOString() },
  }
}
