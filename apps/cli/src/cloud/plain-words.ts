import { CloudSigmaError } from '@ascribe/cloudsigma'
import type { FaultKind } from '@ascribe/cloudsigma'
import { ImpersonationError } from '@ascribe/impersonation'
import type { MintStep, Reason } from '@ascribe/impersonation'
import { MintLogError } from './mint-log.ts'

/** A failure for people and programs: `reason` is the word, `why` says it. Holds no text of a peer's. */
export type Failure = {
  readonly step: MintStep | 'account'
  readonly reason: Reason | FaultKind
  readonly why: string
  readonly mend: string | undefined
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly requestId: string | undefined
  /** The error's own message: step, place and status. */
  readonly message: string
}

/** Whom and where the words are about. */
export type About = {
  readonly clientId: string
  readonly realm: string
  readonly owner: string
  readonly region: string
  readonly host: string
}

/** An error of ours in plain words; `undefined` for any other. */
export function failureOf(error: unknown, about: About): Failure | undefined {
  if (error instanceof ImpersonationError) {
    const { step, reason, status, retryAfterMs, requestId, hint, cause } = error
    // Ours says where and why: the disk is full, or the file is not ours to write.
    const message = reason === 'audit_failed' && cause instanceof MintLogError ? `${error.message}: ${cause.message}` : error.message
    return { step, reason, why: whyMint(error, about), mend: hint, status, retryAfterMs, requestId, message }
  }
  if (error instanceof CloudSigmaError) {
    const { fault, message } = error
    const { status, retryAfterMs, requestId } = fault
    return {
      step: 'account',
      reason: fault.kind,
      why: whyCall(fault.kind, about),
      mend: MEND[fault.kind],
      status,
      retryAfterMs,
      requestId,
      message,
    }
  }
  return undefined
}

function whyMint({ step, reason, status }: ImpersonationError, about: About): string {
  const server = step === 'service_token' || step === 'rpt' ? 'the authorization server' : `the cloud at ${about.host}`
  switch (reason) {
    case 'region_unknown':
      return `the region ${JSON.stringify(about.region.slice(0, 40))} has no host in the table of endpoints, so nothing was sent`
    case 'input_invalid':
      return 'this cannot be the e-mail address or id of a user'
    case 'secret_unreadable':
      return 'the client secret cannot be read'
    case 'client_refused':
      return `the authorization server does not accept client ${about.clientId}: its secret is wrong or was rotated, or the client is unknown or disabled`
    case 'realm_unknown':
      return `the authorization server has no realm ${about.realm}`
    case 'permission_denied':
      return `the authorization server refuses the UMA ticket: client ${about.clientId} is not granted impersonation`
    case 'bearer_refused':
      return step === 'rpt'
        ? 'the authorization server does not believe the token that it gave a moment ago: its issuer name or its clock does not fit'
        : `${server} does not believe our token: another issuer than it trusts, a clock that is off, or a token that was revoked`
    case 'user_unknown':
      return `the cloud knows no user ${about.owner}`
    case 'user_refused':
      return `the cloud does not let us act for ${about.owner}: suspended, not verified, or not open to impersonation`
    case 'subject_mismatch':
      return 'the token that came is of another user than the expected one; it was destroyed unused'
    case 'email_mismatch':
      return `the account behind the token has another e-mail address than ${about.owner}; the token was destroyed unused`
    case 'redirect':
      return `${server} sends us elsewhere, which is not followed: tokens go only to hosts in the table`
    case 'timeout':
      return `${server} did not answer in time`
    case 'network':
      return `${server} cannot be reached`
    case 'server_error':
      return status === 504 || status === 502
        ? `a gateway in front of ${server} gave up waiting (${status})`
        : `${server} is in trouble (${status})`
    case 'rate_limited':
      return `${server} says that we ask too often`
    case 'answer_invalid':
      return `what ${server} answered is not what its interface says: something else may be listening there`
    case 'expired_on_arrival':
      return `the token of ${server} had ended when it came`
    case 'audit_failed':
      return 'the trail of tokens cannot be written, so no token may be used'
    case 'request_refused':
      return `${server} refuses the request: the client is not set up for impersonation`
    default:
      return `no token could be had: ${reason.replaceAll('_', ' ')}`
  }
}

function whyCall(kind: FaultKind, about: About): string {
  switch (kind) {
    case 'auth':
      return `the cloud at ${about.host} does not accept the user name and password`
    case 'acl':
    case 'scope':
    case 'forbidden':
      return 'the account may not read this'
    case 'gateway':
      return `a gateway in front of the cloud at ${about.host} answered in its place`
    case 'redirect':
      return `the cloud at ${about.host} sends us elsewhere, which is not followed`
    case 'network':
      return `the cloud at ${about.host} cannot be reached, or did not answer in time`
    case 'rateLimit':
      return 'the cloud says that we ask too often'
    case 'malformed':
      return `what ${about.host} answered is not what the API says: something else may be listening there`
    default:
      return `the cloud at ${about.host} refuses: ${kind}`
  }
}

const MEND: Partial<Record<FaultKind, string>> = {
  auth: 'Check CLOUDSIGMA_USERNAME and CLOUDSIGMA_PASSWORD.',
  network: 'Check the address and the network.',
  redirect: 'Configure the address that it redirects to, if that is trusted.',
}
