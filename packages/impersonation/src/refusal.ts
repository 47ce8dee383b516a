import { AnswerInvalidError, ClientRefusedError, MintUnavailableError, OwnerRefusedError } from './errors.ts'
import type { ImpersonationError, Reason } from './errors.ts'
import { parseJson, recordOf } from './token-claims.ts'
import type { WireResponse } from './wire.ts'

export type WireStep = 'service_token' | 'rpt' | 'impersonate' | 'profile'
/** What calls are counted and cut off by. */
export type PeerStep = WireStep | 'minter'

/** What each step is, for people. */
export const STEP_WORDS: Readonly<Record<PeerStep, string>> = {
  service_token: 'get a service-account token',
  rpt: 'exchange the service-account token for an RPT',
  impersonate: 'impersonate the owner',
  profile: 'read the profile behind the token',
  minter: 'get a token of the minter',
}

/** Longer than this nobody waits, whatever a peer asks for. */
const RETRY_AFTER_MS_MAX = 3_600_000

/** `error` of RFC 6749, RFC 8693 and Keycloak's UMA grant. Anything else is not repeated: who knows what stands in it. */
const OAUTH_ERRORS: ReadonlySet<string> = new Set(
  (
    'access_denied insufficient_scope invalid_client invalid_grant invalid_request invalid_resource invalid_rpt invalid_scope invalid_target ' +
    'invalid_ticket invalid_token not_allowed request_denied request_submitted server_error temporarily_unavailable unauthorized_client ' +
    'unknown_error unsupported_grant_type'
  ).split(' '),
)
/** `error_type` of the cloud's API 2.0. */
const CLOUD_ERRORS = new Set(['validation', 'notexist', 'backend', 'permission', 'database', 'concurrency', 'billing', 'payment'])

const HINTS: Partial<Record<Reason, string>> = {
  client_refused: 'Check client id and client secret, and that the client is enabled and may have a service account',
  realm_unknown: 'Check the OAuth address and the realm',
  request_refused: 'Check that the client is set up for impersonation: audience, authorization services, client policies',
  permission_denied: 'Have the permission to impersonate granted, in the policies of the resource server',
  bearer_refused: 'Check that both machines agree on the time, and that the OAuth address is the host that tokens name as their issuer',
  user_unknown: 'Check the e-mail address; the account may be gone or renamed',
  user_refused: 'The account may be suspended, or not open to impersonation: ask its owner or the cloud',
  redirect: 'Configure the address that it redirects to, if that is trusted; redirects are never followed',
  answer_invalid: 'Check the address: something else may be listening there',
  rate_limited: 'Wait; the peer limits requests',
}

type AnswerOf = { readonly status: number; readonly error: string | undefined; readonly isJson: boolean }

/** Turns an answer that is not 200 into the error that it means. Decides on status, `error` and `error_type`, never on text. */
export function refusalOf(step: WireStep, response: WireResponse, place: string): ImpersonationError {
  const { status } = response
  const answer = answerOf(step, response)
  const reason = reasonOf(step, answer)
  const named = answer.error === undefined ? '' : ` ${answer.error}`
  const fields = {
    step,
    reason,
    status,
    hint: HINTS[reason],
    requestId: requestIdOf(response),
    retryAfterMs: retryAfterMsOf(response),
  }
  const message = `Cannot ${STEP_WORDS[step]} at ${place}: ${REASON_WORDS[reason] ?? 'it was refused'} (${status}${named})`
  if (reason === 'server_error' || reason === 'rate_limited') return new MintUnavailableError(message, fields)
  if (reason === 'redirect' || reason === 'answer_invalid') return new AnswerInvalidError(message, fields)
  if (reason === 'user_unknown' || reason === 'user_refused') return new OwnerRefusedError(message, fields)
  return new ClientRefusedError(message, fields)
}

const REASON_WORDS: Partial<Record<Reason, string>> = {
  client_refused: 'the client or its secret is refused',
  realm_unknown: 'there is no such realm',
  request_refused: 'the request is refused',
  bearer_refused: 'our token is refused',
  permission_denied: 'permission is denied',
  user_unknown: 'no such user',
  user_refused: 'this user is refused',
  server_error: 'the server is in trouble',
  rate_limited: 'too many requests',
  redirect: 'it redirects, which is not followed',
  answer_invalid: 'the answer is not of its interface',
}

function reasonOf(step: WireStep, answer: AnswerOf): Reason {
  const { status } = answer
  if (status === 429) return 'rate_limited'
  if (status >= 500 || status === 408) return 'server_error'
  if (status >= 300 && status < 400) return 'redirect'
  if (status < 400) return 'answer_invalid'
  if (step === 'service_token') return clientReason(answer)
  return step === 'rpt' ? rptReason(answer) : cloudReason(answer)
}

/** Keycloak's 401 for a wrong secret is `unauthorized_client`, where RFC 6749 has `invalid_client`. */
function clientReason({ status, error }: AnswerOf): Reason {
  if (error === 'invalid_client' || error === 'unauthorized_client') return 'client_refused'
  if (status === 404) return 'realm_unknown'
  return status === 401 ? 'client_refused' : 'request_refused'
}

/** On `error` before status: Keycloak refuses a bearer with 400 `invalid_grant`, and only an empty one with 401. */
function rptReason({ status, error }: AnswerOf): Reason {
  if (error === 'invalid_grant' || error === 'invalid_token') return 'bearer_refused'
  if (error === 'access_denied' || error === 'request_denied' || error === 'request_submitted') return 'permission_denied'
  if (error === 'invalid_client' || error === 'unauthorized_client') return 'client_refused'
  if (status === 404) return 'realm_unknown'
  return status === 401 ? 'bearer_refused' : 'request_refused'
}

/** Step 3 and the profile. What is no JSON comes from a gateway or from another server, and says nothing about the user. */
function cloudReason({ status, error, isJson }: AnswerOf): Reason {
  if (status === 401) return 'bearer_refused'
  if (!isJson) return 'answer_invalid'
  if (error === 'concurrency' || error === 'backend' || error === 'database') return 'server_error'
  if (error === 'notexist' || status === 404 || status === 410) return 'user_unknown'
  // 403 too: `permission_denied` is what our client lacks, and wakes people up; this is one owner.
  return 'user_refused'
}

function answerOf(step: WireStep, { status, body }: WireResponse): AnswerOf {
  const parsed = parseJson(body)
  // The cloud answers with a list of errors, and has been seen to answer with one alone.
  const record = recordOf(Array.isArray(parsed) ? parsed[0] : parsed)
  const isOAuth = step === 'service_token' || step === 'rpt'
  const error = isOAuth ? record?.['error'] : record?.['error_type']
  const isListed = typeof error === 'string' && (isOAuth ? OAUTH_ERRORS : CLOUD_ERRORS).has(error)
  return { status, isJson: parsed !== undefined, error: isListed ? error : undefined }
}

/** `Retry-After` of RFC 9110 section 10.2.3, both forms, at most an hour. */
function retryAfterMsOf({ headers }: WireResponse): number | undefined {
  const value = headers.get('retry-after')
  if (value === undefined) return undefined
  // Against the peer's own clock, where it says: ours may be off.
  const sentAt = Date.parse(headers.get('date') ?? '')
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - (Number.isNaN(sentAt) ? Date.now() : sentAt)
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), RETRY_AFTER_MS_MAX)
}

/** The peer's own name for a request, if it can be one. */
export function requestIdOf({ headers }: WireResponse): string | undefined {
  const id = headers.get('x-request-id')
  return id !== undefined && /^[\w.:-]{1,128}$/.test(id) ? id : undefined
}
