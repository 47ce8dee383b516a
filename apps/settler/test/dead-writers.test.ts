import assert from 'node:assert/strict'
import { mkdir, open, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AdmissionSnapshot } from '@ascribe/admission'
import { silentLogger, silentMeters, systemClock } from '@ascribe/kit'
import { listQuarantine, readStatement, setBudget } from '@ascribe/ledger'
import { tryLock } from '@ascribe/service'
import { createSettlerMeters } from '../src/settler-meters.ts'
import { WriterDrain } from '../src/writer-drain.ts'
import {
  MONTH,
  TINY,
  createCustomer,
  idsOf,
  intentOf,
  keepLog,
  killedCopy,
  namesIn,
  openBench,
  serve,
  usageRecord,
  usageRecords,
} from './support.ts'

const segment = (sequence: number): string => `${String(sequence).padStart(20, '0')}.seg`

/** Turns bytes of the first frame's payload that says `needle` into others. */
async function damage(path: string, needle: string): Promise<void> {
  const at = (await readFile(path)).indexOf(needle)
  assert(at > 0)
  await using file = await open(path, 'r+')
  await file.write(Buffer.from('garbage!'), 0, 8, at)
}

test('pass() makes unknown records of the open intents of a killed writer, never zero and never free', async () => {
  await using bench = await openBench()
  const organizationId = await createCustomer(bench.db)
  const writer = await bench.writer({ root: join(bench.data, 'elsewhere') })
  const open = usageRecords(3)
  for (const record of open) await writer.intend(record.eventId, JSON.stringify(intentOf(record)))
  const settled = await serve(writer, usageRecords(2))
  await killedCopy(writer, bench.journal)
  const settler = bench.settler()
  await settler.pass()
  await settler.pass()
  await bench.settler().pass()
  const found = await bench.records()
  assert.deepEqual(idsOf(found), [...open.map(({ eventId }) => eventId), ...settled])
  for (const { record } of found.slice(0, 3)) {
    const { outcome, provenance, promptTokens, cachedTokens, completionTokens, meters } = record
    assert.deepEqual(
      { outcome, provenance, promptTokens, cachedTokens, completionTokens, meters },
      { outcome: 'unknown', provenance: 'unknown', promptTokens: null, cachedTokens: null, completionTokens: null, meters: {} },
    )
    assert(record.endedAt >= record.startedAt)
  }
  const statement = await readStatement(bench.db, { organizationId, month: MONTH, scope: 'customer' })
  assert.deepEqual([statement?.total, statement?.held.unknown], ['0.00024', 3])
  assert.deepEqual(await namesIn(bench.journal), [])
})

test('a gateway that is killed never counts as one more live gateway once its journal was shipped, however lately it told of itself', async () => {
  await using bench = await openBench()
  const organizationId = await createCustomer(bench.db)
  const now = Date.now()
  await setBudget(
    bench.db,
    { scope: 'organization', subject: organizationId, unit: 'tokens', period: 'day', limit: 1000n, by: 'test' },
    now,
  )
  const snapshot = async (): Promise<AdmissionSnapshot> =>
    JSON.parse(await readFile(join(bench.data, 'admission.json'), 'utf8')) as AdmissionSnapshot
  const folder = join(bench.data, 'leases')
  await mkdir(folder)
  const writer = await bench.writer({ root: join(bench.data, 'elsewhere') })
  const living = await bench.writer()
  await serve(writer, usageRecords(1))
  for (const { writer: name } of [writer, living])
    await writeFile(join(folder, `${name}.json`), JSON.stringify({ writer: name, accounts: [] }))
  await killedCopy(writer, bench.journal)
  const settler = bench.settler()
  await settler.pass()
  await settler.pass()
  const { gateways, accounts } = await snapshot()
  assert.equal(gateways, 1)
  assert.deepEqual(Object.keys(accounts[0]?.leases ?? {}), [living.writer])
  assert.deepEqual(await namesIn(folder), [`${living.writer}.json`])
})

test('pass() never loses an intent that it cannot read, nor what else its writer left', async () => {
  await using bench = await openBench()
  const writer = await bench.writer({ root: join(bench.data, 'elsewhere') })
  const [odd, list, whole] = [usageRecord(), usageRecord(), usageRecord()]
  await writer.intend(odd.eventId, 'not JSON')
  await writer.intend(list.eventId, '[1]')
  await writer.intend(whole.eventId, JSON.stringify(intentOf(whole)))
  await killedCopy(writer, bench.journal)
  await bench.settler().pass()
  assert.deepEqual(idsOf(await bench.records()), [whole.eventId])
  const aside = await listQuarantine(bench.db)
  assert.deepEqual(aside.map(({ eventId }) => eventId).sort(), [odd.eventId, list.eventId].sort())
  assert.match(aside.map(({ payload }) => String(payload)).join(), /not JSON/)
})

test('pass() ships every other writer when a living one is damaged, and the damaged one once it has ended', async () => {
  await using bench = await openBench()
  const damaged = await bench.writer({ writer: 'a-damaged' })
  const sound = await bench.writer({ writer: 'b-sound' })
  const [first, broken, last] = usageRecords(3)
  assert(first !== undefined && broken !== undefined && last !== undefined)
  for (const record of [first, broken, last]) await serve(damaged, [record])
  const expected = await serve(sound, usageRecords(2))
  await damage(join(damaged.dir, segment(1)), JSON.stringify(broken).slice(0, 60))
  const { logger, lines } = keepLog()
  const settler = bench.settler({ logger })
  await settler.pass()
  await settler.pass()
  assert.deepEqual(idsOf(await bench.records()), [first.eventId, ...expected])
  assert.equal(lines.filter((line) => line.includes('is damaged')).length, 1, lines.join('\n'))
  await damaged.close()
  await settler.pass()
  const found = await bench.records()
  assert.deepEqual(new Set(idsOf(found)), new Set([first.eventId, broken.eventId, last.eventId, ...expected]))
  // Its settlement, or its intent, was what broke: all that is known of it is that it happened.
  assert.notEqual(found.find(({ record }) => record.eventId === last.eventId)?.record.outcome, 'unknown')
  assert((await namesIn(damaged.dir)).some((name) => name.includes('.corrupt')))
})

test('pass() ships what comes after a segment that somebody took away', async () => {
  await using bench = await openBench()
  const writer = await bench.writer({ ...TINY, root: join(bench.data, 'elsewhere') })
  const records = usageRecords(40)
  for (const record of records) await serve(writer, [record])
  await killedCopy(writer, bench.journal)
  const dir = join(bench.journal, writer.writer)
  await rm(join(dir, segment(2)))
  const { logger, lines } = keepLog()
  await bench.settler({ logger }).pass()
  const found = idsOf(await bench.records())
  assert.equal(found[0], records[0]?.eventId)
  assert.equal(found.at(-1), records.at(-1)?.eventId)
  assert(found.length < records.length)
  assert(lines.some((line) => line.startsWith('error journal segment is missing')))
})

test('pass() ships every other writer when one cannot be recovered', async () => {
  await using bench = await openBench()
  const dir = join(bench.journal, 'a-hopeless')
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'released'), 'garbage')
  await writeFile(join(dir, segment(1)), 'garbage')
  const expected = await serve(await bench.writer(), usageRecords(2))
  const { logger, lines } = keepLog()
  const settler = bench.settler({ logger })
  await settler.pass()
  await settler.pass()
  assert.deepEqual(idsOf(await bench.records()), expected)
  assert.equal(lines.filter((line) => line.startsWith('error journal cannot be shipped')).length, 1)
  assert.deepEqual(await namesIn(dir), [segment(1), 'lock', 'released'])
})

test('pass() ships every other writer and then says which error kept one from it', async () => {
  await using bench = await openBench()
  const dir = join(bench.journal, 'a-folder')
  await mkdir(join(dir, segment(1)), { recursive: true })
  const expected = await serve(await bench.writer(), usageRecords(2))
  await assert.rejects(bench.settler().pass(), /EISDIR/)
  assert.deepEqual(idsOf(await bench.records()), expected)
})

test('pass() removes the folder of a writer that was killed before its first entry, but never one that may be starting', async () => {
  await using bench = await openBench()
  const [old, young] = [join(bench.journal, 'old'), join(bench.journal, 'young')]
  for (const dir of [old, young]) {
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, 'lock'), '')
  }
  await utimes(old, new Date(0), new Date(0))
  await bench.settler().pass()
  assert.deepEqual(await namesIn(bench.journal), ['young'])
})

test('drain() recovers a killed writer once, however many turns its backlog takes', async () => {
  await using bench = await openBench()
  const writer = await bench.writer({ root: join(bench.data, 'elsewhere') })
  const expected = await serve(writer, usageRecords(7000))
  await killedCopy(writer, bench.journal)
  const [name = ''] = await namesIn(bench.journal)
  let locks = 0
  const drain = new WriterDrain(join(bench.journal, name), {
    db: bench.db,
    journal: bench.journal,
    tryLock: (path) => {
      locks += 1
      return tryLock(path)
    },
    clock: systemClock,
    logger: silentLogger,
    meters: createSettlerMeters(silentMeters),
  })
  const shipped = [await drain.drain({ thorough: true, turnMs: 0 }), await drain.drain({ thorough: true, turnMs: 0 })]
  assert.deepEqual(
    [shipped.map(({ more, isBacklog }) => [more, isBacklog]), locks],
    [
      [
        [true, true],
        [true, false],
      ],
      1,
    ],
  )
  assert.deepEqual(await drain.drain({ thorough: true }), { shipped: 0, more: false, isBacklog: false })
  assert.deepEqual(idsOf(await bench.records()), expected)
  assert.deepEqual(await namesIn(bench.journal), [])
})
