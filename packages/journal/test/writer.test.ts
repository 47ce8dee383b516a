import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { AssertionError } from '@ascribe/kit'
import { JournalClosedError, JournalFullError, JournalTakenError, readJournal, verifyJournal } from '../src/index.ts'
import { contentOf, nextId, openWriter, readAll, temporaryRoot, TINY, tryLock, until } from './kit.ts'

test('intend() and settle() are read back in order, whatever the text', async () => {
  await using place = await temporaryRoot()
  const writer = await openWriter(place.root)
  const [one, two] = [nextId(), nextId()]
  await writer.intend(one, '{"model":"grüße 🦊"}')
  await Promise.all([writer.intend(two, ''), writer.settle(one, '{"ok":true,"名":"\u0000"}')])
  await writer.settle(two, 'x'.repeat(4000))
  const expected = [
    `intent ${one} {"model":"grüße 🦊"}`,
    `intent ${two} `,
    `settlement ${one} {"ok":true,"名":"\u0000"}`,
    `settlement ${two} ${'x'.repeat(4000)}`,
  ]
  assert.deepEqual(contentOf(await readAll(writer.dir)), expected, 'while it is open')
  await writer.close()
  assert.deepEqual(contentOf(await readAll(writer.dir)), expected, 'after it was closed')
  const report = await verifyJournal(place.data)
  assert.deepEqual([report.ok, report.intents, report.settlements, report.open, report.tornBytes], [true, 2, 2, 0, 0])
})

test('intend() writes to the kernel before it resolves, and settle() lets the reader see it (I5)', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root)
  const id = nextId()
  await writer.intend(id, 'i')
  assert.deepEqual(contentOf(await readAll(writer.dir)), [`intent ${id} i`])
  await writer.settle(id, 's')
  assert.equal((await readAll(writer.dir)).length, 2)
})

test('readJournal() goes on where the last batch ended, over many segments, also while they are written', async () => {
  await using place = await temporaryRoot()
  const writer = await openWriter(place.root, TINY)
  const written: string[] = []
  const seen: string[] = []
  let position: { segment: number; offset: number } | undefined
  const read = async (): Promise<void> => {
    for await (const batch of readJournal(writer.dir, position, { entriesMax: 3 })) {
      assert.ok(batch.entries.length <= 3)
      seen.push(...contentOf(batch.entries))
      position = batch.next
    }
  }
  for (let index = 0; index < 100; index += 1) {
    const id = nextId()
    await writer.intend(id, `i${index}`)
    await writer.settle(id, 's'.repeat(index))
    written.push(`intent ${id} i${index}`, `settlement ${id} ${'s'.repeat(index)}`)
    if (index % 7 === 0) await read()
  }
  await read()
  assert.deepEqual(seen, written)
  assert.ok(writer.stats.segment > 3, 'the test crosses segments')
  await writer.close()
  await read()
  assert.deepEqual(seen, written, 'closing adds nothing')
})

test('settle() of one tick is one write and one commit', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root)
  const ids = Array.from({ length: 500 }, nextId)
  await Promise.all(ids.map((id) => writer.intend(id, '{}')))
  assert.equal(writer.stats.writes, 1)
  const { commits } = writer.stats
  await Promise.all(ids.map((id) => writer.settle(id, '{}')))
  assert.equal(writer.stats.writes, 2)
  assert.ok(writer.stats.commits - commits <= 2, `${writer.stats.commits - commits} commits for 500 settlements`)
})

test('intend() alone is committed soon, without a settlement', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root)
  await writer.intend(nextId(), '{}')
  await until(() => writer.stats.commits === 1, 'the lazy commit')
})

test('intend() rejects an id for the second time, open or settled (I2)', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root)
  const id = nextId()
  await writer.intend(id, '{}')
  await assert.rejects(writer.intend(id, '{}'), AssertionError)
  await writer.settle(id, '{}')
  await assert.rejects(writer.intend(id, '{}'), AssertionError)
  await assert.rejects(writer.intend('no uuid', '{}'), AssertionError)
  assert.equal((await readAll(writer.dir)).length, 2)
})

test('settle() rejects what is not open, and a payload beyond its reserve; the intent stays open (I3, I6)', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root, TINY)
  const id = nextId()
  await assert.rejects(writer.settle(id, '{}'), AssertionError)
  await writer.intend(id, '12345')
  assert.equal(writer.settlementBound(id), 105)
  await assert.rejects(writer.settle(id, 'é'.repeat(53)), AssertionError)
  await writer.settle(id, 'x'.repeat(105))
  await assert.rejects(writer.settle(id, '{}'), AssertionError)
})

test('close() commits what was given, refuses more, and can be called twice', async () => {
  await using place = await temporaryRoot()
  const writer = await openWriter(place.root)
  const id = nextId()
  await writer.intend(id, '{}')
  const settled = writer.settle(id, '{}')
  const closing = Promise.all([writer.close(), writer.close()])
  await assert.rejects(writer.intend(nextId(), '{}'), JournalClosedError)
  await Promise.all([settled, closing])
  assert.equal(writer.state, 'closed')
  await assert.rejects(writer.settle(id, '{}'), JournalClosedError)
  using lock = tryLock(join(writer.dir, 'lock'))
  assert.ok(lock, 'the lock is free')
  const { size } = await stat(join(writer.dir, '00000000000000000001.seg'))
  assert.ok(size < 1000, 'the sealed segment is cut to size')
})

test('openJournalWriter() refuses a folder with a journal, and one that is locked (I10)', async () => {
  await using place = await temporaryRoot()
  const writer = await openWriter(place.root, { writer: 'one' })
  await assert.rejects(openWriter(place.root, { writer: 'one' }), JournalTakenError)
  await writer.close()
  await assert.rejects(openWriter(place.root, { writer: 'one' }), JournalTakenError)
  await assert.rejects(openWriter(place.root, { writer: '../out' }), AssertionError)
})

test('intend() waits for segments in a burst and is refused past openMax', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root, { ...TINY, openMax: 200 })
  const ids = Array.from({ length: 200 }, nextId)
  const admitted = Promise.all(ids.map((id) => writer.intend(id, 'x'.repeat(200))))
  await assert.rejects(writer.intend(nextId(), '{}'), JournalFullError)
  await admitted
  await Promise.all(ids.map((id) => writer.settle(id, 'y'.repeat(300))))
  assert.equal(writer.stats.openIntents, 0)
  assert.equal((await verifyJournal(place.root)).settlements, 200)
})

test('intend() is refused at the cap on retained bytes, open intents still settle, and it goes on after a release', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root, { ...TINY, retainedBytesMax: 4 * TINY.segmentBytes, retryMs: 1 })
  const open: string[] = []
  const refused = await (async (): Promise<unknown> => {
    for (;;) {
      const id = nextId()
      try {
        await writer.intend(id, 'x'.repeat(250))
        open.push(id)
      } catch (cause) {
        return cause
      }
    }
  })()
  assert.ok(refused instanceof JournalFullError)
  assert.match(refused.message, /the settler is behind/)
  await Promise.all(open.map((id) => writer.settle(id, 'y'.repeat(350))))
  const { releaseSegments } = await import('../src/index.ts')
  const last = (await readAll(writer.dir)).at(-1)
  assert.ok(last)
  const released = await releaseSegments(writer.dir, { segment: last.segment, offset: last.end }, { tryLock })
  assert.ok(released.segments > 0)
  const id = nextId()
  await until(async () => {
    try {
      await writer.intend(id, 'again')
      return true
    } catch {
      return false
    }
  }, 'an intent that is admitted')
  await writer.settle(id, 'again')
  assert.deepEqual((await verifyJournal(place.root)).violations, [])
})

test('settle() resolves before the disk has it when ack is written', async () => {
  await using place = await temporaryRoot()
  await using writer = await openWriter(place.root, { ack: 'written' })
  const id = randomUUID()
  await writer.intend(id, '{}')
  await writer.settle(id, '{}')
  assert.equal((await readAll(writer.dir)).length, 2)
})
