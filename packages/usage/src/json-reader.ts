import { JsonLexer } from './json-lexer.ts'
import type { Asked, Observation } from './observation.ts'
import type { Api } from './record.ts'
import type { ReplyReader, Step } from './reply.ts'

/** White space that is held after what may be the last byte. An engine that sends more of it has other plans. */
const WHITE_SPACE_HELD_MAX = 4096

/** Reads a JSON body as it passes; see {@link ReplyReader}. */
export class JsonReader implements ReplyReader {
  readonly form = 'json'
  readonly terminal = false
  readonly #api: Api
  readonly #asked: Asked
  readonly #lexer: JsonLexer
  /** What may be the last byte of the body, and white space after it. */
  #held: Buffer[] = []
  #heldBytes = 0

  constructor(options: { readonly api: Api; readonly asked: Asked }) {
    this.#api = options.api
    this.#asked = options.asked
    this.#lexer = new JsonLexer(options.api)
  }

  push(chunk: Buffer): Step {
    this.#lexer.push(chunk)
    let last = chunk.length - 1
    while (last >= 0 && isWhiteSpace(chunk[last])) last -= 1
    if (last < 0) return { now: this.#whiteSpace(chunk), afterSettlement: [] }
    const now = this.#held
    if (last > 0) now.push(chunk.subarray(0, last))
    this.#held = [chunk.subarray(last)]
    this.#heldBytes = chunk.length - last
    return { now, afterSettlement: [] }
  }

  read(chunk: Buffer): void {
    this.#lexer.push(chunk)
  }

  digest(): void {
    // Nothing waits.
  }

  end(): Step {
    const afterSettlement = this.#held
    this.#held = []
    return { now: [], afterSettlement }
  }

  get observation(): Observation {
    const lexer = this.#lexer
    return {
      api: this.#api,
      form: 'json',
      asked: this.#asked,
      model: lexer.model,
      finishReason: lexer.finishReason,
      bytes: lexer.bytes,
      usage: lexer.usage,
      final: true,
      blocks: [],
      deltas: 0,
      contentBytes: lexer.contentBytes,
      choices: lexer.choices,
      limited: lexer.limited,
      failed: lexer.hasError && lexer.choices === 0,
      whole: lexer.closed && !lexer.broken,
    }
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
