import type { Clock } from '@ascribe/kit'
import type { Algorithm } from './algorithms.ts'
import type { KeySet } from './key-set.ts'
import { refusal, shown, verifyJwt } from './verify-jwt.ts'
import type { JwtOutcome } from './verify-jwt.ts'

export type AccessTokenOptions = {
  /** Compared letter by letter with `iss`. */
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly keys: KeySet
  readonly algorithms?: readonly Algorithm[]
  /** Default 30 s. */
  readonly skewMs?: number
  readonly clock?: Clock
}

export type AccessTokenVerifier = { verify(token: string): Promise<JwtOutcome> }

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
/** `typ` as a claim, by which Keycloak tells its tokens apart, of those that are not for presenting to an API. */
const NOT_FOR_APIS = new Set(['ID', 'Refresh', 'Offline', 'Logout'])

/** Verifies what programs send as `Authorization: Bearer` (RFC 6750): an access token that is a JWT (RFC 9068, and its likes before that). */
export function createAccessTokenVerifier(options: AccessTokenOptions): AccessTokenVerifier {
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
      const { typ, cnf, events } = outcome.claims
      if (typeof typ === 'string' && NOT_FOR_APIS.has(typ)) return refusal('type', `it is a token of type ${shown(typ)}`)
      if (events !== undefined) return refusal('type', 'it is a security event, not an access token')
      // Whoever presents it has to prove that he holds a key (RFC 7800), and nobody asks him here.
      if (cnf !== undefined) return refusal('bound', 'it is bound to a key of its holder')
      return outcome
    },
  }
}
