import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { Duplex } from 'node:stream'

/** Undecoded bytes that may wait for the decoder; past that the copy is given up, and the usage estimated. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** A copy of a compressed reply that is decoded only to be read. The client gets the bytes as they came. */
export type DecodedCopy = {
  /** Resolves when all that can be decoded of the bytes so far has been read; never rejects. */
  write(chunk: Buffer): Promise<void>
  /** Resolves when all that can be decoded has been read: to whether that was the whole body. Never rejects. */
  end(): Promise<boolean>
}

/** `undefined` for identity, and for an encoding that nobody here knows. */
export function createDecodedCopy(contentEncoding: string | undefined, read: (decoded: Buffer) => void): DecodedCopy | undefined {
  const decoder = decoderFor(contentEncoding?.trim().toLowerCase())
  return decoder === undefined ? undefined : new StreamCopy(decoder, read)
}

class StreamCopy implements DecodedCopy {
  readonly #decoder: Duplex
  readonly #ended = Promise.withResolvers<boolean>()
  /** Writes that wait: a decoder that breaks forgets to call back. */
  readonly #waiting = new Set<() => void>()

  constructor(decoder: Duplex, read: (decoded: Buffer) => void) {
    this.#decoder = decoder
    decoder.on('data', read)
    decoder.on('end', () => this.#ended.resolve(true))
    decoder.on('error', () => {
      // Bytes that cannot be decoded are not read. 'close' follows.
    })
    decoder.on('close', () => {
      this.#ended.resolve(false)
      for (const done of this.#waiting) done()
    })
  }

  write(chunk: Buffer): Promise<void> {
    const decoder = this.#decoder
    if (decoder.writableLength > WAITING_BYTES_MAX) decoder.destroy()
    if (decoder.destroyed || decoder.closed) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => {
      this.#waiting.delete(done)
      resolve()
    }
    this.#waiting.add(done)
    // What a write has yielded may still be on its way as an event of this turn.
    decoder.write(chunk, () => setImmediate(done))
    return promise
  }

  end(): Promise<boolean> {
    if (!this.#decoder.destroyed) this.#decoder.end()
    return this.#ended.promise
  }
}

/** Whether a reply's body is something else than its own bytes. */
export function isEncoded(contentEncoding: string | undefined): boolean {
  const encoding = contentEncoding?.trim().toLowerCase() ?? ''
  return encoding !== '' && encoding !== 'identity'
}

function decoderFor(encoding: string | undefined): Duplex | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      return undefined
  }
}
