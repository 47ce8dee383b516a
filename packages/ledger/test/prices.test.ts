import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { applyPriceBook, dryRun, listPriceVersions, readPriceVersion, readStatement, verifyRating } from '../src/index.ts'
import type { NewPriceBook } from '../src/index.ts'
import {
  BOOK,
  DEAR_BOOK,
  HOUR,
  MONTH,
  TEN,
  createCustomer,
  deliver,
  dumpDerived,
  openLedger,
  priceBook,
  rateAll,
  usageRecord,
} from './support.ts'

/** Without what differs between the books. */
async function apply(db: Database, input: NewPriceBook): Promise<object> {
  const outcome: object & { diff?: unknown } = { ...(await applyPriceBook(db, input)) }
  delete outcome.diff
  return outcome
}

async function totalOf(db: Database, organizationId: string): Promise<string | undefined> {
  return (await readStatement(db, { organizationId, month: MONTH, scope: 'operator' }))?.total
}

test('applyPriceBook() keeps the bytes, and is a no-op for the bytes that are in force', async () => {
  await using db = await openLedger()
  const text = `# Prices, né 2026\r\n${BOOK}`
  assert.deepEqual(await apply(db, priceBook({ text })), {
    kind: 'applied',
    sequence: 1,
    currency: 'USD',
    effectiveFrom: 'beginning',
    hours: 0,
  })
  const unchanged = { kind: 'unchanged', sequence: 1, currency: 'USD', effectiveFrom: 'beginning' }
  assert.deepEqual(await apply(db, priceBook({ text })), unchanged)
  assert.deepEqual(await apply(db, { text, file: 'other.yaml', appliedBy: 'ann' }), unchanged, 'now')
  assert.deepEqual(await apply(db, priceBook({ text, effectiveFrom: TEN })), unchanged)
  const [version, ...more] = await listPriceVersions(db)
  assert.deepEqual(more, [])
  assert.deepEqual([version?.file, version?.appliedBy, version?.effectiveFrom], ['prices.yaml', 'test', 'beginning'])
  assert.equal((await readPriceVersion(db, 1))?.text, text)
  assert.equal(await readPriceVersion(db, 2), undefined)
  await assert.rejects(applyPriceBook(db, priceBook({ text: 'version: 2' })), { code: 'PRICE_BOOK_INVALID' })
})

test('applyPriceBook() is in force from now on where nothing else is said, and prices each record at its own instant', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const before = Date.now()
  const old = usageRecord({ startedAt: before - 1000, meters: { input_tokens: 1 } })
  await deliver(db, [old])
  await rateAll(db)
  const applied = await applyPriceBook(db, { text: DEAR_BOOK, file: 'dear.yaml', appliedBy: 'ann' })
  assert(applied.kind === 'applied' && typeof applied.effectiveFrom === 'number')
  assert.ok(applied.effectiveFrom >= before && applied.effectiveFrom <= Date.now() + 1000)
  // Settled late, but admitted before: the old price.
  await deliver(db, [
    usageRecord({ startedAt: applied.effectiveFrom - 1, meters: { input_tokens: 10 } }),
    usageRecord({ startedAt: applied.effectiveFrom, meters: { input_tokens: 100 } }),
  ])
  await rateAll(db)
  const { rows } = await db.query('select price_sequence, sum(quantity)::integer as tokens from charge group by 1 order by 1')
  assert.deepEqual(rows, [
    { price_sequence: 1, tokens: 11 },
    { price_sequence: 2, tokens: 100 },
  ])
  assert.deepEqual((await verifyRating(db)).differences, [])
  assert.ok(id)
})

test('applyPriceBook() begins after the latest charged instant when a gateway runs ahead of our clock', async () => {
  await using db = await openLedger()
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const ahead = Date.now() + 2 * HOUR
  await deliver(db, [usageRecord({ startedAt: ahead })])
  await rateAll(db)
  const applied = await applyPriceBook(db, { text: DEAR_BOOK, file: 'dear.yaml', appliedBy: 'ann' })
  assert.equal(applied.kind === 'applied' && applied.effectiveFrom, ahead + 1)
})

test('applyPriceBook() refuses to govern instants that are charged, with their number, and changes nothing', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const instants = [0, 10, 20, 30, HOUR, 3 * HOUR].map((ms) => TEN + ms)
  await deliver(
    db,
    instants.map((startedAt) => usageRecord({ startedAt })),
  )
  await deliver(db, [
    usageRecord({ startedAt: TEN + 20, model: 'absent' }),
    usageRecord({ startedAt: TEN + 25, meters: { input_tokens: 0 } }),
  ])
  await rateAll(db)
  const [before, total] = [await dumpDerived(db), await totalOf(db, id)]
  const dear = (effectiveFrom: number | 'beginning'): Parameters<typeof applyPriceBook>[1] => priceBook({ text: DEAR_BOOK, effectiveFrom })
  const overlaps: readonly (readonly [number | 'beginning', bigint, number])[] = [
    ['beginning', 6n, 0],
    [TEN, 6n, 0],
    [TEN + 11, 4n, 2],
    [TEN + 30, 3n, 3],
    [TEN + 31, 2n, 4],
    [TEN + 3 * HOUR, 1n, 5],
  ]
  for (const [effectiveFrom, records, first] of overlaps) {
    assert.deepEqual(await apply(db, dear(effectiveFrom)), {
      kind: 'overlap',
      effectiveFrom,
      records,
      firstInstant: instants[first],
    })
  }
  assert.equal((await listPriceVersions(db)).length, 1)
  const from = TEN + 3 * HOUR + 1
  assert.deepEqual(await apply(db, dear(from)), { kind: 'applied', sequence: 2, currency: 'USD', effectiveFrom: from, hours: 0 })
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  assert.equal(await totalOf(db, id), total)
})

test('a version governs until the next one of its currency, whichever was applied first', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook({ text: DEAR_BOOK, effectiveFrom: TEN + HOUR + 1800_000 }))
  const meters = { input_tokens: 1 }
  await deliver(
    db,
    [0, HOUR, HOUR + 1800_000 - 1, HOUR + 1800_000, 2 * HOUR].map((ms) => usageRecord({ startedAt: TEN + ms, meters })),
  )
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.00002')
  // Only hours that hold something for want of a price are rated again.
  assert.deepEqual(await apply(db, priceBook({ effectiveFrom: TEN + 1 })), {
    kind: 'applied',
    sequence: 2,
    currency: 'USD',
    effectiveFrom: TEN + 1,
    hours: 1,
  })
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.000022')
  assert.equal((await applyPriceBook(db, priceBook({ effectiveFrom: 'beginning' }))).kind, 'applied')
  await rateAll(db)
  assert.equal(await totalOf(db, id), '0.000023')
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('a book in another currency leaves usage unpriced, and the two never mix', async () => {
  await using db = await openLedger()
  const dollars = await createCustomer(db)
  const euros = await createCustomer(db, { authId: 'auth-2', name: 'Euro', currency: 'EUR' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord(), usageRecord({ authId: 'auth-2' })])
  await rateAll(db)
  const held = await readStatement(db, { organizationId: euros.id, month: MONTH, scope: 'customer' })
  assert.deepEqual([held?.currency, held?.total, held?.held.unpriced], ['EUR', '0', 1])
  const applied = await apply(db, priceBook({ text: `currency: EUR\n${DEAR_BOOK}` }))
  assert.deepEqual(applied, { kind: 'applied', sequence: 2, currency: 'EUR', effectiveFrom: 'beginning', hours: 1 })
  await rateAll(db)
  assert.equal(await totalOf(db, euros.id), '0.0012')
  assert.equal(await totalOf(db, dollars.id), '0.00012')
  await deliver(db, [usageRecord({ startedAt: TEN + HOUR })])
  await rateAll(db)
  assert.equal(await totalOf(db, dollars.id), '0.00024', 'the dollar book is still in force')
  assert.deepEqual((await verifyRating(db)).differences, [])
})

test('dryRun() says what a month would come to, and changes nothing', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const idle = await createCustomer(db, { authId: 'auth-3', name: 'Idle' })
  const other = await createCustomer(db, { authId: 'auth-2', name: 'Other' })
  await createCustomer(db, { authId: 'auth-4', name: 'Euro', currency: 'EUR' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [
    usageRecord(),
    usageRecord({ startedAt: TEN + HOUR }),
    usageRecord({ authId: 'auth-2', model: 'fresh' }),
    usageRecord({ authId: 'auth-4' }),
    usageRecord({ startedAt: Date.UTC(2026, 5, 1) }),
  ])
  await rateAll(db)
  const before = await dumpDerived(db)
  const text = `version: 1\nbase_models:\n  small: { prompt: "0.001", cached: "0", completion: "0" }\n  fresh: { prompt: "1", cached: "0", completion: "0" }\n`
  assert.deepEqual(await dryRun(db, { text, file: 'new.yaml', month: MONTH }), {
    currency: 'USD',
    rows: [
      { organizationId: acme.id, name: 'Acme', before: 240_000n, after: 200_000_000n, unpricedBefore: 0n, unpricedAfter: 0n },
      { organizationId: other.id, name: 'Other', before: 0n, after: 100_000_000_000n, unpricedBefore: 1n, unpricedAfter: 0n },
    ],
  })
  const none = await dryRun(db, {
    text: 'version: 1\nbase_models:\n  x: { prompt: "0", cached: "0", completion: "0" }\n',
    file: 'x.yaml',
    month: MONTH,
  })
  assert.deepEqual(
    none.rows.map(({ after, unpricedAfter }) => [after, unpricedAfter]),
    [
      [0n, 2n],
      [0n, 1n],
    ],
  )
  assert.equal(await dumpDerived(db), before)
  assert.equal((await listPriceVersions(db)).length, 1)
  assert.ok(idle.id)
})
