/** A UUIDv7 (RFC 9562 section 5.7) in lower-case canonical form: sorts by the time it was made. */
export type EventId = string

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
// One draw of random bytes serves 256 ids: a draw for each would cost more than everything else here.
const POOL_BYTES = 2048
const RANDOM_BYTES_PER_ID = 8

/**
 * Makes a source of UUIDv7 ids that strictly increase within the source, also when the clock stands still or steps
 * back: the 12 bits after the time count up (RFC 9562 section 6.2, method 1), and the time runs ahead when they overflow.
 * 62 random bits remain in every id.
 */
export function createIdSource(clock: () => number): () => EventId {
  const pool = new Uint8Array(POOL_BYTES)
  let used = POOL_BYTES
  let lastMs = -1
  let sequence = 0
  return () => {
    if (used === POOL_BYTES) {
      crypto.getRandomValues(pool)
      used = 0
    }
    const now = clock()
    if (now > lastMs) {
      lastMs = now
      sequence = 0
    } else {
      sequence += 1
      if (sequence === 0x1000) {
        sequence = 0
        lastMs += 1
      }
    }
    const at = used
    used += RANDOM_BYTES_PER_ID
    const hex = (index: number): string => HEX[pool[at + index] ?? 0] ?? ''
    const time = lastMs.toString(16).padStart(12, '0')
    const variant = HEX[((pool[at] ?? 0) & 0x3f) | 0x80] ?? ''
    return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, '0')}-${variant}${hex(1)}-${hex(2)}${hex(3)}${hex(4)}${hex(5)}${hex(6)}${hex(7)}`
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether `text` is a UUID in canonical lower-case form, of any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}
