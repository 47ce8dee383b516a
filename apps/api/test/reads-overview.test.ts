import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { exportCharges, getCosts, getUsage, listRecords } from '@ascribe/contract/reads'
import type { CostEntry } from '@ascribe/contract/reads'
import { withVanished } from '../src/reads/compare.ts'
import { nano, openWorld, operator, read, sum, textOfStream } from './reads-support.ts'
import type { World } from './reads-support.ts'

/*
 * What the console's overview asks beyond plain reports: exports narrowed as the page is, usage of a meter, and comparisons that add up.
 */

let world: World
before(async () => {
  world = await openWorld()
})
after(() => world[Symbol.asyncDispose]())

type Query = Readonly<Record<string, string | readonly string[]>>

const BOTH = { from: '2026-03-01', to: '2026-04-20' }
const DIMENSIONS = ['apiKey', 'user', 'group', 'resource', 'region', 'model', 'meter', 'category', 'price', 'organization'] as const

/** The lines of a CSV; no name in this world holds a line end. */
function linesOf(text: string): readonly (readonly string[])[] {
  const lines = text.trimEnd().split('\r\n')
  return lines.map((line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''))
}

/** The amounts of a file, and its rows. */
async function exported(organizationId: string, query: Query, format: 'csv' | 'focus' = 'csv') {
  const { reply, also } = await read(world.db, exportCharges, { organizationId, query: { ...BOTH, format, ...query } })
  const [header = [], ...lines] = linesOf(await textOfStream(reply))
  const column = header.indexOf(format === 'csv' ? 'amount' : 'BilledCost')
  return { rows: lines, total: sum(lines.map((line) => line[column] ?? '')), also }
}

async function costs(organizationId: string, query: Query) {
  return (await read(world.db, getCosts, { organizationId, query: { ...BOTH, grain: 'total', ...query } })).reply
}

test('exportCharges() narrowed by any dimension adds up to the report narrowed so, in CSV and in FOCUS', async () => {
  // The parent has tiers and a minimum: lines of whole months too.
  for (const { id } of [world.parent, world.child]) {
    const whole = await exported(id, {})
    for (const dimension of DIMENSIONS) {
      const { data } = await costs(id, { groupBy: dimension })
      let parts = 0n
      let rows = 0
      for (const { keys, amount } of data) {
        const key = keys[dimension] ?? ''
        const part = await exported(id, { [dimension]: key })
        assert.equal(part.total, nano(amount), `${dimension} ${key}`)
        if (dimension === 'model') assert.equal((await exported(id, { model: key }, 'focus')).total, nano(amount), key)
        parts += part.total
        rows += part.rows.length
      }
      assert.deepEqual([parts, rows], [whole.total, whole.rows.length], dimension)
    }
  }
})

test('exportCharges() takes several filters at once, and nothing for a key of nobody', async () => {
  const filter = { model: ['small', 'machine'], category: 'usage', region: `aws/${world.child.mark}` }
  const { totals } = await costs(world.child.id, filter)
  const file = await exported(world.child.id, filter)
  assert.equal(file.total, nano(totals[0]?.amount ?? ''))
  assert.ok(file.total > 0n)
  for (const nobody of [{ apiKey: 'nobody' }, { category: 'tax' }, { price: '99:small:input_tokens' }]) {
    assert.deepEqual((await exported(world.child.id, nobody)).rows, [])
  }
  await assert.rejects(read(world.db, exportCharges, { organizationId: world.child.id, query: { ...BOTH, model: '\0' } }))
})

test('exportCharges() of invoiced rows keeps credits, taxes and rounding out of what a key is asked of', async () => {
  const march = { from: '2026-03-01', to: '2026-03-31', rows: 'invoiced' }
  const kinds = async (query: Query) => new Set((await exported(world.child.id, { ...march, ...query })).rows.map(([kind]) => kind))
  assert.ok((await kinds({})).has('credit'))
  assert.deepEqual([...(await kinds({ category: 'credit' }))], ['credit'])
  assert.ok(!(await kinds({ model: 'small' })).has('credit'))
})

test('exportCharges() with children has their rows, says whose, and nobody else’s', async () => {
  const { total, also, rows } = await exported(world.parent.id, { children: 'true' })
  const report = await costs(world.parent.id, { children: 'true' })
  assert.equal(total, sum(report.totals.map(({ amount }) => amount)))
  assert.deepEqual(also, [world.child.id])
  assert.ok(rows.every((row) => !row.join().includes('CANARY-stranger')))
})

test('exportCharges() takes ten years where a report takes one, and marks an operator’s narrowed file too', async () => {
  const { reply } = await read(world.db, exportCharges, {
    organizationId: world.child.id,
    caller: operator,
    query: { from: '2020-01-01', to: '2026-04-20', model: 'small' },
  })
  const lines = (await textOfStream(reply)).trimEnd().split('\r\n')
  assert.ok(lines.length > 1)
  assert.ok(lines.slice(1).every((line) => line.endsWith('"support: op, request test"')))
  await assert.rejects(exported(world.child.id, { from: '2010-01-01' }), /3653/)
})

test('getUsage() of a meter has that meter alone, only where it was used, and the same quantities as without', async () => {
  const ask = async (query: Query) =>
    (await read(world.db, getUsage, { organizationId: world.child.id, query: { ...BOTH, grain: 'day', groupBy: 'model', ...query } })).reply
      .data
  const all = await ask({})
  for (const meter of ['images', 'output_tokens', 'vm_disk_gib_hours']) {
    assert.deepEqual(
      await ask({ meter }),
      all.filter(({ meters }) => meters[meter] !== undefined).map((row) => ({ ...row, meters: { [meter]: row.meters[meter] } })),
      meter,
    )
  }
  assert.deepEqual(await ask({ meter: 'nothing' }), [])
  const pages: unknown[] = []
  for (let cursor: string | undefined; ;) {
    const { reply } = await read(world.db, getUsage, {
      organizationId: world.child.id,
      query: {
        ...BOTH,
        meter: ['output_tokens', 'images'],
        model: ['small', 'tiered'],
        limit: '2',
        ...(cursor !== undefined && { cursor }),
      },
    })
    pages.push(...reply.data)
    cursor = reply.nextCursor
    if (cursor === undefined) break
  }
  assert.deepEqual(pages, await ask({ meter: ['output_tokens', 'images'], model: ['small', 'tiered'], groupBy: '' }))
})

test('getCosts() compared gives what was there before and is gone, on pages of any size, and previous amounts add up', async () => {
  // All of March's usage but that of a few days is before: models and keys come and go.
  const window = { from: '2026-04-02', to: '2026-04-19', compare: 'previous', groupBy: 'model,meter' }
  const whole = await costs(world.child.id, window)
  const gone = whole.data.filter(({ amount }) => amount === '0')
  assert.ok(gone.some(({ previousAmount }) => previousAmount !== '0'))
  assert.equal(
    sum(whole.data.map(({ previousAmount }) => previousAmount ?? '')),
    sum((whole.previous?.totals ?? []).map(({ amount }) => amount)),
  )
  assert.equal(sum(whole.data.map(({ amount }) => amount)), sum(whole.totals.map(({ amount }) => amount)))
  for (const limit of ['1', '2', '3']) {
    const rows: CostEntry[] = []
    for (let cursor: string | undefined, pages = 0; pages < 50; pages += 1) {
      const page = await costs(world.child.id, { ...window, limit, ...(cursor !== undefined && { cursor }) })
      assert.ok(page.data.length <= Number(limit))
      rows.push(...page.data)
      cursor = page.nextCursor
      if (cursor === undefined) break
    }
    assert.deepEqual(rows, whole.data, `pages of ${limit}`)
  }
})

test('withVanished() has the order of the ledger’s pages for names beyond the basic plane', () => {
  const row = (key: string, amount: bigint) => ({ start: '', keys: [key], currency: 'USD', amount })
  // In UTF-16 the first comes after the second, in bytes before it.
  const [low, high] = ['\uff5e', '\u{1f600}']
  const { rows } = withVanished({ rows: [row(high, 5n)], next: undefined }, [row(low, 3n), row(high, 4n)], { after: undefined, limit: 10 })
  assert.deepEqual(
    rows.map(({ keys, amount }) => [keys[0], amount]),
    [
      [low, 0n],
      [high, 5n],
    ],
  )
})

test('listRecords() says since when the price of a record is in force', async () => {
  const { reply } = await read(world.db, listRecords, { organizationId: world.child.id, query: { ...BOTH, model: 'small' } })
  const prices = reply.data.flatMap(({ charges }) => charges.map(({ price }) => price))
  // The book of this world holds from the beginning, which has no date.
  assert.notEqual(prices.length, 0)
  assert.ok(prices.every(({ effectiveFrom, version }) => effectiveFrom === undefined && version === 1))
})

test('listRecords() narrows by what became of a record and by how it is known, on pages of any size', async () => {
  const ask = async (query: Query) =>
    (await read(world.db, listRecords, { organizationId: world.child.id, query: { ...BOTH, limit: '200', ...query } })).reply.data
  const all = await ask({})
  const ids = (records: typeof all): readonly string[] => records.map(({ event }) => event.event_id)
  for (const state of new Set(all.map((record) => record.state))) {
    assert.deepEqual(ids(await ask({ state })), ids(all.filter((record) => record.state === state)), state)
  }
  assert.equal((await ask({ state: 'unpriced' })).length, 1)
  assert.deepEqual(await ask({ provenance: 'estimated' }), [])
  assert.deepEqual(ids(await ask({ provenance: ['reported', 'estimated'], state: ['charged', 'unpriced'] })), ids(all))
  const pages: string[] = []
  for (let cursor: string | undefined, asked = 0; asked < 100; asked += 1) {
    const { reply } = await read(world.db, listRecords, {
      organizationId: world.child.id,
      query: { ...BOTH, state: 'unpriced', limit: '1', ...(cursor !== undefined && { cursor }) },
    })
    pages.push(...ids(reply.data))
    cursor = reply.nextCursor
    if (cursor === undefined) break
  }
  assert.deepEqual(pages, ids(all.filter(({ state }) => state === 'unpriced')))
  await assert.rejects(ask({ state: 'lost' }))
})
