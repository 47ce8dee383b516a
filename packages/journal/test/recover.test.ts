import assert from 'node:assert/strict'
import { cp, readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { isWriterDead, listWriters, readJournal, recoverWriter, verifyJournal } from '../src/index.ts'
import { realFs, type JournalFs } from '../src/fs.ts'
import { contentOf, nextId, openWriter, readAll, recovery, temporaryRoot, TINY, unknown } from './kit.ts'

/** A dead writer's folder, copied while its writer lived: `open` of its intents are open. */
async function deadWriter(
  root: string,
  options: { readonly pairs: number; readonly open: number },
): Promise<{ dir: string; open: string[] }> {
  const writer = await openWriter(`${root}-live`, { ...TINY, writer: 'dead' })
  for (let index = 0; index < options.pairs; index += 1) {
    const id = nextId()
    await writer.intend(id, `intent ${index}`)
    await writer.settle(id, `settlement ${index} ${'x'.repeat(index % 80)}`)
  }
  const open = Array.from({ length: options.open }, nextId)
  await Promise.all(open.map((id) => writer.intend(id, 'open')))
  const dir = join(root, 'dead')
  await cp(writer.dir, dir, { recursive: true, filter: (path) => !path.endsWith('.tmp') })
  await writer.close()
  return { dir, open }
}

const segmentsOf = async (dir: string): Promise<string[]> => (await readdir(dir)).filter((name) => name.endsWith('.seg')).sort()

test('recoverWriter() closes open intents, once, and the second time does nothing (I11)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir, open } = await deadWriter(place.root, { pairs: 40, open: 3 })
  const before = contentOf(await readAll(dir))
  const recovered = await recoverWriter(dir, recovery)
  assert.deepEqual([recovered.outcome, recovered.closed, recovered.tornBytes, recovered.corrupt], ['recovered', 3, 0, []])
  const after = contentOf(await readAll(dir))
  assert.deepEqual(after, [...before, ...open.map((id) => `settlement ${id} ${unknown(id)}`)])
  const files = await segmentsOf(dir)
  assert.equal((await recoverWriter(dir, recovery)).closed, 0)
  assert.deepEqual(contentOf(await readAll(dir)), after)
  assert.deepEqual(await segmentsOf(dir), files)
  const report = await verifyJournal(dir)
  assert.deepEqual([report.ok, report.open], [true, 0])
})

test('recoverWriter() leaves a live writer alone, and isWriterDead() says so', async () => {
  await using place = await temporaryRoot('memory')
  const writer = await openWriter(place.root)
  await writer.intend(nextId(), '{}')
  assert.equal(isWriterDead(writer.dir, recovery.tryLock), false)
  assert.equal((await recoverWriter(writer.dir, recovery)).outcome, 'alive')
  await writer.close()
  assert.equal(isWriterDead(writer.dir, recovery.tryLock), true)
  assert.deepEqual(await listWriters(place.root), [writer.dir])
  assert.equal((await recoverWriter(writer.dir, recovery)).closed, 1, 'an intent that close() left open')
  assert.equal((await recoverWriter(writer.dir, recovery)).closed, 0)
  assert.equal((await verifyJournal(place.data)).ok, true)
  assert.equal((await recoverWriter(join(place.root, 'nobody'), recovery)).outcome, 'gone')
})

test('recoverWriter() cuts a torn tail and reports its bytes (I4)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 3, open: 1 })
  const entries = await readAll(dir)
  const path = join(dir, (await segmentsOf(dir))[0] ?? '')
  const last = entries.at(-1)
  const previous = entries.at(-2)
  assert.ok(last && previous)
  const bytes = await readFile(path)
  bytes.fill(0, last.end - 1)
  await writeFile(path, bytes)
  const reported = await verifyJournal(dir)
  assert.deepEqual([reported.ok, reported.tornBytes > 0], [true, true])
  const recovered = await recoverWriter(dir, recovery)
  assert.equal(recovered.tornBytes, reported.tornBytes)
  assert.equal(recovered.closed, 0, 'the open intent was in the torn tail')
  assert.deepEqual(contentOf(await readAll(dir)), contentOf(entries.slice(0, -1)))
  // A reader that remembers the position before the tail finds the end there.
  assert.deepEqual(await readAll(dir, { segment: previous.segment, offset: previous.end }), [])
})

test('recoverWriter() sets a corrupt segment aside and keeps what checks out, at the old offsets (I4)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 40, open: 1 })
  const entries = await readAll(dir)
  const [first] = await segmentsOf(dir)
  assert.ok(first)
  const damaged = entries[3]
  assert.ok(damaged && damaged.segment === 1 && damaged.kind === 'settlement')
  const bytes = await readFile(join(dir, first))
  bytes.writeUInt8(bytes.readUInt8(damaged.end - 2) ^ 1, damaged.end - 2)
  await writeFile(join(dir, first), bytes)
  await assert.rejects(readAll(dir), { code: 'JOURNAL_CORRUPT', segment: 1 })
  assert.equal((await verifyJournal(dir)).corrupt, 1)

  const recovered = await recoverWriter(dir, recovery)
  assert.deepEqual(recovered.corrupt, [`${first}.corrupt`])
  assert.equal(recovered.salvaged, entries.filter((entry) => entry.segment === 1).length - 1)
  assert.equal(recovered.closed, 2, 'the one whose settlement was lost, and the open one')
  assert.deepEqual(await readFile(join(dir, `${first}.corrupt`)), bytes, 'nothing was deleted')
  const after = await readAll(dir)
  assert.deepEqual(
    after.slice(0, entries.length - 1),
    entries.filter((entry) => entry !== damaged),
  )
  assert.deepEqual(await readAll(dir, { segment: damaged.segment, offset: damaged.end }), after.slice(3))
  const report = await verifyJournal(dir)
  assert.deepEqual([report.ok, report.corrupt, report.open], [false, 1, 0], 'said until somebody removes the file')
  await unlink(join(dir, `${first}.corrupt`))
  assert.equal((await verifyJournal(dir)).ok, true)
})

test('readJournal() goes on from a position that recovery has since found to be inside damage', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 40, open: 0 })
  const entries = await readAll(dir)
  const [first] = await segmentsOf(dir)
  const inFirst = entries.filter((entry) => entry.segment === 1)
  const [second, fourth] = [inFirst[1], inFirst[3]]
  assert.ok(first && second && fourth)
  // The third and fourth entries, and everything from the fourth-last on, are lost: the tail with the seal.
  const bytes = await readFile(join(dir, first))
  bytes.fill(0xff, second.end + 5, fourth.end - 5)
  const lastKept = inFirst.at(-4)
  assert.ok(lastKept)
  bytes.fill(0xff, lastKept.end)
  await writeFile(join(dir, first), bytes)
  await recoverWriter(dir, recovery)
  const after = await readAll(dir)
  for (const entry of inFirst) {
    const expected = after.filter((other) => other.segment > 1 || other.end > entry.end)
    assert.deepEqual(await readAll(dir, { segment: 1, offset: entry.end }), expected, `from ${entry.end}`)
  }
})

test('recoverWriter() is the same after a lost header, and says that a segment is missing', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 120, open: 0 })
  const entries = await readAll(dir)
  const [, second, third] = await segmentsOf(dir)
  assert.ok(second && third)
  const bytes = await readFile(join(dir, second))
  bytes.fill(0, 0, 100)
  await writeFile(join(dir, second), bytes)
  const recovered = await recoverWriter(dir, recovery)
  assert.deepEqual(recovered.corrupt, [`${second}.corrupt`])
  assert.deepEqual(contentOf(await readAll(dir)), contentOf(entries), 'no frame was lost')
  await unlink(join(dir, third))
  assert.equal((await recoverWriter(dir, recovery)).missing, 1)
  assert.equal((await verifyJournal(dir)).missing, 1)
  await assert.rejects(readAll(dir), { code: 'JOURNAL_CORRUPT', segment: 3 })
})

test('recoverWriter() gives the same result wherever it was cut off before (I12)', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 25, open: 2 })
  const [first] = await segmentsOf(dir)
  assert.ok(first)
  const entries = await readAll(dir)
  const damaged = entries[2]
  const last = entries.at(-1)
  assert.ok(damaged && last)
  const bytes = await readFile(join(dir, first))
  bytes.writeUInt8(bytes.readUInt8(damaged.end - 1) ^ 4, damaged.end - 1)
  await writeFile(join(dir, first), bytes)
  const name = (await segmentsOf(dir)).find((each) => each.startsWith(String(last.segment).padStart(20, '0'))) ?? ''
  const tail = await readFile(join(dir, name))
  tail.fill(7, last.end, last.end + 9)
  await writeFile(join(dir, name), tail)

  const recoverCopy = async (label: string, steps: number): Promise<{ result: string[]; cut: boolean }> => {
    const copy = join(place.data, label, basename(dir))
    await cp(dir, copy, { recursive: true })
    const disk = stoppingFs(steps)
    const cut = await recoverWriter(copy, { ...recovery, clock: () => 5, fs: disk }).then(
      () => false,
      () => true,
    )
    await recoverWriter(copy, { ...recovery, clock: () => 5 })
    const report = await verifyJournal(copy)
    assert.deepEqual([report.open, report.duplicates, report.orphans, report.corrupt], [0, 0, 1, 1])
    return { result: contentOf(await readAll(copy)), cut }
  }
  const whole = await recoverCopy('whole', Number.POSITIVE_INFINITY)
  let steps = 0
  for (; ; steps += 1) {
    const { result, cut } = await recoverCopy(`cut${steps}`, steps)
    assert.deepEqual(result, whole.result, `cut off after ${steps} operations`)
    if (!cut) break
  }
  assert.ok(steps > 12, `${steps} places to be cut off at`)
})

test('verifyJournal() reports an event with two intents, two settlements, and a settlement without an intent (I1, I2, I3)', async () => {
  await using place = await temporaryRoot('memory')
  const [one, two] = [nextId(), nextId()]
  for (const name of ['a', 'b']) {
    const writer = await openWriter(place.root, { ...TINY, writer: name })
    await writer.intend(one, '{}')
    await writer.settle(one, '{}')
    if (name === 'a') await writer.intend(two, '{}')
    await writer.close()
  }
  const report = await verifyJournal(place.root)
  assert.deepEqual([report.ok, report.duplicates, report.orphans, report.open, report.writers], [false, 2, 0, 1, 2])
  assert.match(report.violations.join('\n'), /two intents[^]*two settlements/)

  // An orphan: the segment with the intents is gone and nobody released it.
  const { dir } = await deadWriter(join(place.data, 'other'), { pairs: 30, open: 0 })
  const ids = (await readAll(dir)).filter((entry) => entry.segment === 1).map((entry) => entry.eventId)
  await unlink(join(dir, (await segmentsOf(dir))[0] ?? ''))
  const orphaned = await verifyJournal(dir)
  assert.equal(orphaned.missing, 1)
  assert.equal(orphaned.orphans, ids.length % 2, 'pairs that crossed the boundary')
})

test('verifyJournal() and readJournal() read a copy under another name', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 10, open: 0 })
  const copy = join(place.data, 'evidence')
  await cp(dir, copy, { recursive: true })
  assert.equal((await verifyJournal(copy)).ok, true)
  assert.equal((await readAll(copy)).length, 20)
  await assert.rejects(verifyJournal(join(place.data, 'nothing')), { code: 'JOURNAL_NOT_FOUND' })
})

test('readJournal() of a segment that was cut in its header reports it', async () => {
  await using place = await temporaryRoot('memory')
  const { dir } = await deadWriter(place.root, { pairs: 1, open: 0 })
  await truncate(join(dir, (await segmentsOf(dir))[0] ?? ''), 100)
  await assert.rejects(async () => {
    for await (const _ of readJournal(dir)) assert.fail('no batch')
  }, /header is cut short/)
})

/** The real disk, until `steps` changes were made to it: then every change fails, as if the process had been killed. */
function stoppingFs(steps: number): JournalFs {
  let left = steps
  const step = (): void => {
    if (left <= 0) throw new Error('stopped')
    left -= 1
  }
  return {
    ...realFs,
    open: (path, flags) => (step(), realFs.open(path, flags)),
    write: async (...given) => {
      if (left > 0 && left <= 1) return realFs.write(given[0], given[1], given[2], Math.ceil(given[3] / 2), given[4]).finally(step)
      step()
      return realFs.write(...given)
    },
    fsync: async (fd) => (step(), realFs.fsync(fd)),
    rename: async (from, to) => (step(), realFs.rename(from, to)),
    link: async (from, to) => (step(), realFs.link(from, to)),
    unlink: async (path) => (step(), realFs.unlink(path)),
    syncFolder: async (path) => (step(), realFs.syncFolder(path)),
  }
}
