import { type KeyObject, createHash, generateKeyPair, sign, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { assert } from '@ascribe/kit'
import { selfSignedCertificate } from '@ascribe/service'

const makeKeyPair = promisify(generateKeyPair)
const KEY_BITS = 2048

type RealmKey = {
  readonly kid: string
  readonly use: 'sig' | 'enc'
  readonly alg: 'RS256' | 'RSA-OAEP'
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
}

/** The claims of a token. */
export type Claims = Readonly<Record<string, unknown>>

let encryptionKey: Promise<RealmKey> | undefined

/** The RSA keys of a realm: one signs; others may stay listed so that tokens of before stay valid. */
export class SigningKeys {
  /** Highest priority first, as Keycloak lists them. */
  readonly #keys: RealmKey[]

  private constructor(keys: RealmKey[]) {
    this.#keys = keys
  }

  /** One key that signs and the encryption key that a realm also lists (a verifier must skip it). */
  static async create(now: number): Promise<SigningKeys> {
    // Nothing is ever encrypted with it, so one for the whole process does: making a key takes 0.1 s of a processor.
    encryptionKey ??= makeKey('enc', now)
    return new SigningKeys(await Promise.all([encryptionKey, makeKey('sig', now)]))
  }

  /** Adds a key of higher priority: it signs at once, and the JWKS lists both. */
  async rotate(now: number): Promise<void> {
    this.#keys.unshift(await makeKey('sig', now))
  }

  /** Drops every signing key but the newest or the oldest, and with it the tokens that it signed. */
  keepOnly(which: 'newest' | 'oldest'): void {
    const signing = this.#keys.filter(({ use }) => use === 'sig')
    const kept = which === 'newest' ? signing[0] : signing.at(-1)
    for (const key of signing) if (key !== kept) this.#keys.splice(this.#keys.indexOf(key), 1)
  }

  jwks(): { readonly keys: readonly Readonly<Record<string, unknown>>[] } {
    return { keys: this.#keys.map(({ jwk }) => jwk) }
  }

  /** A JWT signed RS256 with the key in force. */
  sign(claims: Claims): string {
    const key = this.#keys.find(({ use }) => use === 'sig')
    // A realm always has one: create() makes it and keepOnly() keeps one.
    assert(key !== undefined, 'The realm has no signing key')
    const head = encode({ alg: 'RS256', typ: 'JWT', kid: key.kid })
    const body = `${head}.${encode(claims)}`
    return `${body}.${sign('sha256', Buffer.from(body), key.privateKey).toString('base64url')}`
  }

  /** The claims of a token that one of the keys signed; times are not looked at. */
  verify(token: string): Claims | undefined {
    return verifyJwt(token, (kid) => this.#keys.find((key) => key.use === 'sig' && key.kid === kid)?.publicKey)
  }
}

/** The claims of an RS256 token under the key that `keyOf` knows; undefined for whatever is not one. */
export function verifyJwt(token: string, keyOf: (kid: string) => KeyObject | undefined): Claims | undefined {
  const [head, body, signature, ...rest] = token.split('.')
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return undefined
  const header = decode(head)
  const { kid, alg } = header ?? {}
  const key = alg === 'RS256' && typeof kid === 'string' ? keyOf(kid) : undefined
  if (key === undefined) return undefined
  const isOurs = verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
  return isOurs ? decode(body) : undefined
}

function decode(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

async function makeKey(use: 'sig' | 'enc', now: number): Promise<RealmKey> {
  const { publicKey, privateKey } = await makeKeyPair('rsa', { modulusLength: KEY_BITS })
  const certificate = selfSignedCertificate({ publicKey, privateKey, commonName: 'sandbox', notBefore: now })
  const { n, e } = publicKey.export({ format: 'jwk' })
  const kid = createHash('sha256').update(String(n)).digest('base64url')
  const alg = use === 'sig' ? 'RS256' : 'RSA-OAEP'
  const jwk = {
    kid,
    kty: 'RSA',
    alg,
    use,
    x5c: [certificate.toString('base64')],
    x5t: createHash('sha1').update(certificate).digest('base64url'),
    'x5t#S256': createHash('sha256').update(certificate).digest('base64url'),
    n,
    e,
  }
  return { kid, use, alg, publicKey, privateKey, jwk }
}
