import { HeldTail } from './held-tail.ts'
import { JsonLexer } from './json-lexer.ts'
import type { Asked, Observation } from './observation.ts'
import type { Api } from './record.ts'
import type { ReplyReader, Step } from './reply.ts'

/** Reads a JSON body as it passes; see {@link ReplyReader}. */
export class JsonReader implements ReplyReader {
  readonly form = 'json'
  readonly terminal = false
  readonly #api: Api
  readonly #asked: Asked
  readonly #lexer: JsonLexer
  readonly #tail = new HeldTail()

  constructor(options: { readonly api: Api; readonly asked: Asked }) {
    this.#api = options.api
    this.#asked = options.asked
    this.#lexer = new JsonLexer(options.api)
  }

  push(chunk: Buffer): Step {
    this.#lexer.push(chunk)
    return this.#tail.push(chunk)
  }

  read(chunk: Buffer): void {
    this.#lexer.push(chunk)
  }

  digest(): void {
    // Nothing waits.
  }

  end(): Step {
    return this.#tail.end()
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
}
