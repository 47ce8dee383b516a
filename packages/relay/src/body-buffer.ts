const NO_BODY = Buffer.alloc(0)
const NO_PIECES: Buffer[] = []
/** Where small pieces are gathered. */
const ROOM_BYTES = 16_384
/** From this size on, the object around a piece is small change. */
const LARGE_BYTES = 4_096

/**
 * A body as it arrives. Large pieces are kept, small ones copied together: as a list of pieces, a body that a client sends byte by
 * byte would take a hundred times the bytes it counts.
 */
export class BodyBuffer {
  #pieces: Buffer[] = NO_PIECES
  #room: Buffer = NO_BODY
  #roomUsed = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  add(piece: Buffer): void {
    const isFirst = this.#length === 0
    this.#length += piece.length
    if (isFirst) {
      this.#pieces = [piece]
    } else if (piece.length <= this.#room.length - this.#roomUsed) {
      this.#gather(piece)
    } else if (piece.length >= LARGE_BYTES) {
      // What is left of the room is less than this piece: at most as much is wasted as is used.
      this.#seal()
      this.#pieces.push(piece)
    } else {
      this.#seal()
      this.#room = Buffer.allocUnsafeSlow(ROOM_BYTES)
      this.#gather(piece)
    }
  }

  /** All that has come, in one buffer; a copy unless it came in one piece. Forgets it. */
  take(): Buffer {
    this.#seal()
    const [first] = this.#pieces
    const bytes = first === undefined ? NO_BODY : this.#pieces.length === 1 ? first : Buffer.concat(this.#pieces, this.#length)
    this.clear()
    return bytes
  }

  clear(): void {
    this.#pieces = NO_PIECES
    this.#room = NO_BODY
    this.#roomUsed = 0
    this.#length = 0
  }

  #gather(piece: Buffer): void {
    piece.copy(this.#room, this.#roomUsed)
    this.#roomUsed += piece.length
  }

  #seal(): void {
    if (this.#roomUsed > 0) this.#pieces.push(this.#room.subarray(0, this.#roomUsed))
    this.#room = NO_BODY
    this.#roomUsed = 0
  }
}
