import { createHash } from 'node:crypto'
import type { Clock } from '@ascribe/kit'
import { assert } from '@ascribe/kit'
import type { Instant } from '@ascribe/units'
import { headerValues } from '../header-values.ts'
import type { KeySet } from '../jwt/key-set.ts'
import { refusal, verifyJwt } from '../jwt/verify-jwt.ts'
import type { JwtClaims, JwtRefusal } from '../jwt/verify-jwt.ts'
import { policyOf } from './viewer-policy.ts'
import type { OperatorPolicy, ViewerRule } from './viewer-policy.ts'

/** The one header that an operator is known by. */
export const ASSERTION_HEADER = 'Teleport-Jwt-Assertion'

/** A person of ours, as Teleport vouches for him. */
export type Operator = {
  /** His Teleport user name. */
  readonly name: string
  /** The Teleport cluster that says so. */
  readonly issuer: string
  readonly roles: readonly string[]
  /** When his certificate was issued, and when it ends: hours apart. */
  readonly issuedAt: Instant
  readonly expiresAt: Instant
  /**
   * SHA-256 of what the assertion's signature covers, base64url: the same for as long as he shows the same one, in whatever spelling of
   * its signature. It cannot be turned back into the assertion.
   */
  readonly assertionId: string
  readonly policy: OperatorPolicy
}

export type AssertionOutcome =
  | { readonly kind: 'verified'; readonly operator: Operator }
  /** `check` is `role` when everything is right and he lacks every viewer role. */
  | JwtRefusal
  | { readonly kind: 'unavailable'; readonly cause: unknown }

export type AssertionOptions = {
  /** Name of the Teleport cluster; not a URL. */
  readonly issuer: string
  /** The app's upstream URI as Teleport has it, `http://127.0.0.1:34679`; not its public address. */
  readonly audience: string
  readonly viewers: readonly ViewerRule[]
  readonly keys: KeySet
  /** Default 30 s; at most 60 s. */
  readonly skewMs?: number
  readonly clock?: Clock
}

export type AssertionVerifier = {
  /** Reads the one assertion of a request, and no other identity: no Authorization, no cookie, no forwarded user (R16). */
  verify(rawHeaders: readonly string[]): Promise<AssertionOutcome>
}

const SKEW_MS = 30_000
export const SKEW_MS_MAX = 60_000
/** A token grows with roles and traits; all headers of a request together may have 64 KiB there. */
const TOKEN_BYTES_MAX = 60 * 1024
const ROLES_MAX = 1000

/** Verifies Teleport's assertion on every request: whoever reaches the port could write the header, and there is no mode without a check. */
export function createAssertionVerifier(options: AssertionOptions): AssertionVerifier {
  const { issuer, audience, viewers, keys, skewMs = SKEW_MS, clock } = options
  assert(skewMs >= 0 && skewMs <= SKEW_MS_MAX, 'clocks may differ by at most a minute')
  assert(issuer !== '' && audience !== '' && viewers.length > 0, 'an issuer, an audience and a viewer role are needed')
  return {
    async verify(rawHeaders) {
      const [token, ...others] = headerValues(rawHeaders, ASSERTION_HEADER.toLowerCase())
      if (token === undefined) return refusal('header', 'the assertion is missing')
      if (others.length > 0) return refusal('header', `the assertion comes ${others.length + 1} times`)
      const outcome = await verifyJwt(token, {
        keys,
        issuer,
        audience: [audience],
        algorithms: ['RS256', 'ES256'],
        skewMs,
        types: ['jwt'],
        bytesMax: TOKEN_BYTES_MAX,
        ...(clock !== undefined && { clock }),
      })
      return outcome.kind === 'verified' ? operatorOf(token, outcome.claims, { issuer, viewers }) : outcome
    },
  }
}

function operatorOf(
  token: string,
  claims: JwtClaims,
  { issuer, viewers }: Pick<AssertionOptions, 'issuer' | 'viewers'>,
): Exclude<AssertionOutcome, { kind: 'unavailable' }> {
  const { sub, username, iat, exp, roles } = claims
  if (username !== sub) return refusal('subject', 'sub and username differ')
  if (iat === undefined) return refusal('claims', 'iat is missing')
  // Absent when the app's `jwt_claims` leave them out: then nobody has a role.
  const held = Array.isArray(roles) && roles.length <= ROLES_MAX ? roles.filter((role) => typeof role === 'string') : []
  const policy = policyOf(viewers, held)
  if (policy === undefined)
    return refusal('role', Array.isArray(roles) ? 'none of the roles is one of a viewer' : 'the assertion has no roles')
  return {
    kind: 'verified',
    operator: {
      name: sub,
      issuer,
      roles: held,
      issuedAt: Math.floor(iat * 1000),
      expiresAt: Math.floor(exp * 1000),
      assertionId: createHash('sha256')
        .update(token.slice(0, token.lastIndexOf('.')))
        .digest('base64url'),
      policy,
    },
  }
}
