import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  exportCharges,
  getCatalogue,
  getCharge,
  getCosts,
  getFreshness,
  getInvoice,
  getOrganization,
  getRecord,
  getUsage,
  listApiKeys,
  listBudgets,
  listChargeRecords,
  listCharges,
  listCredits,
  listInvoices,
  listMembers,
  listRecords,
  listResources,
  listStatements,
  printInvoice,
} from '@ascribe/contract/reads'
import type { ChargesPage, RecordsPage } from '@ascribe/contract/reads'
import { readStatement } from '@ascribe/ledger'
import { PlainReply, StreamReply } from '../src/handler.ts'
import { DAY, NOW, nano, openWorld, read, recordsOf, sum, textOfStream } from './reads-support.ts'
import type { World } from './reads-support.ts'
import { HOUR, createCustomer, settle, usageRecord } from './support.ts'

let world: World
before(async () => {
  world = await openWorld()
})
after(() => world[Symbol.asyncDispose]())

const BOTH = { from: '2026-03-01', to: '2026-04-20' }
const MARCH = { from: '2026-03-01', to: '2026-03-31' }

test('getCosts() narrows by any dimensions, and the parts add up to the whole', async () => {
  const ask = async (query: Readonly<Record<string, string | readonly string[]>>) =>
    (await read(world.db, getCosts, { organizationId: world.child.id, query: { ...BOTH, grain: 'total', ...query } })).reply
  const whole = nano((await ask({})).totals[0]?.amount ?? '')
  for (const dimension of ['apiKey', 'user', 'group', 'resource', 'region', 'model', 'meter', 'category', 'price'] as const) {
    const { data, totals } = await ask({ groupBy: dimension })
    assert.equal(sum(data.map(({ amount }) => amount)), whole, dimension)
    let parts = 0n
    for (const { keys } of data) {
      const part = await ask({ [dimension]: keys[dimension] ?? '' })
      parts += nano(part.totals[0]?.amount ?? '0')
    }
    assert.equal(parts, whole, dimension)
    assert.equal(nano(totals[0]?.amount ?? ''), whole)
  }
  const two = await ask({ model: ['small', 'machine'], meter: 'input_tokens', groupBy: 'model,meter' })
  assert.deepEqual(
    two.data.map(({ keys }) => keys),
    [{ model: 'small', meter: 'input_tokens' }],
  )
  assert.deepEqual((await ask({ user: 'nobody' })).data, [])
})

test('section 3: a filter by region changes ledger and total together, and rows of equal amounts come in order of their keys', async () => {
  const query = { ...BOTH, grain: 'total', groupBy: 'region,resource,model' }
  const { data } = (await read(world.db, getCosts, { organizationId: world.child.id, query })).reply
  const here = `aws/${world.child.mark}`
  const { data: part, totals } = (await read(world.db, getCosts, { organizationId: world.child.id, query: { ...query, region: here } }))
    .reply
  assert.deepEqual(
    part,
    data.filter(({ keys }) => keys.region === here),
  )
  assert.equal(sum(part.map(({ amount }) => amount)), nano(totals[0]?.amount ?? ''))
  const order = data.map(({ keys }) => JSON.stringify(Object.values(keys).map((each) => each ?? '')))
  assert.deepEqual(order, order.toSorted())
})

test('getCosts() dates what a month comes to on its last day, or today while it lasts', async () => {
  const query = { ...BOTH, groupBy: 'category' }
  const { data } = (await read(world.db, getCosts, { organizationId: world.parent.id, query })).reply
  assert.deepEqual(
    data.filter(({ keys }) => keys.category !== 'usage').map(({ start, end, keys, amount }) => [start, end, keys.category, amount]),
    [
      ['2026-03-31T00:00:00Z', '2026-04-01T00:00:00Z', 'minimum', '4.67489'],
      ['2026-03-31T00:00:00Z', '2026-04-01T00:00:00Z', 'tier', '0.32'],
      ['2026-04-20T00:00:00Z', '2026-04-21T00:00:00Z', 'minimum', '4.606922'],
      ['2026-04-20T00:00:00Z', '2026-04-21T00:00:00Z', 'tier', '0.21'],
    ].map(([start, end, category, amount]) => [start, end, category, amount]),
  )
})

test('getCosts() compares a window with as many days before, and a whole month with the month before', async () => {
  const ask = async (query: Readonly<Record<string, string>>) =>
    (
      await read(world.db, getCosts, {
        organizationId: world.child.id,
        query: { grain: 'total', compare: 'previous', groupBy: 'model', ...query },
      })
    ).reply
  const april = await ask({ from: '2026-04-01', to: '2026-04-30' })
  assert.deepEqual([april.previous?.start, april.previous?.end], ['2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z'])
  const march = await readStatement(world.db, { organizationId: world.child.id, month: '2026-03', scope: 'customer' })
  assert.equal(april.previous?.totals[0]?.amount, march?.total)
  assert.equal(april.data.find(({ keys }) => keys.model === 'machine')?.previousAmount, '0')
  const week = await ask({ from: '2026-04-14', to: '2026-04-20' })
  assert.deepEqual([week.previous?.start, week.previous?.end], ['2026-04-07T00:00:00Z', '2026-04-14T00:00:00Z'])
  await assert.rejects(ask({ ...MARCH, grain: 'day' }), /compare/)
})

test('getCosts() and getUsage() give hours of a month at most, and refuse what is no dimension', async () => {
  const query = { from: '2026-04-19', to: '2026-04-20', grain: 'hour' }
  const { data } = (await read(world.db, getCosts, { organizationId: world.child.id, query })).reply
  assert.ok(data.length > 1 && data.every(({ start, end }) => Date.parse(end) - Date.parse(start) === HOUR))
  await assert.rejects(read(world.db, getCosts, { organizationId: world.child.id, query: { ...BOTH, grain: 'hour' } }), /31 days/)
  for (const groupBy of ['colour', 'model,model', 'model,', 'model;drop']) {
    await assert.rejects(read(world.db, getCosts, { organizationId: world.child.id, query: { ...MARCH, groupBy } }), groupBy)
  }
  await assert.rejects(read(world.db, getCosts, { organizationId: world.child.id, query: { ...MARCH, model: '\0' } }))
})

test('getUsage() counts every record, held ones apart, and quantities by meter', async () => {
  const { reply } = await read(world.db, getUsage, { organizationId: world.child.id, query: { ...BOTH, grain: 'total' } })
  const records = recordsOf(world.child, 2)
  const used = (meter: string): string =>
    String(
      records.filter(({ model }) => model?.startsWith('unpriced') !== true).reduce((total, { meters }) => total + (meters[meter] ?? 0), 0),
    )
  assert.deepEqual(reply.data, [
    {
      start: '2026-03-01T00:00:00Z',
      end: '2026-04-21T00:00:00Z',
      keys: {},
      records: records.length,
      heldRecords: 1,
      meters: Object.fromEntries(
        ['images', 'input_tokens', 'output_tokens', 'vm_cpu_mhz_hours', 'vm_disk_gib_hours', 'vm_egress_gib'].map((meter) => [
          meter,
          used(meter),
        ]),
      ),
    },
  ])
  assert.equal(reply.asOf.heldRecords, 1)
})

test('getFreshness() says how new the data are, what is held, and from when on hours wait to be rated', async () => {
  const { reply } = await read(world.db, getFreshness, { organizationId: world.child.id })
  assert.deepEqual(reply, { newestRecordAt: '2026-04-20T13:00:00Z', ratedBefore: '2026-04-20T15:00:00Z', heldRecords: 1 })
  await world.db.query("insert into dirty_hour (hour) values ('2026-04-20T14:00:00Z')")
  const later = await read(world.db, getFreshness, { organizationId: world.child.id, query: MARCH })
  await world.db.query('delete from dirty_hour')
  assert.deepEqual([later.reply.ratedBefore, later.reply.heldRecords], ['2026-04-20T14:00:00Z', 0])
})

test('getCatalogue() keeps the order of first use, so that a key keeps its place when others come', async () => {
  const ask = async (dimension: string) =>
    (await read(world.db, getCatalogue, { organizationId: world.child.id, params: { dimension } })).reply.data
  assert.deepEqual(
    (await ask('model')).map(({ key, firstUsed, lastUsed }) => [key, firstUsed, lastUsed]),
    [
      ['small', '2026-03-01', '2026-04-20'],
      ['tiered', '2026-03-01', '2026-04-20'],
      ['machine', '2026-04-10', '2026-04-10'],
      ['unpriced-CANARY-child', '2026-04-20', '2026-04-20'],
    ],
  )
  assert.deepEqual(await ask('user'), [
    { key: 'user-CANARY-child', name: 'Ada of CANARY-child', firstUsed: '2026-03-01', lastUsed: '2026-04-20' },
  ])
})

test('listCharges() to getCharge() to listChargeRecords(): a charge has its price, and its records come to its amount exactly', async () => {
  const page = (
    await read(world.db, listCharges, { organizationId: world.child.id, query: { ...BOTH, meter: 'input_tokens', limit: '1' } })
  ).reply
  const [charge] = page.data
  assert(charge !== undefined && page.nextCursor !== undefined)
  const detail = (await read(world.db, getCharge, { organizationId: world.child.id, params: { charge: charge.id } })).reply
  assert.deepEqual(
    [detail.price?.version, detail.price?.entry, detail.price?.rate, detail.price?.own],
    [1, 'base_models.small', '0.000001', false],
  )
  const { data } = (await read(world.db, listChargeRecords, { organizationId: world.child.id, params: { charge: charge.id } })).reply
  assert.equal(data.length, charge.records)
  assert.equal(
    sum(data.flatMap(({ charges }) => charges.filter(({ meter }) => meter === 'input_tokens').map(({ amount = '' }) => amount))),
    nano(charge.amount),
  )
  const digest = data.reduce((found, { event }) => found ^ BigInt(`0x${event.event_id.replaceAll('-', '')}`), 0n)
  assert.equal(digest.toString(16).padStart(32, '0'), charge.recordsDigest)
  const all: string[] = []
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const next: ChargesPage = (
      await read(world.db, listCharges, {
        organizationId: world.child.id,
        query: { ...BOTH, limit: '3', ...(cursor !== '' && { cursor }) },
      })
    ).reply
    all.push(...next.data.map(({ id }) => id))
    cursor = next.nextCursor
  }
  assert.equal(new Set(all).size, all.length)
  assert.equal(all.length, (await read(world.db, listCharges, { organizationId: world.child.id, query: BOTH })).reply.data.length)
})

test('listRecords() gives every record once, newest first, whatever the page, with what became of it', async () => {
  const found: string[] = []
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const query: Readonly<Record<string, string>> = { ...BOTH, limit: '2', ...(cursor !== '' && { cursor }) }
    const { data, nextCursor }: RecordsPage = (await read(world.db, listRecords, { organizationId: world.child.id, query })).reply
    found.push(...data.map(({ event }) => event.event_id))
    cursor = nextCursor
  }
  assert.equal(found.length, world.child.eventIds.length)
  assert.deepEqual(new Set(found), new Set(world.child.eventIds))
  const held = await read(world.db, listRecords, {
    organizationId: world.child.id,
    query: { ...BOTH, model: `unpriced-${world.child.mark}` },
  })
  assert.deepEqual(
    held.reply.data.map(({ state, charges }) => [state, charges]),
    [['unpriced', []]],
  )
  const tiered = await read(world.db, listRecords, { organizationId: world.child.id, query: { ...BOTH, meter: 'images' } })
  assert.deepEqual(
    tiered.reply.data.map(({ charges }) => [charges[0]?.amount, charges[0]?.price.description !== undefined]),
    [
      [undefined, true],
      [undefined, true],
    ],
  )
  const [eventId = ''] = world.child.eventIds
  assert.equal(
    (await read(world.db, getRecord, { organizationId: world.child.id, params: { record: eventId } })).reply.event.event_id,
    eventId,
  )
})

test('getCosts() takes dimensions with commas and repeated, each once', async () => {
  const keys = async (groupBy: string | readonly string[]) =>
    (await read(world.db, getCosts, { organizationId: world.child.id, query: { ...BOTH, groupBy } })).reply.data.map((row) => row.keys)
  assert.deepEqual(await keys(['model', 'apiKey']), await keys('model,apiKey'))
  await assert.rejects(keys(['model', 'model']), /twice/)
  await assert.rejects(keys('model,model'), /twice/)
  await assert.rejects(keys(['model', 'nothing']))
})

test('listCharges() and listRecords() never lose a row on the way from a report: by every dimension, several keys, and none', async () => {
  const organizationId = world.child.id
  const charges = async (query: Readonly<Record<string, string | readonly string[]>>) =>
    (await read(world.db, listCharges, { organizationId, query: { ...BOTH, limit: '1000', ...query } })).reply.data
  const records = async (query: Readonly<Record<string, string | readonly string[]>>) =>
    (await read(world.db, listRecords, { organizationId, query: { ...BOTH, limit: '200', ...query } })).reply.data
  for (const dimension of ['apiKey', 'user', 'group', 'resource', 'region', 'model', 'meter'] as const) {
    const asked = { ...BOTH, grain: 'total', category: 'usage', groupBy: dimension }
    const { data } = (await read(world.db, getCosts, { organizationId, query: asked })).reply
    for (const { keys, amount } of data) {
      const behind = await charges({ [dimension]: keys[dimension] ?? '' })
      assert.equal(sum(behind.map((charge) => charge.amount)), nano(amount), `${dimension} ${keys[dimension] ?? ''}`)
    }
    if (dimension === 'meter') continue
    const used = (await read(world.db, getUsage, { organizationId, query: { ...BOTH, grain: 'total', groupBy: dimension } })).reply.data
    for (const row of used) {
      const behind = await records({ [dimension]: row.keys[dimension] ?? '' })
      assert.equal(behind.length, row.records, `${dimension} ${row.keys[dimension] ?? ''}`)
    }
  }
  const [small, machine] = [await charges({ model: 'small' }), await charges({ model: 'machine' })]
  assert.equal((await charges({ model: ['small', 'machine'] })).length, small.length + machine.length)
  assert.ok(small.length > 0 && machine.length > 0)
  assert.equal((await records({ meter: ['images', 'vm_egress_gib'] })).length, 3)
  assert.deepEqual(await records({ user: '' }), [])
})

test('listCharges() and listRecords() with an empty user never find nothing where nobody is named', async () => {
  const { id, billing } = await createCustomer(world.db, 'Nameless')
  await settle(world.db, [usageRecord({ authId: billing.authId, startedAt: NOW - 2 * HOUR })])
  const counts = async (user: string) => {
    const query = { ...BOTH, user }
    const { data } = (await read(world.db, listCharges, { organizationId: id, query })).reply
    return [data.length > 0, (await read(world.db, listRecords, { organizationId: id, query })).reply.data.length]
  }
  assert.deepEqual(
    [await counts(''), await counts('somebody')],
    [
      [true, 1],
      [false, 0],
    ],
  )
})

test('listStatements() has every month until now, newest first, with the totals of the statements', async () => {
  const { data } = (await read(world.db, listStatements, { organizationId: world.parent.id, now: Date.UTC(2026, 4, 2) })).reply
  assert.deepEqual(
    data.map(({ month, provisional }) => [month, provisional]),
    [
      ['2026-05', true],
      ['2026-04', true],
      ['2026-03', false],
    ],
  )
  for (const { month, total } of data)
    assert.equal(total, (await readStatement(world.db, { organizationId: world.parent.id, month, scope: 'customer' }))?.total)
  const far = (await read(world.db, listStatements, { organizationId: world.parent.id, now: Date.UTC(2027, 8, 1) })).reply
  assert.equal(far.data.length, 12)
  const older = (
    await read(world.db, listStatements, {
      organizationId: world.parent.id,
      now: Date.UTC(2027, 8, 1),
      query: { cursor: far.nextCursor ?? '' },
    })
  ).reply
  assert.deepEqual([older.data.at(-1)?.month, older.nextCursor, older.data.length], ['2026-03', undefined, 7])
})

test('listInvoices(), getInvoice() and printInvoice() show one frozen document', async () => {
  const organizationId = world.child.id
  const [invoice] = (await read(world.db, listInvoices, { organizationId, query: { state: 'issued' } })).reply.data
  assert(invoice?.number !== undefined)
  const detail = (await read(world.db, getInvoice, { organizationId, params: { invoice: invoice.number } })).reply
  assert.equal(sum(detail.lineItems.map(({ amount }) => amount)), nano(invoice.subtotal))
  assert.equal(sum([invoice.subtotal, invoice.credits, invoice.tax, invoice.rounding]), nano(invoice.total))
  assert.deepEqual(
    detail.creditsDrawn.map(({ note }) => note),
    ['credit of CANARY-child'],
  )
  const { reply } = await read<unknown, unknown, unknown, unknown>(world.db, printInvoice, {
    organizationId,
    params: { invoice: invoice.id },
  })
  assert(reply instanceof PlainReply && typeof reply.body === 'string')
  assert.match(reply.body, new RegExp(`Invoice ${invoice.number}`))
})

test('listCredits() says what is left and when it will be gone at the present rate', async () => {
  const { reply } = await read(world.db, listCredits, { organizationId: world.child.id })
  assert.equal(reply.currency, 'USD')
  const until = reply.entries.filter(({ at }) => Date.parse(at) <= NOW)
  assert.equal(sum(until.map(({ amount }) => amount)), sum(reply.data.map(({ remaining }) => remaining)))
  assert.ok(nano(reply.burnDown.dailyAverage) > 0n && reply.burnDown.emptyOn !== undefined)
})

test('listBudgets() tells limit and standing of one’s own, and of a webhook its host alone', async () => {
  const { reply } = await read(world.db, listBudgets, { organizationId: world.child.id })
  assert.deepEqual(
    reply.data.map(({ name, limit, unit, webhookHost, standings }) => ({
      name,
      limit,
      unit,
      webhookHost,
      subjects: standings.map(({ subject }) => subject),
    })),
    [{ name: 'budget of CANARY-child', limit: '100', unit: 'USD', webhookHost: 'hooks.example', subjects: [world.child.id] }],
  )
})

test('listApiKeys(), listMembers(), getOrganization() and listResources() show who and what there is', async () => {
  const { child, parent } = world
  const keys = (await read(world.db, listApiKeys, { organizationId: child.id })).reply
  const [key] = keys.data
  assert.deepEqual([keys.data.length, key?.id, key?.state, key?.lastUsedAt], [1, child.authId, 'active', '2026-04-20T13:00:00Z'])
  assert.ok(nano(key?.spentThisMonth ?? '0') > 0n && !('hmac' in (key ?? {})))
  assert.deepEqual((await read(world.db, listMembers, { organizationId: child.id })).reply.data, [
    { id: 'user-CANARY-child', name: 'Ada of CANARY-child', email: 'ada@CANARY-child.example', groups: ['group-CANARY-child'] },
  ])
  const organization = await read(world.db, getOrganization, { organizationId: parent.id })
  assert.deepEqual(
    organization.reply.children.map(({ id }) => id),
    [child.id],
  )
  const machines = (await read(world.db, listResources, { organizationId: child.id, query: { ...BOTH, kind: 'vm' } })).reply
  assert.deepEqual(
    machines.data.map(({ id, name, owners, hours, amount, region }) => ({ id, name, owners, hours, amount, region })),
    [{ id: 'vm-CANARY-child', name: 'machine of CANARY-child', owners: ['user-CANARY-child'], hours: 1, amount: '0.33', region: 'global' }],
  )
})

test('exportCharges() is a file with a name, counts its rows, and a window until today takes in what the month comes to', async () => {
  const ask = async (query: Readonly<Record<string, string>>): Promise<StreamReply> => {
    const { reply } = await read<unknown, unknown, unknown, unknown>(world.db, exportCharges, { organizationId: world.parent.id, query })
    assert(reply instanceof StreamReply)
    return reply
  }
  const today = await ask({ from: '2026-04-01', to: '2026-04-20' })
  const text = await textOfStream(today)
  assert.equal(today.fileName, `charges-${world.parent.id}-2026-04-01-2026-04-20.csv`)
  assert.equal(today.rows(), text.trimEnd().split('\r\n').length - 1)
  assert.match(text, /\r\nminimum,/)
  const yesterday = await textOfStream(await ask({ from: '2026-04-01', to: new Date(NOW - DAY).toISOString().slice(0, 10) }))
  assert.doesNotMatch(yesterday, /\r\nminimum,/)
})
