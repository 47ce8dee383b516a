import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InputError, errorCode } from '@ascribe/kit'

/** What was written, as it reads back. */
export type WrittenFile = { readonly sha256: string; readonly bytes: number }

/**
 * Writes a file whole or not at all: under another name, synced, read back and compared, then renamed, and the folder synced. It must not
 * be there yet. Only its owner may read it.
 * @throws {InputError} when the file is there or cannot be made
 */
export async function writeDurably(path: string, chunks: AsyncIterable<Uint8Array>): Promise<WrittenFile> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await refuseExisting(path)
    const written = await writeAll(temporary, chunks)
    const found = await sha256Of(temporary)
    if (found.sha256 !== written.sha256) throw new InputError(`Cannot write ${path}: what the disk gives back is not what was written`)
    await rename(temporary, path)
    await syncFolder(dirname(path))
    return written
  } finally {
    await rm(temporary, { force: true })
  }
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await using _ = await open(path, 'r')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return
    throw cause
  }
  throw new InputError(`Cannot write ${path}: it is there already`, { hint: 'Name another file; nothing is overwritten.' })
}

async function writeAll(path: string, chunks: AsyncIterable<Uint8Array>): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let bytes = 0
  try {
    await using file = await open(path, 'wx', 0o600)
    for await (const chunk of chunks) {
      hash.update(chunk)
      bytes += chunk.length
      await file.writeFile(chunk)
    }
    await file.sync()
  } catch (cause) {
    if (['ENOENT', 'EACCES', 'EROFS', 'ENOTDIR'].includes(errorCode(cause) ?? '')) {
      throw new InputError(`Cannot write ${path}: ${errorCode(cause)}`, { cause, hint: 'Name a file in a folder that you may write to.' })
    }
    throw cause
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** The digest of a file's bytes, read in pieces. */
export async function sha256Of(path: string): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}
