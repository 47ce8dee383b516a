import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from, to } from 'pg-copy-streams'
import { toDatabaseError } from './errors.ts'

/** Bytes collected before they go to the socket: many small rows would be many small writes. */
const CHUNK_BYTES = 64 * 1024

/** `copy … to stdout`, its bytes as they come. @throws {DatabaseError} */
export async function* copyOut(client: pg.ClientBase, sql: string): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = client.query(to(sql))
  try {
    // Read to its end by whoever leaves early, too: the connection is of no use to anybody before.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk as Uint8Array
  } catch (thrown) {
    throw toDatabaseError(thrown, 'copy from the database')
  } finally {
    if (!stream.readableEnded && !stream.destroyed) for await (const _ of stream);
  }
}

/** What the caller's source threw, which is not the database's fault. */
class SourceError extends Error {}

/** `copy … from stdin`; gives the number of rows. @throws {DatabaseError} */
export async function copyIn(
  client: pg.ClientBase,
  sql: string,
  chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
): Promise<number> {
  const target = client.query(from(sql))
  try {
    await pipeline(Readable.from(collected(chunks), { objectMode: false }), target)
    return target.rowCount
  } catch (thrown) {
    if (thrown instanceof SourceError) throw thrown.cause
    throw toDatabaseError(thrown, 'copy into the database')
  }
}

async function* collected(chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of chunks) {
      const part = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      parts.push(part)
      bytes += part.length
      if (bytes < CHUNK_BYTES) continue
      yield Buffer.concat(parts)
      parts = []
      bytes = 0
    }
  } catch (cause) {
    throw new SourceError('the source of a copy failed', { cause })
  }
  if (bytes > 0) yield Buffer.concat(parts)
}
