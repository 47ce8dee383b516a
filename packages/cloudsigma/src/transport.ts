import { errorCode, silentLogger, silentMeters } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import type { Authenticator, Authorization } from './authenticator.ts'
import { apiUrlOf, callUrl } from './endpoint.ts'
import type { CloudEndpoint } from './endpoint.ts'
import { CloudSigmaError, CloudSigmaRequestError } from './errors.ts'
import { ExchangeFailure } from './exchange.ts'
import type { Exchange, HttpAnswer } from './exchange.ts'
import { faultOf, retryAfterMsOf } from './fault.ts'
import type { CloudFault, FaultKind } from './fault.ts'
import { parseJson } from './json.ts'
import { PaceExceeded } from './pace.ts'
import type { Pace, Wait } from './pace.ts'
import type { Monotonic } from './rate-bucket.ts'

/** What every call takes. */
export type CallOptions = {
  /** Ends the call; the caller gets the signal's reason. */
  readonly signal?: AbortSignal
  /** For all of the call, waiting and repeating included. Default 30 s, 60 s for what makes something. */
  readonly deadlineMs?: number
}

/** One call of the API. */
export type Call = {
  /** `servers.create`: what errors, logs and metrics call it. */
  readonly operation: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the API's base, without slashes. */
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** Whether sending it twice leaves the same as sending it once. Only then is it ever repeated. */
  readonly isIdempotent: boolean
  /** Money is kept as it was written, whatever its type. */
  readonly hasMoney?: boolean
}

/** An answer that is a success. */
export type Answer = {
  readonly status: number
  /** `undefined` for 204. */
  readonly body: unknown
  readonly requestId: string | undefined
}

/** The one way to the API: everything that is sent goes through here, with the same authenticator. */
export type Transport = {
  readonly region: string
  send(call: Call, options?: CallOptions): Promise<Answer>
  /** The call did not give what it must. */
  malformed(call: Pick<Call, 'operation'>, answer: Answer, why: string): CloudSigmaError
}

/** One request that was sent, and what came of it: for audit records, which want the cloud's own id of it. */
export type CallSeen = {
  readonly operation: string
  readonly method: Call['method']
  readonly region: string
  /** `done`, or the kind of the fault. */
  readonly outcome: 'done' | FaultKind
  readonly status?: number
  readonly requestId?: string
  readonly ms: number
}

export type TransportOptions = {
  /** Told of every request, each repetition too. Must not throw. */
  readonly observe?: (seen: CallSeen) => void
  readonly endpoint: CloudEndpoint
  readonly authenticator: Authenticator
  readonly exchange: Exchange
  readonly pace: Pace
  readonly now: Monotonic
  readonly wait: Wait
  /** 0 to 1, for jitter. */
  readonly random: () => number
  readonly logger?: Logger
  readonly meters?: Meters
}

const DEADLINE_MS = 30_000
const DEADLINE_MAKING_MS = 60_000
/** Of an idempotent call that met `concurrency` or `rateLimit`: then it is the caller's turn to decide. */
const ATTEMPTS_MAX = 3
const CONCURRENCY_WAIT_MS = 500
/** When a 429 does not say. */
const PAUSE_MS = 1000

export function createTransport(options: TransportOptions): Transport {
  const { endpoint, pace, now, wait, random } = options
  const base = apiUrlOf(endpoint)
  const region = endpoint.region
  const attempt = createAttempt(options, base)

  async function send(call: Call, { signal, deadlineMs }: CallOptions = {}): Promise<Answer> {
    const limitMs = deadlineMs ?? (call.isIdempotent ? DEADLINE_MS : DEADLINE_MAKING_MS)
    using timer = startTimer(limitMs)
    const timeout = timer.signal
    const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
    const deadline = now() + limitMs
    let replayed = false
    let stale = false
    for (let count = 1; ; count += 1) {
      const outcome = await attempt(call, { ends, timeout, patienceMs: deadline - now() })
      if (outcome.kind === 'done') return outcome.answer
      const { fault } = outcome
      const fails = (): CloudSigmaError => new CloudSigmaError(fault, { operation: call.operation, region })
      if (fault.kind === 'rateLimit' && fault.status !== undefined) pace.pause(fault.retryAfterMs ?? PAUSE_MS)
      if (!call.isIdempotent) throw fails()
      if (fault.kind === 'auth' && !replayed) replayed = true
      else if (outcome.kind === 'stale' && !stale) stale = true
      else {
        const pauseMs = pauseOf(fault, { count, random })
        if (pauseMs === undefined || count >= ATTEMPTS_MAX || now() + pauseMs >= deadline) throw fails()
        await wait(pauseMs, ends).catch(() => {})
      }
    }
  }

  return {
    region,
    send,
    malformed: (call, { status, requestId }, why) =>
      new CloudSigmaError(
        { kind: 'malformed', why, status, errorTypes: [], effect: 'unknown', ...(requestId !== undefined && { requestId }) },
        { operation: call.operation, region },
      ),
  }
}

/** Aborts after so long unless it is disposed of. (`AbortSignal.timeout()` would leave a timer behind for every call that was quick.) */
function startTimer(limitMs: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(new DOMException('The deadline has passed', 'TimeoutError')), limitMs)
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}

/** How long before it may be tried again by itself; `undefined`: not at all. */
function pauseOf(fault: CloudFault, { count, random }: { count: number; random: () => number }): number | undefined {
  if (fault.status === undefined) return undefined
  // Full jitter, so that those who met do not meet again.
  if (fault.kind === 'concurrency') return fault.retryAfterMs ?? CONCURRENCY_WAIT_MS * 2 ** (count - 1) * (0.5 + random())
  if (fault.kind === 'rateLimit') return fault.retryAfterMs ?? PAUSE_MS
  return undefined
}

type Outcome =
  | { readonly kind: 'done'; readonly answer: Answer }
  | { readonly kind: 'fault'; readonly fault: CloudFault }
  /** A rested connection was closed under an idempotent request. */
  | { readonly kind: 'stale'; readonly fault: CloudFault }

type Attempt = (call: Call, time: { ends: AbortSignal; timeout: AbortSignal; patienceMs: number }) => Promise<Outcome>

/** One request and what came of it. Rejects with the caller's own reason, and with what the authenticator rejects with. */
function createAttempt(options: TransportOptions, base: URL): Attempt {
  const { endpoint, authenticator, exchange, pace, now, observe, logger = silentLogger, meters = silentMeters } = options
  const requests = meters.counter('ascribe_cloud_requests_total', 'Requests to the cloud, by region, operation and outcome')
  return async (call, { ends, timeout, patienceMs }) => {
    const url = callUrl(base, call)
    const note = (outcome: CallSeen['outcome'], startedAt: number, answer?: HttpAnswer): void => {
      const requestId = answer === undefined ? undefined : requestIdOf(answer)
      const seen: CallSeen = {
        operation: call.operation,
        method: call.method,
        region: endpoint.region,
        outcome,
        ...(answer !== undefined && { status: answer.status }),
        ...(requestId !== undefined && { requestId }),
        ms: Math.round(now() - startedAt),
      }
      requests.add(1, { region: seen.region, operation: seen.operation, outcome })
      logger.debug('called the cloud', seen)
      observe?.(seen)
    }
    try {
      using _ = await pace.enter(call.method, { patienceMs, signal: ends })
      const authorization = await authorizationOf(authenticator, { origin: base.origin, signal: ends })
      const startedAt = now()
      try {
        const answer = await exchange.send({
          url,
          method: call.method,
          headers: headersOf(call, authorization),
          body: call.body === undefined ? undefined : JSON.stringify(call.body),
          signal: ends,
          isFresh: !call.isIdempotent,
          lastLook: () => authenticator.lastLook?.(),
        })
        if (answer.status === 401) authenticator.rejected(authorization.token)
        const outcome = outcomeOf(call, answer)
        note(outcome.kind === 'done' ? 'done' : outcome.fault.kind, startedAt, answer)
        return outcome
      } catch (thrown) {
        if (thrown instanceof ExchangeFailure) note('network', startedAt)
        throw thrown
      }
    } catch (thrown) {
      return faultOfThrown(thrown, { timeout, ends })
    }
  }
}

function faultOfThrown(thrown: unknown, { timeout, ends }: { timeout: AbortSignal; ends: AbortSignal }): Outcome {
  if (thrown instanceof ExchangeFailure) {
    const fault: CloudFault = { kind: 'network', why: thrown.message, errorTypes: [], effect: thrown.effect }
    return { kind: thrown.isStale ? 'stale' : 'fault', fault }
  }
  if (thrown instanceof PaceExceeded) {
    return { kind: 'fault', fault: { kind: 'rateLimit', errorTypes: [], effect: 'none', retryAfterMs: thrown.retryAfterMs } }
  }
  // Before anything was sent: while waiting for a turn or for a token.
  if (ends.reason === timeout.reason && timeout.aborted && (thrown === timeout.reason || errorCode(thrown) === 'ABORT_ERR'))
    return { kind: 'fault', fault: { kind: 'network', why: 'the deadline passed before its turn came', errorTypes: [], effect: 'none' } }
  throw errorCode(thrown) === 'ABORT_ERR' && ends.aborted ? ends.reason : thrown
}

async function authorizationOf(authenticator: Authenticator, request: { origin: string; signal: AbortSignal }): Promise<Authorization> {
  const { origin, signal } = request
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const leave = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', leave, { once: true })
  try {
    const authorization = await Promise.race([authenticator.authorize(origin, signal), aborted.promise])
    // Node's own message for it would be right too; this one is sure to hold nothing of the value.
    if (!/^[\x20-\x7e]+$/.test(authorization.header))
      throw new CloudSigmaRequestError('Cannot authorize: the credentials hold what a header cannot')
    return authorization
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

function headersOf(call: Call, { header }: Authorization): Record<string, string> {
  return {
    accept: 'application/json',
    // A compressed answer would have to be bounded twice.
    'accept-encoding': 'identity',
    'user-agent': 'ascribe',
    authorization: header,
    ...(call.body !== undefined && { 'content-type': 'application/json' }),
  }
}

/** Kept only in the form of an id: it goes into messages. */
function requestIdOf({ headers }: HttpAnswer): string | undefined {
  const id = headers['x-request-id']
  return typeof id === 'string' && /^[\w.:-]{1,128}$/.test(id) ? id : undefined
}

function outcomeOf(call: Call, answer: HttpAnswer): Outcome {
  const { status, headers, body } = answer
  const requestId = requestIdOf(answer)
  if (status === 204) return { kind: 'done', answer: { status, body: undefined, requestId } }
  const parsed = parseJson(body, { hasMoney: call.hasMoney === true })
  if (status !== 200 && status !== 201 && status !== 202) {
    const retryAfterMs = retryAfterMsOf(headers['retry-after'], headers.date)
    const challenge = headers['www-authenticate']
    return { kind: 'fault', fault: faultOf({ status, requestId, retryAfterMs, challenge, body: parsed?.value }) }
  }
  if (parsed !== undefined) return { kind: 'done', answer: { status, body: parsed.value, requestId } }
  const facts = { status, errorTypes: [], effect: 'unknown' as const, ...(requestId !== undefined && { requestId }) }
  return { kind: 'fault', fault: { kind: 'malformed', why: 'its body is not JSON, or is cut off', ...facts } }
}
