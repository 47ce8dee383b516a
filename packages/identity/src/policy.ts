/** What a key may do: `inference` spends, `billing:read` reads its organization's usage and statements, `usage:write` reports usage of it. */
export type Scope = 'inference' | 'billing:read' | 'usage:write'

export const SCOPES: readonly Scope[] = ['inference', 'billing:read', 'usage:write']

/** What a gateway must know of one API key. Holds no secret: the HMAC cannot be turned back. */
export type PolicyKey = {
  /** The key's identity; what usage is attributed to. */
  readonly authId: string
  /** The public part of the key, by which it is found. */
  readonly publicId: string
  /** HMAC-SHA-256 of the whole key under the server secret, base64url. */
  readonly hmac: string
  /** The organization that the credential belongs to now. */
  readonly organizationId: string
  /** Who uses it, and in which group, as the directory knows it. */
  readonly userId?: string
  readonly groupId?: string
  readonly scopes: readonly Scope[]
  /** UTC epoch milliseconds; from then on it lets nobody in, whether or not a newer snapshot has come. Absent: no end is planned. */
  readonly expiresAt?: number
}

/**
 * All that travels from the ledger to the gateways. One version has one content. Keys that are revoked or expired are not in it.
 * Fields may be missing or more than here: ledger and gateway need not be of one age.
 */
export type PolicySnapshot = {
  /** Which ledger says so; versions of two ledgers do not compare. */
  readonly ledger: string
  /** A higher one of the same ledger is newer. */
  readonly version: number
  /** The version in which the keys changed last: whoever has those need not read them again. Absent: nobody knows. */
  readonly keysVersion?: number
  readonly keys: readonly PolicyKey[]
}
