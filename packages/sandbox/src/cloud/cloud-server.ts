import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reply } from '../oauth/http.ts'
import { tokenReply } from '../oauth/keycloak-reply.ts'
import { ApiRefusal, type ErrorType, refusalReply } from './api-reply.ts'
import { CallLog, type LoggedCall } from './call-log.ts'
import { type Exchange, planExchange } from './exchange.ts'
import { type FaultEffect, FaultList } from './faults.ts'
import type { TokenCheck } from './issuers.ts'
import { readCall, sendReply } from './transmit.ts'
import type { World } from './world.ts'

type Answer = { readonly reply: Reply; readonly truncateAt?: number } | 'hang' | 'drop'

type AnswerContext = { readonly effect: FaultEffect | undefined; readonly signal: AbortSignal; readonly logged: LoggedCall }

/** No server answers so: whoever sees it has found a defect of the sandbox. */
const FAILED_STATUS = 599
const FAULT_TYPES: Readonly<Record<number, ErrorType>> = {
  400: 'validation',
  402: 'payment',
  403: 'permission',
  404: 'notexist',
  503: 'concurrency',
}

/** Takes calls of every host, lets faults have them, answers and writes them down. */
export class CloudServer {
  readonly calls: CallLog = new CallLog()
  readonly faults: FaultList
  readonly #world: World
  readonly #check: TokenCheck

  constructor(world: World, check: TokenCheck) {
    this.#world = world
    this.#check = check
    this.faults = new FaultList(world.random)
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#serve(request, response)
    } catch (error) {
      // A bug of the sandbox must not look like an answer of the cloud.
      sendReply(
        response,
        { status: FAILED_STATUS, headers: {}, body: `The sandbox failed: ${String(error)}` },
        { date: this.#world.clock.now() },
      )
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const call = await readCall(request)
    if (call === undefined) return void response.destroy()
    const world = this.#world
    const startedAt = world.clock.now()
    world.schedule.settle()
    const place = world.regions.placeOf(call.host, request.socket.localAddress?.replace(/^::ffff:/, '') ?? '')
    const exchange = planExchange(world, { call, place, check: this.#check })
    const { step, user, tokenOf, client, region } = exchange
    const requestId = world.random.uuid('request')
    const logged = this.calls.add({
      at: new Date(startedAt).toISOString(),
      step,
      method: call.method,
      path: call.path,
      query: call.query.toString(),
      host: call.host,
      kind: place?.kind ?? 'unknown',
      requestId,
      ...(region !== undefined && { region }),
      ...(user !== undefined && { user }),
      ...(tokenOf !== undefined && { tokenOf }),
      ...(client !== undefined && { client }),
    })
    const effect = this.faults.take({
      step,
      method: call.method,
      path: call.path,
      ...(region !== undefined && { region }),
      ...(user !== undefined && { user }),
    })
    if (effect !== undefined) logged.fault = effect.id
    const answer = await this.#answer(exchange, { effect, signal: gone.signal, logged })
    this.#finish(response, answer, { logged, startedAt, requestId, isOauth: place?.kind === 'oauth' })
  }

  async #answer(exchange: Exchange, { effect, signal, logged }: AnswerContext): Promise<Answer> {
    const { clock, knobs, random } = this.#world
    const jitterMs = knobs.latencyJitterMs === 0 ? 0 : Math.floor(random.fraction('latency') * knobs.latencyJitterMs)
    await clock.wait(knobs.latencyMs + jitterMs + (effect?.delayMs ?? 0), signal)
    if (effect?.drop === 'before' || signal.aborted) return 'drop'
    if (effect?.hang === true) return 'hang'
    if (effect?.redirect !== undefined) return { reply: { status: 307, headers: { Location: effect.redirect } } }
    if (effect?.status !== undefined) return { reply: faultReply(effect.status, effect, exchange) }
    const before = this.#costOf(exchange)
    const reply = await exchange.run()
    const change = this.#costOf(exchange) - before
    if (change !== 0n) logged.costNanoPerHour = String(change)
    if (effect?.drop === 'after') return 'drop'
    const { set, truncateAt } = effect ?? {}
    return { reply: set === undefined ? reply : overlaid(reply, set), ...(truncateAt !== undefined && { truncateAt }) }
  }

  /** What the acting account's machines cost an hour. */
  #costOf({ step, region, user }: Exchange): bigint {
    const owner = step === 'api' && user !== undefined ? this.#world.users.byEmail(user) : undefined
    return owner === undefined || region === undefined ? 0n : this.#world.bills.of(owner.uuid, region).costNanoPerHour
  }

  #finish(
    response: ServerResponse,
    answer: Answer,
    context: { logged: LoggedCall; startedAt: number; requestId: string; isOauth: boolean },
  ): void {
    const { logged, startedAt, requestId, isOauth } = context
    const { clock, knobs } = this.#world
    logged.ms = clock.now() - startedAt
    if (answer === 'hang') return
    if (answer === 'drop') return void response.socket?.resetAndDestroy()
    const { reply, truncateAt } = answer
    logged.status = reply.status
    const headers = isOauth ? reply.headers : { ...reply.headers, 'X-REQUEST-ID': requestId }
    const date = clock.now() + (isOauth ? knobs.oauthClockSkewMs : 0)
    sendReply(response, { ...reply, headers }, { date, ...(truncateAt !== undefined && { truncateAt }) })
  }
}

function faultReply(status: number, effect: FaultEffect, { errorShape }: Exchange): Reply {
  const shape = effect.body ?? errorShape
  const retry: Record<string, string> = effect.retryAfterS === undefined ? {} : { 'Retry-After': String(effect.retryAfterS) }
  if (shape === 'empty') return { status, headers: retry }
  const message = effect.message ?? `The sandbox was asked to answer ${status}`
  if (shape === 'oauth') {
    const reply = tokenReply(
      { error: effect.errorType ?? (status >= 500 ? 'server_error' : 'invalid_request'), error_description: message },
      status,
    )
    return { ...reply, headers: { ...reply.headers, ...retry } }
  }
  const type = (effect.errorType ?? FAULT_TYPES[status] ?? 'backend') as ErrorType
  return refusalReply(
    new ApiRefusal(status, type, message, { ...(effect.retryAfterS !== undefined && { retryAfterS: effect.retryAfterS }) }),
    shape,
  )
}

/** Lays members over the JSON object of a reply; a null one removes. */
function overlaid(reply: Reply, set: Readonly<Record<string, unknown>>): Reply {
  const isText = typeof reply.body === 'string'
  if (isText && reply.headers['Content-Type']?.startsWith('application/json') !== true) return reply
  const body: unknown = isText ? JSON.parse(String(reply.body)) : reply.body
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return reply
  const members = Object.entries({ ...body, ...set }).filter(([name]) => set[name] !== null)
  return { ...reply, body: Object.fromEntries(members) }
}
