import { RESENDS_MAX } from './types.ts'
import type { Decision, Resend, Retry, Setback } from './types.ts'

export type Forward = Extract<Decision, { readonly kind: 'forward' }>

/** A request that may be sent again, while it may: what to send, and how often that has been done. */
export class Resends {
  readonly forward: Forward
  /** How often it was sent again. */
  count = 0
  readonly #retry: Retry
  readonly #report: (message: string, error: unknown) => void

  constructor(forward: Forward, retry: Retry, report: (message: string, error: unknown) => void) {
    this.forward = forward
    this.#retry = retry
    this.#report = report
  }

  /** Whether a request that an upstream has may still go to another one. */
  get outlastsSending(): boolean {
    return this.#retry.until === 'head'
  }

  /** Where it goes now; `undefined`: nowhere, and the setback stands. */
  next(setback: Setback): Resend | undefined {
    if (this.count >= RESENDS_MAX) return undefined
    try {
      const resend = this.#retry.next(setback)
      if (resend !== undefined) this.count += 1
      return resend
    } catch (error) {
      this.#report('deciding about another upstream threw', error)
      return undefined
    }
  }
}
