import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import {
  applyPriceBook,
  createOrganization,
  ingestCloudEvents,
  listQuarantine,
  mapAuthId,
  parseExactJson,
  voidRecords,
} from '../src/index.ts'
import type { CloudEventsResult, EventSender } from '../src/index.ts'
import { ACTOR, NOW, RULES, eventsOf, totalOf } from './acts-support.ts'
import { TEN, createCustomer, holdLock, openLedger, priceBook, rateAll, until } from './support.ts'

const PLATFORM: EventSender = { kind: 'installation', name: 'platform' }

type Fields = Readonly<Record<string, unknown>>
const event = (id: string, fields: Fields = {}): Fields => ({
  specversion: '1.0',
  id,
  source: 'meter-1',
  type: 'vm.usage',
  subject: 'auth-1',
  time: '2026-03-01T10:00:00Z',
  data: { vm: { id: 'vm-1' }, cpu: 1000 },
  ...fields,
})

const send = (db: Database, values: readonly unknown[], sender: EventSender = PLATFORM): Promise<CloudEventsResult> =>
  ingestCloudEvents(db, { sender, values: values.map((value) => parseExactJson(JSON.stringify(value))?.value), rules: RULES, now: NOW })

const kindsOf = (result: CloudEventsResult): unknown =>
  result.kind === 'stored' ? result.outcomes.map(({ kind }) => kind) : result.faults.map(({ index, reason }) => `${index}: ${reason}`)

test('ingestCloudEvents() makes a record of each event that a price can be put on', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const values = [
    event('1', { data: { vm: { id: 'vm-1' }, cpu: 1000, disk: '1.5' } }),
    event('2', { time: '2026-03-01T11:00:00.123456+01:00' }),
  ]
  assert.deepEqual(kindsOf(await send(db, values)), ['accepted', 'accepted'])
  const [first, second] = (await eventsOf(db)).map(({ record }) => record)
  assert.deepEqual(
    { ...first, eventId: '' },
    {
      eventId: '',
      startedAt: TEN,
      requestId: '1',
      authId: 'auth-1',
      resourceId: 'vm-1',
      resourceType: 'vm',
      identifiedBy: 'event',
      route: 'events',
      api: 'event',
      streamed: false,
      endedAt: TEN,
      outcome: 'completed',
      provenance: 'reported',
      model: 'small',
      promptTokens: null,
      cachedTokens: null,
      completionTokens: null,
      meters: { input_tokens: 1000, output_tokens: 1500 },
    },
  )
  assert.equal(second?.startedAt, TEN + 123)
  await rateAll(db)
  // 2000 at 0.000001, 1500 at 0.000002.
  assert.equal(await totalOf(db, id), '0.005')
})

test('ingestCloudEvents() takes an event once, and sets another content of its name aside', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const first = await send(db, [
    event('1'),
    event('1'),
    event('1', { data: { vm: { id: 'vm-1' }, cpu: 7 } }),
    event('1', { source: 'meter-2' }),
  ])
  assert.deepEqual(kindsOf(first), ['accepted', 'duplicate', 'conflicting', 'accepted'])
  // The order of fields and what the time is written as are no content.
  const reordered = Object.fromEntries(Object.entries(event('1', { time: '2026-03-01T11:00:00.000+01:00' })).toReversed())
  assert.deepEqual(kindsOf(await send(db, [reordered])), ['duplicate'])
  assert.deepEqual(kindsOf(await send(db, [event('1', { time: '2026-03-01T10:00:01Z' })])), ['conflicting'])
  assert.deepEqual(kindsOf(await send(db, [event('1', { extension: 'x' })])), ['conflicting'])
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.002')
  const set = await listQuarantine(db)
  assert.deepEqual(
    set.map(({ eventId, writer, payload }) => [eventId, writer, (JSON.parse(payload) as { id: string }).id]),
    set.map(() => [first.kind === 'stored' ? first.outcomes[0]?.eventId : '', 'events:installation:platform', '1']),
  )
  assert.equal(set.length, 3)
})

test('ingestCloudEvents() stores nothing of a batch with an event that can never be a record, and names each', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  const values = [
    event('1'),
    event('2', { type: 'other' }),
    event('3', { data: { vm: { id: 'vm-1' } } }),
    event('4', { time: '2026-03-20T00:06:00Z' }),
    event('5', { subject: undefined }),
    event('6', { specversion: '0.3' }),
    7,
  ]
  assert.deepEqual(kindsOf(await send(db, values)), [
    '1: there is no rule for events of type "other"',
    '2: data has no $.cpu, which is meter input_tokens',
    '3: time is more than 5 minutes in the future',
    '5: specversion must be "1.0"',
    '6: is not a JSON object',
  ])
  assert.deepEqual(kindsOf(await send(db, [event('1'), event('5', { subject: undefined })])), [
    '1: subject is missing: it is the auth id or the organization whose usage this is',
  ])
  assert.deepEqual(await eventsOf(db), [])
})

test('ingestCloudEvents() keeps an organization within itself', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const bravo = await createCustomer(db, { authId: 'auth-b', name: 'Bravo' })
  await mapAuthId(db, { authId: 'key-a', organizationId: acme.id })
  await applyPriceBook(db, priceBook())
  const own: EventSender = { kind: 'organization', organizationId: acme.id, authId: 'key-a' }
  // What is somebody else's is answered as what is nobody's.
  const reason = '0: subject is neither an auth id nor the id of this organization'
  for (const subject of ['auth-b', bravo.id, 'nobody', 'organization:' + bravo.id]) {
    assert.deepEqual(kindsOf(await send(db, [event('1', { subject })], own)), [reason], subject)
  }
  const mine = [
    event('1'),
    event('2', { subject: acme.id }),
    event('3', { subject: undefined }),
    event('4', { type: 'call', subject: 'ada' }),
  ]
  assert.deepEqual(kindsOf(await send(db, mine, own)), ['accepted', 'accepted', 'accepted', 'accepted'])
  const records = (await eventsOf(db)).map(({ record }) => record).toSorted((a, b) => (a.requestId < b.requestId ? -1 : 1))
  assert.deepEqual(
    records.map(({ authId, userId, claimedOrganizationId }) => [authId, userId, claimedOrganizationId]),
    [
      ['auth-1', undefined, acme.id],
      ['key-a', undefined, acme.id],
      ['key-a', undefined, acme.id],
      ['key-a', 'ada', acme.id],
    ],
  )
  // The same name is another event within another organization.
  const other: EventSender = { kind: 'organization', organizationId: bravo.id, authId: 'auth-b' }
  assert.deepEqual(kindsOf(await send(db, [event('1', { subject: 'auth-b' })], other)), ['accepted'])
  await rateAll(db)
  assert.deepEqual([await totalOf(db, acme.id), await totalOf(db, bravo.id)], ['0.003001', '0.001'])
})

test('a key of an organization never makes the ledger hold a partition for every month since 1970', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const own: EventSender = { kind: 'organization', organizationId: id, authId: 'auth-1' }
  const partitions = async (): Promise<unknown> => (await db.query('select count(*)::integer as count from usage_partition')).rows
  const before = await partitions()
  const values = ['1970-01-02', '1999-05-01', '2024-12-01'].map((day, index) => event(String(index), { time: `${day}T00:00:00Z` }))
  const reason = 'time is more than 400 days ago: whoever runs this has to import it'
  assert.deepEqual(kindsOf(await send(db, values, own)), [`0: ${reason}`, `1: ${reason}`, `2: ${reason}`])
  assert.deepEqual(await partitions(), before)
  assert.deepEqual(kindsOf(await send(db, [event('3', { time: '2025-12-01T00:00:00Z' })], own)), ['accepted'])
  assert.deepEqual(kindsOf(await send(db, [event('0', { time: '2024-12-01T00:00:00Z' })])), ['accepted'], 'the installation itself may')
})

test('ingestCloudEvents() takes an organization for a subject from the installation, and holds what nobody knows', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  await applyPriceBook(db, priceBook())
  assert.deepEqual(kindsOf(await send(db, [event('1', { subject: id.toUpperCase() }), event('2', { subject: 'later' })])), [
    'accepted',
    'accepted',
  ])
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.001')
  await mapAuthId(db, { authId: 'later', organizationId: id })
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.002')
})

test('a voided event that is sent again stays void', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  const sent = await send(db, [event('1')])
  assert(sent.kind === 'stored')
  await voidRecords(db, { ...ACTOR, eventIds: [sent.outcomes[0]?.eventId ?? ''] })
  assert.deepEqual(kindsOf(await send(db, [event('1')])), ['duplicate'])
  assert.deepEqual(await eventsOf(db), [])
})

test('openmeter-5118: the id is claimed with the write, so a retry after a failure is not swallowed', async () => {
  await using db = await openLedger({ fresh: true })
  await createCustomer(db)
  // The claim succeeds, the write fails: nothing of either may stay.
  await db.query(`
    create function broken() returns trigger language plpgsql as $$ begin raise exception 'disk full' using errcode = '53100'; end $$;
    create trigger broken before insert on dirty_hour for each statement execute function broken()`)
  await assert.rejects(send(db, [event('1')]), /disk full/)
  await db.query('drop trigger broken on dirty_hour')
  assert.deepEqual(kindsOf(await send(db, [event('1')])), ['accepted'])
  assert.deepEqual(kindsOf(await send(db, [event('1')])), ['duplicate'])
  assert.equal((await eventsOf(db)).length, 1)
})

test('openmeter-5118: two deliveries at once make one record, and both are told', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  // Partitions and plans first, so that the two meet at the claim.
  await send(db, [event('0')])
  const lock = await holdLock(db, 'lock table usage_record in share row exclusive mode')
  const both = [send(db, [event('1'), event('2')]), send(db, [event('2'), event('1')])]
  await until(db, "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() having count(*) = 2")
  await lock.release()
  const kinds = (await Promise.all(both)).map((result) => JSON.stringify(kindsOf(result)))
  assert.deepEqual(
    kinds.toSorted((a, b) => (a < b ? -1 : 1)).map((text) => JSON.parse(text) as unknown),
    [
      ['accepted', 'accepted'],
      ['duplicate', 'duplicate'],
    ],
  )
  assert.equal((await eventsOf(db)).length, 3)
})

test('lago-637: an event that is accepted is charged, held or set aside, and counted there', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  // Good, of nobody yet, and a conflict.
  const result = await send(db, [event('1'), event('2', { subject: 'nobody' }), event('1', { data: { vm: { id: 'v' }, cpu: 1 } })])
  assert.deepEqual(kindsOf(result), ['accepted', 'accepted', 'conflicting'])
  await rateAll(db)
  const { rows } = await db.query<{ state: string; records: bigint }>(
    'select state, sum(record_count)::bigint as records from usage_hour group by state order by state',
  )
  assert.deepEqual(
    [rows.map(({ state, records }) => [state, records]), (await listQuarantine(db)).length, await totalOf(db, id)],
    [
      [
        ['charged', 1n],
        ['unattributed', 1n],
      ],
      1,
      '0.001',
    ],
  )
})

test('flexprice-2184: deduplication needs no setting', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  const kinds: unknown[] = []
  for (let round = 0; round < 3; round += 1) kinds.push(kindsOf(await send(db, [event('1')])))
  assert.deepEqual(kinds, [['accepted'], ['duplicate'], ['duplicate']])
})
