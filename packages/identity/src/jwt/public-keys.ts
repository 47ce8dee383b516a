import { importJWK } from 'jose'
import type { CryptoKey, JWK } from 'jose'
import { keyKindOf } from './algorithms.ts'
import type { Algorithm } from './algorithms.ts'

/** A key of a set that may have signed. */
export type PublicKey = {
  readonly kid: string | undefined
  /** For an algorithm that it fits; made once. */
  import(algorithm: Algorithm): Promise<CryptoKey | Uint8Array>
  fits(algorithm: Algorithm): boolean
}

/** Issuers have two or three; a set with more is cut off, so that nobody makes us hold or try thousands. */
const KEYS_MAX = 100
const KID_LENGTH_MAX = 512
/** What of a key is public. A private part that somebody publishes is not kept. */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/**
 * The keys of a JWK set (RFC 7517 section 5) that may verify signatures. Those for encryption (`use: enc`, RFC 7517 section 4.2), shared
 * secrets and what is malformed are left out: one odd key must not take the others away.
 */
export function parsePublicKeys(set: Readonly<Record<string, unknown>>): readonly PublicKey[] {
  const { keys } = set
  if (!Array.isArray(keys)) return []
  return keys.slice(0, KEYS_MAX).flatMap((candidate: unknown) => {
    const key = parseKey(candidate)
    return key === undefined ? [] : [key]
  })
}

function parseKey(candidate: unknown): PublicKey | undefined {
  if (typeof candidate !== 'object' || candidate === null) return undefined
  const given = candidate as Readonly<Record<string, unknown>>
  const { kid, use, alg, kty, crv, key_ops: operations } = given
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > KID_LENGTH_MAX)) return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  const isPublic = kty === 'RSA' || kty === 'EC' || kty === 'OKP'
  if (!isPublic) return undefined
  const jwk: JWK = Object.fromEntries(PUBLIC_MEMBERS.filter((name) => typeof given[name] === 'string').map((name) => [name, given[name]]))
  const made = new Map<Algorithm, Promise<CryptoKey | Uint8Array>>()
  return {
    kid,
    fits(algorithm) {
      const kind = keyKindOf(algorithm)
      return kind.kty === kty && (kind.crv === undefined || kind.crv === crv) && (alg === undefined || alg === algorithm)
    },
    import(algorithm) {
      return made.getOrInsertComputed(algorithm, () => importJWK(jwk, algorithm))
    },
  }
}
