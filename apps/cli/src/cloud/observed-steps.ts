import { impersonateUser, readProfile, requestRpt, requestServiceToken } from '@ascribe/impersonation'
import type { Issuer, MintSteps, TokenResponse, Transport } from '@ascribe/impersonation'

/** One step that went through: how long it took, and how long what it gave lives. Never what it gave. */
export type StepSeen = {
  readonly step: 'service_token' | 'rpt' | 'impersonate' | 'profile'
  readonly tookMs: number
  readonly lifeMs?: number
  /** How the life is known. */
  readonly lifeFrom?: TokenResponse['lifeFrom']
  /** What the RPT permits, by name. */
  readonly permissions?: readonly string[]
}

/** The steps on the wire, which tell `seen` how each went. */
export function observedSteps(
  { issuer, clientId, transport }: { readonly issuer: Issuer; readonly clientId: string; readonly transport: Transport },
  seen: (step: StepSeen) => void,
): MintSteps {
  async function watch<Result>(
    step: StepSeen['step'],
    work: Promise<Result>,
    facts: (result: Result) => Partial<StepSeen>,
  ): Promise<Result> {
    const startedAt = performance.now()
    const result = await work
    seen({ step, tookMs: Math.round(performance.now() - startedAt), ...facts(result) })
    return result
  }
  const life = ({ lifeMs, lifeFrom, claims }: TokenResponse): Partial<StepSeen> => ({
    lifeMs,
    lifeFrom,
    ...(claims?.permissions !== undefined && { permissions: claims.permissions }),
  })
  return {
    serviceToken: (clientSecret, signal) =>
      watch('service_token', requestServiceToken({ issuer, clientId, clientSecret }, { transport, signal }), life),
    rpt: (serviceToken, signal) => watch('rpt', requestRpt({ issuer, serviceToken }, { transport, signal }), life),
    impersonate: (request, signal) => watch('impersonate', impersonateUser(request, { transport, signal }), life),
    profile: (request, signal) => watch('profile', readProfile(request, { transport, signal }), () => ({})),
  }
}
