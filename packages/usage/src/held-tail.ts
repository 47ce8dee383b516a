import type { Step } from './reply.ts'

/** White space that is held after what may be the last byte. An engine that sends more of it has other plans. */
const WHITE_SPACE_HELD_MAX = 4096

/** Holds back the last byte of a body that is not white space, and what follows it: without it nobody takes the body for a whole one. */
export class HeldTail {
  #held: Buffer[] = []
  #heldBytes = 0

  push(chunk: Buffer): Step {
    let last = chunk.length - 1
    while (last >= 0 && isWhiteSpace(chunk[last])) last -= 1
    if (last < 0) return { now: this.#whiteSpace(chunk), afterSettlement: [] }
    const now = this.#held
    if (last > 0) now.push(chunk.subarray(0, last))
    this.#held = [chunk.subarray(last)]
    this.#heldBytes = chunk.length - last
    return { now, afterSettlement: [] }
  }

  end(): Step {
    const afterSettlement = this.#held
    this.#held = []
    return { now: [], afterSettlement }
  }

  /** Before the body white space flows, as some engines keep the connection alive with it; after a byte it is held. */
  #whiteSpace(chunk: Buffer): Buffer[] {
    if (chunk.length === 0) return []
    if (this.#held.length === 0) return [chunk]
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes <= WHITE_SPACE_HELD_MAX) return []
    const now = this.#held
    this.#held = []
    this.#heldBytes = 0
    return now
  }
}

function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
