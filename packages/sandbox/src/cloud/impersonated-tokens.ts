import { createHash } from 'node:crypto'

/** An impersonated token that was given out: whose, by whom, where, until when. */
export type ImpersonatedToken = {
  readonly userUuid: string
  /** The client that asked for it. */
  readonly clientId: string
  readonly region: string
  readonly expiresAtMs: number
}

const TOKENS_MAX = 200_000

/** What was given out, by hash: the tokens themselves are not kept. */
export class ImpersonatedTokens {
  readonly #byHash = new Map<string, ImpersonatedToken>()

  add(token: string, facts: ImpersonatedToken): void {
    this.#byHash.set(hashOf(token), facts)
    const [oldest] = this.#byHash.keys()
    if (this.#byHash.size > TOKENS_MAX && oldest !== undefined) this.#byHash.delete(oldest)
  }

  /** The token's facts while it lives. */
  find(token: string, now: number): ImpersonatedToken | undefined {
    const facts = this.#byHash.get(hashOf(token))
    return facts !== undefined && facts.expiresAtMs > now ? facts : undefined
  }

  /** Ends one token, and says whether it was alive: 1 or 0. */
  revoke(token: string, now: number): 0 | 1 {
    const wasAlive = this.find(token, now) !== undefined
    this.#byHash.delete(hashOf(token))
    return wasAlive ? 1 : 0
  }

  /** Ends all tokens, or one user's, and says how many were alive. */
  revokeAll(now: number, userUuid?: string): number {
    let ended = 0
    for (const [hash, facts] of this.#byHash) {
      if (userUuid !== undefined && facts.userUuid !== userUuid) continue
      this.#byHash.delete(hash)
      if (facts.expiresAtMs > now) ended += 1
    }
    return ended
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')
