import { CloudSigmaError } from '@ascribe/cloudsigma'
import { ImpersonationError } from '@ascribe/impersonation'
import type { Reason } from '@ascribe/impersonation'
import { errorChain } from '@ascribe/kit'
import { AuthorityError, IssuerRefusedError } from './errors.ts'
import type { Explained } from './types.ts'

/** What fits into a condition (H-27). */
const MESSAGE_LENGTH_MAX = 1024

type Meaning = { readonly reason: string; readonly status: Explained['status'] }
const failed = (reason: string): Meaning => ({ reason, status: 'False' })
const outage: Meaning = { reason: 'OAuthUnavailable', status: 'Unknown' }

/** For whom an outage gave no time; callers let it grow. */
const OUTAGE_LOOK_MS = 5000

/** What is not listed is an outage: nobody is accused of what may be the weather. */
const MEANINGS: Readonly<Partial<Record<Reason, Meaning>>> = {
  input_invalid: failed('InvalidSpec'),
  region_unknown: failed('RegionNotAllowed'),
  wrong_origin: failed('RegionNotAllowed'),
  not_authorized: failed('OwnerNotAuthorized'),
  secret_unreadable: failed('ServiceAccountRejected'),
  client_refused: failed('ServiceAccountRejected'),
  realm_unknown: failed('ServiceAccountRejected'),
  bearer_refused: failed('ServiceAccountRejected'),
  request_refused: failed('ServiceAccountRejected'),
  permission_denied: failed('ImpersonationForbidden'),
  user_unknown: failed('OwnerNotFound'),
  user_refused: failed('OwnerSuspended'),
  subject_mismatch: failed('OwnerMismatch'),
  email_mismatch: failed('OwnerMismatch'),
  // Our own limits: the next one is due in a second or so.
  owner_rate: { reason: 'WaitingForToken', status: 'Unknown' },
  queue_full: { reason: 'WaitingForToken', status: 'Unknown' },
  audit_failed: { reason: 'WaitingForAudit', status: 'Unknown' },
}

/** What a failure of the identity means for conditions; `undefined` when it was something else that failed. */
export function explain(thrown: unknown): Explained | undefined {
  if (thrown instanceof AuthorityError) {
    const { reason, message, retryAfterMs } = thrown
    return {
      reason,
      message: sayable(message),
      status: reason.startsWith('Waiting') || thrown.retryable ? 'Unknown' : 'False',
      retryAfterMs,
    }
  }
  if (thrown instanceof IssuerRefusedError)
    return { reason: 'ServiceAccountRejected', message: sayable(thrown.message), status: 'False', retryAfterMs: undefined }
  if (!(thrown instanceof ImpersonationError)) return undefined
  // The policy's own refusal came through the token source.
  if (thrown.cause instanceof AuthorityError) return explain(thrown.cause)
  const { reason, status } = MEANINGS[thrown.reason] ?? outage
  const hint = thrown.hint === undefined ? '' : `. ${thrown.hint}`
  const retryAfterMs = thrown.retryAfterMs ?? (status === 'Unknown' ? OUTAGE_LOOK_MS : undefined)
  return { reason, message: sayable(`${thrown.message}${hint}`), status, retryAfterMs }
}

/** Of an account with a name and a password, which has no other way than the cloud's own API to say who it is. */
export function explainAccount(thrown: unknown): Explained | undefined {
  if (!(thrown instanceof CloudSigmaError)) return explain(thrown)
  const { fault, message } = thrown
  if (fault.kind === 'auth')
    return { reason: 'ServiceAccountRejected', message: sayable(message), status: 'False', retryAfterMs: undefined }
  return { reason: 'WaitingForCloud', message: sayable(message), status: 'Unknown', retryAfterMs: fault.retryAfterMs ?? OUTAGE_LOOK_MS }
}

/** Data, never a format: one line, printable, with an end. */
export function sayable(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim()
  return line.length <= MESSAGE_LENGTH_MAX ? line : `${line.slice(0, MESSAGE_LENGTH_MAX - 1)}…`
}

/** For a status field: what failed, in one line. */
export function sayError(thrown: unknown): string {
  return explain(thrown)?.message ?? sayable(errorChain(thrown))
}
