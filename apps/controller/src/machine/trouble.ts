import { CloudSigmaError, CloudSigmaRequestError } from '@ascribe/cloudsigma'
import type { CloudFault } from '@ascribe/cloudsigma'
import { ImpersonationError } from '@ascribe/impersonation'
import { errorChain } from '@ascribe/kit'
import { FencedError, KubeError } from '@ascribe/kube'
import { ActNotRecordedError } from '../accounts/errors.ts'
import { AuthorityError } from '../authority/errors.ts'
import type { Explained } from '../authority/types.ts'

/** What went wrong in one step, for conditions and for the decision when to try again. */
export type Trouble = {
  readonly reason: string
  readonly message: string
  /** How long to wait at least. `backoff`: longer each time. */
  readonly retryAfterMs: number
  readonly grows: boolean
  /** It is about whose account we act in, not about the machine. */
  readonly identity?: Pick<Explained, 'reason' | 'message' | 'status'>
}

const SOON_MS = 1_500
const TRANSIENT_MS = 2_000
const SLOW_MS = 60_000
const PERSON_MS = 300_000

/** What is done when it happens: for one that makes something, a refusal is about what was asked for. */
export type Doing = 'read' | 'create' | 'start' | 'change' | 'delete'

/** `explain`: the authority's. Everything else of ours, or of the cloud, is told here. Decides on kinds, never on texts. */
export function troubleOf(thrown: unknown, doing: Doing, explain: (thrown: unknown) => Explained | undefined): Trouble {
  const identity = explain(thrown)
  if (identity !== undefined)
    return {
      reason: identity.reason,
      message: sanitize(identity.message),
      retryAfterMs: identity.retryAfterMs ?? PERSON_MS,
      grows: identity.retryAfterMs !== undefined,
      identity: { ...identity, message: sanitize(identity.message) },
    }
  if (thrown instanceof CloudSigmaError) return { ...faultTrouble(thrown.fault, doing), message: sanitize(sayFault(thrown)) }
  if (thrown instanceof CloudSigmaRequestError)
    return { reason: 'InvalidSpec', message: sanitize(thrown.message), retryAfterMs: PERSON_MS, grows: false }
  if (thrown instanceof ActNotRecordedError)
    return { reason: 'WaitingForJournal', message: sanitize(thrown.message), retryAfterMs: TRANSIENT_MS, grows: true }
  if (thrown instanceof FencedError)
    return { reason: 'WaitingForLead', message: sanitize(thrown.message), retryAfterMs: TRANSIENT_MS, grows: false }
  if (thrown instanceof KubeError)
    return { reason: 'WaitingForKubernetes', message: sanitize(thrown.message), retryAfterMs: thrown.retryAfterMs ?? SOON_MS, grows: true }
  return { reason: 'WaitingForCloud', message: sanitize(errorChain(thrown)), retryAfterMs: TRANSIENT_MS, grows: true }
}

function faultTrouble(fault: CloudFault, doing: Doing): Omit<Trouble, 'message'> {
  const waits = (reason: string, retryAfterMs: number, grows = true): Omit<Trouble, 'message'> => ({
    reason,
    retryAfterMs: Math.max(fault.retryAfterMs ?? 0, retryAfterMs),
    grows,
  })
  switch (fault.kind) {
    case 'acl':
    case 'forbidden':
    case 'scope':
      return waits(doing === 'create' ? 'ImpersonationForbidden' : 'ServerNotAccessible', PERSON_MS, false)
    case 'notFound':
    case 'validation':
      return waits(doing === 'create' || doing === 'change' ? 'InvalidSpec' : 'WaitingForCloud', doing === 'create' ? PERSON_MS : SOON_MS)
    case 'payment':
      return waits('InsufficientFunds', SLOW_MS)
    case 'capacity':
      return waits('InsufficientCapacity', SLOW_MS)
    case 'state':
      return waits(doing === 'delete' ? 'DeletionBlocked' : 'WaitingForServer', TRANSIENT_MS)
    case 'concurrency':
      return waits('WaitingForCloud', SOON_MS, false)
    case 'auth':
      return waits('OAuthUnavailable', SLOW_MS / 2)
    case 'rateLimit':
    case 'backend':
    case 'gateway':
    case 'redirect':
    case 'malformed':
    case 'network':
      return waits('WaitingForCloud', TRANSIENT_MS)
  }
}

const ADVICE: Partial<Record<CloudFault['kind'], string>> = {
  acl: 'Whoever owns it now must give it back, or a person abandons it: see docs/runbooks/server-not-accessible.md',
  forbidden: 'The cloud’s support can say why: see docs/runbooks/server-not-accessible.md',
  payment: 'The owner must add funds (five days of running) or a subscription',
  capacity: 'It is tried again, more slowly each time',
}

function sayFault(error: CloudSigmaError): string {
  const advice = ADVICE[error.fault.kind]
  return advice === undefined ? error.message : `${error.message}. ${advice}`
}

/** Whether a failed create may have made something all the same. What is not known for sure counts as yes. */
export function mayHaveHappened(thrown: unknown): boolean {
  if (thrown instanceof CloudSigmaError) return thrown.fault.effect === 'unknown'
  const isUnsent =
    thrown instanceof CloudSigmaRequestError ||
    thrown instanceof AuthorityError ||
    thrown instanceof ImpersonationError ||
    thrown instanceof FencedError ||
    thrown instanceof ActNotRecordedError
  return !isUnsent
}

export function isFault(thrown: unknown, ...kinds: readonly CloudFault['kind'][]): thrown is CloudSigmaError {
  return thrown instanceof CloudSigmaError && kinds.includes(thrown.fault.kind)
}

/** Longest message of a condition (H-27). */
const MESSAGE_MAX = 1024

/** A message is data: no control characters, and an end (H-27). */
export function sanitize(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  const plain = text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ')
  return plain.length <= MESSAGE_MAX ? plain : `${plain.slice(0, MESSAGE_MAX - 1)}…`
}
