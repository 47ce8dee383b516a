import { CloudSigmaError, CloudSigmaRequestError } from '@ascribe/cloudsigma'
import type { FaultKind } from '@ascribe/cloudsigma'
import { AscribeError } from '@ascribe/kit'
import { FencedError, KubeError } from '@ascribe/kube'
import { ActNotRecordedError } from '../accounts/errors.ts'
import type { Authority } from '../authority/types.ts'
import type { BrokerReply } from './types.ts'

/** What a program is told in place of an answer, in the API's own form. Nothing was done unless it says so. */
export class BrokerRefusal extends AscribeError {
  override readonly code = 'BROKER_REFUSED'
  readonly status: number
  /** The API's `error_type`. */
  readonly kind: string
  readonly retryAfterS: number | undefined

  constructor(status: number, kind: string, facts: { readonly message: string; readonly retryAfterS?: number }) {
    super(facts.message)
    this.status = status
    this.kind = kind
    this.retryAfterS = facts.retryAfterS
  }
}

/** One answer for what is not there, what is another cluster's, and what nobody may ask: they cannot be told apart. */
export function nothingThere(): BrokerRefusal {
  return new BrokerRefusal(404, 'notexist', { message: 'Cannot find it' })
}

export function unauthenticated(): BrokerRefusal {
  return new BrokerRefusal(401, 'permission', {
    message: 'Cannot tell who asks: send a service-account token of a pod for the audience ascribe-broker',
  })
}

export function invalid(message: string): BrokerRefusal {
  return new BrokerRefusal(400, 'validation', { message })
}

export function later(message: string, retryAfterS: number): BrokerRefusal {
  return new BrokerRefusal(503, 'system', { message, retryAfterS: Math.max(1, Math.ceil(retryAfterS)) })
}

const RETRY_S = 5
/** What the cloud refused is passed on by kind; its words may hold what was sent. */
const STATUS_OF_FAULT: Readonly<Partial<Record<FaultKind, number>>> = {
  notFound: 404,
  validation: 400,
  acl: 403,
  scope: 403,
  forbidden: 403,
  state: 409,
  payment: 402,
  capacity: 503,
  concurrency: 409,
  rateLimit: 429,
}

/** Any failure as an answer. `isExpected`: nothing that somebody has to look at. */
export function replyOf(thrown: unknown, authority: Pick<Authority, 'explain'>): BrokerReply & { readonly isExpected: boolean } {
  if (thrown instanceof BrokerRefusal) return { ...reply(thrown.status, thrown), isExpected: true }
  if (thrown instanceof FencedError || thrown instanceof ActNotRecordedError)
    return {
      ...reply(503, {
        kind: 'system',
        message: 'Cannot act now: another process leads, or the journal does not take it',
        retryAfterS: RETRY_S,
      }),
      isExpected: true,
    }
  const explained = authority.explain(thrown)
  if (explained !== undefined) {
    const status = explained.status === 'Unknown' ? 503 : 403
    const retryAfterS = explained.retryAfterMs === undefined ? undefined : Math.ceil(explained.retryAfterMs / 1000)
    return {
      ...reply(status, { kind: 'permission', message: `${explained.reason}: ${explained.message}`, retryAfterS: retryAfterS }),
      isExpected: true,
    }
  }
  if (thrown instanceof CloudSigmaRequestError) return { ...reply(400, { kind: 'validation', message: thrown.message }), isExpected: true }
  if (thrown instanceof CloudSigmaError) {
    const status = STATUS_OF_FAULT[thrown.fault.kind] ?? 502
    return {
      ...reply(status, { kind: 'backend', message: thrown.message, retryAfterS: thrown.retryable ? RETRY_S : undefined }),
      isExpected: status < 500,
    }
  }
  if (thrown instanceof KubeError)
    return { ...reply(503, { kind: 'system', message: 'Cannot ask the API server who this is', retryAfterS: RETRY_S }), isExpected: false }
  return { ...reply(500, { kind: 'system', message: 'Cannot do that: the broker met a fault of its own' }), isExpected: false }
}

function reply(
  status: number,
  { kind, message, retryAfterS }: { kind: string; message: string; retryAfterS?: number | undefined },
): BrokerReply {
  const body = [{ error_point: null, error_type: kind, error_message: message }]
  return { status, body, ...(retryAfterS !== undefined && { retryAfterS }) }
}
