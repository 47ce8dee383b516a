import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  READ_ROUTES,
  exportCharges,
  getCosts,
  getDailyCostBreakdown,
  getDailyCosts,
  getReferenceOrganization,
  listReferenceCredits,
  listReferenceInvoices,
  listReferenceRegions,
} from '@ascribe/contract/reads'
import { applyPriceBook, createOrganization, mapAuthId, readStatement } from '@ascribe/ledger'
import { draftInvoice, grantCredit } from '@ascribe/ledger/money'
import { InputError } from '@ascribe/kit'
import { formatInstant, monthOf } from '@ascribe/units'
import { categoryOf } from '../src/reads/reference-shapes.ts'
import { wantedStates } from '../src/reads/reference.ts'
import { readRoutes } from '../src/reads/index.ts'
import { DAY, NOW, nano, openWorld, operator, read, sum, textOfStream } from './reads-support.ts'
import type { World } from './reads-support.ts'
import { settle, usageRecord } from './support.ts'

let world: World
before(async () => {
  world = await openWorld()
})
after(() => world[Symbol.asyncDispose]())

const MONTHS = ['2026-03', '2026-04'] as const

test('READ_ROUTES of the contract and the handlers are the same operations, and each says on which listeners it is', () => {
  assert.deepEqual(readRoutes.map(({ def }) => def.operationId).toSorted(), READ_ROUTES.map(({ operationId }) => operationId).toSorted())
  const onlyPublic = READ_ROUTES.filter(({ listeners }) => !listeners.includes('internal')).map(({ operationId }) => operationId)
  assert.deepEqual(onlyPublic, ['printInvoice'])
  for (const { method, subject, needs, listeners, operationId } of READ_ROUTES) {
    assert.deepEqual(
      [method, subject, needs, listeners[0]],
      ['GET', 'organization', { scope: 'billing:read', role: 'viewer' }, 'public'],
      operationId,
    )
  }
})

/** Windows around every kind of day that local calendars trip over: daylight saving, ends of months, a leap day, a year's end. */
const WINDOWS = [
  ['2026-03-07', '2026-03-09'],
  ['2026-03-28', '2026-03-30'],
  ['2026-10-24', '2026-10-26'],
  ['2026-03-31', '2026-04-01'],
  ['2024-02-28', '2024-03-01'],
  ['2025-12-30', '2026-01-02'],
  ['2026-03-15', '2026-03-15'],
] as const

test('R22: N inclusive days give exactly N dense, half-open UTC buckets, over daylight saving and the ends of months', async () => {
  for (const [startDate, endDate] of WINDOWS) {
    const days = (Date.parse(endDate) - Date.parse(startDate)) / DAY + 1
    for (const def of [getDailyCostBreakdown, getDailyCosts]) {
      const { reply } = await read<object, object, undefined, object>(world.db, def as never, {
        organizationId: world.parent.id,
        query: { startDate, endDate },
      })
      const buckets = ('days' in reply ? reply.days : (reply as { daily: unknown }).daily) as { startDate: string; endDate: string }[]
      assert.equal(buckets.length, days, `${startDate} to ${endDate}`)
      for (const [index, bucket] of buckets.entries()) {
        const start = Date.parse(startDate) + index * DAY
        assert.deepEqual([bucket.startDate, bucket.endDate], [formatInstant(start), formatInstant(start + DAY)])
      }
    }
  }
})

test('R22: query dates are bare UTC dates; what is none, backwards or too long is refused as such', async () => {
  const bad = [
    ['2026-03-01T00:00:00Z', '2026-03-02'],
    ['2026-02-30', '2026-03-02'],
    ['2026-3-1', '2026-03-02'],
    ['03/01/2026', '2026-03-02'],
    ['', '2026-03-02'],
    ['0000-01-01', '0000-01-02'],
    ['9999-12-30', '9999-12-31'],
    ['1969-12-31', '1970-01-01'],
    ['2026-03-02', '2026-03-01'],
    ['2025-03-01', '2026-04-01'],
  ] as const
  for (const [startDate, endDate] of bad) {
    await assert.rejects(
      read(world.db, getDailyCostBreakdown, { organizationId: world.parent.id, query: { startDate, endDate } }),
      (error: unknown) => error instanceof InputError || (error instanceof Error && error.name === 'ZodError'),
      `${startDate} to ${endDate}`,
    )
  }
})

test('R21: breakdown, older report, costs, export and statement of a month are the same to the nano, of parent and child', async () => {
  for (const { id, mark } of [world.parent, world.child, world.stranger]) {
    for (const month of MONTHS) {
      const { start = 0, end = 0 } = monthOf(month) ?? {}
      // Of the month that lasts, until today.
      const last = new Date(Math.min(end - 1, NOW)).toISOString().slice(0, 10)
      const first = `${month}-01`
      const query = { startDate: first, endDate: last }
      const total = nano((await readStatement(world.db, { organizationId: id, month, scope: 'customer' }))?.total ?? '')
      assert.ok(total > 0n && start > 0)
      const { days } = (await read(world.db, getDailyCostBreakdown, { organizationId: id, query })).reply
      const own = days.flatMap(({ accounts }) => accounts.filter((account) => account.external_customer_id === id))
      assert.equal(sum(own.flatMap(({ clusters }) => clusters.flatMap(({ amounts }) => Object.values(amounts)))), total, `${mark} ${month}`)
      const older = (await read(world.db, getDailyCosts, { organizationId: id, query })).reply
      const daily = (await read(world.db, getCosts, { organizationId: id, query: { from: first, to: last, children: 'true' } })).reply
      assert.equal(nano(older.total), sum(daily.totals.map(({ amount }) => amount)))
      assert.equal(sum(older.daily.map((bucket) => bucket.total)), nano(older.total))
      for (const { costs, subtotal, total: ofDay } of older.daily) {
        assert.equal(sum([costs.compute.total, costs.storage.total]), nano(ofDay))
        assert.equal(sum([costs.compute.subtotal, costs.storage.subtotal]), nano(subtotal))
        assert.equal(sum(costs.compute.prices.map((price) => price.subtotal)), nano(costs.compute.subtotal))
      }
      const alone = (
        await read(world.db, getCosts, { organizationId: id, query: { from: first, to: last, groupBy: 'apiKey,category,price' } })
      ).reply
      assert.equal(sum(alone.data.map(({ amount }) => amount)), total)
      for (const format of ['csv', 'focus']) {
        const csv = await textOfStream(
          (await read(world.db, exportCharges, { organizationId: id, query: { from: first, to: last, format } })).reply,
        )
        assert.equal(sum(column(csv, format === 'csv' ? 'amount' : 'BilledCost')), total, `${format} of ${mark} ${month}`)
      }
    }
  }
})

/** A column of a CSV whose cells hold neither commas nor quotes before it. */
function column(csv: string, name: string): readonly string[] {
  const [header = '', ...lines] = csv.trimEnd().split('\r\n')
  const at = header.split(',').indexOf(name)
  return lines.map((line) => [...line.matchAll(/(?:"(?:[^"]|"")*"|[^,]*)(?:,|$)/g)][at]?.[0]?.replace(/,$/, '') ?? '')
}

test('GET /api/costs/breakdown/daily gives a parent itself and its children, a child only itself, and says whose data it has told', async () => {
  const query = { startDate: '2026-03-01', endDate: '2026-04-20' }
  const ids = (days: { accounts: readonly { external_customer_id: string }[] }[]): Set<string> =>
    new Set(days.flatMap(({ accounts }) => accounts.map((account) => account.external_customer_id)))
  const ofParent = await read(world.db, getDailyCostBreakdown, { organizationId: world.parent.id, query })
  assert.deepEqual(ids([...ofParent.reply.days]), new Set([world.parent.id, world.child.id]))
  assert.deepEqual(ofParent.also, [world.child.id])
  const ofChild = await read(world.db, getDailyCostBreakdown, { organizationId: world.child.id, query })
  assert.deepEqual(ids([...ofChild.reply.days]), new Set([world.child.id]))
  assert.deepEqual(ofChild.also, [])
})

test('section 3: an account is once a day however often it used something, the parent first, and days without usage are empty, not absent', async () => {
  const query = { startDate: '2026-03-01', endDate: '2026-03-05' }
  const { days } = (await read(world.db, getDailyCostBreakdown, { organizationId: world.parent.id, query })).reply
  assert.deepEqual(
    days.map(({ accounts }) => accounts.map(({ name }) => name)),
    [['CANARY-parent', 'CANARY-child'], [], [], [], []],
  )
  const clusters = days[0]?.accounts[0]?.clusters ?? []
  assert.deepEqual(
    clusters.map((cluster) => [cluster.environment_id, cluster.cluster_grouping_key, cluster.category, cluster.region, cluster.usage]),
    [[`deployment-CANARY-parent`, world.parent.authId, '', 'aws/CANARY-parent', 2033]],
  )
  assert.deepEqual(clusters[0]?.amounts, { '1:small:input_tokens': '0.002001', '1:small:output_tokens': '0.00004' })
})

test('section 3: storage and egress stay distinct from compute, and from each other', async () => {
  const query = { startDate: '2026-04-10', endDate: '2026-04-10' }
  const { days } = (await read(world.db, getDailyCostBreakdown, { organizationId: world.child.id, query })).reply
  assert.deepEqual(
    days[0]?.accounts[0]?.clusters.map(({ category, amounts, usage, region }) => [category, Object.values(amounts), usage, region]),
    [
      ['', ['0.02'], 2000, 'global'],
      ['Storage', ['0.01'], 50, 'global'],
      ['Egress', ['0.3'], 6, 'global'],
    ],
  )
  const older = (await read(world.db, getDailyCosts, { organizationId: world.child.id, query })).reply
  assert.deepEqual(older.daily[0]?.costs.storage, {
    prices: [{ regionId: 'global', unitAmount: '0.0002', subtotal: '0.01' }],
    subtotal: '0.01',
    total: '0.01',
  })
})

test('section 3: an empty and an all-zero window say so: no accounts, and totals of 0', async () => {
  const query = { startDate: '2020-02-28', endDate: '2020-03-01' }
  const { days } = (await read(world.db, getDailyCostBreakdown, { organizationId: world.parent.id, query })).reply
  assert.deepEqual(
    days.map(({ accounts }) => accounts),
    [[], [], []],
  )
  const older = (await read(world.db, getDailyCosts, { organizationId: world.parent.id, query })).reply
  assert.deepEqual([older.total, older.subtotal, older.daily.length], ['0', '0', 3])
})

test('section 3: lines that no hourly charge makes have categories of their own', () => {
  assert.deepEqual(
    (['tier', 'package', 'included', 'minimum', 'commitment', 'adjustment'] as const).map((category) =>
      categoryOf({ category, meter: 'vm_disk_gib_hours' }),
    ),
    ['Tier', 'Package', 'Included', 'Minimum', 'Commitment', 'Adjustment'],
  )
})

test('GET /api/organization says plan, state and nothing of payments', async () => {
  const { reply } = await read(world.db, getReferenceOrganization, { organizationId: world.child.id })
  assert.deepEqual(reply, {
    id: world.child.id,
    name: 'CANARY-child',
    blocked: false,
    onboarded: true,
    subscription: { type: 'capacity', marketplace: 'direct' },
  })
})

test('R12: GET /api/credits is a page with data, its balances doubles and what was paid for one unit text', async () => {
  await grantCredit(world.db, {
    organizationId: world.child.id,
    amount: nano('10'),
    kind: 'promotional',
    effectiveFrom: NOW - DAY,
    by: 'test',
  })
  const { reply } = await read(world.db, listReferenceCredits, { organizationId: world.child.id, now: Date.now() })
  assert.deepEqual(Object.keys(reply), ['data'])
  assert.deepEqual(reply.data.at(-1), { balance: 10 })
  const before = await read(world.db, listReferenceCredits, { organizationId: world.child.id, now: Date.UTC(2026, 0, 15) })
  assert.deepEqual(before.reply.data, [{ balance: 0.002, perUnitCostBasis: '0.5' }])
})

test('GET /api/invoices has states to choose from, drafts without a number, and no links for operators (R19)', async () => {
  const { id } = world.parent
  await draftInvoice(world.db, { organizationId: id, month: '2026-04', by: 'test', at: Date.now() })
  const ask = async (query: Readonly<Record<string, string>>, caller = undefined as typeof operator | undefined) =>
    (await read(world.db, listReferenceInvoices, { organizationId: id, query, ...(caller !== undefined && { caller }) })).reply
  const all = await ask({})
  assert.deepEqual(
    all.data.map(({ invoiceNumber, status, currency }) => [invoiceNumber, status, currency]),
    [
      ['draft-2026-04', 'draft', 'USD'],
      ['INV-000001', 'issued', 'USD'],
    ],
  )
  assert.ok(all.data.every(({ webUrl }) => webUrl?.startsWith(`/v1/organizations/${id}/invoices/`) === true))
  assert.ok((await ask({}, operator)).data.every((invoice) => !('webUrl' in invoice) && !('pdfUrl' in invoice)))
  assert.equal((await ask({ draft: 'true' })).data.length, 1)
  assert.equal((await ask({ draft: 'false' })).data.length, 1)
  assert.equal((await ask({ synced: 'true' })).data.length, 0)
  await assert.rejects(read(world.db, listReferenceInvoices, { organizationId: id, query: { draft: 'yes' } }))
})

test('wantedStates() takes what is asked for, else all but what is not wanted', () => {
  assert.deepEqual(wantedStates({}), ['draft', 'issued', 'paid', 'void'])
  assert.deepEqual(wantedStates({ paid: true, void: true }), ['paid', 'void'])
  assert.deepEqual(wantedStates({ draft: false }), ['issued', 'paid', 'void'])
  assert.deepEqual(wantedStates({ synced: true }), [])
})

test('R5: GET /api/cloud-regions comes from the data, children included, in order of first use', async () => {
  const { reply, also } = await read(world.db, listReferenceRegions, { organizationId: world.parent.id })
  assert.deepEqual(reply.data, [
    { id: 'aws/CANARY-child', name: 'CANARY-child', cloudProvider: 'aws', url: '' },
    { id: 'aws/CANARY-parent', name: 'CANARY-parent', cloudProvider: 'aws', url: '' },
    { id: 'global', name: 'global', cloudProvider: '', url: '' },
  ])
  assert.deepEqual(also, [world.child.id])
})

test('R21: an amount of another currency never counts in a report that says no currency', async () => {
  const query = { startDate: '2026-04-01', endDate: '2026-04-20' }
  const before = (await read(world.db, getDailyCosts, { organizationId: world.parent.id, query })).reply.total
  const child = await createOrganization(world.db, { name: 'Enfant', currency: 'EUR', parentId: world.parent.id })
  await mapAuthId(world.db, { authId: 'enfant', organizationId: child.id })
  const book = 'version: 1\ncurrency: EUR\nbase_models:\n  small: { prompt: "0.5", cached: "0", completion: "0" }\n'
  await applyPriceBook(world.db, { text: book, file: 'euro.yaml', effectiveFrom: 'beginning', appliedBy: 'test' })
  await settle(world.db, [usageRecord({ authId: 'enfant', startedAt: NOW - DAY, meters: { input_tokens: 10 } })])
  const { reply, also } = await read(world.db, getDailyCosts, { organizationId: world.parent.id, query })
  assert.equal(reply.total, before)
  const { days } = (await read(world.db, getDailyCostBreakdown, { organizationId: world.parent.id, query })).reply
  const seen = new Set(days.flatMap(({ accounts }) => accounts.map((account) => account.external_customer_id)))
  assert.ok(!seen.has(child.id) && !also.includes(child.id) && seen.has(world.child.id))
  const own = (await read(world.db, getDailyCosts, { organizationId: child.id, query })).reply
  assert.equal(own.total, '5')
})
