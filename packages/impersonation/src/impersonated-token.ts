import { inspect } from 'node:util'
import type { TokenClock } from './clock.ts'
import { TokenUnusableError } from './errors.ts'
import type { SealedText } from './sealed-text.ts'

export type ImpersonatedTokenFields = {
  readonly token: SealedText
  readonly subject: string
  readonly region: string
  readonly origin: string
  readonly generation: number
  readonly lifeMs: number
  /** On the monotonic clock. */
  readonly endsAtMs: number
  readonly clock: TokenClock
}

/**
 * A token that acts as one user at one host. It shows whose it is and when it ends, never itself: printing, inspecting, serializing
 * and cloning give nothing. Hold it for one call and ask the source again for the next one: one that is held can expire.
 */
export class ImpersonatedToken {
  /** UUID of the user that it acts as; asserted, not assumed. */
  readonly subject: string
  readonly region: string
  /** The host that issued it, the only one that it may be sent to. */
  readonly origin: string
  /** Counts mints of this process; a later token has a greater one. */
  readonly generation: number
  readonly lifeMs: number
  /** For people: UTC epoch milliseconds, by this machine's wall clock. */
  readonly expiresAt: number
  readonly #token: SealedText
  readonly #endsAtMs: number
  readonly #clock: TokenClock

  static {
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: ImpersonatedToken) {
        return `ImpersonatedToken [redacted] of ${this.subject} in ${this.region}, until ${new Date(this.expiresAt).toISOString()}`
      },
    })
  }

  constructor(fields: ImpersonatedTokenFields) {
    this.subject = fields.subject
    this.region = fields.region
    this.origin = fields.origin
    this.generation = fields.generation
    this.lifeMs = fields.lifeMs
    this.#token = fields.token
    this.#endsAtMs = fields.endsAtMs
    this.#clock = fields.clock
    this.expiresAt = Math.round(fields.clock.wallMs() + fields.endsAtMs - fields.clock.monotonicMs())
    Object.freeze(this)
  }

  /**
   * The value of the `Authorization` header for one request to `origin`. Build it for each request and keep it nowhere.
   *
   * @throws {TokenUnusableError} when `origin` is not the issuing host, or the token has ended or was dropped
   */
  authorization(origin: string): string {
    assertOrigin(this.origin, origin)
    if (this.#token.isDestroyed) throw refusal(`Cannot use a token of ${this.origin}: it was dropped`, 'token_dropped')
    if (this.#clock.monotonicMs() >= this.#endsAtMs) throw refusal(`Cannot use a token of ${this.origin}: it has expired`, 'token_expired')
    return `Bearer ${this.#token.reveal()}`
  }

  /** Until it ends, in milliseconds; 0 when it has, or was dropped. */
  remainingMs(): number {
    return this.#token.isDestroyed ? 0 : Math.max(0, this.#endsAtMs - this.#clock.monotonicMs())
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }
}

/** a token goes to the host that issued it and to no other. @throws {TokenUnusableError} */
export function assertOrigin(issued: string, origin: string): void {
  if (origin === issued) return
  const to = JSON.stringify(String(origin).slice(0, 200))
  throw refusal(`Cannot send a token of ${issued} to ${to}: it acts as somebody else there (R-1)`, 'wrong_origin')
}

function refusal(message: string, reason: 'wrong_origin' | 'token_expired' | 'token_dropped'): TokenUnusableError {
  return new TokenUnusableError(message, { step: 'local', reason })
}
