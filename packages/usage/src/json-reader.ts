import { bodyObservation } from './body-observation.ts'
import { beginsEvent, firstByte } from './first-byte.ts'
import { HeldTail } from './held-tail.ts'
import { JsonLexer } from './json-lexer.ts'
import type { Asked, Observation } from './observation.ts'
import type { Api } from './record.ts'
import type { ReplyEnd, ReplyReader, Step } from './reply.ts'
import type { ReplyText } from './reply-text.ts'
import { SseReader } from './sse-reader.ts'

export type JsonOptions = { readonly api: Api; readonly asked: Asked; readonly text?: ReplyText | undefined }

/** Reads a JSON body as it passes; see {@link ReplyReader}. One that turns out to be a stream of events is read as such, and passed on as a body. */
export class JsonReader implements ReplyReader {
  readonly form = 'json'
  readonly terminal = false
  readonly #options: JsonOptions
  readonly #lexer: JsonLexer
  readonly #tail = new HeldTail()
  #begun = false
  #events: SseReader | undefined

  constructor(options: JsonOptions) {
    this.#options = options
    this.#lexer = new JsonLexer(options.api)
  }

  push(chunk: Buffer): Step {
    this.read(chunk)
    return this.#tail.push(chunk)
  }

  read(chunk: Buffer): void {
    if (!this.#begun) this.#begin(chunk)
    if (this.#events === undefined) this.#lexer.push(chunk)
    else this.#events.read(chunk)
  }

  digest(): void {
    // Nothing waits.
  }

  end(how?: ReplyEnd): Step {
    this.#events?.end(how)
    return this.#tail.end()
  }

  get observation(): Observation {
    if (this.#events !== undefined) return this.#events.observation
    const { api, asked } = this.#options
    return bodyObservation({ api, asked, lexer: this.#lexer })
  }

  #begin(chunk: Buffer): void {
    const byte = firstByte(chunk)
    this.#begun = byte >= 0
    if (beginsEvent(byte)) this.#events = new SseReader({ ...this.#options, injected: false })
  }
}
