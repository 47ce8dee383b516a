import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { byteSize, cidrList, durationMs, loadConfig, secret } from '@ascribe/service'
import type { ConfigOverride, HostPort, LoadedConfig as Loaded, Secret } from '@ascribe/service'
import { CLOUD_VARIABLES, CloudSchema } from './cloud-settings.ts'
import type { CloudSettings } from './cloud-settings.ts'
import { InternalSchema, OidcSchema, TeleportSchema } from './api-settings.ts'
import type { InternalSettings, OidcSettings, TeleportSettings } from './api-settings.ts'
import { AuditSchema } from './audit-settings.ts'
import type { AuditSettings } from './audit-settings.ts'
import { ClusterSchema } from './cluster-settings.ts'
import type { ClusterSettings } from './cluster-settings.ts'
import { ConsoleSchema } from './console-site.ts'
import type { ConsoleSettings } from './console-site.ts'
import { BodyLogSchema } from './body-log-settings.ts'
import type { BodyLogConfig } from './body-log-settings.ts'
import type { DataDir } from './data-dir.ts'
import { EdgeSchema } from './edge-settings.ts'
import type { EdgeSettings } from './edge-settings.ts'
import { boundsShape } from './gateway-bounds.ts'
import type { BoundsSettings } from './gateway-bounds.ts'
import { IngestSchema } from './event-settings.ts'
import type { IngestSettings } from './event-settings.ts'
import { PathSchema } from './path-settings.ts'
import type { PathSettings } from './path-settings.ts'
import { TrustedPeerSchema } from './trust-settings.ts'
import type { TrustSettings } from './trust-settings.ts'
import { RouteSchema } from './route-settings.ts'
import type { NamedCredentials, RouteSettings } from './route-settings.ts'

/** Everything that can be set, under the names that the file uses. Defaults fit one machine. */
export type Config = {
  /** A Postgres of one's own, 15 or newer; absent: the embedded one. */
  readonly database_url?: Secret | undefined
  /** 64 hex digits, or several such with white space or commas between, the newest first; absent: a file in the data directory, made on first use. */
  readonly server_secret?: Secret | undefined
  readonly gateway: HostPort &
    BoundsSettings &
    TrustSettings & {
      readonly header_prefix: string
      readonly ack: 'durable' | 'async'
      /** What becomes of a reply whose client has left. */
      readonly abort: 'drain' | 'cancel' | 'estimate'
      /** Milliseconds. */
      readonly drain_time: number
      /** Bytes. */
      readonly drain_size: number
      readonly drain_tokens: number
      /** Bytes. */
      readonly body_size: number
      readonly routes: readonly RouteSettings[]
      /** What routes and deployments name instead of telling it. */
      readonly credentials: NamedCredentials
      /** What becomes of paths of which nothing is known, or something else. */
      readonly paths: readonly PathSettings[]
    }
  /** What gateways keep of bodies. */
  readonly body_log: BodyLogConfig
  /** What proxies ask about each request. */
  readonly edge: EdgeSettings
  /** The broker between gateways and settlers of several machines; without a URL journals are read on this disk. */
  /** Of `ascribe directory sync`: the value of the Authorization header that an address wants. */
  readonly directory: { readonly authorization?: Secret | undefined }
  /** A central manager that says prices and is told usage; see docs/guides/prices.md. */
  readonly manager: { readonly url?: string | undefined; readonly token?: Secret | undefined }
  readonly nats: {
    /** `nats://host:4222` or `tls://host:4222`, several with commas; user and password may stand in it. */
    readonly url?: Secret | undefined
    readonly credentials_file?: string | undefined
    readonly ca_file?: string | undefined
    readonly cert_file?: string | undefined
    readonly key_file?: string | undefined
    readonly prefix: string
    /** Bytes. */
    readonly stream_size: number
    readonly replicas: number
  }
  /** The customers' listener. */
  readonly api: HostPort
  /** The customers' identity provider. */
  readonly oidc: OidcSettings
  /** Who vouches for operators. */
  readonly teleport: TeleportSettings
  /** The operators' listener. */
  readonly internal: InternalSettings
  /** The platform's listener. */
  readonly admin: HostPort
  /** What the pages in the browser say of this installation. */
  readonly console: ConsoleSettings
  /** The audit trail. */
  readonly audit: AuditSettings
  /** Usage that others report. */
  readonly ingest: IngestSettings
  /** The cloud of customers' machines. */
  readonly cloud: CloudSettings
  /** Where customers make clusters. */
  readonly clusters: ClusterSettings
  /** Metrics, health and readiness. */
  readonly ops: HostPort
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly format: 'auto' | 'pretty' | 'json' }
}

const name = z.string().min(1)
const header = z.string().regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header')

const port = z.int().min(0).max(65_535)

const listener = (defaultPort: number): z.ZodType<HostPort, unknown> =>
  z.strictObject({ host: name.default('127.0.0.1'), port: port.default(defaultPort) }).prefault({})

const ConfigSchema: z.ZodType<Config, unknown> = z.strictObject({
  database_url: secret().optional(),
  server_secret: secret().optional(),
  gateway: z
    .strictObject({
      host: name.default('127.0.0.1'),
      port: port.default(8080),
      trust_headers_from: cidrList().default([]),
      edge_secret_header: header.default('X-Ascribe-Edge-Secret'),
      edge_secret: secret().optional(),
      trusted_peers: z.array(TrustedPeerSchema).default([]),
      header_prefix: header.default('X-Saturn-'),
      ack: z.enum(['durable', 'async']).default('durable'),
      abort: z.enum(['drain', 'cancel', 'estimate']).default('drain'),
      drain_time: durationMs().default(10_000),
      drain_size: byteSize().default(4 * 1024 * 1024),
      drain_tokens: z.int().min(0).default(16_384),
      body_size: byteSize().default(32 * 1024 * 1024),
      ...boundsShape,
      routes: z.array(RouteSchema).default([]),
      credentials: z.record(z.string().min(1), secret()).default({}),
      paths: z.array(PathSchema).default([]),
    })
    .prefault({}),
  body_log: BodyLogSchema,
  edge: EdgeSchema,
  directory: z.strictObject({ authorization: secret().optional() }).prefault({}),
  manager: z.strictObject({ url: name.optional(), token: secret().optional() }).prefault({}),
  nats: z
    .strictObject({
      url: secret().optional(),
      credentials_file: name.optional(),
      ca_file: name.optional(),
      cert_file: name.optional(),
      key_file: name.optional(),
      prefix: z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,30}$/, 'must be a letter and letters, digits or _')
        .default('ascribe'),
      stream_size: byteSize()
        .refine((size) => size >= STREAM_SIZE_MIN, 'must be at least 1MiB')
        .default(1024 ** 3),
      replicas: z.int().min(1).max(5).default(1),
    })
    .prefault({}),
  api: listener(8081),
  oidc: OidcSchema,
  teleport: TeleportSchema,
  internal: InternalSchema,
  admin: listener(8084),
  console: ConsoleSchema,
  audit: AuditSchema,
  ingest: IngestSchema,
  cloud: CloudSchema,
  clusters: ClusterSchema,
  ops: listener(8082),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      format: z.enum(['auto', 'pretty', 'json']).default('auto'),
    })
    .prefault({}),
})

/** Bytes. Less would not hold two of the largest messages, and one that never fits would hold up a journal for ever. */
const STREAM_SIZE_MIN = 1024 ** 2

/** Variables with our prefix that are no settings. */
const OTHER_VARIABLES = ['ASCRIBE_DATA', 'ASCRIBE_CONFIG', 'ASCRIBE_TEST_DATABASE_URL', 'ASCRIBE_PEERS_DIR']

export type LoadedConfig = Loaded<Config>

export type LoadCliConfigOptions = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly dir: DataDir
  /** Must be there; without it `ascribe.yaml` in the data directory is read if it is there. */
  readonly file?: string
  /** Of the command line, by dotted path; a value that is undefined was not given. */
  readonly overrides?: Readonly<Record<string, ConfigOverride>>
}

/** The file that the configuration comes from; `undefined`: none. */
export function configFileOf({ env, dir, file = env['ASCRIBE_CONFIG'] }: Omit<LoadCliConfigOptions, 'overrides'>): string | undefined {
  return file !== undefined ? resolve(file) : existsSync(dir.config) ? dir.config : undefined
}

/** Loads the configuration. @throws {ConfigError} */
export function loadCliConfig(options: LoadCliConfigOptions): LoadedConfig {
  const { env, overrides = {} } = options
  const found = configFileOf(options)
  return loadConfig({
    schema: ConfigSchema,
    ...(found !== undefined && { file: found }),
    env,
    envNames: { database_url: 'DATABASE_URL', ...CLOUD_VARIABLES },
    otherEnvNames: OTHER_VARIABLES,
    overrides: Object.fromEntries(Object.entries(overrides).filter(([, { value }]) => value !== undefined)),
  })
}
