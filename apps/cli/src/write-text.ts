import { Readable } from 'node:stream'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errorCode } from '@ascribe/kit'

/** Writes as fast as the reader takes it, and no faster. A reader that has seen enough (`head`) is no failure. */
export async function writeText(stream: Writable, text: AsyncIterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(text), stream, { end: false })
  } catch (error) {
    if (errorCode(error) !== 'EPIPE' && errorCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}
