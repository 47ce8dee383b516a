import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Statement, UsageEvent, UsageEventPage } from '@ascribe/contract'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { HOUR, MONTH, TEN, codeOf, createCustomer, createKey, openApi, openLedger, settle, unknownRecord, usageRecord } from './support.ts'
import type { Customer, TestApi, UsageRecord } from './support.ts'

let db: TestDatabase
let api: TestApi
let other: Customer

before(async () => {
  db = await openLedger()
  api = await openApi(db)
  other = await createCustomer(db, 'Other')
  await settle(db, [usageRecord({ authId: other.billing.authId })])
})

after(async () => {
  await api[Symbol.asyncDispose]()
  await db[Symbol.asyncDispose]()
})

type Query = Readonly<Record<string, string | number | undefined>>

async function page(customer: Customer, query: Query = {}): Promise<UsageEventPage> {
  const search = new URLSearchParams({ month: MONTH })
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value))
  const reply = await api.get(`/v1/organizations/${customer.id}/usage-records?${search.toString()}`, customer.billing.key)
  assert.equal(reply.status, 200, reply.text)
  return reply.body as UsageEventPage
}

/** All pages; `between` runs after each. */
async function pages(customer: Customer, query: Query, between: (index: number) => Promise<void> = async () => {}): Promise<UsageEvent[]> {
  const found: UsageEvent[] = []
  let after: string | undefined
  for (let index = 0; index < 100; index += 1) {
    const { records, next } = await page(customer, { ...query, after })
    found.push(...records)
    if (next === undefined) return found
    after = next
    await between(index)
  }
  throw new Error('paging has no end')
}

const idsOf = (records: readonly (UsageEvent | UsageRecord)[]): string[] =>
  records.map((record) => ('event_id' in record ? record.event_id : record.eventId))

test('GET usage-records shows a record whole, a count that nobody knows as null', async () => {
  const acme = await createCustomer(db, 'Acme')
  const [known, unknown] = [usageRecord({ authId: acme.billing.authId, startedAt: TEN - 1 }), unknownRecord(acme.inference.authId)]
  await settle(db, [known, unknown])
  const { records } = await page(acme)
  assert.deepEqual(idsOf(records), idsOf([known, unknown]))
  const [first, second] = records
  assert.deepEqual(
    [first?.organization_id, first?.model, first?.prompt_tokens, first?.cached_tokens, first?.completion_tokens, first?.meters],
    [acme.id, 'small', 100, 40, 10, known.meters],
  )
  assert.deepEqual(
    [second?.outcome, second?.provenance, second?.prompt_tokens, second?.cached_tokens, second?.completion_tokens, second?.meters],
    ['unknown', 'unknown', null, null, null, {}],
  )
})

test('GET usage-records gives every record of the month once, whatever the size of the pages', async () => {
  const acme = await createCustomer(db, 'Acme')
  // Several of one instant, and several hours; a record before and one after the month.
  const records = Array.from({ length: 25 }, (_, index) =>
    usageRecord({ authId: acme.billing.authId, startedAt: TEN + Math.floor(index / 10) * HOUR }),
  )
  const [march, april] = [Date.UTC(2026, 2, 1), Date.UTC(2026, 3, 1)]
  const first = usageRecord({ authId: acme.billing.authId, startedAt: march })
  const last = usageRecord({ authId: acme.billing.authId, startedAt: april - 1 })
  const outside = [march - 1, april].map((startedAt) => usageRecord({ authId: acme.billing.authId, startedAt }))
  await settle(db, [...records, first, last, ...outside])
  const expected = idsOf([first, ...records, last])
  for (const limit of [1, 4, 9, 27, 1000]) {
    assert.deepEqual(idsOf(await pages(acme, { limit })), expected, `limit ${limit}`)
    assert.deepEqual(idsOf(await pages(acme, { limit, model: 'small' })), expected, `limit ${limit} of a line`)
  }
})

test('GET usage-records never skips or repeats a record while others come in', async () => {
  const acme = await createCustomer(db, 'Acme')
  const make = (startedAt: number): UsageRecord => usageRecord({ authId: acme.billing.authId, startedAt })
  const records = Array.from({ length: 12 }, (_, index) => make(TEN + index * 1000))
  await settle(db, records)
  const late: UsageRecord[] = []
  const found = idsOf(
    await pages(acme, { limit: 3 }, async (index) => {
      // One long behind the place of the reader, one before it.
      const fresh = [make(TEN - HOUR * (index + 1)), make(TEN + HOUR + index)]
      late.push(...fresh)
      await settle(db, fresh)
    }),
  )
  assert.equal(new Set(found).size, found.length)
  const early = new Set(idsOf(late.filter(({ startedAt }) => startedAt < TEN)))
  assert.deepEqual(
    found.filter((id) => idsOf(records).includes(id)),
    idsOf(records),
  )
  assert(!found.some((id) => early.has(id)))
  assert.equal((await pages(acme, {})).length, records.length + late.length)
})

test('GET usage-records narrowed to a line gives exactly the records behind it', async () => {
  const acme = await createCustomer(db, 'Acme')
  const third = await createKey(db, acme.id, ['inference'])
  const authIds = [acme.billing.authId, acme.inference.authId, third.authId]
  const records = Array.from({ length: 60 }, (_, index) =>
    usageRecord({
      authId: authIds[index % 3] ?? '',
      startedAt: TEN + (index % 5) * HOUR,
      model: ['small', 'large', 'without a price', 'small'][index % 4] ?? '',
      meters: { input_tokens: index, cached_input_tokens: index % 2, output_tokens: 1 },
    }),
  )
  await settle(db, [...records, ...authIds.map(unknownRecord)])
  const reply = await api.get(`/v1/organizations/${acme.id}/statement?month=${MONTH}`, acme.billing.key)
  const { lines } = reply.body as Statement
  assert.equal(lines.length, 18)
  for (const { model, auth_id, meter, quantity } of lines) {
    const behind = await pages(acme, { model, auth_id, limit: 7 })
    assert.equal(
      behind.reduce((sum, { meters }) => sum + (meters[meter] ?? 0), 0),
      quantity,
      `${meter} of ${model}`,
    )
    assert.deepEqual(
      new Set(idsOf(behind)),
      new Set(idsOf(records.filter((record) => record.model === model && record.authId === auth_id))),
    )
  }
})

test("GET usage-records never gives another organization's records, whatever narrows it", async () => {
  const acme = await createCustomer(db, 'Acme')
  await settle(db, [usageRecord({ authId: acme.billing.authId })])
  assert.deepEqual(await page(acme, { auth_id: other.billing.authId }), { records: [] })
  assert.deepEqual(await page(acme, { auth_id: other.billing.authId, model: 'small' }), { records: [] })
  const text = JSON.stringify(await pages(acme, {}))
  assert(!text.includes(other.id) && !text.includes(other.billing.authId))
})

test('GET usage-records refuses what is odd and never answers 500', async () => {
  const acme = await createCustomer(db, 'Acme')
  await settle(db, [usageRecord({ authId: acme.billing.authId })])
  const refused = [
    'limit=0',
    'limit=-1',
    'limit=1001',
    'limit=1.5',
    'limit=x',
    'limit=',
    'limit=Infinity',
    'after=x',
    'after=',
    `after=${'a'.repeat(9000)}`,
    'after=00000000-0000-7000-8000-000000000000',
    'limit=1&limit=2',
    'model=a&model=b',
    'meter=x',
  ]
  for (const query of refused) {
    const reply = await api.get(`/v1/organizations/${acme.id}/usage-records?month=${MONTH}&${query}`, acme.billing.key)
    assert.deepEqual([reply.status, codeOf(reply)], [400, 'invalid_request'], query)
  }
  for (const value of ['%00', '%F0%9F%A6%8A', '%ED%A0%80', '%', "'", 'a'.repeat(9000), '%25%00']) {
    for (const name of ['model', 'auth_id']) {
      const reply = await api.get(`/v1/organizations/${acme.id}/usage-records?month=${MONTH}&${name}=${value}`, acme.billing.key)
      assert([200, 400].includes(reply.status), `${name}=${value.slice(0, 20)}: ${reply.text}`)
    }
  }
})

test("GET usage-records never shows by its cursor whether another organization's record exists", async () => {
  const acme = await createCustomer(db, 'Acme')
  const [theirs, mine] = [usageRecord({ authId: other.billing.authId }), usageRecord({ authId: acme.billing.authId })]
  await settle(db, [theirs, mine])
  for (const line of ['', '&model=small']) {
    const replies = await Promise.all(
      [theirs.eventId, '00000000-0000-7000-8000-000000000000'].map((after) =>
        api.get(`/v1/organizations/${acme.id}/usage-records?month=${MONTH}${line}&after=${after}`, acme.billing.key),
      ),
    )
    for (const reply of replies) assert.deepEqual([reply.status, codeOf(reply)], [400, 'invalid_request'], reply.text)
  }
})
