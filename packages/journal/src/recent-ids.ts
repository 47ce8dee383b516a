/** How many event ids one generation of {@link RecentIds} holds. */
export const GENERATION = 32_768
/** Places of a generation's table: half of them stay free, so that a search ends soon. */
const PLACES = 2 * GENERATION
const UUID_LENGTH = 36

/**
 * Remembers at least the last 32,768 event ids that were added, and those that last, exactly. Bounded, so that it catches a
 * repeated id soon after and not for ever. In tables of numbers, 2 MiB in all: a `Set` of texts to which each request adds one
 * makes the garbage collector copy them all, and cost 1.5 µs a request.
 */
export class RecentIds {
  #young = new IdTable()
  #old = new IdTable()
  #lasting: ReadonlySet<string> = new Set()
  readonly #stillOpen: () => Iterable<string>

  /** `stillOpen` gives the ids that must not be forgotten; called once in 32,768 ids. */
  constructor(stillOpen: () => Iterable<string>) {
    this.#stillOpen = stillOpen
  }

  look(id: string): 'new' | 'known' | 'malformed' {
    if (!readUuid(id)) return 'malformed'
    if (this.#young.has() || this.#old.has()) return 'known'
    return this.#lasting.size > 0 && this.#lasting.has(id) ? 'known' : 'new'
  }

  /** Adds a UUID. */
  add(id: string): void {
    if (this.#young.size === GENERATION) {
      const emptied = this.#old
      emptied.clear()
      this.#old = this.#young
      this.#young = emptied
      this.#lasting = new Set(this.#stillOpen())
    }
    // Nearly always it has just been looked up.
    if (id !== lastRead) readUuid(id)
    this.#young.add()
  }
}

/** The id read last, and its bits: {@link IdTable} looks here, so that an id is read once for both tables. */
let lastRead = ''
const words = new Int32Array(4)

/** Values of the lower-case hexadecimal digits; -1 for every other byte. */
const DIGITS = Int8Array.from({ length: 256 }, (_, code) => '0123456789abcdef'.indexOf(String.fromCharCode(code)))
const HYPHEN = 0x2d

/** The bytes of a text, to look at them one by one: of a text that was put together, each look at a character takes a call. */
const scratch = Buffer.alloc(UUID_LENGTH)

/** Reads the text of a UUID in canonical lower-case form into {@link words}; false: it is none. */
function readUuid(id: string): boolean {
  lastRead = ''
  // As UTF-8: a character that is no digit shows as bytes that are none.
  if (id.length !== UUID_LENGTH || scratch.write(id, 'utf8') !== UUID_LENGTH) return false
  let at = 0
  for (let index = 0; index < 4; index += 1) {
    let word = 0
    for (let digits = 0; digits < 8; digits += 1) {
      // Hyphens stand before the digits 8, 12, 16 and 20.
      if (at === 8 || at === 13 || at === 18 || at === 23) {
        if (scratch[at] !== HYPHEN) return false
        at += 1
      }
      const digit = DIGITS[scratch[at] as number] as number
      if (digit < 0) return false
      word = (word << 4) | digit
      at += 1
    }
    words[index] = word
  }
  lastRead = id
  return true
}

/** An open-addressing table of 128-bit numbers. */
class IdTable {
  readonly #words = new Int32Array(4 * PLACES)
  readonly #taken = new Uint8Array(PLACES)
  size = 0

  has(): boolean {
    return this.#taken[this.#place()] === 1
  }

  add(): void {
    const place = this.#place()
    if (this.#taken[place] === 1) return
    this.#taken[place] = 1
    this.#words.set(words, 4 * place)
    this.size += 1
  }

  clear(): void {
    this.#taken.fill(0)
    this.size = 0
  }

  /** Where the id at hand is, or would be. */
  #place(): number {
    const stored = this.#words
    const taken = this.#taken
    const [first, second, third, fourth] = [words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0]
    // Ours differ in their last 62 bits; others, as those of tests, anywhere.
    const mixed = Math.imul(first ^ Math.imul(second, 0x9e3779b1) ^ Math.imul(third, 0x85ebca6b) ^ fourth, 0x27d4eb2f)
    let place = (mixed ^ (mixed >>> 15)) & (PLACES - 1)
    while (taken[place] === 1) {
      const at = 4 * place
      if (stored[at + 3] === fourth && stored[at + 2] === third && stored[at + 1] === second && stored[at] === first) break
      place = (place + 1) & (PLACES - 1)
    }
    return place
  }
}
