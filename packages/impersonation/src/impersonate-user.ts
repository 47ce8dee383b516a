import { callStep } from './call-step.ts'
import type { StepOptions } from './call-step.ts'
import { checkOwnerEmail } from './owner.ts'
import type { RegionEndpoint } from './region-table.ts'
import type { SealedText } from './sealed-text.ts'
import { readTokenResponse } from './token-response.ts'
import type { TokenResponse } from './token-response.ts'

export type ImpersonateRequest = {
  readonly endpoint: RegionEndpoint
  readonly rpt: SealedText
  /** It travels in the body, so it must still be valid when the cloud reads it. */
  readonly serviceToken: SealedText
  readonly ownerEmail: string
}

/**
 * Step 3: a token that acts as the user with this address, good at the host that gave it. Whose it is has to be asserted by
 * the caller.
 *
 * @throws {OwnerRefusedError} unknown, suspended or not open to impersonation
 * @throws {ClientRefusedError} `bearer_refused` when the cloud does not believe RPT or service-account token
 * @throws {MintUnavailableError} down, slow (504 after a minute has been seen) or overloaded
 * @throws {AnswerInvalidError} a redirect, no token, expired on arrival
 */
export async function impersonateUser(request: ImpersonateRequest, options: StepOptions): Promise<TokenResponse> {
  const { endpoint, rpt, serviceToken, ownerEmail } = request
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${rpt.reveal()}` }
  const body = JSON.stringify({ user_email: checkOwnerEmail(ownerEmail), subject_token: serviceToken.reveal() })
  const wire = { method: 'POST', url: endpoint.impersonateUrl, headers, body } as const
  return readTokenResponse(await callStep('impersonate', wire, options), 'impersonate')
}
