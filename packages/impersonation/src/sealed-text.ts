import { createHash } from 'node:crypto'
import { inspect } from 'node:util'

const REDACTED = '[redacted]'

/**
 * A secret or token that cannot be printed, inspected, serialized, cloned or found among an object's properties. Kept as bytes so that
 * it can be zeroed; V8 may have copied the string that it came from, so this lowers the odds and promises no more.
 */
export class SealedText {
  readonly #bytes: Buffer
  #isDestroyed = false

  static {
    Object.defineProperty(this.prototype, inspect.custom, { value: () => REDACTED })
  }

  constructor(text: string) {
    // Not from the shared pool: zeroing must not depend on who else lives in the same slab.
    this.#bytes = Buffer.alloc(Buffer.byteLength(text))
    this.#bytes.write(text)
    Object.freeze(this)
  }

  get sizeBytes(): number {
    return this.#bytes.length
  }

  get isDestroyed(): boolean {
    return this.#isDestroyed
  }

  /** The text itself. Call it where it goes onto the wire and keep the result nowhere. @throws {TypeError} once destroyed */
  reveal(): string {
    if (this.#isDestroyed) throw new TypeError('Cannot reveal a sealed text: it was destroyed')
    return this.#bytes.toString()
  }

  /** SHA-256 in hex: tells two texts apart without showing either. For texts of high entropy only. */
  digest(): string {
    return createHash('sha256').update(this.#bytes).digest('hex')
  }

  /** Overwrites the bytes. */
  destroy(): void {
    this.#isDestroyed = true
    this.#bytes.fill(0)
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.toPrimitive](): string {
    return REDACTED
  }
}
