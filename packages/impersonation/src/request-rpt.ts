import { callStep } from './call-step.ts'
import type { StepOptions } from './call-step.ts'
import type { Issuer } from './issuer.ts'
import { FORM_TYPE } from './request-service-token.ts'
import type { SealedText } from './sealed-text.ts'
import { readTokenResponse } from './token-response.ts'
import type { TokenResponse } from './token-response.ts'

export type RptRequest = {
  readonly issuer: Issuer
  readonly serviceToken: SealedText
  /** The resource server whose permissions the RPT carries. Default {@link DEFAULT_AUDIENCE}. */
  readonly audience?: string | undefined
}

export const DEFAULT_AUDIENCE = 'service_provider_api'

/**
 * Step 2: the service-account token for a requesting party token, Keycloak's UMA grant without a ticket.
 *
 * @throws {ClientRefusedError} `permission_denied` when impersonation is not granted, `bearer_refused` when the token is not believed
 * @throws {MintUnavailableError} down, slow or overloaded
 * @throws {AnswerInvalidError} a redirect, no token, expired on arrival
 */
export async function requestRpt(request: RptRequest, options: StepOptions): Promise<TokenResponse> {
  const { issuer, serviceToken, audience = DEFAULT_AUDIENCE } = request
  const form = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:uma-ticket', audience })
  const headers = { 'content-type': FORM_TYPE, authorization: `Bearer ${serviceToken.reveal()}` }
  const wire = { method: 'POST', url: issuer.tokenUrl, headers, body: form.toString() } as const
  return readTokenResponse(await callStep('rpt', wire, options), 'rpt')
}
