import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type BrotliCompress, type Gzip, constants, createBrotliCompress, createGzip } from 'node:zlib'
import { type Faults, NO_FAULTS, type Place } from './faults.ts'
import { hashText } from './tokens.ts'

/** How a reply ended: all of it written, the client left first, or a fault of ours broke it off. */
export type Ending = 'completed' | 'client-left' | 'broken'

/** Sends one reply the way its faults ask for, and notices when the client leaves. */
export class Delivery {
  readonly #response: ServerResponse
  readonly #faults: Faults
  readonly #closed: Promise<void>
  readonly #compressed: Buffer[] = []
  #compressor: Gzip | BrotliCompress | undefined
  #random: number
  #sentBytes = 0
  #isGone = false
  #isBroken = false

  constructor(response: ServerResponse, faults: Faults, seed: number) {
    this.#response = response
    this.#faults = faults
    this.#random = seed
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed = promise
    response.on('close', () => {
      this.#isGone ||= !response.writableFinished
      resolve()
    })
  }

  /** Nothing more can be sent: whoever generates should stop. */
  get isOver(): boolean {
    return this.#isGone || this.#isBroken
  }

  get ending(): Ending {
    if (this.#isBroken) return 'broken'
    return this.#isGone ? 'client-left' : 'completed'
  }

  /** Waits, or until the client leaves. */
  async wait(delayMs: number): Promise<void> {
    if (this.isOver) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, delayMs)
    this.#response.once('close', resolve)
    await promise
    clearTimeout(timer)
    this.#response.off('close', resolve)
  }

  head(status: number, headers: OutgoingHttpHeaders): void {
    if (this.isOver) return
    const { encoding, contentType } = this.#faults
    const all: OutgoingHttpHeaders = { ...headers }
    if (contentType !== undefined) all['content-type'] = contentType
    if (encoding !== undefined) {
      all['content-encoding'] = encoding
      delete all['content-length']
      this.#compressor = encoding === 'gzip' ? createGzip() : createBrotliCompress()
      this.#compressor.on('data', (part: Buffer) => this.#compressed.push(part))
    }
    this.#response.writeHead(status, all)
  }

  /** Breaks off or hangs if the faults say so of this place. */
  async reach(place: Place): Promise<void> {
    if (this.#faults === NO_FAULTS || this.isOver) return
    if (this.#faults.resetAt === place) await this.#break()
    else if (this.#faults.hangAt === place) await this.#closed
  }

  /** Sends a part of the body; done when the client can take more. */
  async send(part: string | Buffer): Promise<void> {
    if (this.isOver) return
    if (this.#faults === NO_FAULTS) return this.#write(part)
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    await this.#sendBytes(this.#compressor ? await this.#compress(this.#compressor, bytes) : bytes)
  }

  /**
   * Lets what was sent reach the socket on its own: writes of one turn of the event loop go out as one chunk, and engines
   * send every token as they have it.
   */
  flush(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** Ends the body, with `last` as its last part, and waits until all is written or the client has left. */
  async end(last?: string): Promise<void> {
    if (last !== undefined && this.#faults !== NO_FAULTS) await this.send(last)
    if (this.#compressor && !this.isOver) {
      this.#compressor.end()
      await once(this.#compressor, 'end')
      await this.#sendBytes(this.#takeCompressed())
    }
    if (this.isOver) return
    // One write for head and body together, where nothing stands between them.
    if (last !== undefined && this.#faults === NO_FAULTS) this.#response.end(last)
    else this.#response.end()
    await this.#closed
  }

  async #compress(compressor: Gzip | BrotliCompress, part: Buffer): Promise<Buffer> {
    compressor.write(part)
    const kind = this.#faults.encoding === 'gzip' ? constants.Z_SYNC_FLUSH : constants.BROTLI_OPERATION_FLUSH
    await new Promise<void>((resolve) => compressor.flush(kind, resolve))
    // What was flushed comes as events of a later turn.
    await this.flush()
    return this.#takeCompressed()
  }

  #takeCompressed(): Buffer {
    return Buffer.concat(this.#compressed.splice(0))
  }

  async #sendBytes(bytes: Buffer): Promise<void> {
    let at = 0
    while (at < bytes.length && !this.isOver) {
      const end = Math.min(at + this.#pieceSize(), bytes.length)
      await this.#writeUpTo(bytes.subarray(at, end))
      at = end
    }
  }

  #pieceSize(): number {
    const { splitEvery, splitRandom } = this.#faults
    if (splitEvery !== undefined) return splitEvery
    if (splitRandom === undefined) return Infinity
    this.#random = hashText('piece', this.#random)
    return 1 + (this.#random % splitRandom)
  }

  /** Writes a piece, or as much of it as may pass before a fault at a byte. */
  async #writeUpTo(piece: Buffer): Promise<void> {
    const { resetAt, hangAt, splitEvery, splitRandom, pieceDelayMs } = this.#faults
    const limit = typeof resetAt === 'number' ? resetAt : typeof hangAt === 'number' ? hangAt : Infinity
    const passes = piece.subarray(0, Math.max(0, limit - this.#sentBytes))
    this.#sentBytes += piece.length
    if (passes.length > 0) await this.#write(passes)
    if (this.#sentBytes > limit) await this.reach(limit)
    else if (pieceDelayMs !== undefined) await this.wait(pieceDelayMs)
    else if (splitEvery !== undefined || splitRandom !== undefined) await this.flush()
  }

  #write(piece: string | Buffer): Promise<void> | undefined {
    if (this.#response.write(piece)) return undefined
    return Promise.race([once(this.#response, 'drain').then(() => {}), this.#closed]).catch(() => {})
  }

  async #break(): Promise<void> {
    this.#isBroken = true
    const { socket } = this.#response
    if (socket === null) return
    // What was written before this place should arrive: a reset discards what the kernel has not sent.
    if (this.#response.headersSent) await this.flush()
    if (this.#faults.resetWith === 'fin') socket.destroy()
    else socket.resetAndDestroy()
  }
}
