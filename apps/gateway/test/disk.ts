import * as fs from 'node:fs'
import * as promises from 'node:fs/promises'
import { promisify } from 'node:util'
import type { JournalFs } from '@ascribe/journal'

const writeAt = promisify(fs.write)

/** The machine's disk behind a journal, with knobs. */
export type TestDisk = JournalFs & {
  /** While true no fdatasync ends. */
  held: boolean
  /** How many fdatasyncs wait. */
  readonly waiting: number
  /** Lets every fdatasync that waits go on, and holds no more. */
  release(): void
  /** Every fdatasync fails from now on. */
  syncFails: boolean
  /** Every write of an entry fails from now on. */
  writeFails: boolean
  /** There is no space for another segment. */
  isFull: boolean
  /** What has been handed to the kernel as entries, as text. */
  readonly written: string
}

export function createTestDisk(): TestDisk {
  let waiting: (() => void)[] = []
  let written = ''
  const disk: TestDisk = {
    held: false,
    syncFails: false,
    writeFails: false,
    isFull: false,
    get waiting() {
      return waiting.length
    },
    get written() {
      return written
    },
    release() {
      disk.held = false
      const all = waiting
      waiting = []
      for (const each of all) each()
    },
    fdatasync(fd, done) {
      const sync = (): void => {
        if (disk.syncFails) setImmediate(done, ioError('EIO'))
        else fs.fdatasync(fd, done)
      }
      if (disk.held) waiting.push(sync)
      else sync()
    },
    writeSync(fd, buffer, offset, length, position) {
      if (disk.writeFails) throw ioError('EIO')
      const count = fs.writeSync(fd, buffer, offset, length, position)
      written += buffer.toString('latin1', offset, offset + count)
      return count
    },
    async write(fd, buffer, offset, length, position) {
      if (disk.isFull) throw ioError('ENOSPC')
      return (await writeAt(fd, buffer, offset, length, position)).bytesWritten
    },
    open: (path, flags) => fs.openSync(path, flags, 0o640),
    close: fs.closeSync,
    fsync: promisify(fs.fsync),
    truncate: promisify(fs.ftruncate),
    readFile: (path) => promises.readFile(path),
    rename: promises.rename,
    link: promises.link,
    unlink: (path) => promises.rm(path, { force: true }),
    rmdir: promises.rmdir,
    async syncFolder(path) {
      await using folder = await promises.open(path, 'r')
      await folder.sync()
    },
  }
  return disk
}

function ioError(code: string): Error {
  return Object.assign(new Error(code), { code })
}
