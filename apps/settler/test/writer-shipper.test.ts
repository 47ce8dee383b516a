import assert from 'node:assert/strict'
import { mkdir, rename, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger, silentMeters, systemClock } from '@ascribe/kit'
import { ingestBatches, readPosition } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { TransportUnavailableError } from '@ascribe/transport'
import type { BatchSender, JournalSlice } from '@ascribe/transport'
import { createShipperMeters } from '../src/shipper-meters.ts'
import { WriterShipper } from '../src/writer-shipper.ts'
import { TINY, idsOf, intentOf, killedCopy, namesIn, openBench, serve, usageRecord, usageRecords } from './support.ts'

// The shipper against a broker of ours that loses, refuses and shuffles at will, and a real ledger. The real broker is in e2e/peers.

type Held = { readonly messageId: string; readonly sequence: number; readonly slice: JournalSlice }

class Pipe implements BatchSender {
  held: Held[] = []
  refuses = false
  /** Every `send` waits for it. */
  slow: Promise<void> = Promise.resolve()
  #sequence = 0

  async send(slice: JournalSlice, { attempt }: { readonly attempt: number }): Promise<Held> {
    await this.slow
    if (this.refuses) throw new TransportUnavailableError('Cannot send records: the pipe is full')
    const messageId = `${slice.writer}/${slice.from.segment}.${slice.from.offset}/${attempt}`
    this.#sequence += 1
    const held = { messageId, sequence: this.#sequence, slice }
    this.held.push(held)
    return held
  }

  async holds({ messageId }: { readonly messageId: string }): Promise<boolean> {
    return Promise.resolve(this.held.some((each) => each.messageId === messageId))
  }

  /** Takes everything that is held to the ledger, in an order of its own, and some of it twice. */
  async deliver(db: Database): Promise<void> {
    const taken = this.held.toSorted((a, b) => (a.sequence % 3) - (b.sequence % 3))
    this.held = []
    for (const { slice } of [...taken, ...taken.slice(0, 2)]) {
      await ingestBatches(db, [{ writer: slice.writer, from: slice.from, position: slice.to, records: slice.entries }])
    }
  }
}

function shipperOf(dir: string, sender: BatchSender): WriterShipper {
  const meters = createShipperMeters(silentMeters)
  return new WriterShipper(dir, { sender, journal: join(dir, '..'), tryLock, clock: systemClock, logger: silentLogger, meters })
}

/** What the ledger would answer, and what follows from it. */
async function settle(shipper: WriterShipper, db: Database): Promise<string> {
  shipper.committedIs(await readPosition(db, shipper.name))
  return shipper.tidy()
}

/** The segment that is kept ready beside them takes its name whenever it is ready. */
async function segmentsIn(dir: string): Promise<readonly string[]> {
  return (await namesIn(dir)).filter((name) => name.endsWith('.seg'))
}

test('ship() sends every settlement once, and frees segments only when the ledger has them, whatever the order', async () => {
  await using bench = await openBench()
  const writer = await bench.writer(TINY)
  const pipe = new Pipe()
  const shipper = shipperOf(writer.dir, pipe)
  const expected: string[] = []
  for (let round = 0; round < 6; round += 1) {
    expected.push(...(await serve(writer, usageRecords(15))))
    await shipper.ship({})
  }
  const before = await segmentsIn(writer.dir)
  assert.equal(shipper.uncommitted, pipe.held.length)
  assert.equal(await settle(shipper, bench.db), 'open')
  const after = new Set(await segmentsIn(writer.dir))
  assert.deepEqual(
    before.filter((name) => !after.has(name)),
    [],
  )
  await pipe.deliver(bench.db)
  assert.deepEqual(idsOf(await bench.records()), expected)
  await settle(shipper, bench.db)
  assert.equal(shipper.uncommitted, 0)
  assert.ok((await segmentsIn(writer.dir)).length < before.length)
  assert.deepEqual((await bench.db.query('select from writer_range')).rowCount, 0)
})

test('ship() that is refused sends again from where it was, and skips nothing', async () => {
  await using bench = await openBench()
  const writer = await bench.writer()
  const pipe = new Pipe()
  const shipper = shipperOf(writer.dir, pipe)
  const expected = await serve(writer, usageRecords(20))
  await shipper.ship({})
  pipe.refuses = true
  expected.push(...(await serve(writer, usageRecords(20))))
  await assert.rejects(shipper.ship({}), TransportUnavailableError)
  await assert.rejects(shipper.ship({}), TransportUnavailableError)
  pipe.refuses = false
  await shipper.ship({})
  await pipe.deliver(bench.db)
  assert.deepEqual(idsOf(await bench.records()), expected)
})

test('committedIs() of a ledger that went back, after a restore, makes it send again what is missing', async () => {
  await using bench = await openBench()
  const writer = await bench.writer()
  const pipe = new Pipe()
  const shipper = shipperOf(writer.dir, pipe)
  const expected = await serve(writer, usageRecords(10))
  await shipper.ship({})
  await pipe.deliver(bench.db)
  await settle(shipper, bench.db)
  const old = await readPosition(bench.db, writer.writer)
  expected.push(...(await serve(writer, usageRecords(10))))
  await shipper.ship({})
  await pipe.deliver(bench.db)
  await settle(shipper, bench.db)
  shipper.committedIs(old)
  await shipper.ship({})
  assert.deepEqual(
    pipe.held.flatMap(({ slice }) => slice.entries.map(({ eventId }) => eventId)),
    expected.slice(10),
  )
})

test('ship() closes the open intents of a dead writer, and its folder goes when the ledger has all of it', async () => {
  await using bench = await openBench()
  const writer = await bench.writer({ root: join(bench.data, 'elsewhere') })
  const open = usageRecord()
  const settled = await serve(writer, usageRecords(3))
  await writer.intend(open.eventId, JSON.stringify(intentOf(open)))
  await killedCopy(writer, bench.journal)
  const pipe = new Pipe()
  const shipper = shipperOf(join(bench.journal, writer.writer), pipe)
  await shipper.ship({ thorough: true })
  assert.equal(await settle(shipper, bench.db), 'open')
  assert.deepEqual(await namesIn(bench.journal), [writer.writer])
  await pipe.deliver(bench.db)
  assert.equal(await settle(shipper, bench.db), 'done')
  assert.deepEqual(await namesIn(bench.journal), [])
  const found = await bench.records()
  assert.deepEqual(new Set(idsOf(found)), new Set([...settled, open.eventId]))
  assert.equal(found.find(({ record }) => record.eventId === open.eventId)?.record.outcome, 'unknown')
})

test('the journal of a dead writer is never removed while what was read of it is on its way to a broker', async () => {
  await using bench = await openBench()
  const writer = await bench.writer({ root: join(bench.data, 'elsewhere') })
  const expected = await serve(writer, usageRecords(3))
  await killedCopy(writer, bench.journal)
  const pipe = new Pipe()
  const shipper = shipperOf(join(bench.journal, writer.writer), pipe)
  const gate = Promise.withResolvers<void>()
  pipe.slow = gate.promise
  const shipping = shipper.ship({ thorough: true })
  for (let look = 0; look < 50; look += 1) {
    await delay(2)
    assert.equal(await settle(shipper, bench.db), 'open')
  }
  assert.deepEqual(await namesIn(bench.journal), [writer.writer])
  pipe.refuses = true
  gate.resolve()
  await assert.rejects(shipping, TransportUnavailableError)
  assert.equal(await settle(shipper, bench.db), 'open')
  pipe.refuses = false
  await shipper.ship({ thorough: true })
  await pipe.deliver(bench.db)
  assert.deepEqual(idsOf(await bench.records()), expected)
})

test('records that were read before a disk fails are never passed over', async () => {
  await using bench = await openBench()
  const writer = await bench.writer(TINY)
  const expected = await serve(writer, usageRecords(30))
  const last = join(writer.dir, (await segmentsIn(writer.dir)).at(-1) ?? '')
  // What cannot be read, as a disk would have it.
  await rename(last, `${last}.kept`)
  await mkdir(last)
  const pipe = new Pipe()
  const shipper = shipperOf(writer.dir, pipe)
  await shipper.ship({ thorough: true })
  assert.ok(shipper.stuck)
  await rmdir(last)
  await rename(`${last}.kept`, last)
  await shipper.ship({ thorough: true })
  await pipe.deliver(bench.db)
  assert.deepEqual(idsOf(await bench.records()), expected)
})
