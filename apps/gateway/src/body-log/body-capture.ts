import type { RawEntry } from './types.ts'

export type CapturedMeta = Pick<RawEntry, 'eventId' | 'at' | 'authId' | 'groupId' | 'model'> & {
  readonly request: { readonly contentType: string; readonly body: Buffer }
}

export type CaptureOptions = {
  /** Of each half. */
  readonly bytesMax: number
  readonly keep: (entry: RawEntry) => void
}

/** Bodies of one exchange while they pass: copies of their beginnings, never more. */
export class BodyCapture {
  readonly #meta: CapturedMeta
  readonly #options: CaptureOptions
  readonly #request: Buffer
  readonly #requestBytes: number
  #reply: Buffer[] = []
  #held = 0
  #bytes = 0
  #contentType = ''
  #isEncoded = false
  #status: number | undefined

  constructor(meta: CapturedMeta, options: CaptureOptions) {
    this.#meta = meta
    this.#options = options
    this.#requestBytes = meta.request.body.length
    // A copy: the body itself is let go of when the upstream has it.
    this.#request = Buffer.from(meta.request.body.subarray(0, options.bytesMax))
  }

  head(status: number, { contentType, isEncoded }: { readonly contentType: string | undefined; readonly isEncoded: boolean }): void {
    this.#status = status
    this.#contentType = contentType ?? ''
    this.#isEncoded = isEncoded
  }

  /** As it came from the upstream. */
  data(chunk: Buffer): void {
    this.#bytes += chunk.length
    const room = this.#options.bytesMax - this.#held
    if (room <= 0 || this.#isEncoded) return
    const piece = Buffer.from(chunk.subarray(0, room))
    this.#held += piece.length
    this.#reply.push(piece)
  }

  /** The exchange has ended, one way or the other. */
  end(outcome: string): void {
    const { request, ...meta } = this.#meta
    this.#options.keep({
      ...meta,
      outcome,
      ...(this.#status !== undefined && { status: this.#status }),
      request: { contentType: request.contentType, isEncoded: false, bytes: this.#requestBytes, head: this.#request },
      reply: { contentType: this.#contentType, isEncoded: this.#isEncoded, bytes: this.#bytes, head: Buffer.concat(this.#reply) },
    })
    this.#reply = []
  }
}
