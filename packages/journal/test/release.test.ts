import assert from 'node:assert/strict'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { realFs, type JournalFs } from '../src/fs.ts'
import {
  createReleaser,
  type JournalWriter,
  listWriters,
  type Position,
  readJournal,
  recoverWriter,
  releaseSegments,
  verifyJournal,
} from '../src/index.ts'
import { contentOf, nextId, openWriter, readAll, recovery, temporaryRoot, TINY, tryLock } from './kit.ts'

const options = { tryLock }

async function pairs(writer: JournalWriter, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const id = nextId()
    await writer.intend(id, 'i'.repeat(100))
    await writer.settle(id, 's'.repeat(100))
  }
}

async function endOf(dir: string, from?: Position): Promise<Position> {
  let end: Position = from ?? { segment: 1, offset: 0 }
  for await (const batch of readJournal(dir, from)) end = batch.next
  return end
}

const segmentsOf = async (dir: string): Promise<number[]> =>
  (await readdir(dir))
    .filter((name) => name.endsWith('.seg'))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b)

test('releaseSegments() deletes what is settled and committed, and never the active segment (I13)', async () => {
  await using place = await temporaryRoot('memory')
  await using writer = await openWriter(place.root, TINY)
  await pairs(writer, 40)
  const active = writer.stats.segment
  assert.ok(active > 3)
  const all = await readAll(writer.dir)
  const second = all.findLast((entry) => entry.segment === 2)
  assert.ok(second)
  const early = await releaseSegments(writer.dir, { segment: 2, offset: second.end - 1 }, options)
  assert.deepEqual([early.segments, early.removed], [1, false], 'the last entry of segment 2 is not committed')
  const committed = await endOf(writer.dir)
  const release = await releaseSegments(writer.dir, committed, options)
  assert.equal(release.segments, active - 2)
  assert.ok((await segmentsOf(writer.dir)).includes(active))
  const rest = all.filter((entry) => entry.segment === active)
  assert.deepEqual(await readAll(writer.dir), rest)
  assert.deepEqual(await readAll(writer.dir, committed), [])
  await pairs(writer, 1)
  assert.equal((await readAll(writer.dir, committed)).length, 2)
  assert.deepEqual((await verifyJournal(place.root)).violations, [])
})

test('releaseSegments() frees around a request that stays open, and what it leaves is understood (I13)', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(place.root, TINY)
  const [long, inFirst] = [nextId(), nextId()]
  await writer.intend(long, 'long')
  await writer.intend(inFirst, 'settled in another segment')
  await pairs(writer, 20)
  await writer.settle(inFirst, '{}')
  await pairs(writer, 30)
  const releaser = createReleaser(writer.dir, options)
  await releaser.release(await endOf(writer.dir))
  const left = await segmentsOf(writer.dir)
  assert.deepEqual(left.slice(0, 1).concat(left.filter((sequence) => sequence === 2)), [1], 'segment 1 stays for the open intent, 2 went')
  const report = await verifyJournal(place.root)
  assert.deepEqual([report.ok, report.open], [true, 1], 'the one that was settled in a released segment is not open')

  // Dead with the request open: recovery closes that one and not the one whose settlement was released.
  const copy = join(place.data, 'copy', writer.writer)
  await cp(writer.dir, copy, { recursive: true, filter: (path) => !path.endsWith('.tmp') })
  assert.equal((await recoverWriter(copy, recovery)).closed, 1)
  assert.deepEqual((await verifyJournal(copy)).violations, [])

  await writer.settle(long, '{}')
  await releaser.release(await endOf(writer.dir))
  assert.ok(!(await segmentsOf(writer.dir)).includes(1), 'segment 1 went')
  const after = await verifyJournal(place.root)
  assert.deepEqual([after.ok, after.orphans, after.open], [true, 0, 0], 'its settlement is here, its intent is not, and that is recorded')
  await writer.close()
  assert.equal((await releaser.release(await endOf(writer.dir))).removed, true)
  assert.deepEqual(await listWriters(place.root), [])
})

test('releaseSegments() removes the folder of a dead writer when all of it is committed, not before', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(place.root, TINY)
  await pairs(writer, 20)
  const all = await endOf(writer.dir)
  assert.equal((await releaseSegments(writer.dir, all, options)).removed, false, 'it lives')
  await writer.close()
  const last = (await readAll(writer.dir)).at(-1)
  assert.ok(last)
  assert.equal((await releaseSegments(writer.dir, { segment: last.segment, offset: last.end - 1 }, options)).removed, false)
  // The end of the last entry will do: only the seal comes after it.
  assert.equal((await releaseSegments(writer.dir, { segment: last.segment, offset: last.end }, options)).removed, true)
  await assert.rejects(readdir(writer.dir), { code: 'ENOENT' })
  assert.deepEqual(await releaseSegments(writer.dir, all, options), { segments: 0, removed: false })
})

test('releaseSegments() leaves foreign files and segments that were set aside', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(place.root, TINY)
  await pairs(writer, 3)
  await writer.close()
  await writeFile(join(writer.dir, 'notes.txt'), 'mine')
  await writeFile(join(writer.dir, '00000000000000000001.seg.corrupt'), 'evidence')
  const end = await endOf(writer.dir)
  assert.equal((await releaseSegments(writer.dir, end, options)).removed, false)
  assert.deepEqual((await readdir(writer.dir)).sort(), ['00000000000000000001.seg.corrupt', 'lock', 'notes.txt', 'released'])
})

test('createReleaser() and one-shot releases agree, whatever the order, and nothing that is left is misread (I13)', async () => {
  const step = fc.record({ kind: fc.constantFrom('intend', 'settle', 'commit', 'release'), pick: fc.nat(), size: fc.nat({ max: 250 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 160 }), fc.boolean(), async (steps, remembers) => {
      await using place = await temporaryRoot('memory')
      await using writer = await openWriter(place.root, { ...TINY, commitIntervalMs: 0 })
      const releaser = createReleaser(writer.dir, options)
      const open: string[] = []
      const shipped: string[] = []
      const written: string[] = []
      let committed: Position = { segment: 1, offset: 0 }
      for (const { kind, pick, size } of steps) {
        if (kind === 'intend' || (kind === 'settle' && open.length === 0)) {
          const id = nextId()
          await writer.intend(id, 'i'.repeat(size))
          open.push(id)
          written.push(`intent ${id} ${'i'.repeat(size)}`)
        } else if (kind === 'settle') {
          const [id] = open.splice(pick % open.length, 1)
          if (id === undefined) continue
          await writer.settle(id, 's'.repeat(Math.min(size, 100)))
          written.push(`settlement ${id} ${'s'.repeat(Math.min(size, 100))}`)
        } else if (kind === 'commit') {
          for await (const batch of readJournal(writer.dir, committed, { entriesMax: 1 + (pick % 9) })) {
            shipped.push(...contentOf(batch.entries))
            committed = batch.next
            break
          }
        } else if (remembers) await releaser.release(committed)
        else await releaseSegments(writer.dir, committed, options)
        if (kind !== 'release') continue
        const report = await verifyJournal(writer.dir)
        assert.deepEqual([report.violations, report.open], [[], open.length])
      }
      for await (const batch of readJournal(writer.dir, committed)) shipped.push(...contentOf(batch.entries))
      assert.deepEqual(shipped, written, 'the settler sees every entry once')
      const copy = join(place.data, 'copy', writer.writer)
      await cp(writer.dir, copy, { recursive: true, filter: (path) => !path.endsWith('.tmp') })
      assert.equal((await recoverWriter(copy, recovery)).closed, open.length)
      assert.deepEqual((await verifyJournal(copy)).violations, [])
    }),
    { numRuns: 12 },
  )
})

test('releaseSegments() that was cut off anywhere is finished by the next one (I13)', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(place.root, { ...TINY, writer: 'w' })
  const long = nextId()
  await writer.intend(long, '{}')
  await pairs(writer, 30)
  await writer.settle(long, '{}')
  await pairs(writer, 10)
  const committed = await endOf(writer.dir)
  let steps = 0
  for (let cut = true; cut; steps += 1) {
    const copy = join(place.data, `cut${steps}`, 'w')
    await cp(writer.dir, copy, { recursive: true, filter: (path) => !path.endsWith('.tmp') })
    cut = await releaseSegments(copy, committed, { ...options, fs: stoppingFs(steps) }).then(
      () => false,
      () => true,
    )
    const between = await verifyJournal(copy)
    assert.deepEqual([between.violations, between.open], [[], 0], `after ${steps} operations`)
    await releaseSegments(copy, committed, options)
    assert.deepEqual((await verifyJournal(copy)).violations, [])
    assert.deepEqual(await readAll(copy, committed), [])
    assert.equal((await segmentsOf(copy))[0], committed.segment)
  }
  assert.ok(steps > 6)
  await writer.close()
})

test('verifyJournal() has no false alarm while a writer writes and a releaser releases', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(place.root, { ...TINY, commitIntervalMs: 0 })
  let isWriting = true
  let rounds = 0
  let released = 0
  const release = async (): Promise<void> => {
    const releaser = createReleaser(writer.dir, options)
    let committed: Position | undefined
    while (isWriting) {
      for await (const batch of readJournal(writer.dir, committed, { entriesMax: 20 })) {
        committed = batch.next
        released += (await releaser.release(committed)).segments
        break
      }
    }
  }
  const verify = async (): Promise<void> => {
    for (; isWriting; rounds += 1) assert.deepEqual((await verifyJournal(place.root)).violations, [])
  }
  const writing = Promise.all([pairs(writer, 200), pairs(writer, 200)]).finally(() => (isWriting = false))
  await Promise.all([writing, release(), verify()])
  assert.ok(rounds > 2 && released > 2, `${rounds} rounds, ${released} segments released`)
  await writer.close()
})

function stoppingFs(steps: number): JournalFs {
  let left = steps
  const step = (): void => {
    if (left <= 0) throw new Error('stopped')
    left -= 1
  }
  return {
    ...realFs,
    open: (path, flags) => (step(), realFs.open(path, flags)),
    write: async (...given) => (step(), realFs.write(...given)),
    fsync: async (fd) => (step(), realFs.fsync(fd)),
    rename: async (from, to) => (step(), realFs.rename(from, to)),
    unlink: async (path) => (step(), realFs.unlink(path)),
    syncFolder: async (path) => (step(), realFs.syncFolder(path)),
  }
}
