import { createHash } from 'node:crypto'

const UUID_FORCED_AT = 1

/**
 * Randomness that follows from a seed. Every kind of thing has a row of its own, so that one more token does not change which
 * uuid the next server gets.
 */
export class SeededRandom {
  readonly seed: number
  readonly #drawn = new Map<string, number>()

  constructor(seed: number) {
    this.seed = seed
  }

  /** The next 32 bytes of the row `kind`. */
  bytes(kind: string): Buffer {
    const n = this.#drawn.get(kind) ?? 0
    this.#drawn.set(kind, n + 1)
    return createHash('sha256').update(`${this.seed}/${kind}/${n}`).digest()
  }

  /** A UUID of version 4. `contains` (hexadecimal digits) is forced into its first group. */
  uuid(kind: string, contains = ''): string {
    const bytes = this.bytes(kind)
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    const hex = bytes.toString('hex', 0, 16)
    const forced = `${hex.slice(0, UUID_FORCED_AT)}${contains}${hex.slice(UUID_FORCED_AT + contains.length)}`
    return forced.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  /** A MAC address of CloudSigma's block. */
  mac(): string {
    const hex = this.bytes('mac').toString('hex', 0, 5)
    return `22:${hex.replace(/(..)(?=.)/g, '$1:')}`
  }

  /** A number in [0, 1). */
  fraction(kind: string): number {
    return this.bytes(kind).readUInt32BE(0) / 2 ** 32
  }
}
