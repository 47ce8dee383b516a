import assert from 'node:assert/strict'
import { test } from 'node:test'
import { burnDownOf } from './credits.ts'

const today = Date.UTC(2026, 3, 20)

test('burnDownOf() takes what is not invoiced off the balance, and goes on at the average of 30 days', () => {
  assert.deepEqual(burnDownOf({ balance: 1000n, notInvoiced: 400n, average: 3000n, today }), {
    balance: 1000n,
    notInvoiced: 400n,
    left: 600n,
    dailyAverage: 100n,
    emptyOn: '2026-04-26',
  })
})

test('burnDownOf() says today where nothing is left, and nothing where nothing is spent or it takes ages', () => {
  assert.equal(burnDownOf({ balance: 100n, notInvoiced: 400n, average: 3000n, today }).emptyOn, '2026-04-20')
  assert.equal(burnDownOf({ balance: 100n, notInvoiced: 400n, average: 3000n, today }).left, 0n)
  assert.equal(burnDownOf({ balance: 100n, notInvoiced: 0n, average: 0n, today }).emptyOn, undefined)
  assert.equal(burnDownOf({ balance: 10n ** 30n, notInvoiced: 0n, average: 30n, today }).emptyOn, undefined)
})
