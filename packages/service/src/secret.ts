import { inspect } from 'node:util'

const MASK = '***'

/** A value that must never be printed: turning it into text, JSON or an inspection gives `***`. */
export class Secret {
  readonly #value: string

  static {
    Object.defineProperty(this.prototype, inspect.custom, { value: () => MASK })
  }

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Call it where the value is used, keep the result nowhere. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }
}
