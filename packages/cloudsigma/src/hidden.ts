import { inspect } from 'node:util'

const MASK = '[redacted]'

/** A text that must not be printed: VNC passwords, console addresses. Text, JSON and inspection of it give `[redacted]`. */
export class Hidden {
  readonly #value: string

  static {
    Object.defineProperty(this.prototype, inspect.custom, { value: () => MASK })
  }

  constructor(value: string) {
    this.#value = value
  }

  /** The text itself. Call it where it is used, keep the result nowhere. */
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

/**
 * The meta of a server or drive. Its values hold bootstrap data for the life of a VM, so only its keys can be printed
 * (cloud-impersonation reference, R-37 and H-17).
 */
export class Meta {
  readonly #values: ReadonlyMap<string, string>

  static {
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: Meta) {
        return this.toJSON()
      },
    })
  }

  constructor(values: Iterable<readonly [string, string]> = []) {
    this.#values = new Map(values)
  }

  get(key: string): string | undefined {
    return this.#values.get(key)
  }

  keys(): readonly string[] {
    return [...this.#values.keys()]
  }

  /** All of it, to be sent back changed: the API replaces meta as a whole. */
  reveal(): Record<string, string> {
    return Object.fromEntries(this.#values)
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.keys().map((key) => [key, MASK]))
  }
}
