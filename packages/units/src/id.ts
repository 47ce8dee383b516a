/** A UUIDv7 (RFC 9562 section 5.7) in lower-case canonical form: sorts by the time it was made. */
export type EventId = string

/** Where parts of the text of a UUID begin: 8 digits of the time, 4 more, then the version and 3 that count, then what is random. */
const TIME_AT = 0
const TIME_REST_AT = 9
const SEQUENCE_AT = 15
const RANDOM_AT = 19
const NODE_AT = 24
const RANDOM_BYTES = 8
const BLANK = '00000000-0000-7000-0000-000000000000'

/** A clock that steps back by more than this was wrong before; ids follow it. */
const STEP_BACK_MS_MAX = 600_000

/**
 * Makes a source of UUIDv7 ids that strictly increase within the source, also when the clock stands still or steps
 * back by up to ten minutes: the 12 bits after the time count up (RFC 9562 section 6.2, method 1), and the time runs ahead when they overflow.
 * Then come 62 random bits, which are drawn in bulk.
 */
export function createIdSource(clock: () => number): () => EventId {
  const text = Uint8Array.from(BLANK, (character) => character.charCodeAt(0))
  let lastMs = -1
  let sequence = 0
  return () => {
    const now = clock()
    // Following a large step keeps the time in an id near the instant of what it names, without which it finds no partition.
    if (now > lastMs || lastMs - now > STEP_BACK_MS_MAX) {
      lastMs = now
      sequence = 0
      writeTime(text, lastMs)
    } else {
      sequence += 1
      if (sequence === 0x1000) {
        sequence = 0
        lastMs += 1
        writeTime(text, lastMs)
      }
    }
    text[SEQUENCE_AT] = digitOf(sequence >> 8)
    text[SEQUENCE_AT + 1] = digitOf(sequence >> 4)
    text[SEQUENCE_AT + 2] = digitOf(sequence)
    writeRandom(text)
    // One flat text: an id of pieces is put together again by everybody who looks into it, which costs a microsecond.
    return TEXT.decode(text)
  }
}

const TEXT = new TextDecoder()
const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

function digitOf(value: number): number {
  return DIGITS[value & 15] ?? 0
}

function writeTime(text: Uint8Array, ms: number): void {
  const hex = ms.toString(16).padStart(12, '0')
  for (let index = 0; index < 8; index += 1) text[TIME_AT + index] = hex.charCodeAt(index)
  for (let index = 8; index < 12; index += 1) text[TIME_REST_AT + index - 8] = hex.charCodeAt(index)
}

const randomBytes = new Uint8Array(256 * RANDOM_BYTES)
let randomUsed = randomBytes.length

/** The variant of RFC 9562, two bits, and random ones. */
function writeRandom(text: Uint8Array): void {
  if (randomUsed === randomBytes.length) {
    crypto.getRandomValues(randomBytes)
    randomUsed = 0
  }
  let at = RANDOM_AT
  for (let index = 0; index < RANDOM_BYTES; index += 1) {
    const drawn = randomBytes[randomUsed + index] ?? 0
    const byte = index === 0 ? (drawn & 0x3f) | 0x80 : drawn
    if (index === 2) at = NODE_AT
    text[at] = digitOf(byte >> 4)
    text[at + 1] = digitOf(byte)
    at += 2
  }
  randomUsed += RANDOM_BYTES
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

/**
 * The UUIDv7 (RFC 9562 section 5.7) of an instant whose other 74 bits are of a hash: the same thing has the same id whoever names it, and
 * its record lies in the partition of its own time. `hash`: ten bytes at least, of a cryptographic hash.
 */
export function idOfHash(at: number, hash: Uint8Array): EventId {
  const time = at.toString(16).padStart(12, '0')
  const hex = hash.toHex()
  const variant = ((Number.parseInt(hex.slice(3, 4), 16) & 0x3) | 0x8).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`
}
