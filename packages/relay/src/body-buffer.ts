const NO_BODY = Buffer.alloc(0)

/**
 * A body as it arrives. One that comes in one piece is that piece; more are copied together at once, into room that doubles: a list
 * of pieces would take a hundred times the bytes it counts, if a client sent its body byte by byte.
 */
export class BodyBuffer {
  #room: Buffer = NO_BODY
  #length = 0

  get length(): number {
    return this.#length
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length
    if (this.#length === 0) {
      this.#room = piece
    } else {
      if (length > this.#room.length) {
        const room = Buffer.allocUnsafe(Math.max(length, this.#room.length * 2))
        this.#room.copy(room, 0, 0, this.#length)
        this.#room = room
      }
      piece.copy(this.#room, this.#length)
    }
    this.#length = length
  }

  /** All that has come, without a copy. Forgets it. */
  take(): Buffer {
    const bytes = this.#room.length === this.#length ? this.#room : this.#room.subarray(0, this.#length)
    this.#room = NO_BODY
    this.#length = 0
    return bytes
  }
}
