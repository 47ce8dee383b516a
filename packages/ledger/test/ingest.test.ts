import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Database } from '@ascribe/postgres'
import type { UsageRecord } from '@ascribe/usage'
import { ingestBatch, listQuarantine, readPosition, replayQuarantine, streamEvents } from '../src/index.ts'
import type { LedgerRecord } from '../src/index.ts'
import { HOUR, TEN, deliver, delivery, openLedger, unknownRecord, usageRecord } from './support.ts'

const NOTHING = { inserted: 0, duplicates: 0, conflicting: 0, quarantined: 0 }

async function recordsOf(db: Database): Promise<readonly UsageRecord[]> {
  const found: LedgerRecord[] = await Array.fromAsync(streamEvents(db))
  return found.map(({ record }) => record)
}

async function dirtyHours(db: Database): Promise<readonly number[]> {
  const { rows } = await db.query<{ hour: number }>('select distinct hour from dirty_hour order by hour')
  return rows.map(({ hour }) => hour)
}

test('ingestBatch() stores records that read back equal, whatever they hold', async () => {
  await using db = await openLedger()
  const records = [
    usageRecord(),
    unknownRecord({ startedAt: TEN + 1 }),
    usageRecord({
      startedAt: TEN + 2,
      resourceType: 'deployment',
      userId: 'u', // A field of one character, of quotes, commas and so on: what the literal has to quote.
      groupId: ' a,b(c)"d"\\e\\\\{f}\n\t\r ',
      baseModel: 'NULL',
      claimedOrganizationId: '""',
      headers: { 'X-Saturn-Odd': 'a "b", (c) \\ d', 'x-saturn-9': '', __proto__: 'x' },
      modelAsked: "'; drop table usage_record; --",
      model: '🦊,é',
      finishReason: '\\N',
      streamed: true,
      cachedTokens: null,
      status: 599,
      firstByteMs: 0.1,
      meters: {
        input_tokens: 0,
        cached_input_tokens: Number.MAX_SAFE_INTEGER,
        images: 7,
        input_audio_tokens: 3,
        reasoning_tokens: 1,
      },
    }),
  ]
  assert.deepEqual(await deliver(db, records), { ...NOTHING, inserted: 3 })
  assert.deepEqual(await recordsOf(db), records)
})

test('ingestBatch() moves the position with the records, and never backwards', async () => {
  await using db = await openLedger()
  assert.equal(await readPosition(db, 'a'), undefined)
  await ingestBatch(db, { writer: 'a', position: { segment: 2, offset: 50 }, records: [delivery(usageRecord())] })
  await ingestBatch(db, { writer: 'a', position: { segment: 1, offset: 900 }, records: [delivery(usageRecord())] })
  await ingestBatch(db, { writer: 'a', position: { segment: 2, offset: 49 }, records: [] })
  await ingestBatch(db, { writer: 'b', position: { segment: 7, offset: 0 }, records: [] })
  assert.deepEqual(await readPosition(db, 'a'), { segment: 2, offset: 50 })
  assert.deepEqual(await readPosition(db, 'b'), { segment: 7, offset: 0 })
})

test('ingestBatch() changes nothing when a batch is delivered again, in whole or in part', async () => {
  await using db = await openLedger()
  const records = [usageRecord(), usageRecord({ startedAt: TEN + HOUR }), unknownRecord()]
  await deliver(db, records)
  await db.query('delete from dirty_hour')
  assert.deepEqual(await deliver(db, records), { ...NOTHING, duplicates: 3 })
  assert.deepEqual(await dirtyHours(db), [], 'a batch without news makes nothing dirty')
  const fresh = usageRecord({ startedAt: TEN + 2 * HOUR })
  assert.deepEqual(await deliver(db, [...records, fresh, fresh]), { ...NOTHING, inserted: 1, duplicates: 4 })
  assert.equal((await recordsOf(db)).length, 4)
})

test('ingestBatch() marks the hour of each instant in UTC, at both edges', async () => {
  await using db = await openLedger()
  await deliver(db, [usageRecord({ startedAt: TEN }), usageRecord({ startedAt: TEN + HOUR - 1 }), usageRecord({ startedAt: TEN + HOUR })])
  assert.deepEqual(await dirtyHours(db), [TEN, TEN + HOUR])
})

test('ingestBatch() keeps the first of two contents with one event id, and sets the other aside', async () => {
  await using db = await openLedger()
  const first = usageRecord()
  const second = { ...first, meters: { input_tokens: 1 } }
  const third = { ...first, headers: { 'X-Saturn-A': 'b' } }
  assert.deepEqual(await deliver(db, [first, second]), { ...NOTHING, inserted: 1, conflicting: 1 })
  assert.deepEqual(await deliver(db, [third, usageRecord()]), { ...NOTHING, inserted: 1, conflicting: 1 })
  assert.deepEqual(await deliver(db, [third]), { ...NOTHING, conflicting: 1 })
  assert.deepEqual(
    (await recordsOf(db)).find(({ eventId }) => eventId === first.eventId),
    first,
  )
  const aside = await listQuarantine(db)
  assert.deepEqual(
    aside.map(({ eventId, payload }) => [eventId, payload]),
    [
      [first.eventId, JSON.stringify(second)],
      [first.eventId, JSON.stringify(third)],
    ],
  )
  assert.match(aside[0]?.reason ?? '', /other content/)
})

const good = usageRecord()
const refused: readonly (readonly [string, string, RegExp])[] = [
  ['is no JSON', '{"eventId":', /not JSON/],
  ['is no object', '[1]', /not a JSON object/],
  ['is binary', '\0\u{1}\u{FFFD}', /not JSON/],
  ['has no event id', JSON.stringify({ ...good, eventId: undefined }), /eventId/],
  ['has the event id of another frame', JSON.stringify(usageRecord()), /frame/],
  ['has a negative count', JSON.stringify({ ...good, meters: { input_tokens: -5 } }), /meter/],
  ['has a fraction', JSON.stringify({ ...good, meters: { output_tokens: 1.5 } }), /meter/],
  ['has a count beyond 2^53', JSON.stringify({ ...good, meters: { output_tokens: 2 ** 53 } }), /meter/],
  ['has a meter with an odd name', JSON.stringify({ ...good, meters: { 'output tokens': 5 } }), /meter/],
  ['has a count as text', JSON.stringify({ ...good, meters: { output_tokens: '5' } }), /meter/],
  ['has a negative total', JSON.stringify({ ...good, promptTokens: -1 }), /promptTokens/],
  ['has no auth id', JSON.stringify({ ...good, authId: '' }), /authId/],
  ['has an instant in the year 9999', JSON.stringify({ ...good, startedAt: Date.UTC(9999, 0) }), /startedAt/],
  ['has an outcome that we do not know', JSON.stringify({ ...good, outcome: 'fine' }), /outcome/],
]

for (const [what, payload, reason] of refused) {
  test(`ingestBatch() sets a payload aside that ${what}, and keeps the rest`, async () => {
    await using db = await openLedger()
    const other = usageRecord()
    const batch = { writer: 'w', position: { segment: 3, offset: 9 }, records: [{ eventId: good.eventId, payload }, delivery(other)] }
    assert.deepEqual(await ingestBatch(db, batch), { ...NOTHING, inserted: 1, quarantined: 1 })
    assert.deepEqual(await ingestBatch(db, batch), { ...NOTHING, duplicates: 1, quarantined: 1 }, 'again')
    assert.deepEqual(await recordsOf(db), [other])
    const [aside, ...more] = await listQuarantine(db)
    assert.deepEqual(more, [], 'kept once')
    assert.match(aside?.reason ?? '', reason)
    assert.equal(aside?.payload, payload)
    assert.deepEqual(aside?.position, { segment: 3, offset: 9 })
    assert.equal(aside?.sqlstate, undefined)
    assert.deepEqual(await readPosition(db, 'w'), { segment: 3, offset: 9 })
  })
}

test('ingestBatch() finds the rows that the database refuses, and keeps the rest', async () => {
  await using db = await openLedger({ fresh: true })
  await db.query("alter table usage_record add constraint no_cursed check (resource_id <> 'cursed')")
  const records = Array.from({ length: 40 }, (_, index) => usageRecord({ resourceId: index % 13 === 5 ? 'cursed' : 'fine' }))
  assert.deepEqual(await deliver(db, records), { ...NOTHING, inserted: 37, quarantined: 3 })
  assert.deepEqual(
    (await listQuarantine(db)).map(({ eventId, sqlstate }) => [eventId, sqlstate]),
    records.filter(({ resourceId }) => resourceId === 'cursed').map(({ eventId }) => [eventId, '23514']),
  )
  assert.equal((await recordsOf(db)).length, 37)
})

test('replayQuarantine() stores what can be stored by now, once, and leaves the rest', async () => {
  await using db = await openLedger({ fresh: true })
  await db.query("alter table usage_record add constraint no_cursed check (resource_id <> 'cursed')")
  const cursed = usageRecord({ resourceId: 'cursed', startedAt: TEN + HOUR })
  await deliver(db, [cursed])
  await ingestBatch(db, { writer: 'w', position: { segment: 1, offset: 1 }, records: [{ eventId: good.eventId, payload: '?' }] })
  assert.deepEqual(await replayQuarantine(db), { replayed: 0, refused: 2 })
  await db.query('alter table usage_record drop constraint no_cursed')
  await db.query('delete from dirty_hour')
  assert.deepEqual(await replayQuarantine(db), { replayed: 1, refused: 1 })
  assert.deepEqual(await recordsOf(db), [cursed])
  assert.deepEqual(await dirtyHours(db), [TEN + HOUR])
  assert.deepEqual(
    (await listQuarantine(db)).map(({ payload }) => payload),
    ['?'],
  )
  assert.equal((await listQuarantine(db, { replayed: true })).length, 2)
  assert.deepEqual(await replayQuarantine(db), { replayed: 0, refused: 1 })
})

test('usage_record refuses every change, so that a fact stays a fact', async () => {
  await using db = await openLedger()
  await deliver(db, [usageRecord()])
  for (const sql of ['update usage_record set output_tokens = 0', 'delete from usage_record', 'truncate usage_record']) {
    await assert.rejects(db.query(sql), { sqlstate: '23001' })
  }
})

test('ingestBatch() stores any text, and finds it to be the same when it comes again', async () => {
  await using db = await openLedger()
  // Units, not characters: halves of pairs, controls and NUL are among them.
  const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), minLength: 1, maxLength: 8 })
  const odd = fc.oneof(text, fc.constantFrom('\\', '"', ',', '()', '{}', 'NULL', '\\N', ' ', '\0', "'", '\u{1F98A}'))
  // Names without escapes: V8 14.6 can read an escaped name of one character as a backslash (nodejs/node#63785). Names of HTTP
  // fields have none of those characters.
  const name = fc
    .oneof(odd, fc.constantFrom('X-Saturn-A', '$', "'", '__proto__'))
    .filter((text_) => !/["\\]|[^ -\u{D7FF}\u{E000}-\u{FFFF}]/u.test(text_))
  const headers = fc.dictionary(name, odd, { maxKeys: 3, noNullPrototype: true })
  const record = fc.record({ requestId: odd, authId: odd, model: odd, finishReason: odd, groupId: odd, headers }).map(usageRecord)
  const storable = (value: string): string => value.toWellFormed().replaceAll('\0', '\u{FFFD}')
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (generated) => {
      // Ids of this run: while fast-check shrinks, it comes with the same records again.
      const records = generated.map((found) => ({ ...found, eventId: usageRecord().eventId }))
      const first = await deliver(db, records)
      assert.deepEqual(first, { ...NOTHING, inserted: records.length })
      assert.deepEqual(await deliver(db, records), { ...NOTHING, duplicates: records.length })
      const stored = new Map((await recordsOf(db)).map((found) => [found.eventId, found]))
      for (const { eventId, authId, model = '', finishReason = '' } of records) {
        const found = stored.get(eventId)
        assert.deepEqual([found?.authId, found?.model, found?.finishReason], [authId, model, finishReason].map(storable))
      }
    }),
    { numRuns: 40 },
  )
})
