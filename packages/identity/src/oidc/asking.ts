import * as oauth from 'oauth4webapi'
import { IssuerError } from '../errors.ts'
import { refusal } from '../jwt/verify-jwt.ts'
import type { LoginOutcome } from './types.ts'

/** Tells what the issuer refuses from what cannot be asked of it. */
export async function asking(issuer: string, ask: () => Promise<LoginOutcome>): Promise<LoginOutcome> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof IssuerError) throw error
    if (error instanceof oauth.AuthorizationResponseError) return { kind: 'denied', error: wordOf(error.error) }
    // 5xx with a body is still an issuer that cannot tell.
    if (error instanceof oauth.ResponseBodyError && error.status < 500) return { kind: 'denied', error: wordOf(error.error) }
    if (error instanceof oauth.OperationProcessingError && FORGED.has(error.code)) return refusal('claims', error.message)
    throw new IssuerError(`Cannot sign in with ${issuer}`, { cause: error, retryable: true })
  }
}

/** What the library finds wrong with a callback or a token, rather than with the way to the issuer. */
const FORGED: ReadonlySet<unknown> = new Set([oauth.INVALID_RESPONSE, oauth.JWT_TIMESTAMP_CHECK, oauth.JWT_CLAIM_COMPARISON])

/** RFC 6749 says which characters an error may have; it goes to people and into the log. */
function wordOf(error: string): string {
  return error.replaceAll(/[^\w.-]/g, '').slice(0, 60)
}
