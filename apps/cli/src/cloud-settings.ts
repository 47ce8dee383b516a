import { z } from 'zod'
import { secret } from '@ascribe/service'
import type { Secret } from '@ascribe/service'

/** The cloud in which customers' machines are, and how to act there, as the configuration has it. */
export type CloudSettings = {
  /** Root of the authorization server. */
  readonly oauth_url?: string | undefined
  readonly oauth_realm: string
  readonly client_id?: string | undefined
  readonly client_secret?: Secret | undefined
  /** Read again when it changes; it wins over `client_secret`. */
  readonly client_secret_file?: string | undefined
  /** Root of the API, with `{region}` in its host. */
  readonly api_url?: string | undefined
  /** The only regions that the template is for; none: every well-formed name. */
  readonly regions: readonly string[]
  /** Regions whose addresses do not follow the template. */
  readonly endpoints: Readonly<Record<string, { readonly api: string; readonly impersonate?: string | undefined }>>
  /** Of the legacy mode: everything is done as this one account. */
  readonly username?: string | undefined
  readonly password?: Secret | undefined
  /** Where a command does not say. */
  readonly region?: string | undefined
  /** `false`, and nothing else, selects the legacy mode. */
  readonly impersonation_enabled: boolean
  /** Whether the authorization server may be one for trials. */
  readonly allow_staging: boolean
  /** PEM of the authorities to trust instead of the machine's. */
  readonly ca_file?: string | undefined
  /** Of each namespace in the account of the legacy mode, and in the platform's: machines, MHz, MiB, drives. Default: none. */
  readonly limits: {
    readonly max_servers?: number | undefined
    readonly max_cpu?: number | undefined
    readonly max_memory?: number | undefined
    readonly max_drives?: number | undefined
  }
  /** The process that mints, `ascribe minter`: then this one must not have the client secret (H-24). A URL, or a socket of this machine. */
  readonly minter_url?: string | undefined
  readonly minter_socket?: string | undefined
  /** The token of this process's service account, for `minter_url`. */
  readonly minter_token_file?: string | undefined
}

/** `packages/impersonation` says the same of a region; here so that a wrong one is named with its place. */
const REGION = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
const REGION_SHAPE = 'a region is 1 to 32 lower-case letters, digits and inner hyphens'

const name = z.string().min(1)
const region = z.string().regex(REGION, REGION_SHAPE)
const count = z.int().min(0).optional()
/** Settings are shown as they are; what is secret has settings of its own. */
const address = name.refine((url) => !/^[^/]*\/\/[^/]*@/.test(url), 'must not hold a user or password')

/** A list, or one text with commas, as `CLOUDSIGMA_REGIONS=zrh,sjc` is written. */
const regionList: z.ZodType<readonly string[], unknown> = z
  .codec(z.union([z.string(), z.array(z.string())], 'must be regions such as zrh,sjc'), z.array(z.string()).readonly(), {
    decode: (value) => (typeof value === 'string' ? value.split(',').map((each) => each.trim()) : value).filter((each) => each !== ''),
    encode: (regions) => regions.join(', '),
  })
  .refine((regions) => regions.every((each) => REGION.test(each)), `must be regions such as zrh,sjc: ${REGION_SHAPE}`)

export const CloudSchema: z.ZodType<CloudSettings, unknown> = z
  .strictObject({
    oauth_url: address.optional(),
    oauth_realm: name.default('cloudsigma'),
    client_id: name.optional(),
    client_secret: secret().optional(),
    client_secret_file: name.optional(),
    api_url: address.optional(),
    regions: regionList.default([]),
    endpoints: z.record(region, z.strictObject({ api: address, impersonate: address.optional() })).default({}),
    username: name.optional(),
    password: secret().optional(),
    region: region.optional(),
    impersonation_enabled: z.boolean().default(true),
    allow_staging: z.boolean().default(false),
    ca_file: name.optional(),
    limits: z.strictObject({ max_servers: count, max_cpu: count, max_memory: count, max_drives: count }).prefault({}),
    minter_url: address.optional(),
    minter_socket: name.optional(),
    minter_token_file: name.optional(),
  })
  .prefault({})

/** The variables that the founding document and its users have. What is not among them is called as every other setting. */
export const CLOUD_VARIABLES: Readonly<Record<string, string>> = {
  'cloud.oauth_url': 'CLOUDSIGMA_OAUTH_URL',
  'cloud.oauth_realm': 'CLOUDSIGMA_OAUTH_REALM',
  'cloud.client_id': 'CLOUDSIGMA_CLIENT_ID',
  'cloud.client_secret': 'CLOUDSIGMA_CLIENT_SECRET',
  'cloud.client_secret_file': 'CLOUDSIGMA_CLIENT_SECRET_FILE',
  'cloud.api_url': 'CLOUDSIGMA_API_URL',
  'cloud.regions': 'CLOUDSIGMA_REGIONS',
  'cloud.username': 'CLOUDSIGMA_USERNAME',
  'cloud.password': 'CLOUDSIGMA_PASSWORD',
  'cloud.region': 'CLOUDSIGMA_REGION',
  'cloud.impersonation_enabled': 'CLOUDSIGMA_IMPERSONATION_ENABLED',
  'cloud.minter_url': 'CLOUDSIGMA_MINTER_URL',
  'cloud.minter_socket': 'CLOUDSIGMA_MINTER_SOCKET',
  'cloud.minter_token_file': 'CLOUDSIGMA_MINTER_TOKEN_FILE',
}

/** Whether anything of the cloud is configured at all: who has no cloud should not hear of what it lacks. */
export function isCloudConfigured(cloud: CloudSettings): boolean {
  return (
    [cloud.oauth_url, cloud.client_id, cloud.client_secret, cloud.client_secret_file, cloud.api_url, cloud.username, cloud.password].some(
      (value) => value !== undefined,
    ) ||
    !cloud.impersonation_enabled ||
    Object.keys(cloud.endpoints).length > 0
  )
}

/** The settings that acting in the cloud needs and that are not there, by the names of their variables. */
export function missingSettings(cloud: CloudSettings): readonly string[] {
  const needed: readonly (readonly [unknown, string])[] = cloud.impersonation_enabled
    ? [
        [cloud.oauth_url, 'CLOUDSIGMA_OAUTH_URL'],
        [cloud.client_id, 'CLOUDSIGMA_CLIENT_ID'],
        [cloud.client_secret_file ?? cloud.client_secret, 'CLOUDSIGMA_CLIENT_SECRET_FILE (or CLOUDSIGMA_CLIENT_SECRET)'],
      ]
    : [
        [cloud.username, 'CLOUDSIGMA_USERNAME'],
        [cloud.password, 'CLOUDSIGMA_PASSWORD'],
      ]
  return needed.flatMap(([value, variable]) => (value === undefined ? [variable] : []))
}

/** A host for trials, by the way such hosts are called: `oauth-stg.cloudsigma.com`, the founding document's default (H-18). */
export function isStaging(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? ''
  return /(^|[.-])(stg|stage|staging)\d*([.-]|$)/i.test(host)
}
