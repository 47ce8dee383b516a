import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  applyPriceBook,
  createOrganization,
  endMembership,
  isMemberOf,
  mapAuthId,
  moveOrganization,
  setBudget,
  syncDirectory,
  verifyRating,
  voidRecords,
} from '../src/index.ts'
import {
  readBudgetsOf,
  readCatalogue,
  readCosts,
  readFamily,
  readKeys,
  readMembers,
  readRecords,
  readResources,
  readUsage,
} from '../src/views.ts'
import { ACTOR } from './acts-support.ts'
import { close } from './periods-support.ts'
import { HOUR, TEN, createCustomer, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const MARCH = { from: '2026-03-01', to: '2026-03-31' }
const PERIOD = { start: Date.UTC(2026, 2, 1), end: Date.UTC(2026, 3, 1) }
const NOW = Date.UTC(2026, 3, 10)

test('readFamily() gives who stands directly under an organization now: not theirs in turn, and not who has moved away', async () => {
  await using db = await openLedger()
  const top = await createOrganization(db, { name: 'Top' })
  const [b, a] = [
    await createOrganization(db, { name: 'B', parentId: top.id }),
    await createOrganization(db, { name: 'A', parentId: top.id }),
  ]
  const below = await createOrganization(db, { name: 'Below', parentId: a.id, currency: 'EUR' })
  const names = async (id: string): Promise<readonly string[]> => (await readFamily(db, id)).map(({ name }) => name)
  assert.deepEqual(await names(top.id), ['Top', 'A', 'B'])
  assert.deepEqual(await names(a.id), ['A', 'Below'])
  assert.deepEqual(await names(below.id), ['Below'])
  assert.equal(await moveOrganization(db, { id: b.id, parentId: null }), 'moved')
  assert.deepEqual(await names(top.id), ['Top', 'A'])
  assert.deepEqual(await names('nobody'), [])
})

test('readCosts() keeps children of another currency apart', async () => {
  await using db = await openLedger()
  const parent = await createCustomer(db)
  const child = await createOrganization(db, { name: 'Enfant', currency: 'EUR', parentId: parent.id })
  await mapAuthId(db, { authId: 'auth-2', organizationId: child.id })
  await applyPriceBook(db, priceBook())
  await applyPriceBook(
    db,
    priceBook({ text: 'version: 1\ncurrency: EUR\nbase_models:\n  small: { prompt: "0.000002", cached: "0", completion: "0" }\n' }),
  )
  await deliver(db, [usageRecord({ meters: { input_tokens: 5 } }), usageRecord({ authId: 'auth-2', meters: { input_tokens: 5 } })])
  await rateAll(db)
  const ids = (await readFamily(db, parent.id)).map(({ id }) => id)
  const { totals, rows } = await readCosts(db, {
    organizationIds: ids,
    window: MARCH,
    grain: 'total',
    by: [],
    filter: {},
    now: NOW,
    limit: 10,
  })
  assert.deepEqual(totals, [
    { currency: 'EUR', amount: 10_000n },
    { currency: 'USD', amount: 5_000n },
  ])
  assert.equal(rows.length, 2)
})

test('readCosts() never has the lines of a month twice that is closed while it is read', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: `${priceBook().text}minimums: [{ organization: ${id}, amount: "5" }]\n` }))
  await deliver(db, [usageRecord({ meters: { input_tokens: 5 } })])
  await rateAll(db)
  const closing: typeof db.transaction = async (work, options) => {
    await close(db, '2026-03')
    return db.transaction(work, options)
  }
  const raced = new Proxy(db, {
    get: (target, name) => (name === 'transaction' ? closing : (Reflect.get(target, name, target) as unknown)),
  })
  const query = { organizationIds: [id], window: MARCH, grain: 'total', by: [], filter: {}, now: NOW, limit: 10 } as const
  assert.deepEqual((await readCosts(raced, query)).totals, [{ currency: 'USD', amount: 5_000_000_000n }])
})

test('isMemberOf() tells who is a member of an organization now: nobody else’s, and nobody who has left', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createCustomer(db), await createCustomer(db, { authId: 'auth-2', name: 'Other' })]
  const sync = async (ids: readonly string[]) =>
    syncDirectory(db, { users: ids.map((id) => ({ id, organizations: [acme.id] })) }, { source: 'test' })
  await sync(['ada', 'bob'])
  await endMembership(db, { organizationId: acme.id, userId: 'bob' })
  const asked = [
    ['ada', acme.id],
    ['bob', acme.id],
    ['ada', other.id],
    ['a\0', acme.id],
  ] as const
  const answers = await Promise.all(asked.map(([userId, organizationId]) => isMemberOf(db, { userId, organizationId })))
  assert.deepEqual(answers, [true, false, false, false])
})

test('a late record of a closed month is an adjustment in costs, and usage of its own day', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ meters: { input_tokens: 5 } })])
  await close(db, '2026-03')
  await deliver(db, [usageRecord({ startedAt: TEN + HOUR, meters: { input_tokens: 7 } })])
  await rateAll(db)
  const costs = async (window: { from: string; to: string }) =>
    (await readCosts(db, { organizationIds: [id], window, grain: 'month', by: ['category'], filter: {}, now: NOW, limit: 10 })).rows
  assert.deepEqual(
    (await costs({ from: '2026-03-01', to: '2026-04-10' })).map(({ start, keys, amount }) => [start, keys[0], amount]),
    [
      ['2026-03', 'usage', 5_000n],
      ['2026-04', 'adjustment', 7_000n],
    ],
  )
  const usage = await readUsage(db, { organizationIds: [id], window: MARCH, grain: 'day', by: [], filter: {}, limit: 10 })
  assert.deepEqual(
    usage.rows.map(({ start, records, meters }) => [start, records, meters['input_tokens']]),
    [['2026-03-01', 2n, 12n]],
  )
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('verifyRating() finds sums of a day that are not those of its hours, in each table of them', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  await db.query('update cost_day set amount_nano = amount_nano + 1; update usage_day set held_count = held_count + 1')
  assert.deepEqual(
    (await verifyRating(db)).differences.map(({ table }) => table),
    ['cost_day', 'usage_day'],
  )
})

test('a day that a program of the version before forgets is forgotten in all sums', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord()])
  await rateAll(db)
  await db.query("delete from charge_day_built where day = '2026-03-01'")
  for (const table of ['cost_day_built', 'cost_day', 'usage_day']) assert.equal((await db.query(`select from ${table}`)).rowCount, 0, table)
})

test('readBudgetsOf() tells neither organization of a user, group or key that is also the other’s', async () => {
  await using db = await openLedger({ fresh: true })
  const [acme, other] = [await createCustomer(db), await createCustomer(db, { authId: 'auth-2', name: 'Other' })]
  for (const [organization, own] of [
    [acme, 'ada'],
    [other, 'bob'],
  ] as const) {
    const users = [own, 'shared'].map((id) => ({ id, organizations: [organization.id] }))
    await syncDirectory(db, { users }, { source: organization.name })
  }
  const base = { unit: 'USD', period: 'month', limit: 10n ** 18n, by: 'test' } as const
  for (const subject of ['ada', 'bob', 'shared']) await setBudget(db, { ...base, scope: 'user', subject }, NOW)
  for (const { id } of [acme, other]) await setBudget(db, { ...base, scope: 'organization', subject: id }, NOW)
  await setBudget(db, { ...base, scope: 'credential', subject: 'auth-2' }, NOW)
  await mapAuthId(db, { authId: 'auth-2', organizationId: acme.id, from: NOW - HOUR })
  const subjects = async (id: string): Promise<ReadonlySet<string>> =>
    new Set((await readBudgetsOf(db, id, NOW)).map(({ subject }) => subject))
  assert.deepEqual(await subjects(acme.id), new Set(['ada', acme.id]))
  assert.deepEqual(await subjects(other.id), new Set(['bob', other.id]))
})

test('readRecords() leaves out what is voided, and what was another organization’s at its own instant', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  const other = await createOrganization(db, { name: 'Other' })
  await applyPriceBook(db, priceBook())
  const records = [
    usageRecord(),
    usageRecord({ startedAt: TEN + HOUR }),
    usageRecord({ startedAt: TEN + 30 * HOUR }),
    usageRecord({ claimedOrganizationId: other.id }),
  ]
  await deliver(db, records)
  await mapAuthId(db, { authId: 'auth-1', organizationId: other.id, from: TEN + 24 * HOUR })
  await rateAll(db)
  await voidRecords(db, { ...ACTOR, eventIds: [records[1]?.eventId ?? ''] })
  await rateAll(db)
  const idsOf = async (organizationId: string): Promise<readonly string[]> =>
    (await readRecords(db, { organizationId, period: PERIOD, limit: 10 })).records.map(({ record }) => record.eventId)
  assert.deepEqual(await idsOf(id), [records[0]?.eventId])
  assert.deepEqual(await idsOf(other.id), [records[2]?.eventId])
})

test('readResources(), readCatalogue() and readMembers() say what the directory says now: regions, names, and nothing that has ended', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ resourceId: 'chat' })])
  await rateAll(db)
  const document = {
    resources: [
      { id: 'chat', type: 'deployment', name: 'Chat', region: 'aws/eu-central-1', organization: id },
      { id: 'idle', organization: id },
    ],
    users: [{ id: 'ada', organizations: [id] }],
  }
  await syncDirectory(db, document, { source: 'test' })
  const resources = await readResources(db, { organizationId: id, period: PERIOD, limit: 10 })
  assert.deepEqual(
    resources.resources.map(({ id: resource, name, region, amount }) => [resource, name, region, amount > 0n]),
    [
      ['chat', 'Chat', 'aws/eu-central-1', true],
      ['idle', undefined, 'global', false],
    ],
  )
  const one = await readResources(db, { organizationId: id, period: PERIOD, limit: 1 })
  const two = await readResources(db, { organizationId: id, period: PERIOD, limit: 1, after: one.next ?? [] })
  assert.deepEqual([one.resources[0]?.id, two.resources[0]?.id, two.next], ['chat', 'idle', undefined])
  const regions = await readCatalogue(db, { organizationIds: [id], dimension: 'region', today: '2026-04-10', limit: 10 })
  assert.deepEqual(regions.entries, [{ key: 'aws/eu-central-1', firstUsed: '2026-03-01', lastUsed: '2026-03-01' }])
  assert.deepEqual((await readMembers(db, { organizationId: id, limit: 10 })).entries, [{ id: 'ada', groupIds: [] }])
  await syncDirectory(db, { users: [], resources: [] }, { source: 'test', deleteMissing: true, force: true })
  assert.deepEqual((await readMembers(db, { organizationId: id, limit: 10 })).entries, [])
  assert.deepEqual(
    (await readResources(db, { organizationId: id, period: PERIOD, limit: 10 })).resources.map(({ id: resource }) => resource),
    ['chat'],
  )
  assert.deepEqual(await readKeys(db, { organizationId: id, now: NOW, limit: 10 }), { keys: [], next: undefined })
})
