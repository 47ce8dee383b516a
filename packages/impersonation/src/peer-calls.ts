import { Breaker } from './breaker.ts'
import type { BreakerState } from './breaker.ts'
import type { TokenClock } from './clock.ts'
import { AnswerInvalidError, ImpersonationError, MintUnavailableError } from './errors.ts'
import { pause } from './flight.ts'
import type { Instruments } from './instruments.ts'
import { LruMap } from './lru-map.ts'
import { STEP_WORDS } from './refusal.ts'
import type { PeerStep } from './refusal.ts'
import { backOffMs } from './windows.ts'

export type PeerCall = { readonly step: PeerStep; readonly host: string; readonly signal: AbortSignal }

/** Every request to a peer goes through here: breaker, one more try, time and outcome. */
export type PeerCalls = {
  run<T>(call: PeerCall, send: (signal: AbortSignal) => Promise<T>): Promise<T>
  breakers(): { readonly host: string; readonly step: PeerStep; readonly state: BreakerState; readonly restMs: number }[]
}

export type PeerCallsOptions = { readonly clock: TokenClock; readonly random: () => number; readonly instruments: Instruments }

/** Hosts times steps. A template that is open to any region must not grow this. */
const BREAKERS_MAX = 512
/** A blip is over by then; what is not is for the caller, who knows whether it is worth waiting for. */
const RETRY_MS_MAX = 500
const LEVEL: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 }

type Guard = { readonly host: string; readonly step: PeerStep; readonly breaker: Breaker }

export function createPeerCalls(options: PeerCallsOptions): PeerCalls {
  const { clock, random, instruments } = options
  const guards = new LruMap<Guard>(BREAKERS_MAX)
  const show = ({ host, step, breaker }: Guard): void => instruments.breaker.set(LEVEL[breaker.state], { host, step })

  async function runOnce<T>({ step, host, signal }: PeerCall, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const guard = guards.at(`${step} ${host}`, () => ({ host, step, breaker: new Breaker() }))
    const { breaker } = guard
    const startedAt = clock.monotonicMs()
    if (!breaker.tryEnter(startedAt)) throw circuitOpen(step, host, breaker.restMs(startedAt))
    show(guard)
    let outcome = 'ok'
    try {
      const result = await send(signal)
      breaker.succeeded()
      return result
    } catch (cause) {
      const now = clock.monotonicMs()
      const error = cause instanceof ImpersonationError ? cause : undefined
      outcome = error?.reason ?? 'abandoned'
      if (error === undefined || isCalledOff(error)) breaker.abandoned(now)
      else if (isFailure(error)) breaker.failed(now, { random: random(), retryAfterMs: retryAfterOf(error) })
      else breaker.succeeded()
      throw cause
    } finally {
      show(guard)
      instruments.requests.add(1, { step, outcome })
      instruments.requestSeconds.observe((clock.monotonicMs() - startedAt) / 1000, { step })
    }
  }

  return {
    async run(call, send) {
      try {
        return await runOnce(call, send)
      } catch (cause) {
        if (!isBlip(cause)) throw cause
        await pause(backOffMs(0, { baseMs: RETRY_MS_MAX, capMs: RETRY_MS_MAX, random: random() }), { clock, signal: call.signal })
        return runOnce(call, send).catch((second: unknown) => {
          // That the circuit has opened meanwhile says less than what opened it.
          throw isCircuitOpen(second) ? cause : second
        })
      }
    },
    breakers() {
      const now = clock.monotonicMs()
      return Array.from(guards.entries(), ([, { host, step, breaker }]) => ({
        host,
        step,
        state: breaker.state,
        restMs: breaker.restMs(now),
      }))
    },
  }
}

/** We ended it ourselves, with the owner or the source. That says nothing of the peer: forgetting many owners must not cut off the others. */
function isCalledOff({ reason }: ImpersonationError): boolean {
  return reason === 'forgotten' || reason === 'closed'
}

/** What speaks against the peer, and not about us or the owner. Too many requests for one owner do not stop the others. */
function isFailure(error: ImpersonationError): boolean {
  if (error instanceof AnswerInvalidError) return true
  if (!(error instanceof MintUnavailableError)) return false
  return error.reason !== 'rate_limited' || isShared(error)
}

function isShared({ step }: ImpersonationError): boolean {
  return step === 'service_token' || step === 'rpt'
}

/** Steps 1 and 2 are for everybody, so what the peer asks for there holds for everybody. */
function retryAfterOf(error: ImpersonationError): number | undefined {
  return isShared(error) ? error.retryAfterMs : undefined
}

function isBlip(cause: unknown): boolean {
  if (!(cause instanceof MintUnavailableError) || cause.retryAfterMs !== undefined) return false
  return cause.reason === 'network' || cause.reason === 'server_error'
}

function isCircuitOpen(error: unknown): boolean {
  return error instanceof MintUnavailableError && error.reason === 'circuit_open'
}

function circuitOpen(step: PeerStep, host: string, restMs: number): MintUnavailableError {
  const retryAfterMs = Math.max(1, Math.ceil(restMs))
  return new MintUnavailableError(`Cannot ${STEP_WORDS[step]} at ${host}: it failed again and again, and is left alone for a while`, {
    step,
    reason: 'circuit_open',
    retryAfterMs,
  })
}
