import { callStep } from './call-step.ts'
import type { StepOptions } from './call-step.ts'
import type { Issuer } from './issuer.ts'
import type { SealedText } from './sealed-text.ts'
import { readTokenResponse } from './token-response.ts'
import type { TokenResponse } from './token-response.ts'

export type ServiceTokenRequest = {
  readonly issuer: Issuer
  readonly clientId: string
  readonly clientSecret: SealedText
}

export const FORM_TYPE = 'application/x-www-form-urlencoded'

/**
 * Step 1: the service account's own token (RFC 6749 section 4.4), client id and secret in the body. There is no refresh token, and
 * none is asked for.
 *
 * @throws {ClientRefusedError} wrong or rotated secret, unknown client, unknown realm
 * @throws {MintUnavailableError} down, slow or overloaded
 * @throws {AnswerInvalidError} a redirect, no token, expired on arrival
 */
export async function requestServiceToken(request: ServiceTokenRequest, options: StepOptions): Promise<TokenResponse> {
  const { issuer, clientId, clientSecret } = request
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret.reveal() })
  const wire = { method: 'POST', url: issuer.tokenUrl, headers: { 'content-type': FORM_TYPE }, body: form.toString() } as const
  return readTokenResponse(await callStep('service_token', wire, options), 'service_token')
}
