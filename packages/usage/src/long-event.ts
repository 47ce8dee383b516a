import { JsonLexer } from './json-lexer.ts'
import type { Api } from './record.ts'
import type { LongEvent } from './tally.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const DATA = Buffer.from('data:')
/** Where in a line the next byte is: in its first five ones, right after `data:`, in the data, or in another line. */
const AFTER_COLON = DATA.length
const IN_DATA = AFTER_COLON + 1
const IN_OTHER = AFTER_COLON + 2

/** Reads an event that is too long to be kept: the bytes of its data lines go through a lexer, and nothing stays. */
export class LongEventReader {
  readonly #lexer: JsonLexer
  #bytes = 0
  #place = 0

  constructor(api: Api) {
    this.#lexer = new JsonLexer(api, { isEvent: true })
  }

  push(bytes: Buffer): void {
    this.#bytes += bytes.length
    let at = 0
    while (at < bytes.length) {
      const byte = bytes[at]
      if (byte === LF || byte === CR) {
        this.#place = 0
        at += 1
      } else if (this.#place < AFTER_COLON) {
        this.#place = byte === DATA[this.#place] ? this.#place + 1 : IN_OTHER
        at += 1
      } else if (this.#place === AFTER_COLON) {
        this.#place = IN_DATA
        if (byte === SPACE) at += 1
      } else {
        const end = lineEnd(bytes, at)
        if (this.#place === IN_DATA) this.#lexer.push(bytes.subarray(at, end))
        at = end
      }
    }
  }

  get event(): LongEvent {
    const { type, model, finishReason, usage } = this.#lexer
    return { bytes: this.#bytes, type, model, finishReason, usage }
  }
}

function lineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(LF, from)
  const end = lf < 0 ? bytes.length : lf
  const cr = bytes.subarray(from, end).indexOf(CR)
  return cr < 0 ? end : from + cr
}
