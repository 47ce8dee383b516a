import { type KeyObject, createHash, generateKeyPair, generateKeyPairSync, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'

/** The claims of a token. */
export type Claims = Readonly<Record<string, unknown>>

/** A public key as a JWKS lists it (RFC 7517). */
export type Jwk = Readonly<Record<string, string>>

export type JwsOptions = {
  /** Whether the header names the key. Default true. */
  readonly withKid?: boolean
  /** More fields of the header. */
  readonly header?: Readonly<Record<string, unknown>>
}

const makeKeyPair = promisify(generateKeyPair)
const BITS = 2048

/** An RSA key that signs RS256. */
export class RsaKey {
  readonly kid: string
  readonly jwk: Jwk
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject

  private constructor(privateKey: KeyObject, publicKey: KeyObject) {
    const { n = '', e = '' } = publicKey.export({ format: 'jwk' }) as { readonly n?: string; readonly e?: string }
    // RFC 7638: the thumbprint of exactly these members, in this order.
    this.kid = createHash('sha256')
      .update(JSON.stringify({ e, kty: 'RSA', n }))
      .digest('base64url')
    this.jwk = { kty: 'RSA', alg: 'RS256', use: 'sig', kid: this.kid, n, e }
    this.#privateKey = privateKey
    this.#publicKey = publicKey
  }

  static async create(): Promise<RsaKey> {
    const { privateKey, publicKey } = await makeKeyPair('rsa', { modulusLength: BITS })
    return new RsaKey(privateKey, publicKey)
  }

  /** The same, at once: for a forgery that few ever ask for. */
  static createSync(): RsaKey {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: BITS })
    return new RsaKey(privateKey, publicKey)
  }

  /** The public key without what only newer servers say of it: no `kid`. */
  get bareJwk(): Jwk {
    const { kid: _kid, ...jwk } = this.jwk
    return jwk
  }

  /** Whether this key has signed a token. */
  hasSigned(token: string): boolean {
    const [head, body, signature, ...rest] = token.split('.')
    if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return false
    return verify('sha256', Buffer.from(`${head}.${body}`), this.#publicKey, Buffer.from(signature, 'base64url'))
  }

  /** A JWT in compact form (RFC 7515 section 7.1). */
  sign(claims: Claims, { withKid = true, header }: JwsOptions = {}): string {
    const head = encode({ alg: 'RS256', typ: 'JWT', ...(withKid && { kid: this.kid }), ...header })
    const signed = `${head}.${encode(claims)}`
    return `${signed}.${sign('sha256', Buffer.from(signed), this.#privateKey).toString('base64url')}`
  }
}

/** The claims of a token that nobody has checked: for a party that made it. */
export function readClaims(token: string): Claims | undefined {
  const [, body, signature] = token.split('.')
  if (body === undefined || signature === undefined) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(body, 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined
  } catch {
    // Not a token at all.
    return undefined
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
