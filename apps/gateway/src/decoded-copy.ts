import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { Duplex } from 'node:stream'

/** Undecoded bytes that may wait for the decoder; past that the copy is given up, and the usage estimated. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** A copy of a compressed reply that is decoded only to be read. The client gets the bytes as they came. */
export type DecodedCopy = {
  write(chunk: Buffer): void
  /** Resolves when all that can be decoded has been read; never rejects: what cannot be decoded is not read. */
  end(): Promise<void>
}

/** `undefined` for identity, and for an encoding that nobody here knows. */
export function createDecodedCopy(contentEncoding: string | undefined, read: (decoded: Buffer) => void): DecodedCopy | undefined {
  const decoder = decoderFor(contentEncoding?.trim().toLowerCase())
  if (decoder === undefined) return undefined
  const { promise, resolve } = Promise.withResolvers<void>()
  decoder.on('data', read)
  decoder.on('end', resolve)
  decoder.on('close', resolve)
  decoder.on('error', () => resolve())
  return {
    write(chunk) {
      if (decoder.destroyed) return
      if (decoder.writableLength > WAITING_BYTES_MAX) decoder.destroy()
      else decoder.write(chunk)
    },
    end() {
      if (!decoder.destroyed) decoder.end()
      return promise
    },
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
