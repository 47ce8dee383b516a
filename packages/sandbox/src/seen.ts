import type { IncomingHttpHeaders } from 'node:http'
import type { Ending } from './delivery.ts'
import type { MediaTruth } from './media.ts'

/** A request that the engine saw, and what it made of it. Counts grow while it runs. */
export type SeenRequest = {
  readonly method: string
  readonly path: string
  /** `X-Request-Id` as it came. */
  readonly requestId: string | undefined
  readonly headers: IncomingHttpHeaders
  /** At most the first 64 KiB. */
  body: Buffer
  /** Status of the reply; absent before its head, and if it never came. */
  status?: number
  promptTokens: number
  /** Tokens generated, whether the client got them or not: the engine's truth, whatever its `usage` says. */
  completionTokens: number
  /** Of what is no text: what it truly used, by the names of meters. */
  media?: MediaTruth
  ending: Ending | 'open'
}

/** The last requests, oldest first, in bounded memory. */
export class SeenLog {
  readonly #max: number
  readonly #ring: SeenRequest[] = []
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  add(request: SeenRequest): void {
    this.#ring[this.#next] = request
    this.#next = (this.#next + 1) % this.#max
  }

  list(): readonly SeenRequest[] {
    return this.#ring.length < this.#max ? [...this.#ring] : [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)]
  }

  clear(): void {
    this.#ring.length = 0
    this.#next = 0
  }
}
