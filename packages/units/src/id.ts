/** A UUIDv7 (RFC 9562 section 5.7) in lower-case canonical form: sorts by the time it was made. */
export type EventId = string

/** Where the variant and the 62 random bits after it begin in the text of a UUID. */
const RANDOM_AT = 19

/** A clock that steps back by more than this was wrong before; ids follow it. */
const STEP_BACK_MS_MAX = 600_000

/**
 * Makes a source of UUIDv7 ids that strictly increase within the source, also when the clock stands still or steps
 * back by up to ten minutes: the 12 bits after the time count up (RFC 9562 section 6.2, method 1), and the time runs ahead when they overflow.
 * The 62 random bits of every id are those of a version 4 UUID, which the platform draws in bulk.
 */
export function createIdSource(clock: () => number): () => EventId {
  let lastMs = -1
  let sequence = 0
  let time = ''
  return () => {
    const now = clock()
    // Following a large step keeps the time in an id near the instant of what it names, without which it finds no partition.
    if (now > lastMs || lastMs - now > STEP_BACK_MS_MAX) {
      lastMs = now
      sequence = 0
      time = ''
    } else {
      sequence += 1
      if (sequence === 0x1000) {
        sequence = 0
        lastMs += 1
        time = ''
      }
    }
    if (time === '') {
      const hex = lastMs.toString(16).padStart(12, '0')
      time = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
    }
    return `${time}${sequence.toString(16).padStart(3, '0')}-${crypto.randomUUID().slice(RANDOM_AT)}`
  }
}

/** The time that a UUIDv7 was made at, by its first 48 bits. */
export function instantOfId(id: EventId): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether `text` is a UUID in canonical lower-case form, of any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}
