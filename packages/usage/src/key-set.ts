/** Longest key that is decoded to see which one it is, in UTF-16 code units: no known one is as long. */
const DECODED_LENGTH_MAX = 32

/** Keys of JSON objects that mean something, found by their bytes: decoding every key would take most of the time of a scan. */
export class KeySet {
  readonly #names: readonly string[]
  /** For each length, which names have it. */
  readonly #byLength: readonly (readonly number[] | undefined)[]

  /** `names` are ASCII, in lower case. */
  constructor(names: readonly string[]) {
    const byLength: number[][] = []
    for (const [index, { length }] of names.entries()) (byLength[length] ??= []).push(index)
    this.#names = names
    this.#byLength = byLength
  }

  /** Which name the bytes from `start` to `end` are, whatever their case; -1: none. */
  find(bytes: Buffer, start: number, end: number): number {
    const candidates = this.#byLength[end - start]
    if (candidates === undefined) return -1
    for (const index of candidates) if (isFolded(bytes, start, this.nameOf(index))) return index
    return -1
  }

  /** Whether the bytes at `start`, which are name `index` in some case, are in lower case. */
  isExact(index: number, bytes: Buffer, start: number): boolean {
    const name = this.nameOf(index)
    for (let at = 0; at < name.length; at += 1) if (bytes[start + at] !== name.charCodeAt(at)) return false
    return true
  }

  /** As {@link find}, for a key that was decoded. The long s and the Kelvin sign are letters in another case too, as Go folds them. */
  findText(key: string): number {
    return key.length > DECODED_LENGTH_MAX ? -1 : this.#names.indexOf(key.toLowerCase().replaceAll('\u017F', 's'))
  }

  nameOf(index: number): string {
    return this.#names[index] ?? ''
  }
}

function isFolded(bytes: Buffer, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at += 1) {
    const byte = bytes[start + at] as number
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (folded !== name.charCodeAt(at)) return false
  }
  return true
}
