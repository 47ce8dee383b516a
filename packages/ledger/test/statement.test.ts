import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getStatement, isJsonReply } from '@ascribe/contract'
import { applyPriceBook, mapAuthId, readStatement, usageReport } from '../src/index.ts'
import type { UsageDimension } from '../src/index.ts'
import {
  BOOK,
  DEAR_BOOK,
  HOUR,
  MONTH,
  TEN,
  createCustomer,
  deliver,
  openLedger,
  priceBook,
  rateAll,
  unknownRecord,
  usageRecord,
} from './support.ts'

const DAY = 24 * HOUR

test('readStatement() takes the whole month in UTC and nothing else', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const start = Date.UTC(2026, 2, 1)
  const end = Date.UTC(2026, 3, 1)
  await deliver(
    db,
    [start - 1, start, end - 1, end].map((startedAt, index) => usageRecord({ startedAt, meters: { input_tokens: 10 ** index } })),
  )
  await rateAll(db)
  const quantities = async (month: string): Promise<unknown> =>
    (await readStatement(db, { organizationId, month, scope: 'customer' }))?.lines.map(({ quantity }) => quantity)
  assert.deepEqual(await quantities('2026-02'), [1])
  assert.deepEqual(await quantities('2026-03'), [110])
  assert.deepEqual(await quantities('2026-04'), [1000])
  assert.deepEqual(await quantities('2026-05'), [])
  assert.equal(
    await readStatement(db, { organizationId: '00000000-0000-7000-8000-000000000000', month: MONTH, scope: 'operator' }),
    undefined,
  )
  assert.equal(await readStatement(db, { organizationId: 'Acme', month: MONTH, scope: 'operator' }), undefined)
  await assert.rejects(readStatement(db, { organizationId, month: '2026-13', scope: 'operator' }), { code: 'LEDGER_INPUT' })
})

test('readStatement() has a line for each rate, and its total is the sum of its lines', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await mapAuthId(db, { authId: 'auth-2', organizationId })
  await applyPriceBook(db, priceBook())
  // The next version leaves large alone.
  const next = DEAR_BOOK.replace(/ {2}large.*\n/, BOOK.slice(BOOK.indexOf('  large')))
  await applyPriceBook(db, priceBook({ text: next, effectiveFrom: TEN + HOUR }))
  const meters = { input_tokens: 3 }
  await deliver(
    db,
    [0, 1].flatMap((hours) => [
      usageRecord({ startedAt: TEN + hours * HOUR, meters }),
      usageRecord({ startedAt: TEN + hours * HOUR, meters, model: 'large' }),
      usageRecord({ startedAt: TEN + hours * HOUR, meters, authId: 'auth-2' }),
    ]),
  )
  await rateAll(db)
  const statement = await readStatement(db, { organizationId, month: MONTH, scope: 'customer' })
  assert.deepEqual(
    statement?.lines.map((line) => Object.values(line).slice(1)),
    [
      ['large', 'auth-1', 'input_tokens', 6, '0.00001', '0.00006'],
      ['small', 'auth-1', 'input_tokens', 3, '0.000001', '0.000003'],
      ['small', 'auth-1', 'input_tokens', 3, '0.00001', '0.00003'],
      ['small', 'auth-2', 'input_tokens', 3, '0.000001', '0.000003'],
      ['small', 'auth-2', 'input_tokens', 3, '0.00001', '0.00003'],
    ],
  )
  assert.equal(statement?.total, '0.000126')
})

test('readStatement() shows a customer only the held records that concern it', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const other = await createCustomer(db, { authId: 'auth-2', name: 'Other' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [
    usageRecord({ authId: 'nobody' }),
    usageRecord({ authId: 'nobody', claimedOrganizationId: acme.id }),
    usageRecord({ authId: 'auth-2', claimedOrganizationId: acme.id.toUpperCase() }),
    usageRecord({ authId: 'auth-1', claimedOrganizationId: 'elsewhere' }),
    unknownRecord({ authId: 'auth-2' }),
    usageRecord({ authId: 'auth-2', model: 'absent' }),
  ])
  await rateAll(db)
  const held = async (organizationId: string, scope: 'operator' | 'customer'): Promise<unknown> =>
    (await readStatement(db, { organizationId, month: MONTH, scope }))?.held
  assert.deepEqual(await held(acme.id, 'customer'), { unpriced: 0, unattributed: 3, unknown: 0 })
  assert.deepEqual(await held(other.id, 'customer'), { unpriced: 1, unattributed: 1, unknown: 1 })
  assert.deepEqual(await held(acme.id, 'operator'), { unpriced: 0, unattributed: 4, unknown: 0 })
})

test('usageReport() adds up by every dimension, with quantities, records and amounts', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createCustomer(db)
  await mapAuthId(db, { authId: 'auth-2', organizationId, userId: 'ann' })
  await createCustomer(db, { authId: 'auth-3', name: 'Other' })
  await applyPriceBook(db, priceBook())
  const midnight = Date.UTC(2026, 2, 2)
  await deliver(db, [
    usageRecord({ startedAt: midnight - 1, meters: { input_tokens: 1, output_tokens: 2 } }),
    usageRecord({ startedAt: midnight, meters: { input_tokens: 10 }, authId: 'auth-2', resourceId: 'gpu' }),
    usageRecord({ startedAt: midnight + 1, meters: { input_tokens: 100, cached_input_tokens: 5 }, model: 'large' }),
    usageRecord({ startedAt: midnight + 2, model: 'absent', meters: { input_tokens: 1000 } }),
    unknownRecord({ startedAt: midnight + 3 }),
    usageRecord({ startedAt: midnight + 4, meters: { input_tokens: 0 } }),
    usageRecord({ startedAt: midnight + 5, claimedOrganizationId: 'elsewhere' }),
    usageRecord({ startedAt: midnight + 6, authId: 'auth-3' }),
  ])
  await rateAll(db)
  const report = async (by: readonly UsageDimension[], rest: object = {}): Promise<unknown> =>
    (await usageReport(db, { organizationId, from: midnight - DAY, to: midnight + DAY, by, ...rest }))?.rows.map(
      ({ key, records, heldRecords, meters, amount }) => [...Object.values(key), records, heldRecords, meters, amount],
    )
  const all = { cached_input_tokens: 5n, input_tokens: 1111n, output_tokens: 2n }
  // 1 × 1000 + 2 × 2000; 10 × 1000; 100 × 10000 + 5 × 1000 nano.
  assert.deepEqual(await report([]), [[6n, 2n, all, 1_020_000n]])
  assert.deepEqual(await report(['day']), [
    ['2026-03-01', 1n, 0n, { input_tokens: 1n, output_tokens: 2n }, 5000n],
    ['2026-03-02', 5n, 2n, { cached_input_tokens: 5n, input_tokens: 1110n }, 1_015_000n],
  ])
  assert.deepEqual(await report(['hour'], { to: midnight }), [
    ['2026-03-01T23:00:00Z', 1n, 0n, { input_tokens: 1n, output_tokens: 2n }, 5000n],
  ])
  assert.deepEqual(await report(['model', 'key']), [
    ['absent', 'auth-1', 1n, 1n, { input_tokens: 1000n }, 0n],
    ['large', 'auth-1', 1n, 0n, { cached_input_tokens: 5n, input_tokens: 100n }, 1_005_000n],
    ['small', 'auth-1', 3n, 1n, { input_tokens: 1n, output_tokens: 2n }, 5000n],
    ['small', 'auth-2', 1n, 0n, { input_tokens: 10n }, 10_000n],
  ])
  assert.deepEqual(await report(['meter']), [
    ['cached_input_tokens', 1n, 0n, { cached_input_tokens: 5n }, 5000n],
    ['input_tokens', 4n, 1n, { input_tokens: 1111n }, 1_011_000n],
    ['output_tokens', 1n, 0n, { output_tokens: 2n }, 4000n],
  ])
  assert.deepEqual(await report(['user', 'resource']), [
    ['ann', 'gpu', 1n, 0n, { input_tokens: 10n }, 10_000n],
    [null, 'default', 5n, 2n, { cached_input_tokens: 5n, input_tokens: 1101n, output_tokens: 2n }, 1_010_000n],
  ])
  assert.deepEqual(await report([], { authIds: ['auth-2', 'auth-3'] }), [[1n, 0n, { input_tokens: 10n }, 10_000n]])
  assert.deepEqual(await report([], { authIds: [] }), [])
  // Parts of hours: the same records, told apart by their instants.
  assert.deepEqual(await report(['meter'], { from: midnight + 1, to: midnight + 3 }), [
    ['cached_input_tokens', 1n, 0n, { cached_input_tokens: 5n }, 5000n],
    ['input_tokens', 2n, 1n, { input_tokens: 1100n }, 1_000_000n],
  ])
  assert.deepEqual(await report(['key'], { from: midnight - 1, to: midnight + 1 }), [
    ['auth-1', 1n, 0n, { input_tokens: 1n, output_tokens: 2n }, 5000n],
    ['auth-2', 1n, 0n, { input_tokens: 10n }, 10_000n],
  ])
  assert.deepEqual(await report([], { from: midnight, to: midnight }), [])
  await assert.rejects(report([], { from: midnight, to: midnight - 1 }), { code: 'LEDGER_INPUT' })
  await assert.rejects(report(['day', 'day']), { code: 'LEDGER_INPUT' })
  const nowhere = { organizationId: '00000000-0000-7000-8000-000000000000', from: 0, to: 1, by: [] }
  assert.equal(await usageReport(db, nowhere), undefined)
})

test('readStatement() never fails for a quantity beyond 2^53: it is exact as text', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const meters = { input_tokens: Number.MAX_SAFE_INTEGER }
  await deliver(
    db,
    [0, 1, 2].map((hours) => usageRecord({ startedAt: TEN + hours * HOUR, meters })),
  )
  await rateAll(db)
  const statement = await readStatement(db, { organizationId: id, month: MONTH, scope: 'customer' })
  assert.equal(statement?.lines[0]?.quantity, '27021597764222973')
  assert.equal(statement.total, '27021597764.222973')
  assert(isJsonReply(getStatement.reply))
  assert.deepEqual(getStatement.reply.parse(statement), statement)
})
