import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, ingestCursorNow, readIngested, streamEvents, streamLineRecords, tailEvents, toEventJson } from '../src/index.ts'
import type { EventFilter, LedgerRecord } from '../src/index.ts'
import { openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import type { UsageRecord } from '@ascribe/usage'
import {
  HOUR,
  MONTH,
  TEN,
  createCustomer,
  deliver,
  holdLock,
  openLedger,
  priceBook,
  rateAll,
  unknownRecord,
  until,
  usageRecord,
} from './support.ts'

async function listed(db: Database, filter: EventFilter = {}): Promise<readonly string[]> {
  return (await Array.fromAsync(streamEvents(db, filter))).map(({ record }) => record.eventId)
}

const idsOf = (records: readonly UsageRecord[]): readonly string[] => records.map(({ eventId }) => eventId)

function inOrder(records: readonly UsageRecord[]): readonly UsageRecord[] {
  return records.toSorted((a, b) => a.startedAt - b.startedAt || (a.eventId < b.eventId ? -1 : 1))
}

test('streamEvents() gives everything in order of (instant, event id), over pages and ties', async () => {
  await using db = await openLedger()
  const records = Array.from({ length: 2500 }, (_, index) => usageRecord({ startedAt: TEN + ((index * 7) % 5) * 600_000 }))
  await deliver(db, records.toReversed())
  assert.deepEqual(await listed(db), idsOf(inOrder(records)))
  assert.deepEqual(await listed(db, { limit: 1203 }), idsOf(inOrder(records).slice(0, 1203)))
})

test('streamEvents() filters by time, half-open, and goes on after a record', async () => {
  await using db = await openLedger()
  const records = [0, 0, 1, 2, 3, HOUR].map((ms) => usageRecord({ startedAt: TEN + ms }))
  await deliver(db, records)
  const ids = idsOf(records)
  assert.deepEqual(await listed(db, { from: TEN + 1, to: TEN + 3 }), ids.slice(2, 4))
  assert.deepEqual(await listed(db, { from: TEN, to: TEN + 1 }), ids.slice(0, 2))
  assert.deepEqual(await listed(db, { afterEventId: ids[0] ?? '' }), ids.slice(1))
  assert.deepEqual(await listed(db, { afterEventId: ids[0] ?? '', from: TEN + 2 }), ids.slice(3))
  assert.deepEqual(await listed(db, { afterEventId: ids[5] ?? '' }), [])
  await assert.rejects(listed(db, { afterEventId: usageRecord().eventId }), { code: 'LEDGER_INPUT' })
  await assert.rejects(listed(db, { afterEventId: 'x' }), { code: 'LEDGER_INPUT' })
})

for (const rated of [false, true]) {
  test(`streamEvents() filters by organization, auth id and model, ${rated ? 'after' : 'before'} the hours are rated`, async () => {
    await using db = await openLedger()
    const acme = await createCustomer(db)
    const other = await createCustomer(db, { authId: 'auth-2', name: 'Other' })
    const mine = usageRecord({ claimedOrganizationId: acme.id })
    const large = usageRecord({ model: 'large', startedAt: TEN + 3 * HOUR + 5 })
    const theirs = usageRecord({ authId: 'auth-2', startedAt: TEN + 1 })
    const contested = usageRecord({ claimedOrganizationId: other.id, startedAt: TEN + 2 })
    const nobodys = usageRecord({ authId: 'auth-3', startedAt: TEN + 3 })
    await deliver(db, [mine, large, theirs, contested, nobodys])
    if (rated) await rateAll(db)
    assert.deepEqual(await listed(db), idsOf([mine, theirs, contested, nobodys, large]))
    assert.deepEqual(await listed(db, { organizationId: acme.id }), idsOf([mine, large]), "a contested record is nobody's")
    assert.deepEqual(await listed(db, { organizationId: acme.id, afterEventId: mine.eventId }), idsOf([large]))
    assert.deepEqual(await listed(db, { organizationId: acme.id, from: TEN + 3 * HOUR, to: TEN + 3 * HOUR + 5 }), [])
    assert.deepEqual(await listed(db, { authId: 'auth-1' }), idsOf([mine, contested, large]))
    assert.deepEqual(await listed(db, { authId: 'auth-1', model: 'large' }), idsOf([large]))
    assert.deepEqual(await listed(db, { model: 'large' }), idsOf([large]))
    assert.deepEqual(await listed(db, { organizationId: 'x' }), [])
    const owners = (await Array.fromAsync(streamEvents(db))).map(({ organizationId }) => organizationId)
    assert.deepEqual(owners, [acme.id, other.id, undefined, undefined, acme.id])
  })
}

test('toEventJson() has the fields of the reference, leaves empty ones out, and keeps unknown counts null', () => {
  const { record } = {
    record: usageRecord({
      claimedOrganizationId: 'claimed',
      headers: { 'X-Saturn-A': 'b' },
      baseModel: 'base',
      userId: 'u',
      groupId: 'g',
      resourceType: 't',
    }),
  }
  assert.deepEqual(toEventJson({ record, organizationId: 'mine' }), {
    event_id: record.eventId,
    request_id: record.requestId,
    auth_id: 'auth-1',
    user_id: 'u',
    group_id: 'g',
    org_id: 'claimed',
    organization_id: 'mine',
    resource_id: 'default',
    resource_type: 't',
    model: 'small',
    base_model: 'base',
    model_asked: 'small',
    prompt_tokens: 100,
    cached_tokens: 0,
    completion_tokens: 10,
    meters: { input_tokens: 100, output_tokens: 10 },
    finish_reason: 'stop',
    aborted: false,
    outcome: 'completed',
    provenance: 'reported',
    status: 200,
    route: 'default',
    api: 'chat',
    streamed: false,
    identified_by: 'headers',
    started_unix_ms: TEN,
    timestamp_unix_ms: TEN + 500,
    first_byte_ms: 12.5,
    headers: { 'X-Saturn-A': 'b' },
  })
  const event = toEventJson({ record: { ...unknownRecord(), outcome: 'aborted' } })
  assert.equal(event.aborted, true)
  assert.deepEqual([event.prompt_tokens, event.cached_tokens, event.completion_tokens], [null, null, null])
  for (const name of ['organization_id', 'org_id', 'user_id', 'model', 'status', 'headers', 'finish_reason', 'first_byte_ms']) {
    assert.ok(!(name in event), name)
  }
})

test('readIngested() withholds a batch while an older one is on its way, and then shows both', async () => {
  await using db = await openLedger()
  await deliver(db, [], 'slow')
  const after = await ingestCursorNow(db)
  const [late, early] = [usageRecord(), usageRecord()]
  // Takes its number first and commits last: a reader that had gone past it would never see its record.
  await using hold = await holdLock(db, "select from writer_position where writer = 'slow' for update")
  const slow = deliver(db, [late], 'slow')
  await until(db, "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
  await deliver(db, [early])
  assert.deepEqual(await readIngested(db, { after }), { records: [], cursor: after })
  await hold.release()
  await slow
  const first = await readIngested(db, { after, limit: 1 })
  assert.deepEqual(
    first.records.map(({ record }) => record.eventId),
    [late.eventId],
  )
  const second = await readIngested(db, { after: first.cursor, limit: 1 })
  assert.deepEqual(
    second.records.map(({ record }) => record.eventId),
    [early.eventId],
  )
  assert.deepEqual((await readIngested(db, { after: second.cursor })).records, [])
})

test('readIngested() does not wait for transactions that bring no records, however old', async () => {
  await using db = await openLedger()
  const after = await ingestCursorNow(db)
  const record = usageRecord()
  await db.transaction(async (tx) => {
    await tx.query('select pg_current_xact_id()')
    await deliver(db, [record])
    assert.equal((await readIngested(db, { after })).records.length, 1)
  })
})

test('tailEvents() gives each new record once, in the order of commits, until it is told to stop', async () => {
  await using db = await openLedger()
  await deliver(db, [usageRecord()])
  const { cursor: after } = await readIngested(db, { after: { transaction: 0n, eventId: usageRecord().eventId } })
  const batches = [[usageRecord({ startedAt: TEN + 9 }), usageRecord()], [usageRecord({ startedAt: TEN - 9 })], [usageRecord()]]
  const stop = new AbortController()
  const seen: LedgerRecord[] = []
  const tailing = (async () => {
    for await (const found of tailEvents(db, { signal: stop.signal, after })) {
      seen.push(found)
      if (seen.length === 4) stop.abort()
    }
  })()
  for (const batch of batches) await deliver(db, batch)
  await tailing
  assert.deepEqual(
    seen.map(({ record }) => record.eventId),
    batches.flatMap((batch) => idsOf(batch).toSorted()),
  )
})

test('tailEvents() goes on when its connections are cut', async () => {
  await using db = await openLedger()
  const after = await ingestCursorNow(db)
  const stop = new AbortController()
  const records = Array.from({ length: 6 }, () => usageRecord())
  const seen: string[] = []
  const tailing = (async () => {
    for await (const { record } of tailEvents(db, { signal: stop.signal, after })) {
      seen.push(record.eventId)
      if (seen.length === records.length) stop.abort()
    }
  })()
  await using other = openDatabase(db.target)
  for (const record of records) {
    await deliver(other, [record])
    await other.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
  }
  await tailing
  assert.deepEqual(seen, idsOf(records))
})

test('streamLineRecords() gives exactly the records behind a line', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await createCustomer(db, { authId: 'auth-2', name: 'Other' })
  await applyPriceBook(db, priceBook())
  const charged = [0, 1, HOUR, 24 * HOUR].map((ms) => usageRecord({ startedAt: TEN + ms }))
  const cached = usageRecord({ startedAt: TEN + 2, meters: { cached_input_tokens: 4, output_tokens: 0 } })
  const large = usageRecord({ startedAt: TEN + 3, model: 'large' })
  await deliver(db, [
    ...charged,
    cached,
    large,
    usageRecord({ authId: 'auth-2' }),
    usageRecord({ model: 'absent' }),
    unknownRecord(),
    usageRecord({ meters: { input_tokens: 0 } }),
    usageRecord({ startedAt: Date.UTC(2026, 3, 1) }),
    usageRecord({ startedAt: Date.UTC(2026, 2, 1) - 1 }),
  ])
  await rateAll(db)
  const read = async (query: object): Promise<readonly string[]> =>
    (await Array.fromAsync(streamLineRecords(db, { organizationId, month: MONTH, ...query }))).map(({ record }) => record.eventId)
  const [first, second, ...others] = idsOf(charged)
  assert.deepEqual(await read({}), [first, second, cached.eventId, large.eventId, ...others])
  assert.deepEqual(await read({ model: 'small', authId: 'auth-1', meter: 'input_tokens' }), [first, second, ...others])
  assert.deepEqual(await read({ model: 'small', limit: 2 }), [first, second])
  assert.deepEqual(await read({ model: 'small', afterEventId: second }), [cached.eventId, ...others])
  assert.deepEqual(await read({ afterEventId: others.at(-1) }), [])
  assert.deepEqual(await read({ authId: 'auth-2' }), [])
  await assert.rejects(read({ month: 'March' }), { code: 'LEDGER_INPUT' })
  await assert.rejects(read({ afterEventId: usageRecord().eventId }), { code: 'LEDGER_INPUT' })
})

test('streamEvents() keeps that usage was invalid, and a redelivery without the word is the same record', async () => {
  await using db = await openLedger()
  const record = usageRecord({ invalidUsage: true })
  const { invalidUsage: _flag, ...plain } = record
  await deliver(db, [record])
  assert.deepEqual(await deliver(db, [plain]), { inserted: 0, duplicates: 1, conflicting: 0, quarantined: 0 })
  const [found] = await Array.fromAsync(streamEvents(db))
  assert.deepEqual([found?.record, found === undefined ? undefined : toEventJson(found).invalid_usage], [record, true])
})

test('streamEvents() keeps attempts, numbers without a class and the idempotency key; order of members makes no other record', async () => {
  await using db = await openLedger()
  const attempts = [
    { upstream: 'a', startedMs: 0.5, endedMs: 3, failure: 'connect', provenance: 'unknown', meters: {}, billed: false },
    {
      upstream: 'b',
      startedMs: 3,
      endedMs: 9,
      status: 200,
      provenance: 'reported',
      meters: { output_tokens: 4, input_tokens: 2 },
      billed: true,
    },
  ] as const
  const record = usageRecord({ idempotencyKey: 'once "and" \\ only', unclassified: { 'b.c': 2.5, a: 1 }, attempts })
  await deliver(db, [record])
  assert.deepEqual(await deliver(db, [record]), { inserted: 0, duplicates: 1, conflicting: 0, quarantined: 0 })
  // Together with one that is stored by now, a batch goes the slow way: both ways store the same.
  const other = usageRecord({ idempotencyKey: 'another', attempts })
  assert.deepEqual(await deliver(db, [record, other]), { inserted: 1, duplicates: 1, conflicting: 0, quarantined: 0 })
  const found = await Array.fromAsync(streamEvents(db))
  assert.deepEqual(
    found.map((each) => each.record).toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1)),
    [record, other].toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1)),
  )
  const event = toEventJson(found.find((each) => each.record.eventId === record.eventId) ?? assert.fail())
  assert.deepEqual(event.attempts?.[0], {
    upstream: 'a',
    started_ms: 0.5,
    ended_ms: 3,
    failure: 'connect',
    provenance: 'unknown',
    meters: {},
    billed: false,
  })
  assert.deepEqual([event.idempotency_key, event.unclassified], ['once "and" \\ only', { 'b.c': 2.5, a: 1 }])
})

test('a delivery whose attempts are no attempts goes into the quarantine, and nothing is lost', async () => {
  await using db = await openLedger()
  const broken = { ...usageRecord(), attempts: [{ upstream: 'a', meters: { input_tokens: -1 } }] }
  assert.deepEqual(await deliver(db, [broken as never]), { inserted: 0, duplicates: 0, conflicting: 0, quarantined: 1 })
})
