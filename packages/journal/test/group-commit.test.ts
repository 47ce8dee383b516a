import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JournalFs, realFs } from '../src/fs.ts'
import { contentOf, nextId, openWriter, readAll, temporaryRoot, TINY, until } from './kit.ts'

type HeldFs = JournalFs & { held: (() => void)[]; holds: boolean; readonly events: string[]; inFlightMax: number }

/** The real disk, whose fdatasyncs end when the test lets them. */
function heldFs(): HeldFs {
  let inFlight = 0
  const fs: HeldFs = {
    ...realFs,
    held: [],
    holds: true,
    events: [],
    inFlightMax: 0,
    writeSync(fd, buffer, offset, length, position) {
      fs.events.push(`write ${fd}`)
      return realFs.writeSync(fd, buffer, offset, length, position)
    },
    fdatasync(fd, done) {
      inFlight += 1
      fs.inFlightMax = Math.max(fs.inFlightMax, inFlight)
      const finish = (): void =>
        realFs.fdatasync(fd, (error) => {
          inFlight -= 1
          fs.events.push(`synced ${fd}`)
          done(error)
        })
      if (fs.holds) fs.held.push(finish)
      else finish()
    },
  }
  return fs
}

test('settle() waits for a commit that started after it was written; one is in flight at a time (I7)', async () => {
  await using place = await temporaryRoot('memory')
  const disk = heldFs()
  const writer = await openWriter(place.root, { fs: disk, commitIntervalMs: 0 })
  const [one, two, before] = [nextId(), nextId(), nextId()]
  disk.holds = false
  await Promise.all([writer.intend(one, '{}'), writer.intend(two, '{}'), writer.intend(before, '{}')])
  // With it the intents are durable: none of them begins a commit of its own below, which would answer for nothing.
  await writer.settle(before, '{}')
  disk.holds = true
  const resolved: string[] = []
  const first = writer.settle(one, '{}').then(() => resolved.push('one'))
  await until(() => disk.held.length === 1, 'the first commit')
  const second = writer.settle(two, '{}').then(() => resolved.push('two'))
  await until(() => writer.stats.settlements === 3, 'the second settlement to be written')
  assert.deepEqual(resolved, [], 'written is not durable')
  assert.equal(disk.held.length, 1)
  disk.held.shift()?.()
  await first
  await until(() => disk.held.length === 1, 'the second commit')
  assert.deepEqual(resolved, ['one'], 'the first commit does not answer for the second settlement')
  disk.held.shift()?.()
  await second
  disk.holds = false
  await writer.close()
  assert.equal(disk.inFlightMax, 1)
})

test('intend() of a new segment is written only after the seal of the one before is durable (I8)', async () => {
  await using place = await temporaryRoot('memory')
  const disk = heldFs()
  const writer = await openWriter(place.root, { ...TINY, fs: disk, commitIntervalMs: 0 })
  const ids: string[] = []
  const pending: Promise<void>[] = []
  while (writer.stats.segment === 1) {
    const id = nextId()
    ids.push(id)
    pending.push(writer.intend(id, 'x'.repeat(200)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  // An intent before the seal may have begun a commit of its own, which does not answer for the seal.
  await until(() => disk.held.length === 1, 'a commit in flight')
  const entries = await readAll(writer.dir)
  assert.ok(entries.length < ids.length && entries.every((entry) => entry.segment === 1), 'nothing in segment 2 yet')
  assert.equal(new Set(disk.events.filter((event) => event.startsWith('write'))).size, 1)
  disk.holds = false
  disk.held.shift()?.()
  await Promise.all(pending)
  assert.ok(((await readAll(writer.dir)).at(-1)?.segment ?? 0) > 1)
  await Promise.all(ids.map((id) => writer.settle(id, id)))
  await writer.close()
  const firstFile = disk.events[0] ?? ''
  const untilSecond = disk.events.slice(
    0,
    disk.events.findIndex((event) => event.startsWith('write') && event !== firstFile),
  )
  const synced = untilSecond.lastIndexOf(firstFile.replace('write', 'synced'))
  assert.ok(synced > untilSecond.lastIndexOf(firstFile), untilSecond.join(', '))
  assert.equal(contentOf(await readAll(writer.dir)).length, 2 * ids.length)
})

test('settle() under load is committed at the pace, and at once after idleness', async () => {
  await using place = await temporaryRoot('memory')
  await using writer = await openWriter(place.root, { commitIntervalMs: 5 })
  const start = performance.now()
  while (writer.stats.commits < 20) {
    const id = nextId()
    await writer.intend(id, '{}')
    await writer.settle(id, '{}')
  }
  // Four may start without a pause; the others are 5 ms apart, whatever else the machine does.
  assert.ok(performance.now() - start >= 15 * 5, `${performance.now() - start} ms for 20 commits`)
})

test('sync() answers for intents that are written, by a commit that began after it was asked (I15)', async () => {
  await using place = await temporaryRoot('memory')
  const disk = heldFs()
  const writer = await openWriter(place.root, { fs: disk, commitIntervalMs: 0 })
  const resolved: string[] = []
  const first = writer.admit(nextId(), '{}')
  const early = writer.sync().then(() => resolved.push('early'))
  await until(() => disk.held.length === 1, 'the first commit')
  await first.written
  // Written already, and nothing is queued: the commit under way began before it was asked.
  const late = writer.sync().then(() => resolved.push('late'))
  assert.deepEqual(resolved, [])
  disk.held.shift()?.()
  await early
  await until(() => disk.held.length === 1, 'the second commit')
  assert.deepEqual(resolved, ['early'])
  disk.held.shift()?.()
  await late
  disk.holds = false
  await first.settle('{}')
  await writer.close()
  await assert.rejects(writer.sync(), { code: 'JOURNAL_CLOSED' })
})
