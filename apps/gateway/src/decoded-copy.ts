import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw, createZstdDecompress } from 'node:zlib'
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

/** Encodings on top of each other. Nobody needs two; each one more would let a small reply grow into a larger one. */
const ENCODINGS_MAX = 3

/** `undefined` for identity, and where an encoding is among them that nobody here knows (RFC 9110 section 8.4: the last one was applied last). */
export function createDecodedCopy(contentEncoding: string | undefined, read: (decoded: Buffer) => void): DecodedCopy | undefined {
  const encodings = encodingsOf(contentEncoding ?? '')
  if (encodings.length > ENCODINGS_MAX || !encodings.every((encoding) => DECODERS.has(encoding))) return undefined
  let copy: DecodedCopy | undefined
  for (const encoding of encodings) {
    const inner = copy
    copy = inner === undefined ? copyOf(encoding, read) : new NestedCopy(encoding, inner)
  }
  return copy
}

function copyOf(encoding: string, read: (decoded: Buffer) => void): DecodedCopy {
  const decoder = DECODERS.get(encoding)
  return decoder === undefined ? new DeflateCopy(read) : new StreamCopy(decoder(), read)
}

/** Some servers send `deflate` without the wrapper that it has to have (RFC 9110 section 8.4.1.2): its first byte tells. */
class DeflateCopy implements DecodedCopy {
  readonly #read: (decoded: Buffer) => void
  #copy: StreamCopy | undefined

  constructor(read: (decoded: Buffer) => void) {
    this.#read = read
  }

  write(chunk: Buffer): Promise<void> {
    const [first] = chunk
    if (first === undefined) return Promise.resolve()
    // The low half of a wrapper's first byte is the method, 8 (RFC 1950 section 2.2).
    this.#copy ??= new StreamCopy((first & 0x0f) === 8 ? createInflate() : createInflateRaw(), this.#read)
    return this.#copy.write(chunk)
  }

  end(): Promise<boolean> {
    return this.#copy?.end() ?? Promise.resolve(false)
  }
}

/** What one decoder yields goes into another copy. */
class NestedCopy implements DecodedCopy {
  readonly #outer: DecodedCopy
  readonly #inner: DecodedCopy
  #reading: Promise<void>[] = []

  constructor(encoding: string, inner: DecodedCopy) {
    this.#inner = inner
    this.#outer = copyOf(encoding, (decoded) => this.#reading.push(inner.write(decoded)))
  }

  async write(chunk: Buffer): Promise<void> {
    await this.#outer.write(chunk)
    await this.#read()
  }

  async end(): Promise<boolean> {
    const whole = await this.#outer.end()
    await this.#read()
    return (await this.#inner.end()) && whole
  }

  async #read(): Promise<void> {
    const reading = this.#reading
    this.#reading = []
    await Promise.all(reading)
  }
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
  return contentEncoding !== undefined && encodingsOf(contentEncoding).length > 0
}

/** In the order in which they were applied. */
function encodingsOf(contentEncoding: string): string[] {
  const encodings = contentEncoding.split(',').map((encoding) => encoding.trim().toLowerCase())
  return encodings.filter((encoding) => encoding !== '' && encoding !== 'identity')
}

/** `undefined`: the bytes decide. */
const DECODERS: ReadonlyMap<string, (() => Duplex) | undefined> = new Map<string, (() => Duplex) | undefined>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', undefined],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
])
