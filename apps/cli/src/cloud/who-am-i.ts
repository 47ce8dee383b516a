import { createBasicAuthenticator, createCloudSigma, CloudSigmaError } from '@ascribe/cloudsigma'
import type { Authenticator, Profile } from '@ascribe/cloudsigma'
import { createTokenSource } from '@ascribe/impersonation'
import type { AuditSink, RegionEndpoint, TokenSource, Transport } from '@ascribe/impersonation'
import type { Logger } from '@ascribe/kit'
import type { CloudAccess, ImpersonationAccess, LegacyAccess } from './cloud-access.ts'
import { lookAtEndpoint, lookAtIssuer, sayClock } from './look-at-peer.ts'
import { observedSteps } from './observed-steps.ts'
import type { StepSeen } from './observed-steps.ts'
import { failureOf } from './plain-words.ts'
import type { About, Failure } from './plain-words.ts'

/** The account that we would act in. `balance` is read only where the owner is pinned, or in the legacy mode. */
export type Account = {
  readonly uuid: string
  readonly email: string
  readonly state?: string | undefined
  readonly balance?: string | undefined
  readonly currency?: string | undefined
}

export type WhoAmI = {
  readonly mode: 'impersonation' | 'legacy'
  readonly region: string
  readonly origin: string | undefined
  readonly issuer: string | undefined
  readonly clientId: string | undefined
  /** Those that went through, in order. */
  readonly steps: readonly StepSeen[]
  /** What else may be wrong, in plain words. */
  readonly remarks: readonly string[]
} & (
  | {
      readonly ok: true
      readonly account: Account
      /** Whether it is who was asked for, and something can be made there. */
      readonly isUsable: boolean
    }
  | { readonly ok: false; readonly failure: Failure }
)

export type WhoAmIRequest = {
  /** Required unless in the legacy mode. */
  readonly owner: string | undefined
  readonly region: string
  /** The UUID that the owner must have. */
  readonly expect: string | undefined
  readonly realm: string
  /** For the trail. */
  readonly actor: Readonly<Record<string, string>>
}

export type WhoAmIDeps = { readonly transport: Transport; readonly audit: AuditSink; readonly logger: Logger }

/** Goes the way that a VM would be made on, and says who that would be. Throws only what is no refusal: bugs. */
export async function whoAmI(access: CloudAccess, request: WhoAmIRequest, deps: WhoAmIDeps): Promise<WhoAmI> {
  const steps: StepSeen[] = []
  const remarks: string[] = []
  let endpoint: RegionEndpoint | undefined
  const facts = (): Omit<WhoAmI, 'ok' | 'account' | 'isUsable' | 'failure'> => ({
    mode: access.mode,
    region: request.region,
    origin: endpoint?.origin,
    issuer: access.mode === 'impersonation' ? access.issuer.href : undefined,
    clientId: access.mode === 'impersonation' ? access.clientId : undefined,
    steps,
    remarks,
  })
  try {
    endpoint = access.regions.endpoint(request.region)
    const account =
      access.mode === 'legacy'
        ? await accountOfLegacy(access, { endpoint, request, deps, ca: access.ca })
        : await accountOfOwner(access, { endpoint, request, deps, ca: access.ca, seen: (step) => void steps.push(step) })
    const doubts = remarksOn(account, request)
    remarks.push(...doubts)
    return { ok: true, account, isUsable: doubts.length === 0, ...facts() }
  } catch (error) {
    const failure = failureOf(error, aboutOf(access, request, endpoint))
    if (failure === undefined) throw error
    if (endpoint !== undefined && failure.step !== 'local') remarks.push(...(await lookAround(access, endpoint, deps.transport)))
    return { ok: false, failure, ...facts() }
  }
}

function aboutOf(access: CloudAccess, { owner, region, realm }: WhoAmIRequest, endpoint: RegionEndpoint | undefined): About {
  return {
    clientId: access.mode === 'impersonation' ? access.clientId : '',
    realm,
    owner: owner ?? 'this account',
    region,
    host: endpoint === undefined ? region : new URL(endpoint.origin).host,
  }
}

type Way = {
  readonly endpoint: RegionEndpoint
  readonly request: WhoAmIRequest
  readonly deps: WhoAmIDeps
  readonly ca: string | undefined
}

async function accountOfOwner(
  access: ImpersonationAccess & Pick<CloudAccess, 'regions'>,
  { endpoint, request, deps, ca, seen }: Way & { readonly seen: (step: StepSeen) => void },
): Promise<Account> {
  const { owner = '', region, expect, actor } = request
  const { transport, audit, logger } = deps
  using source = createTokenSource({
    ...access,
    audit,
    transport,
    logger,
    steps: observedSteps({ ...access, transport }, seen),
    limits: { sweepMs: 0 },
  })
  if (expect === undefined) {
    const found = await source.discover({ ownerEmail: owner, region, actor })
    return { uuid: found.ownerUuid, email: found.ownerEmail, state: found.state }
  }
  // Awaited here: the source is closed on the way out.
  return await accountBehind(authenticatorOf(source, { ...request, expect, owner }), { endpoint, deps, ca })
}

/** Without a binding, the word of whoever holds the client secret is its own: `whoami`, and never a machine of somebody's. */
function authenticatorOf(
  source: TokenSource,
  { owner, expect, region, actor }: WhoAmIRequest & { owner: string; expect: string },
): Authenticator {
  return source.authenticator({ ownerUuid: expect, ownerEmail: owner, region, bindingGeneration: 'whoami', actor })
}

async function accountOfLegacy({ username, password }: LegacyAccess, { endpoint, deps, ca }: Way): Promise<Account> {
  return accountBehind(createBasicAuthenticator({ username, password: password.reveal() }), { endpoint, deps, ca })
}

async function accountBehind(authenticator: Authenticator, { endpoint, deps, ca }: Omit<Way, 'request'>): Promise<Account> {
  await using cloud = createCloudSigma({ endpoint, authenticator, logger: deps.logger, ...(ca !== undefined && { ca }) })
  const profile: Profile = await cloud.account.profile()
  const { uuid, email, state, currency } = profile
  try {
    const { balance, currency: of = currency } = await cloud.account.balance()
    return { uuid, email, state, balance, currency: of }
  } catch (error) {
    // Not every account may read its balance; who it is has been said.
    if (error instanceof CloudSigmaError) return { uuid, email, state, currency }
    throw error
  }
}

function remarksOn({ email, state, uuid }: Account, { owner, expect }: WhoAmIRequest): string[] {
  const remarks: string[] = []
  if (state !== undefined && /SUSPEND|BLOCK|CLOS/i.test(state)) remarks.push(`the account is ${state}: nothing can be started in it`)
  if (owner !== undefined && owner.normalize('NFKC').toLowerCase() !== email.toLowerCase())
    remarks.push(`the account is ${email}'s, not ${owner}'s: everything would be made and billed there`)
  if (expect !== undefined && expect.toLowerCase() !== uuid.toLowerCase()) remarks.push(`the account is ${uuid}, not ${expect}`)
  return remarks
}

/** What can be seen from outside when something is wrong: addresses, names and clocks. */
async function lookAround(access: CloudAccess, endpoint: RegionEndpoint, transport: Transport): Promise<string[]> {
  const remarks: (string | undefined)[] = []
  if (access.mode === 'impersonation') {
    const look = await lookAtIssuer(access.issuer, transport)
    if (look.callsItself !== undefined && look.callsItself !== access.issuer.href)
      remarks.push(`the authorization server calls itself ${look.callsItself}, and is configured as ${access.issuer.href}`)
    remarks.push(sayClock('the authorization server', look.clockAheadMs))
  }
  const look = await lookAtEndpoint(endpoint, transport)
  remarks.push(sayClock(`the cloud at ${new URL(endpoint.origin).host}`, look.clockAheadMs))
  return remarks.filter((remark) => remark !== undefined)
}
