import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogFields, silentLogger } from '@ascribe/kit'
import fc from 'fast-check'
import { type JournalFs, realFs } from '../src/fs.ts'
import { JournalFailedError, JournalFullError, recoverWriter, verifyJournal } from '../src/index.ts'
import { contentOf, nextId, openWriter, readAll, recovery, temporaryRoot, TINY, tryLock, until } from './kit.ts'

const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** The real disk with knobs, and a note of what was done to which file. */
function faultyFs(): JournalFs & {
  syncsUntilFault: number
  writesUntilFault: number
  isFull: boolean
  shortWrites: (length: number) => number
  readonly touched: string[]
} {
  const fs = {
    ...realFs,
    syncsUntilFault: Number.POSITIVE_INFINITY,
    writesUntilFault: Number.POSITIVE_INFINITY,
    isFull: false,
    shortWrites: (length: number): number => length,
    touched: [] as string[],
    fdatasync(fd: number, done: (error: Error | null) => void): void {
      fs.touched.push(`sync ${fd}`)
      fs.syncsUntilFault -= 1
      if (fs.syncsUntilFault < 0) setImmediate(done, failure('EIO'))
      else realFs.fdatasync(fd, done)
    },
    writeSync(fd: number, buffer: Buffer, offset: number, length: number, position: number): number {
      fs.touched.push(`write ${fd}`)
      fs.writesUntilFault -= 1
      if (fs.writesUntilFault < 0) throw failure('EIO')
      return realFs.writeSync(fd, buffer, offset, fs.shortWrites(length), position)
    },
    async write(fd: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
      if (fs.isFull) throw failure('ENOSPC')
      return realFs.write(fd, buffer, offset, fs.shortWrites(length), position)
    },
  }
  return fs
}

function recordingLogger(): { logger: typeof silentLogger; errors: { message: string; fields: LogFields | undefined }[] } {
  const errors: { message: string; fields: LogFields | undefined }[] = []
  return { logger: { ...silentLogger, error: (message, fields) => void errors.push({ message, fields }) }, errors }
}

test('settle() rejects when fdatasync fails, the file is never touched again, and nothing more is admitted (I9)', async () => {
  await using place = await temporaryRoot('memory')
  const disk = faultyFs()
  const { logger, errors } = recordingLogger()
  const writer = await openWriter(place.root, { fs: disk, logger })
  const [good, bad, late] = [nextId(), nextId(), nextId()]
  await Promise.all([good, bad, late].map((id) => writer.intend(id, '{}')))
  await writer.settle(good, '{"durable":true}')
  disk.syncsUntilFault = 0
  const inFlight = writer.settle(bad, '{}')
  await assert.rejects(inFlight, JournalFailedError)
  const touched = disk.touched.length
  assert.equal(writer.state, 'failed')
  await assert.rejects(writer.settle(late, '{}'), JournalFailedError)
  await assert.rejects(writer.intend(nextId(), '{}'), JournalFailedError)
  await writer.close()
  assert.equal(writer.state, 'failed')
  assert.equal(disk.touched.length, touched, 'no write and no fdatasync after the failure')
  assert.equal(errors.length, 1, 'said once')
  assert.match(String(errors[0]?.message), /nothing is admitted/)
  // The next process recovers what is there.
  const recovered = await recoverWriter(writer.dir, recovery)
  assert.equal(recovered.outcome, 'recovered')
  const entries = contentOf(await readAll(writer.dir))
  assert.ok(entries.includes(`settlement ${good} {"durable":true}`))
  assert.equal((await verifyJournal(place.root)).open, 0)
})

test('settle() and intend() of one turn all reject when the write fails (I9)', async () => {
  await using place = await temporaryRoot('memory')
  const disk = faultyFs()
  await using writer = await openWriter(place.root, { fs: disk })
  const open = nextId()
  await writer.intend(open, '{}')
  disk.writesUntilFault = 0
  const outcomes = await Promise.allSettled([writer.settle(open, '{}'), writer.intend(nextId(), '{}'), writer.intend(nextId(), '{}')])
  for (const outcome of outcomes) assert.ok(outcome.status === 'rejected' && outcome.reason instanceof JournalFailedError)
})

test('settle() in many commits: after the nth fdatasync fails every acknowledged one is there and no other was acknowledged (I7, I9)', async () => {
  for (let syncs = 1; syncs < 12; syncs += 1) {
    await using place = await temporaryRoot('memory')
    const disk = faultyFs()
    const writer = await openWriter(place.root, { ...TINY, fs: disk, commitIntervalMs: 0 })
    disk.syncsUntilFault = syncs
    const acknowledged: string[] = []
    let rejected = 0
    for (let index = 0; rejected === 0; index += 1) {
      const ids = Array.from({ length: 1 + (index % 5) }, nextId)
      const outcomes = await Promise.allSettled(ids.map((id) => writer.intend(id, 'x'.repeat(50)).then(() => writer.settle(id, id))))
      outcomes.forEach((outcome, at) => {
        if (outcome.status === 'fulfilled') acknowledged.push(ids[at] ?? '')
        else rejected += 1
      })
    }
    await writer.close()
    const entries = new Set(contentOf(await readAll(writer.dir)))
    for (const id of acknowledged) assert.ok(entries.has(`settlement ${id} ${id}`))
  }
})

test('intend() is refused on a full disk once the reserve is used up, open intents settle, and it recovers with the space (I6)', async () => {
  await using place = await temporaryRoot('memory')
  const disk = faultyFs()
  await using writer = await openWriter(place.root, { ...TINY, fs: disk, retryMs: 1 })
  disk.isFull = true
  const open: string[] = []
  const refusal = await (async (): Promise<unknown> => {
    for (;;) {
      const id = nextId()
      try {
        await writer.intend(id, 'x'.repeat(100))
        open.push(id)
      } catch (cause) {
        return cause
      }
    }
  })()
  assert.ok(refusal instanceof JournalFullError && /disk is full/.test(refusal.message), String(refusal))
  assert.ok(open.length > 3)
  // All of the largest that were promised a place, in the reverse order.
  await Promise.all(open.reverse().map((id) => writer.settle(id, 'y'.repeat(200))))
  assert.equal(writer.state, 'open')
  disk.isFull = false
  await until(async () => {
    const id = nextId()
    const admitted = await writer.intend(id, 'z'.repeat(200)).then(
      () => true,
      () => false,
    )
    if (admitted) await writer.settle(id, '{}')
    return admitted && writer.stats.segment > 3
  }, 'intents to be admitted again, over more segments')
  assert.deepEqual((await verifyJournal(place.root)).violations, [])
})

test('openJournalWriter() fails cleanly when there is no space for one segment', async () => {
  await using place = await temporaryRoot('memory')
  const disk = faultyFs()
  disk.isFull = true
  await assert.rejects(openWriter(place.root, { fs: disk, writer: 'one' }), JournalFullError)
  using lock = tryLock(join(place.root, 'one', 'lock'))
  assert.ok(lock, 'the lock is free again')
})

test('settle() finds its reserve on a full disk in whatever order and sizes, over any number of prepared segments (I6)', async () => {
  const step = fc.record({
    settles: fc.boolean(),
    pick: fc.nat(),
    intentBytes: fc.nat({ max: 300 }),
    settlementBytes: fc.nat({ max: 400 }),
    fills: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
      await using place = await temporaryRoot('memory')
      const disk = faultyFs()
      await using writer = await openWriter(place.root, { ...TINY, fs: disk, retryMs: 100_000, commitIntervalMs: 0 })
      const open: string[] = []
      const written: string[] = []
      for (const { settles, pick, intentBytes, settlementBytes, fills } of steps) {
        if (fills && !disk.isFull && written.length > steps.length / 3) disk.isFull = true
        if (settles && open.length > 0) {
          const [id] = open.splice(pick % open.length, 1)
          if (id === undefined) continue
          const payload = 's'.repeat(Math.min(settlementBytes, writer.settlementBound(id)))
          await writer.settle(id, payload)
          written.push(`settlement ${id} ${payload}`)
        } else {
          const id = nextId()
          const payload = 'i'.repeat(intentBytes)
          try {
            await writer.intend(id, payload)
            open.push(id)
            written.push(`intent ${id} ${payload}`)
          } catch (cause) {
            assert.ok(cause instanceof JournalFullError)
          }
        }
      }
      disk.isFull = true
      for (const id of open) {
        const payload = 's'.repeat(writer.settlementBound(id))
        await writer.settle(id, payload)
        written.push(`settlement ${id} ${payload}`)
      }
      assert.deepEqual(contentOf(await readAll(writer.dir)), written)
    }),
    { numRuns: 25 },
  )
})

test('intend() and settle() are whole however short the single writes are (I7)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }), async (lengths) => {
      await using place = await temporaryRoot('memory')
      const disk = faultyFs()
      const writer = await openWriter(place.root, { ...TINY, fs: disk, commitIntervalMs: 0 })
      let turn = 0
      disk.shortWrites = (length) => Math.min(length, lengths[(turn += 1) % lengths.length] ?? 1)
      const ids = Array.from({ length: 8 }, nextId)
      await Promise.all(ids.map((id) => writer.intend(id, 'x'.repeat(40))))
      await Promise.all(ids.map((id) => writer.settle(id, 'y'.repeat(60))))
      assert.equal((await readAll(writer.dir)).length, 16)
      disk.shortWrites = (length) => length
      await writer.close()
      assert.deepEqual((await verifyJournal(place.root)).violations, [])
    }),
    { numRuns: 8 },
  )
})

test('recoverWriter() of a copy made at any moment of a live writer: what was acknowledged is in it (I5, I7)', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(join(place.data, 'live'), { ...TINY, writer: 'w', commitIntervalMs: 0 })
  for (let round = 0; round < 8; round += 1) {
    const ids = Array.from({ length: 12 }, nextId)
    await Promise.all(ids.map((id) => writer.intend(id, 'x'.repeat(round * 20))))
    const acknowledged = contentOf(await readAll(writer.dir))
    const settling = Promise.all(ids.map((id) => writer.settle(id, 'y')))
    const copy = join(place.data, `copy${round}`, 'w')
    await cp(writer.dir, copy, { recursive: true, filter: (path) => !path.endsWith('.tmp') })
    await recoverWriter(copy, recovery)
    const entries = new Set(contentOf(await readAll(copy)))
    for (const each of acknowledged) assert.ok(entries.has(each))
    assert.equal((await verifyJournal(copy)).open, 0)
    await settling
  }
  await writer.close()
})
