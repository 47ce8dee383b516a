import { closeSync, fdatasync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const FILE_BYTES = 1 << 20
const BLOCK_BYTES = 4096

/** Microseconds of one fdatasync after an overwrite of 4 KiB: what every durable answer costs at least on this disk. */
export async function measureDisk(folder: string, count: number): Promise<{ readonly p50: number; readonly p99: number }> {
  const path = join(folder, 'disk-probe')
  const fd = openSync(path, 'w')
  const sync = promisify(fdatasync)
  const block = Buffer.alloc(BLOCK_BYTES, 1)
  try {
    writeSync(fd, Buffer.alloc(FILE_BYTES), 0, FILE_BYTES, 0)
    await sync(fd)
    const times: number[] = []
    for (let index = 0; index < count; index += 1) {
      writeSync(fd, block, 0, BLOCK_BYTES, (index * BLOCK_BYTES) % FILE_BYTES)
      const start = performance.now()
      await sync(fd)
      times.push((performance.now() - start) * 1000)
    }
    times.sort((a, b) => a - b)
    return { p50: times[Math.floor(count / 2)] ?? Number.NaN, p99: times[Math.floor(count * 0.99)] ?? Number.NaN }
  } finally {
    closeSync(fd)
    rmSync(path)
  }
}
