/**
 * The bytes of request bodies that are held at once, over all requests. Counts what has arrived, not what was announced:
 * otherwise a few clients could block the rest by announcing much and sending nothing.
 */
export class BodyBudget {
  readonly #bytesMax: number
  #heldBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Takes `bytes` more, or nothing and says false. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#bytesMax) return false
    this.#heldBytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes
  }
}
