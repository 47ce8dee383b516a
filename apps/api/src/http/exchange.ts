import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Counter, Logger } from '@ascribe/kit'
import type { Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { Refusal, refusalOf } from '../errors.ts'
import { PlainReply, StreamReply } from '../handler.ts'
import type { RequestContext, Route } from '../handler.ts'
import type { Established, Gate } from './gate.ts'
import { hasItsHost, readIncoming } from './incoming.ts'
import type { Incoming } from './incoming.ts'
import { readInput } from './read-input.ts'
import { StreamBrokenError, outgoingOf, refused, send } from './reply.ts'
import type { Outgoing } from './reply.ts'
import type { RouteMatch, Router } from './router.ts'
import { Account } from './account.ts'

export type Once = (
  request: { readonly caller: Established['caller']; readonly incoming: Incoming; readonly bytes: Buffer },
  work: () => Promise<Outgoing>,
) => Promise<Outgoing>

export type ExchangeDeps = {
  readonly gate: Gate
  readonly router: Router
  readonly db: Database
  readonly trail: Pick<Trail, 'append' | 'appendIn' | 'signedHead'>
  readonly logger: Logger
  readonly clock: () => number
  readonly requests: Counter
  /** On every answer. */
  readonly headers: Readonly<Record<string, string>>
  readonly rawBytesMax: number
  /** Does the work of one `Idempotency-Key` once; others just do it. */
  readonly once?: Once
}

/** A request on its way: what is known of it so far. */
type State = {
  readonly incoming: Incoming
  route: Route | undefined
  established: Established | undefined
  account: Account | undefined
}

/**
 * Answers one request: method and origin, then who, about whom, and whether they may; then the input; then the work; then the trail; and only
 * then a byte of the answer. Whatever goes wrong on the way becomes a refusal in the contract's shape.
 */
export async function answer(deps: ExchangeDeps, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const read = readIncoming(message)
  // In absolute form, or for no host or two, there is nothing that we serve; it is answered as the path that it is not.
  const incoming = read ?? readIncoming(Object.assign(message, { url: '/' }))
  if (incoming === undefined) throw new Error('"/" is no path')
  const state: State = { incoming, route: undefined, established: undefined, account: undefined }
  const outgoing = await outgoingFor(deps, state, { response, isPath: read !== undefined && hasItsHost(incoming) })
  const headers = {
    ...deps.headers,
    ...deps.gate.replyHeaders(incoming),
    ...state.established?.headers,
    'x-request-id': incoming.requestId,
  }
  deps.requests.add(1, { listener: deps.gate.listener, operation: state.route?.def.operationId ?? 'none', status: String(outgoing.status) })
  await sendAndAccount(deps, state, { outgoing, response, headers })
}

type Sending = {
  readonly outgoing: Outgoing
  readonly response: ServerResponse
  readonly headers: Readonly<Record<string, string>>
}

async function sendAndAccount(deps: ExchangeDeps, state: State, { outgoing, response, headers }: Sending): Promise<void> {
  const { incoming, account } = state
  try {
    const outcome = await send(response, whileAllowed(deps, state, outgoing), { headers, isHead: incoming.method === 'HEAD' })
    if (outcome !== undefined) await account?.streamed(outcome)
  } catch (error) {
    const isRefused = error instanceof StreamBrokenError && error.cause instanceof Refusal
    if (isRefused) deps.logger.info('api stream stopped', { requestId: incoming.requestId, ...account?.fields, reason: error.cause })
    else deps.logger.error('api stream broke', { requestId: incoming.requestId, error })
    if (error instanceof StreamBrokenError) await account?.streamed(error.outcome)
    response.destroy()
  }
}

/** What lets an operator look may end while a stream is on its way: nothing of it leaves after that. */
function whileAllowed({ gate }: ExchangeDeps, { established }: State, outgoing: Outgoing): Outgoing {
  const { body } = outgoing
  if (!(body instanceof StreamReply) || established === undefined || gate.stillMay === undefined) return outgoing
  async function* chunks(of: StreamReply): AsyncGenerator<Uint8Array | string, void, undefined> {
    for await (const chunk of of.chunks) {
      await gate.stillMay?.(established as Established)
      yield chunk
    }
  }
  return { ...outgoing, body: new StreamReply({ contentType: body.contentType, chunks: chunks(body), rows: body.rows }) }
}

type Arrival = { readonly response: ServerResponse; readonly isPath: boolean }

async function outgoingFor(deps: ExchangeDeps, state: State, arrival: Arrival): Promise<Outgoing> {
  try {
    return await work(deps, state, arrival)
  } catch (thrown) {
    return refusing(deps, state, refusalOf(thrown))
  }
}

/** Logs a refusal, and leaves a line of it where there is somebody to tell. Without that line it is another refusal. */
async function refusing({ logger, gate }: ExchangeDeps, { incoming, route, account }: State, refusal: Refusal): Promise<Outgoing> {
  const { requestId } = incoming
  const fields = { listener: gate.listener, operation: route?.def.operationId, requestId, code: refusal.code, ...account?.fields }
  if (refusal.status >= 500) logger.error('api request failed', { ...fields, error: refusal.cause ?? refusal })
  else logger.debug('api request refused', { ...fields, reason: refusal.cause ?? refusal.message })
  try {
    if (refusal.code !== 'audit_unavailable') await account?.refused(refusal.status)
    return refused(refusal, requestId)
  } catch (thrown) {
    const untold = refusalOf(thrown)
    logger.error('api request failed', { ...fields, code: untold.code, error: untold.cause ?? untold })
    return refused(untold, requestId)
  }
}

async function work(deps: ExchangeDeps, state: State, { response, isPath }: Arrival): Promise<Outgoing> {
  const { gate, router } = deps
  const { incoming } = state
  const found = isPath ? router.find(incoming.path) : 'malformed'
  const match = found === 'malformed' ? undefined : found
  gate.admit(incoming, match)
  if (found === 'malformed') throw new Refusal('invalid_request', 'The request is malformed.')
  if (incoming.method === 'OPTIONS' && match !== undefined) {
    return outgoingOf(OPTIONS_DEF, new PlainReply({ status: 204, headers: gate.optionsHeaders(incoming, match) }))
  }
  const route = routeOf(incoming, match)
  state.route = route
  const established = await gate.establish(incoming, route.def, match?.params ?? {})
  state.established = established
  state.account = new Account(deps, { incoming, route, established })
  state.established = await gate.authorize(established, route.def, incoming)
  state.account = new Account(deps, { incoming, route, established: state.established })
  const { input, bytes } = await readInput(route.def, incoming, { params: match?.params ?? {}, response, rawBytesMax: deps.rawBytesMax })
  const { account } = state
  const handle = async (): Promise<Outgoing> => {
    await account.begin()
    return outgoingOf(route.def, await route.handle(contextOf(deps, state, account), input))
  }
  const isOnce = deps.once !== undefined && route.def.method !== 'GET'
  const outgoing = isOnce ? await deps.once?.({ caller: state.established.caller, incoming, bytes }, handle) : await handle()
  if (outgoing === undefined) throw new Error('nothing was answered')
  // Once more told is told all the same, secret included.
  if (outgoing.headers['idempotency-replayed'] !== undefined) account.note({ replayed: true })
  // After the answer is kept: a line that cannot be written must not make a repeat do it again.
  await account.end(outgoing.status)
  return outgoing
}

const OPTIONS_DEF = {
  status: 204,
} as Route['def']

function routeOf({ method }: Incoming, match: RouteMatch | undefined): Route {
  if (match === undefined) throw new Refusal('route_not_found', 'There is nothing here. The operations are in openapi.json.')
  const route = match.byMethod.get(method)
  if (route === undefined) {
    throw new Refusal('method_not_allowed', 'This takes another method: see Allow.', { headers: { allow: match.allow } })
  }
  return route
}

function contextOf(deps: ExchangeDeps, { incoming, established }: State, account: Account): RequestContext {
  if (established === undefined) throw new Error('nobody asks')
  return {
    caller: established.caller,
    organizationId: established.organizationId,
    requestId: incoming.requestId,
    db: deps.db,
    logger: deps.logger.child({ requestId: incoming.requestId, ...account.fields }),
    clock: deps.clock,
    headers: incoming.headers,
    rawHeaders: incoming.message.rawHeaders,
    alsoAbout: (ids) => account.alsoAbout(ids),
    note: (detail) => account.note(detail),
    auditIn: (tx, line) => account.auditIn(tx, line),
    signedHead: (chain) => deps.trail.signedHead(deps.db, chain),
  }
}
