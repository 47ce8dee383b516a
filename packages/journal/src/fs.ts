import * as fs from 'node:fs'
import * as promises from 'node:fs/promises'
import { promisify } from 'node:util'

const writeAt = promisify(fs.write)
const syncWhole = promisify(fs.fsync)
const truncate = promisify(fs.ftruncate)

/**
 * The file operations that change a journal. A seam: tests put a disk there that is full, fails or stops in the middle.
 * All throw or reject with Node's errors (`code` is `ENOSPC`, `EIO`, …).
 */
export type JournalFs = {
  /** Opens with Node's flags: `wx` makes a new file and fails if it exists. */
  open(path: string, flags: string): number
  close(fd: number): void
  /** pwrite: may write fewer bytes than asked for; gives how many. */
  writeSync(fd: number, buffer: Buffer, offset: number, length: number, position: number): number
  /** The same, off the event loop. */
  write(fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number>
  /** Calls back once the data of the file is on the disk. */
  fdatasync(fd: number, done: (error: Error | null) => void): void
  /** Data and metadata. */
  fsync(fd: number): Promise<void>
  truncate(fd: number, length: number): Promise<void>
  readFile(path: string): Promise<Buffer>
  rename(from: string, to: string): Promise<void>
  link(existing: string, path: string): Promise<void>
  /** Removes a file; one that is gone is fine. */
  unlink(path: string): Promise<void>
  /** Removes an empty folder. */
  rmdir(path: string): Promise<void>
  /** Makes names in a folder durable: what was created, renamed or removed there. */
  syncFolder(path: string): Promise<void>
}

/** The machine's disk. */
export const realFs: JournalFs = {
  open: (path, flags) => fs.openSync(path, flags, 0o640),
  close: fs.closeSync,
  writeSync: fs.writeSync,
  write: async (fd, buffer, offset, length, position) => (await writeAt(fd, buffer, offset, length, position)).bytesWritten,
  fdatasync: fs.fdatasync,
  fsync: syncWhole,
  truncate,
  readFile: (path) => promises.readFile(path),
  rename: promises.rename,
  link: promises.link,
  unlink: (path) => promises.rm(path, { force: true }),
  rmdir: promises.rmdir,
  syncFolder: async (path) => {
    await using folder = await promises.open(path, 'r')
    await folder.sync()
  },
}

/** Writes all of `buffer` at `position`, however short the single writes are. */
export async function writeFully(files: JournalFs, fd: number, buffer: Buffer, position: number): Promise<void> {
  let done = 0
  while (done < buffer.length) {
    const written = await files.write(fd, buffer, done, buffer.length - done, position + done)
    if (written === 0) throw new Error('Cannot write: the disk took no byte')
    done += written
  }
}

/** Puts a whole file in place at once: after a crash there is the old content, or the new, and it is durable on return. */
export async function replaceFile(
  files: JournalFs,
  options: { readonly dir: string; readonly name: string; readonly content: Buffer },
): Promise<void> {
  const { dir, name, content } = options
  const temporary = `${dir}/${name}.tmp`
  await files.unlink(temporary)
  const fd = files.open(temporary, 'wx')
  try {
    await writeFully(files, fd, content, 0)
    await files.fsync(fd)
  } finally {
    files.close(fd)
  }
  await files.rename(temporary, `${dir}/${name}`)
  await files.syncFolder(dir)
}
