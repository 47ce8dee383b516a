import { createHash } from 'node:crypto'
import { isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { createAccessTokenVerifier } from './access-token.ts'
import type { AccessTokenOptions } from './access-token.ts'
import { claimAt } from './claim-path.ts'
import { refusal } from './verify-jwt.ts'
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

export type BearerOptions = ClaimMapping & AccessTokenOptions

export type BearerOutcome =
  | { readonly kind: 'verified'; readonly principal: Principal }
  | JwtRefusal
  | { readonly kind: 'unavailable'; readonly cause: unknown }

export type BearerVerifier = { verify(token: string): Promise<BearerOutcome> }

const ORGANIZATIONS_MAX = 100
const TEXT_LENGTH_MAX = 320

/** Verifies access tokens of an identity provider, and reads whom they speak for. */
export function createBearerVerifier(options: BearerOptions): BearerVerifier {
  const accessTokens = createAccessTokenVerifier(options)
  return {
    async verify(token) {
      const outcome = await accessTokens.verify(token)
      return outcome.kind === 'verified' ? readPrincipal(outcome.claims, options) : outcome
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
