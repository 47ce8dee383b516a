import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createApiClient, getStatement, listUsageRecords } from '@ascribe/contract'
import type { Statement } from '@ascribe/contract'
import { closeMonth, readStatement, voidRecords } from '@ascribe/ledger'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { HOUR, MONTH, TEN, codeOf, createCustomer, openApi, openLedger, settle, unknownRecord, usageRecord } from './support.ts'
import type { Customer, TestApi } from './support.ts'

let db: TestDatabase
let api: TestApi
let acme: Customer
let other: Customer

before(async () => {
  db = await openLedger()
  api = await openApi(db)
  acme = await createCustomer(db, 'Acme')
  other = await createCustomer(db, 'Other')
  await settle(db, [
    usageRecord({ authId: acme.billing.authId }),
    usageRecord({ authId: acme.billing.authId, startedAt: TEN + HOUR, model: 'large' }),
    usageRecord({ authId: acme.inference.authId, startedAt: TEN + HOUR }),
    usageRecord({ authId: acme.inference.authId, model: 'nobody priced it' }),
    unknownRecord(acme.inference.authId),
    usageRecord({ authId: other.billing.authId }),
    usageRecord({ authId: other.billing.authId, claimedOrganizationId: acme.id }),
    usageRecord({ authId: 'of nobody' }),
  ])
})

after(async () => {
  await api[Symbol.asyncDispose]()
  await db[Symbol.asyncDispose]()
})

test('GET statement is what the ledger says, per model and key, with what is held', async () => {
  const reply = await api.get(`/v1/organizations/${acme.id}/statement?month=${MONTH}`, acme.billing.key)
  assert.equal(reply.status, 200)
  assert.deepEqual(reply.body, await readStatement(db, { organizationId: acme.id, month: MONTH, scope: 'customer' }))
  const { lines, total, held } = reply.body as Statement
  assert.deepEqual(
    lines.map(({ model, auth_id, meter, quantity, rate, amount }) => [model, auth_id, meter, quantity, rate, amount].join(' ')).toSorted(),
    [
      ...[acme.billing, acme.inference].flatMap(({ authId }) => [
        `small ${authId} cached_input_tokens 40 0.0000001 0.000004`,
        `small ${authId} input_tokens 60 0.000001 0.00006`,
        `small ${authId} output_tokens 10 0.000002 0.00002`,
      ]),
      `large ${acme.billing.authId} cached_input_tokens 40 0.000001 0.00004`,
      `large ${acme.billing.authId} input_tokens 60 0.00001 0.0006`,
      `large ${acme.billing.authId} output_tokens 10 0.00002 0.0002`,
    ].toSorted(),
  )
  assert.equal(total, '0.001008')
  // The one that claims to be Acme's; how much is nobody's at all is not Acme's business.
  assert.deepEqual(held, { unpriced: 1, unattributed: 1, unknown: 1 })
})

test("GET statement of one organization never holds another one's usage", async () => {
  const reply = await api.get(`/v1/organizations/${other.id}/statement?month=${MONTH}`, other.billing.key)
  assert.deepEqual(
    (reply.body as Statement).lines.map(({ auth_id }) => auth_id),
    Array.from({ length: 3 }, () => other.billing.authId),
  )
  assert(!reply.text.includes(acme.id) && !reply.text.includes(acme.billing.authId))
})

test('GET statement of a month without usage is empty, and the id may be written in capitals', async () => {
  const reply = await api.get(`/v1/organizations/${acme.id.toUpperCase()}/statement?month=2020-01`, acme.billing.key)
  const held = { unpriced: 0, unattributed: 0, unknown: 0 }
  assert.deepEqual(reply.body, {
    organization_id: acme.id,
    month: '2020-01',
    currency: 'USD',
    provisional: true,
    total: '0',
    lines: [],
    held,
  })
})

test('GET statement refuses what is no month, and a query that it does not know', async () => {
  const months = [
    '2026-13',
    '2026-00',
    '2026-3',
    '26-03',
    '2026-03-01',
    '',
    '%002026-03',
    '2026-03%0A',
    '９026-03',
    `${'9'.repeat(5000)}-01`,
  ]
  const queries = ['', `month=${MONTH}&month=${MONTH}`, `month=${MONTH}&moth=1`, `month[]=${MONTH}`, `__proto__=1&month=${MONTH}`]
  for (const query of [...months.map((month) => `month=${month}`), ...queries]) {
    const reply = await api.get(`/v1/organizations/${acme.id}/statement?${query}`, acme.billing.key)
    assert.deepEqual([reply.status, codeOf(reply)], [400, 'invalid_request'], query)
  }
})

test('createApiClient() of the contract reads statement and records of this server', async () => {
  const client = createApiClient({ baseUrl: api.url, identity: { kind: 'bearer', token: acme.billing.key }, fetch })
  assert.equal((await client.call(getStatement, { params: { id: acme.id }, query: { month: MONTH } })).total, '0.001008')
  assert.equal((await client.call(listUsageRecords, { params: { id: acme.id }, query: { month: MONTH } })).records.length, 5)
  await assert.rejects(client.call(getStatement, { params: { id: other.id }, query: { month: MONTH } }), {
    status: 404,
    apiCode: 'organization_not_found',
  })
})

// The last of the file: it closes the month.
test('GET statement of a closed month is not provisional; what turns out otherwise is an adjustment of the open one', async () => {
  const path = `/v1/organizations/${other.id}/statement`
  const first = await db.query<{ event_id: string }>(
    'select event_id from usage_record where auth_id = $1::text order by instant limit 1',
    [other.billing.authId],
  )
  assert.equal((await closeMonth(db, { month: MONTH, closedBy: 'test', force: true })).kind, 'closed')
  await voidRecords(db, { eventIds: [first.rows[0]?.event_id ?? ''], actor: 'test', reason: 'of the test' })
  await settle(db, [usageRecord({ authId: other.billing.authId, startedAt: TEN + HOUR, model: 'large' })])
  const closed = (await api.get(`${path}?month=${MONTH}`, other.billing.key)).body as Statement
  assert.deepEqual([closed.provisional, closed.lines.map(({ kind }) => kind)], [false, ['usage', 'usage', 'usage']])
  // The client checks each reply against the contract: negative quantities and what is corrected.
  const next = (await api.get(`${path}?month=2026-04`, other.billing.key)).body as Statement
  assert.deepEqual(
    next.lines.map(({ kind, corrects, model, meter, quantity }) => [kind, corrects, model, meter, quantity].join(' ')),
    ['large cached_input_tokens 40', 'large input_tokens 60', 'large output_tokens 10']
      .concat(['small cached_input_tokens -40', 'small input_tokens -60', 'small output_tokens -10'])
      .map((line) => `adjustment ${MONTH} ${line}`),
  )
})
