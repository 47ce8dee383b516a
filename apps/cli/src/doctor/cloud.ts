import { statSync } from 'node:fs'
import { CloudSigmaError, createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import { ImpersonationError, requestRpt, requestServiceToken } from '@ascribe/impersonation'
import type { RegionEndpoint, RegionTable, Transport } from '@ascribe/impersonation'
import { AscribeError, InputError, errorChain } from '@ascribe/kit'
import { cloudAccessOf, transportOf } from '../cloud/cloud-access.ts'
import type { CloudAccess, ImpersonationAccess, LegacyAccess } from '../cloud/cloud-access.ts'
import { lookAtEndpoint, lookAtIssuer, sayClock } from '../cloud/look-at-peer.ts'
import type { PeerLook } from '../cloud/look-at-peer.ts'
import { failureOf } from '../cloud/plain-words.ts'
import { readMintTrail } from '../cloud/read-mint-log.ts'
import { isCloudConfigured } from '../cloud-settings.ts'
import type { CloudSettings } from '../cloud-settings.ts'
import type { Context } from '../context.ts'
import type { Finding } from './examine.ts'
import { examineMinterAddress } from './minter-address.ts'

/** More regions than this are not asked: each is one request. */
const REGIONS_MAX = 20
const DEADLINE_MS = 10_000

/** How acting in the cloud stands, up to the RPT: nobody is impersonated. Nothing where no cloud is configured. */
export async function* examineCloud(context: Context): AsyncGenerator<Finding, void, undefined> {
  const { cloud } = context.config
  const minter = examineMinterAddress(cloud)
  // Issuer and client are its to know.
  if (minter !== undefined) return yield minter
  if (!isCloudConfigured(cloud)) return
  let access: CloudAccess
  try {
    access = cloudAccessOf(cloud)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    yield { what: 'cloud settings', state: 'wrong', detail: error.message, ...(error.hint !== undefined && { mend: error.hint }) }
    return
  }
  yield sayMode(access)
  using transport = transportOf(access)
  if (access.mode === 'impersonation') {
    yield* examineSecretFile(cloud)
    yield* examineIssuer(access, transport)
    yield* examineClient(access, { transport, cloud })
  }
  yield* examineRegion(access, cloud)
  const endpoints = endpointsOf(access, cloud)
  for (const endpoint of endpoints) yield await examineEndpoint(endpoint, transport)
  const [first] = endpoints
  if (access.mode === 'legacy' && first !== undefined) yield await examineLegacy(access, { endpoint: first, context, ca: access.ca })
  yield await examineTrail(context)
}

function sayMode(access: CloudAccess): Finding {
  const regions = access.regions.regions?.join(', ') ?? 'any well-formed region'
  if (access.mode === 'impersonation') return { what: 'cloud settings', state: 'fine', detail: `as each owner, in ${regions}` }
  return {
    what: 'cloud settings',
    state: 'note',
    detail: `legacy mode: everything as ${access.username}, in ${regions}`,
    mend: 'Machines of all customers are made in, and billed to, this one account. Leave CLOUDSIGMA_IMPERSONATION_ENABLED out to act as each owner.',
  }
}

function* examineSecretFile({ client_secret_file: file }: CloudSettings): Generator<Finding, void, undefined> {
  if (file === undefined) {
    yield {
      what: 'client secret',
      state: 'note',
      detail: 'from a variable: it cannot rotate while a process runs',
      mend: 'Use CLOUDSIGMA_CLIENT_SECRET_FILE.',
    }
    return
  }
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined)
    yield { what: 'client secret', state: 'wrong', detail: `${file} is not there`, mend: 'Mount it, or name another file.' }
  else if ((stat.mode & 0o007) !== 0)
    yield { what: 'client secret', state: 'wrong', detail: `everybody can read ${file}`, mend: `chmod o= ${file}` }
  else yield { what: 'client secret', state: 'fine', detail: file }
}

async function* examineIssuer({ issuer }: ImpersonationAccess, transport: Transport): AsyncGenerator<Finding, void, undefined> {
  const look = await lookAtIssuer(issuer, transport)
  yield issuerFinding(issuer.href, look)
  const clock = sayClock('the authorization server', look.clockAheadMs)
  if (clock !== undefined) yield { what: 'clock', state: 'wrong', detail: clock, mend: CLOCK_MEND }
}

const CLOCK_MEND = 'Set the clock of whichever is wrong; tokens live a minute.'

function issuerFinding(href: string, { status, fault, callsItself }: PeerLook & { readonly callsItself: string | undefined }): Finding {
  const what = 'issuer'
  if (fault !== undefined) return { what, state: 'wrong', detail: `${href}: ${fault}`, mend: 'Check CLOUDSIGMA_OAUTH_URL and the network.' }
  if (status === 404) return { what, state: 'wrong', detail: `${href} is not there (404)`, mend: 'Check CLOUDSIGMA_OAUTH_REALM.' }
  if (callsItself === undefined)
    return { what, state: 'wrong', detail: `${href} answers ${status}, and is no issuer`, mend: 'Check CLOUDSIGMA_OAUTH_URL.' }
  // Behind a proxy that is right; where the cloud does not believe our tokens it is the first thing to look at.
  if (callsItself !== href)
    return {
      what,
      state: 'note',
      detail: `${href} calls itself ${callsItself}`,
      mend: 'Tokens bear that name: it is the one that the cloud has to trust.',
    }
  return { what, state: 'fine', detail: href }
}

type ClientCheck = { readonly transport: Transport; readonly cloud: CloudSettings }

async function* examineClient(access: ImpersonationAccess, { transport, cloud }: ClientCheck): AsyncGenerator<Finding, void, undefined> {
  const { issuer, clientId } = access
  const options = { transport, signal: AbortSignal.timeout(DEADLINE_MS) }
  const about = { clientId, realm: cloud.oauth_realm, owner: '', region: '', host: issuer.host }
  try {
    const { value: clientSecret } = await access.secret()
    const service = await requestServiceToken({ issuer, clientId, clientSecret }, options)
    yield { what: 'client', state: 'fine', detail: `${clientId} is accepted; its token lives ${Math.round(service.lifeMs / 1000)} s` }
    const rpt = await requestRpt({ issuer, serviceToken: service.token }, options)
    const permissions = rpt.claims?.permissions?.join(', ')
    yield {
      what: 'UMA',
      state: 'fine',
      detail: `granted${permissions === undefined ? '' : `: ${permissions}`}; the RPT lives ${Math.round(rpt.lifeMs / 1000)} s`,
    }
    service.token.destroy()
    rpt.token.destroy()
  } catch (error) {
    const failure = failureOf(error, about)
    if (failure === undefined) throw error
    const what = error instanceof ImpersonationError && error.step === 'rpt' ? 'UMA' : 'client'
    // Of a file the words for everybody do not say what is wrong with it.
    const detail = failure.reason === 'secret_unreadable' ? failure.message : failure.why
    const mend = failure.mend ?? (failure.reason === 'secret_unreadable' ? 'Put the secret into it, and nothing else.' : undefined)
    yield { what, state: 'wrong', detail, ...(mend !== undefined && { mend }) }
  }
}

/** The region that commands take where they do not say: each of them would fail by it. */
function* examineRegion({ regions }: CloudAccess, { region, endpoints }: CloudSettings): Generator<Finding, void, undefined> {
  if (region === undefined) {
    if (regions.regions === undefined && Object.keys(endpoints).length === 0)
      yield {
        what: 'region',
        state: 'note',
        detail: 'none is named, so no host of the cloud is looked at',
        mend: 'Set CLOUDSIGMA_REGIONS.',
      }
    return
  }
  const refusal = refusalOf(regions, region)
  if (refusal !== undefined)
    yield {
      what: 'region',
      state: 'wrong',
      detail: `CLOUDSIGMA_REGION: ${refusal.message}`,
      mend: 'Name one of the table, or have its operator add this one.',
    }
}

function refusalOf(regions: RegionTable, region: string): AscribeError | undefined {
  try {
    regions.endpoint(region)
    return undefined
  } catch (error) {
    if (error instanceof AscribeError) return error
    throw error
  }
}

/** Those that are listed; of an open table those with addresses of their own, and the one that commands take. */
function endpointsOf({ regions }: CloudAccess, { region, endpoints }: CloudSettings): readonly RegionEndpoint[] {
  const isReachable = region !== undefined && refusalOf(regions, region) === undefined
  const named = new Set([...Object.keys(endpoints), ...(isReachable ? [region] : [])])
  const names = regions.regions ?? [...named]
  return names.slice(0, REGIONS_MAX).map((name) => regions.endpoint(name))
}

async function examineEndpoint(endpoint: RegionEndpoint, transport: Transport): Promise<Finding> {
  const what = `cloud ${endpoint.region}`
  const { status, fault, clockAheadMs } = await lookAtEndpoint(endpoint, transport)
  const { host } = new URL(endpoint.origin)
  if (fault !== undefined)
    return { what, state: 'wrong', detail: `${endpoint.origin}: ${fault}`, mend: 'Check the table of endpoints and the network.' }
  const clock = sayClock(`the cloud at ${host}`, clockAheadMs)
  if (clock !== undefined) return { what, state: 'wrong', detail: clock, mend: CLOCK_MEND }
  // Asked without credentials: an API that is there refuses.
  if (status === 401 || status === 403) return { what, state: 'fine', detail: `${endpoint.origin} answers` }
  return {
    what,
    state: 'wrong',
    detail: `${endpoint.origin} answers ${status} to whoever asks without credentials, and is not the API`,
    mend: 'Check the table of endpoints.',
  }
}

type LegacyCheck = { readonly endpoint: RegionEndpoint; readonly context: Context; readonly ca: string | undefined }

async function examineLegacy(access: LegacyAccess, { endpoint, context, ca }: LegacyCheck): Promise<Finding> {
  const authenticator = createBasicAuthenticator({ username: access.username, password: access.password.reveal() })
  await using cloud = createCloudSigma({ endpoint, authenticator, logger: context.logger, ...(ca !== undefined && { ca }) })
  try {
    const { email, uuid, state } = await cloud.account.profile({ deadlineMs: DEADLINE_MS })
    return { what: 'account', state: 'fine', detail: `${email} (${uuid}), ${state ?? 'state not said'}` }
  } catch (error) {
    if (!(error instanceof CloudSigmaError)) throw error
    return { what: 'account', state: 'wrong', detail: errorChain(error), mend: 'Check CLOUDSIGMA_USERNAME and CLOUDSIGMA_PASSWORD.' }
  }
}

async function examineTrail({ dir }: Context): Promise<Finding> {
  const path = dir.mintLog
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return { what: 'trail of tokens', state: 'note', detail: 'none yet; the first token begins it' }
  if ((stat.mode & 0o077) !== 0)
    return { what: 'trail of tokens', state: 'wrong', detail: `others can read or write ${path}`, mend: `chmod 600 ${path}` }
  const { lines, breaks } = await readMintTrail(path)
  const [first] = breaks
  if (first === undefined) return { what: 'trail of tokens', state: 'fine', detail: `${lines} lines, an unbroken chain` }
  return {
    what: 'trail of tokens',
    state: 'wrong',
    detail: `line ${first} of ${path} does not follow the one before it`,
    mend: 'Somebody has changed it: compare it with a copy.',
  }
}
