import { type Claims, type Jwk, type JwsOptions, RsaKey } from './rsa-key.ts'

/** The newest signs; those before it stay listed until they are dropped. */
export class KeyRing {
  readonly #keys: RsaKey[]

  private constructor(key: RsaKey) {
    this.#keys = [key]
  }

  static async create(): Promise<KeyRing> {
    return new KeyRing(await RsaKey.create())
  }

  /** A new key signs from now on; the JWKS lists both. */
  async rotate(): Promise<void> {
    this.#keys.unshift(await RsaKey.create())
  }

  /** Lists the newest alone: tokens of the others are worth nothing from now on. */
  dropOld(): void {
    this.#keys.length = 1
  }

  get jwks(): readonly Jwk[] {
    return this.#keys.map(({ jwk }) => jwk)
  }

  get bareJwks(): readonly Jwk[] {
    return this.#keys.map(({ bareJwk }) => bareJwk)
  }

  /** Whether one of the keys that are listed has signed a token. Times and the rest are not looked at. */
  isOurs(token: string): boolean {
    return this.#keys.some((key) => key.hasSigned(token))
  }

  sign(claims: Claims, options?: JwsOptions): string {
    const [newest] = this.#keys
    // create() makes the first, and dropOld() keeps one.
    if (newest === undefined) throw new Error('Cannot sign: there is no key')
    return newest.sign(claims, options)
  }
}
