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
  readonly scopes: readonly Scope[]
}

/** All that travels from the ledger to the gateways. Revoked keys are not in it. */
export type PolicySnapshot = {
  /** Which ledger says so; versions of two ledgers do not compare. */
  readonly ledger: string
  /** A higher one of the same ledger is newer. */
  readonly version: number
  readonly keys: readonly PolicyKey[]
}
