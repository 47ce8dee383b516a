import { createHash } from 'node:crypto'
import type { Clock } from '@ascribe/kit'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import type { Algorithm } from './algorithms.ts'
import { claimAt } from './claim-path.ts'
import type { KeySet } from './key-set.ts'
import { refusal, shown, verifyJwt } from './verify-jwt.ts'
import type { JwtClaims, JwtRefusal } from './verify-jwt.ts'

/** What a user may do: a viewer reads, an admin changes. */
export type Role = 'admin' | 'viewer'

/** Who a token of an identity provider speaks for. */
export type Principal = {
  /** `sub`: the user's id in the directory. */
  readonly subject: string
  /** UUIDs in small letters; empty: the token says nothing of organizations, the directory does. */
  readonly organizations: readonly string[]
  /** What the token says of it; absent: nothing. `none`: it speaks of roles, and of none that lets him in here. */
  readonly role?: Role | 'none'
  readonly name?: string
  readonly email?: string
  /** Present only if the token says that the address is verified. */
  readonly evidence?: EmailEvidence
  readonly expiresAt: Instant
}

/** That an issuer has vouched for a mail address: what is kept as proof of whom a namespace may act for. */
export type EmailEvidence = {
  readonly email: string
  readonly issuer: string
  readonly subject: string
  /** Seconds since the epoch; 0: the token does not say. */
  readonly issuedAt: number
  /** `sha256:` and the hex digest of the claims that were verified. */
  readonly hash: string
}

export type ClaimMapping = {
  /** Name or path of the claim with the organization: a UUID, several, or objects that hold one as `id`. Default `organization_id`. */
  readonly organizationClaim?: string
  /** Name or path of the claim with roles: one or several. Default: roles come from the directory. */
  readonly roleClaim?: string
  /** Values of the role claim that make an admin, or a viewer. Default `admin` and `viewer`. */
  readonly roles?: { readonly admin: readonly string[]; readonly viewer: readonly string[] }
}

export type BearerOptions = ClaimMapping & {
  /** Compared letter by letter with `iss`. */
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly keys: KeySet
  readonly algorithms?: readonly Algorithm[]
  /** Default 30 s. */
  readonly skewMs?: number
  readonly clock?: Clock
}

export type BearerOutcome =
  | { readonly kind: 'verified'; readonly principal: Principal }
  | JwtRefusal
  | { readonly kind: 'unavailable'; readonly cause: unknown }

export type BearerVerifier = { verify(token: string): Promise<BearerOutcome> }

export const DEFAULT_ALGORITHMS: readonly Algorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
  'Ed25519',
]
const SKEW_MS = 30_000
/** Half of what a request's head may have; a token near this is a fault at the issuer (too many groups). */
const TOKEN_BYTES_MAX = 8 * 1024
const ORGANIZATIONS_MAX = 100
const TEXT_LENGTH_MAX = 320
/** `typ` as a claim, by which Keycloak tells its tokens apart, of those that are not for presenting to an API. */
const NOT_FOR_APIS = new Set(['ID', 'Refresh', 'Offline', 'Logout'])

/** Verifies what programs send as `Authorization: Bearer` (RFC 6750): an access token that is a JWT (RFC 9068, and its likes before that). */
export function createBearerVerifier(options: BearerOptions): BearerVerifier {
  const { keys, issuer, audience, algorithms = DEFAULT_ALGORITHMS, skewMs = SKEW_MS, clock } = options
  return {
    async verify(token) {
      const outcome = await verifyJwt(token, {
        keys,
        issuer,
        audience: typeof audience === 'string' ? [audience] : audience,
        algorithms,
        skewMs,
        types: ['jwt', 'at+jwt'],
        bytesMax: TOKEN_BYTES_MAX,
        ...(clock !== undefined && { clock }),
      })
      if (outcome.kind !== 'verified') return outcome
      const { claims } = outcome
      const { typ, cnf, events } = claims
      if (typeof typ === 'string' && NOT_FOR_APIS.has(typ)) return refusal('type', `it is a token of type ${shown(typ)}`)
      if (events !== undefined) return refusal('type', 'it is a security event, not an access token')
      // Whoever presents it has to prove that he holds a key (RFC 7800), and nobody asks him here.
      if (cnf !== undefined) return refusal('bound', 'it is bound to a key of its holder')
      return readPrincipal(claims, options)
    },
  }
}

/** Who verified claims speak for; refused when what they say of organizations cannot be read: then nobody's, not the directory's. */
export function readPrincipal(claims: JwtClaims, mapping: ClaimMapping): Exclude<BearerOutcome, { kind: 'unavailable' }> {
  const organizations = readOrganizations(claimAt(claims, mapping.organizationClaim ?? 'organization_id'))
  if (organizations === undefined) return refusal('organization', 'the claim with the organization holds something else than UUIDs')
  const role = readRole(claims, mapping)
  const name = shortText(claims['name']) ?? shortText(claims['preferred_username'])
  const email = shortText(claims['email'])
  const principal: Principal = {
    subject: claims.sub,
    organizations,
    ...(role !== undefined && { role }),
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(email !== undefined && claims['email_verified'] === true && { evidence: evidenceOf(claims, email) }),
    expiresAt: Math.floor(claims.exp * 1000),
  }
  return { kind: 'verified', principal }
}

function evidenceOf(claims: JwtClaims, email: string): EmailEvidence {
  const { iss, sub, iat } = claims
  return {
    email,
    issuer: String(iss),
    subject: sub,
    issuedAt: typeof iat === 'number' ? Math.floor(iat) : 0,
    hash: `sha256:${createHash('sha256').update(JSON.stringify(claims)).digest('hex')}`,
  }
}

/** `undefined`: something else than UUIDs. */
function readOrganizations(claim: unknown): readonly string[] | undefined {
  if (claim === undefined || claim === null) return []
  const ids = organizationIds(claim).map((id) => (typeof id === 'string' ? id.toLowerCase() : ''))
  if (ids.length === 0 || ids.length > ORGANIZATIONS_MAX || !ids.every(isUuid)) return undefined
  return [...new Set(ids)]
}

/** One id; a list; or Keycloak's `{ "alias": { "id": "…" } }`. */
function organizationIds(claim: unknown): readonly unknown[] {
  if (Array.isArray(claim)) return claim
  if (typeof claim !== 'object' || claim === null) return [claim]
  return Object.values(claim).map((value: unknown) => (typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined))
}

function readRole(claims: JwtClaims, { roleClaim, roles = DEFAULT_ROLES }: ClaimMapping): Principal['role'] {
  if (roleClaim === undefined) return undefined
  const claim = claimAt(claims, roleClaim)
  if (claim === undefined || claim === null) return undefined
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  const has = (wanted: readonly string[]): boolean => values.some((value) => typeof value === 'string' && wanted.includes(value))
  if (has(roles.admin)) return 'admin'
  return has(roles.viewer) ? 'viewer' : 'none'
}

const DEFAULT_ROLES = { admin: ['admin'], viewer: ['viewer'] }

function shortText(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > TEXT_LENGTH_MAX || !value.isWellFormed()) return undefined
  return /\p{Cc}/u.test(value) ? undefined : value
}
