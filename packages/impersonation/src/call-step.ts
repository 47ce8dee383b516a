import { AnswerInvalidError, MintUnavailableError } from './errors.ts'
import { systemTokenClock } from './clock.ts'
import type { TokenClock } from './clock.ts'
import { STEP_WORDS, refusalOf } from './refusal.ts'
import type { WireStep } from './refusal.ts'
import { TransportError } from './wire.ts'
import type { Transport, WireRequest, WireResponse } from './wire.ts'

/** What every step takes besides what it says. */
export type StepOptions = {
  readonly transport: Transport
  /** Ends the step early; the step then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** For the whole of it, connecting and reading included. Default 5 s, for step 3 15 s. */
  readonly timeoutMs?: number | undefined
  readonly clock?: TokenClock | undefined
}

/** Step 3 has been seen to answer 504 after a minute; who waits that long holds up everybody. */
const STEP_TIMEOUTS_MS: Readonly<Record<WireStep, number>> = {
  service_token: 5_000,
  rpt: 5_000,
  impersonate: 15_000,
  profile: 5_000,
}

type Wire = Pick<WireRequest, 'method' | 'url' | 'headers' | 'body'>

/** Sends one step, within its deadline, and gives its 200. @throws {ImpersonationError} for anything else */
export async function callStep(step: WireStep, wire: Wire, options: StepOptions): Promise<WireResponse> {
  const { transport, signal, timeoutMs = STEP_TIMEOUTS_MS[step], clock = systemTokenClock } = options
  const place = `${wire.url.origin}${wire.url.pathname}`
  signal?.throwIfAborted()
  const deadline = new AbortController()
  const disarm = clock.schedule(timeoutMs, () => deadline.abort())
  let response: WireResponse
  try {
    response = await transport({ ...wire, signal: signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]) })
  } catch (cause) {
    signal?.throwIfAborted()
    const cannot = `Cannot ${STEP_WORDS[step]} at ${place}`
    if (deadline.signal.aborted)
      throw new MintUnavailableError(`${cannot}: no whole answer within ${timeoutMs} ms`, { step, reason: 'timeout' })
    throw failureOf(cause, cannot, step)
  } finally {
    disarm()
  }
  if (response.status === 200) return response
  throw refusalOf(step, response, place)
}

function failureOf(cause: unknown, cannot: string, step: WireStep): Error {
  if (!(cause instanceof TransportError))
    return new MintUnavailableError(`${cannot}: the transport failed`, { step, reason: 'network', cause })
  const { what } = cause
  if (what === 'BODY_TOO_LARGE') return new AnswerInvalidError(`${cannot}: the answer is too long`, { step, reason: 'answer_invalid' })
  const isCertificate = /CERT|SIGNATURE|ISSUER|TLS|SSL/.test(what)
  const hint = isCertificate ? 'Check the certificate; an authority of your own has to be given as ca' : 'Check the address and the network'
  return new MintUnavailableError(`${cannot}: ${what}`, { step, reason: 'network', hint })
}
