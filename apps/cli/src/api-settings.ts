import { z } from 'zod'
import type { InternalConfig, SignInConfig } from '@ascribe/api'
import { ORGANIZATION_SOURCES, parseOriginPattern } from '@ascribe/identity/view-as'
import type { OrganizationSource } from '@ascribe/identity/view-as'
import { parseViewerRules, viewerRole } from '@ascribe/identity/teleport'
import type { ViewerRule } from '@ascribe/identity/teleport'
import { InputError } from '@ascribe/kit'
import { durationMs, secret } from '@ascribe/service'
import type { HostPort, Secret } from '@ascribe/service'

/** The customers' identity provider; nothing set: API keys alone. */
export type OidcSettings = {
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  readonly org_claim: string
  readonly role_claim?: string | undefined
  /** Values of the role claim that make an admin, or a viewer. */
  readonly admin_roles: readonly string[]
  readonly viewer_roles: readonly string[]
  readonly client_id?: string | undefined
  readonly client_secret?: Secret | undefined
  /** Where browsers reach the public listener; default: where it listens. */
  readonly public_url?: string | undefined
}

/** Who vouches for operators; nothing set: the internal listener is off. */
export type TeleportSettings = {
  readonly jwks?: string | undefined
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
}

export type InternalSettings = HostPort & {
  /** Teleport roles that may view every organization. */
  readonly viewer_roles: readonly string[]
  /** Finer: see docs/guides/view-as.md. */
  readonly viewers: readonly unknown[]
  readonly organizationFrom: readonly OrganizationSource[]
  readonly allow_origins: readonly string[]
  readonly acting: 'required' | 'implied'
  /** Milliseconds. */
  readonly acting_ttl: number
  /** Requests a second of one operator, and how many at once. */
  readonly rate: number
  readonly burst: number
  /** Origin of Teleport's app for this listener, where the console asks; default: where it is served. */
  readonly public_url?: string | undefined
  /** Whether operators may take data away as a file. */
  readonly exports: boolean
}

export type ApiSettings = {
  readonly oidc: OidcSettings
  readonly teleport: TeleportSettings
  readonly internal: InternalSettings
  readonly admin: HostPort
}

const name = z.string().min(1)
const port = z.int().min(0).max(65_535)
/** No operator looks for longer without saying why again (R26). */
const ACTING_MS_MAX = 3_600_000

export const OidcSchema: z.ZodType<OidcSettings, unknown> = z
  .strictObject({
    issuer: z.url().optional(),
    audience: name.optional(),
    org_claim: name.default('organization_id'),
    role_claim: name.optional(),
    admin_roles: z.array(name).default(['admin']),
    viewer_roles: z.array(name).default(['viewer']),
    client_id: name.optional(),
    client_secret: secret().optional(),
    public_url: z.url().optional(),
  })
  .prefault({})

export const TeleportSchema: z.ZodType<TeleportSettings, unknown> = z
  .strictObject({ jwks: z.url().optional(), issuer: name.optional(), audience: name.optional() })
  .prefault({})

export const InternalSchema: z.ZodType<InternalSettings, unknown> = z
  .strictObject({
    host: name.default('127.0.0.1'),
    port: port.default(8083),
    viewer_roles: z.array(name).default([]),
    viewers: z.array(z.unknown()).default([]),
    organizationFrom: z
      .array(z.enum(ORGANIZATION_SOURCES))
      .min(1)
      .default([...ORGANIZATION_SOURCES]),
    allow_origins: z.array(name).default([]),
    acting: z.enum(['required', 'implied']).default('required'),
    acting_ttl: durationMs()
      .refine((ms) => ms >= 60_000 && ms <= ACTING_MS_MAX, 'must be from 1m to 60m')
      .default(ACTING_MS_MAX),
    rate: z.int().min(1).max(100_000).default(200),
    burst: z.int().min(1).max(100_000).default(1000),
    public_url: z.url().optional(),
    exports: z.boolean().default(true),
  })
  .prefault({})

/** Where an internal listener stands with its settings. */
export type InternalPlan =
  | { readonly kind: 'off'; readonly why: string }
  | {
      readonly kind: 'on'
      readonly jwks: string
      readonly issuer: string
      readonly audience: string
      readonly viewers: readonly ViewerRule[]
      readonly config: Omit<InternalConfig, 'verifier'>
    }

/**
 * What the internal listener needs, or why it is off: nothing of Teleport is set. Some of it is an error that names what lacks, for half a
 * lock is none. @throws {InputError}
 */
export function planInternal({ teleport, internal }: Pick<ApiSettings, 'teleport' | 'internal'>): InternalPlan {
  const { jwks, issuer, audience } = teleport
  const viewers = viewersOf(internal)
  const parts = [
    { flag: '--teleport-jwks', key: 'teleport.jwks', isThere: jwks !== undefined },
    { flag: '--teleport-issuer', key: 'teleport.issuer', isThere: issuer !== undefined },
    { flag: '--teleport-audience', key: 'teleport.audience', isThere: audience !== undefined },
    { flag: '--viewer-role', key: 'internal.viewer_roles or internal.viewers', isThere: viewers.length > 0 },
  ]
  if (parts.every(({ isThere }) => !isThere)) return { kind: 'off', why: 'there is no Teleport in the configuration' }
  if (jwks === undefined || issuer === undefined || audience === undefined || viewers.length === 0) {
    const lacking = parts.filter(({ isThere }) => !isThere).map(({ flag, key }) => `${flag} (${key})`)
    throw new InputError(`Cannot start the internal listener: ${lacking.join(', ')} ${lacking.length === 1 ? 'is' : 'are'} missing`, {
      hint: 'Set all of them, or none: then the listener is off.',
    })
  }
  const { host, port: at, organizationFrom, acting, acting_ttl: actingTtlMs, rate, burst, public_url: publicUrl } = internal
  const config: Omit<InternalConfig, 'verifier'> = {
    host,
    port: at,
    organizationFrom,
    allowOrigins: internal.allow_origins.map(parseOriginPattern),
    acting,
    actingTtlMs,
    limits: { ratePerSecond: rate, burst },
    mayExport: internal.exports,
    ...(publicUrl !== undefined && { publicOrigin: new URL(publicUrl).origin }),
  }
  return { kind: 'on', jwks, issuer, audience, viewers, config }
}

function viewersOf({ viewer_roles: roles, viewers }: InternalSettings): readonly ViewerRule[] {
  return [...roles.map(viewerRole), ...(viewers.length === 0 ? [] : parseViewerRules(viewers))]
}

/**
 * Who customers' tokens come from, and by which client people sign in; `undefined`: by API key alone. @throws {InputError} for half of it
 */
export function planSignIn(oidc: OidcSettings, listensAt: () => string): SignInConfig | undefined {
  const { issuer, audience, client_id: clientId, client_secret: clientSecret } = oidc
  if (issuer === undefined || audience === undefined) {
    const set = [audience, clientId, clientSecret, oidc.role_claim, oidc.public_url].some((value) => value !== undefined)
    if (issuer === undefined && !set) return undefined
    const lacking = [
      ...(issuer === undefined ? ['--oidc-issuer (oidc.issuer)'] : []),
      ...(audience === undefined ? ['--oidc-audience (oidc.audience)'] : []),
    ]
    throw new InputError(`Cannot take tokens of an identity provider: ${lacking.join(' and ')} missing`, {
      hint: 'Set issuer and audience, or nothing of oidc: then only API keys are taken.',
    })
  }
  if (clientId === undefined && clientSecret !== undefined) {
    throw new InputError('Cannot let people sign in: --oidc-client-id (oidc.client_id) is missing beside the secret')
  }
  return {
    issuer,
    audience,
    organizationClaim: oidc.org_claim,
    ...(oidc.role_claim !== undefined && {
      roleClaim: oidc.role_claim,
      roles: { admin: oidc.admin_roles, viewer: oidc.viewer_roles },
    }),
    ...(clientId !== undefined && {
      client: {
        id: clientId,
        ...(clientSecret !== undefined && { secret: async () => clientSecret.reveal() }),
        publicUrl: () => oidc.public_url ?? listensAt(),
      },
    }),
  }
}
