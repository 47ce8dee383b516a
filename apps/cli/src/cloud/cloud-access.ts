import { readFileSync } from 'node:fs'
import { InputError, errorCode } from '@ascribe/kit'
import { DEFAULT_TEMPLATE, constantSecret, createHttpTransport, createIssuer, createRegionTable, fileSecret } from '@ascribe/impersonation'
import type { ClientSecretSource, HttpTransport, Issuer, RegionEntry, RegionTable } from '@ascribe/impersonation'
import type { Secret } from '@ascribe/service'
import { isStaging, missingSettings } from '../cloud-settings.ts'
import type { CloudSettings } from '../cloud-settings.ts'

/** How we act in the cloud: as each owner, or, in the legacy mode, as one account for everything. */
export type CloudAccess = {
  /** Every region that may be reached: for minting and for calls alike. */
  readonly regions: RegionTable
  readonly ca: string | undefined
} & (ImpersonationAccess | LegacyAccess)

export type ImpersonationAccess = {
  readonly mode: 'impersonation'
  readonly issuer: Issuer
  readonly clientId: string
  readonly secret: ClientSecretSource
}

export type LegacyAccess = { readonly mode: 'legacy'; readonly username: string; readonly password: Secret }

/** The host of users that are no impersonated ones (cloud-impersonation reference, 3.1). */
const LEGACY_TEMPLATE = 'https://{region}.cloudsigma.com'

/**
 * What the settings come to. Nothing is sent and no secret is read yet.
 * @throws {InputError} that names everything that is missing, once
 */
export function cloudAccessOf(cloud: CloudSettings, { allowStaging = false }: { readonly allowStaging?: boolean } = {}): CloudAccess {
  const missing = missingSettings(cloud)
  if (missing.length > 0) {
    throw new InputError(`Cannot act in the cloud: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set`, {
      hint: cloud.impersonation_enabled
        ? 'Set them, or the settings below `cloud` that they stand for: docs/guides/cloud.md.'
        : 'CLOUDSIGMA_IMPERSONATION_ENABLED=false selects the legacy mode, which needs a user name and a password.',
    })
  }
  const common = { regions: regionsOf(cloud), ca: authoritiesOf(cloud) }
  if (!cloud.impersonation_enabled) {
    const { username, password } = cloud
    if (username === undefined || password === undefined) throw new TypeError('missingSettings() lets no such settings pass')
    return { ...common, mode: 'legacy', username, password }
  }
  const { oauth_url: oauthUrl, client_id: clientId } = cloud
  if (oauthUrl === undefined || clientId === undefined) throw new TypeError('missingSettings() lets no such settings pass')
  if (isStaging(oauthUrl) && !cloud.allow_staging && !allowStaging) {
    throw new InputError(`Cannot act in the cloud: ${URL.parse(oauthUrl)?.host} is an authorization server for trials`, {
      hint: 'Name the real one, or say --allow-staging (setting cloud.allow_staging): what is real must not go there.',
    })
  }
  return { ...common, mode: 'impersonation', issuer: issuerOf(oauthUrl, cloud.oauth_realm), clientId, secret: secretOf(cloud) }
}

/** Connections for the three steps, closed with it. */
export function transportOf({ ca }: Pick<CloudAccess, 'ca'>): HttpTransport {
  return createHttpTransport(ca === undefined ? {} : { ca })
}

function issuerOf(oauthUrl: string, realm: string): Issuer {
  try {
    return createIssuer({ oauthUrl, realm })
  } catch (cause) {
    throw asInput(cause)
  }
}

/** The file wins: it can rotate. */
function secretOf({ client_secret_file: file, client_secret: secret }: CloudSettings): ClientSecretSource {
  if (file !== undefined) return fileSecret(file)
  return constantSecret(secret?.reveal() ?? '')
}

/** Every region that the settings name. @throws {InputError} */
export function regionsOf(cloud: CloudSettings): RegionTable {
  const { api_url: apiUrl, regions, endpoints, impersonation_enabled: isImpersonating } = cloud
  const entries: Record<string, RegionEntry> = {}
  for (const [region, { api, impersonate }] of Object.entries(endpoints))
    entries[region] = { api, ...(impersonate !== undefined && { impersonate }) }
  const listed = regions.length > 0 ? regions : undefined
  try {
    if (apiUrl === undefined || apiUrl.includes('{region}')) {
      // With addresses of their own and no other word, these are all the regions there are.
      const template = apiUrl ?? (Object.keys(entries).length > 0 && listed === undefined ? undefined : templateOf(isImpersonating))
      return createRegionTable({
        ...(template !== undefined && { template }),
        ...(listed !== undefined && { regions: listed }),
        ...(Object.keys(entries).length > 0 && { entries }),
      })
    }
    const [only, ...others] = listed ?? (cloud.region === undefined ? [] : [cloud.region])
    if (only === undefined || others.length > 0) {
      throw new InputError('Cannot act in the cloud: CLOUDSIGMA_API_URL has no {region} in it, so it is for one region', {
        hint: 'Name that region in CLOUDSIGMA_REGIONS, or write {region} into the host.',
      })
    }
    return createRegionTable({ entries: { ...entries, [only]: { api: apiUrl } } })
  } catch (cause) {
    throw asInput(cause)
  }
}

function templateOf(isImpersonating: boolean): string {
  return isImpersonating ? DEFAULT_TEMPLATE : LEGACY_TEMPLATE
}

/** A setting that cannot be used is a wrong call, whichever package has found it. */
function asInput(cause: unknown): unknown {
  if (cause instanceof InputError || !(cause instanceof Error)) return cause
  return new InputError(cause.message, { cause: cause.cause, hint: 'See the settings of the cloud: `ascribe config --print`.' })
}

/** PEM of the authorities to trust instead of the machine's. @throws {InputError} */
export function authoritiesOf({ ca_file: file }: CloudSettings): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InputError(
      `Cannot act in the cloud: the certificate authorities in ${file} cannot be read (${errorCode(cause) ?? 'it failed'})`,
    )
  }
}

/** The region of a command: its own word, the setting, or the only one there is. @throws {InputError} */
export function regionOf({ regions }: Pick<CloudAccess, 'regions'>, said: string | undefined, cloud: CloudSettings): string {
  const [only, ...others] = regions.regions ?? []
  const region = said ?? cloud.region ?? (others.length === 0 ? only : undefined)
  if (region !== undefined) return region
  const known = regions.regions === undefined ? '' : `: one of ${regions.regions.join(', ')}`
  throw new InputError(`Cannot tell in which region${known}`, { hint: 'Say --region, or set CLOUDSIGMA_REGION.' })
}
