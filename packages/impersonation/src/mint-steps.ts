import type { StepOptions } from './call-step.ts'
import { impersonateUser } from './impersonate-user.ts'
import type { ImpersonateRequest } from './impersonate-user.ts'
import type { Issuer } from './issuer.ts'
import { readProfile } from './read-profile.ts'
import type { Profile } from './read-profile.ts'
import type { RegionEndpoint } from './region-table.ts'
import { requestRpt } from './request-rpt.ts'
import { requestServiceToken } from './request-service-token.ts'
import type { SealedText } from './sealed-text.ts'
import type { TokenResponse } from './token-response.ts'

/** The steps as the token source takes them, so that another way to impersonate, such as RFC 8693, can stand in for this one. */
export type MintSteps = {
  serviceToken(clientSecret: SealedText, signal: AbortSignal): Promise<TokenResponse>
  rpt(serviceToken: SealedText, signal: AbortSignal): Promise<TokenResponse>
  impersonate(request: ImpersonateRequest, signal: AbortSignal): Promise<TokenResponse>
  profile(request: { readonly endpoint: RegionEndpoint; readonly token: SealedText }, signal: AbortSignal): Promise<Profile>
}

export type WireStepsOptions = Pick<StepOptions, 'transport' | 'clock'> & {
  readonly issuer: Issuer
  readonly clientId: string
  readonly audience: string
}

/** The steps on the wire. */
export function createWireSteps({ issuer, clientId, audience, ...options }: WireStepsOptions): MintSteps {
  return {
    serviceToken: (clientSecret, signal) => requestServiceToken({ issuer, clientId, clientSecret }, { ...options, signal }),
    rpt: (serviceToken, signal) => requestRpt({ issuer, serviceToken, audience }, { ...options, signal }),
    impersonate: (request, signal) => impersonateUser(request, { ...options, signal }),
    profile: (request, signal) => readProfile(request, { ...options, signal }),
  }
}
