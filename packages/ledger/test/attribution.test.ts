import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyPriceBook, mapAuthId, usageReport } from '../src/index.ts'
import { HOUR, TEN, createCustomer, deliver, assertSound, statementOf, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

// Whose a record is: by its auth id, as of its own instant.

test('rateDirtyHours() never attributes by the claimed organization alone', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db, { authId: 'somebody' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord({ authId: 'unmapped', claimedOrganizationId: id })])
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.equal(statement.total, '0')
  assert.equal(statement.held.unattributed, 1)
})

test('mapAuthId() rates what was held for the auth id, from the beginning of time', async () => {
  await using db = await openLedger()
  const { id } = await createCustomer(db, { authId: 'other' })
  await applyPriceBook(db, priceBook())
  await deliver(db, [
    usageRecord({ authId: 'late' }),
    usageRecord({ authId: 'late', startedAt: TEN + 5 * HOUR }),
    usageRecord({ authId: 'third' }),
  ])
  await rateAll(db)
  assert.equal((await statementOf(db, id)).total, '0')
  assert.deepEqual(await mapAuthId(db, { authId: 'late', organizationId: id, userId: 'ann' }), {
    kind: 'mapped',
    from: 'beginning',
    hours: 2,
  })
  await rateAll(db)
  const statement = await statementOf(db, id)
  assert.equal(statement.total, '0.00024')
  assert.equal(statement.held.unattributed, 1)
  const report = await usageReport(db, { organizationId: id, from: TEN, to: TEN + 6 * HOUR, by: ['user'] })
  assert.deepEqual(
    report?.rows.map(({ key, records }) => [key, records]),
    [[{ user: 'ann' }, 2n]],
  )
  await assertSound(db)
})

test('a record is attributed as of its own instant, also within an hour', async () => {
  await using db = await openLedger()
  const acme = await createCustomer(db)
  const umbrella = await createCustomer(db, { authId: 'x', name: 'Umbrella' })
  await applyPriceBook(db, priceBook())
  const cut = TEN + HOUR / 2
  await deliver(db, [
    usageRecord({ startedAt: TEN, meters: { input_tokens: 1 } }),
    usageRecord({ startedAt: cut - 1, meters: { input_tokens: 10 } }),
    usageRecord({ startedAt: cut, meters: { input_tokens: 100 } }),
    usageRecord({ startedAt: cut + 1, meters: { input_tokens: 1000 } }),
    usageRecord({ startedAt: cut + HOUR, meters: { input_tokens: 10_000 } }),
    usageRecord({ startedAt: cut + 2 * HOUR, meters: { input_tokens: 100_000 } }),
  ])
  await rateAll(db)
  assert.deepEqual(await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id, from: cut + 2 * HOUR }), {
    kind: 'unchanged',
    from: cut + 2 * HOUR,
  })
  assert.deepEqual(await mapAuthId(db, { authId: 'auth-1', organizationId: umbrella.id, from: cut }), {
    kind: 'mapped',
    from: cut,
    hours: 3,
  })
  assert.deepEqual(await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id, from: cut + 2 * HOUR }), {
    kind: 'mapped',
    from: cut + 2 * HOUR,
    hours: 1,
  })
  assert.deepEqual(await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id, from: cut }), {
    kind: 'conflict',
    from: cut,
    organizationId: umbrella.id,
  })
  await rateAll(db)
  const quantities = async (id: string): Promise<(number | string)[]> => (await statementOf(db, id)).lines.map(({ quantity }) => quantity)
  assert.deepEqual(await quantities(acme.id), [100_011])
  assert.deepEqual(await quantities(umbrella.id), [11_100])
  await assertSound(db)
})
