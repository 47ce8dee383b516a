import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitmentDue, covers, minimumOf, monthAfter, monthsOf, shortfall } from './agreements.ts'

const ACME = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'

test('shortfall() is what is missing, and never negative', () => {
  assert.deepEqual([shortfall(10n, 4n), shortfall(10n, 10n), shortfall(10n, 11n)], [6n, 0n, 0n])
})

test("minimumOf() takes an organization's own minimum, else everybody's if there was usage", () => {
  const minimums = [{ amount: 5n }, { organizationId: ACME, amount: 9n, from: '2026-02', to: '2026-04' }]
  const at = (organizationId: string, month: string, hasUsage: boolean): bigint | undefined =>
    minimumOf(minimums, { organizationId, month, hasUsage })?.amount
  assert.equal(at(ACME, '2026-03', false), 9n)
  assert.equal(at(ACME, '2026-04', true), 5n)
  assert.equal(at(ACME, '2026-01', false), undefined)
  assert.equal(at('other', '2026-03', true), 5n)
})

test('commitmentDue() is due in the last month of its term', () => {
  const commitments = [{ organizationId: ACME, amount: 9n, from: '2026-02', to: '2027-01' }]
  assert.equal(commitmentDue(commitments, { organizationId: ACME, month: '2026-12' })?.amount, 9n)
  assert.equal(commitmentDue(commitments, { organizationId: ACME, month: '2026-11' }), undefined)
  assert.equal(commitmentDue(commitments, { organizationId: 'other', month: '2026-12' }), undefined)
})

test('covers(), monthAfter() and monthsOf() take terms as half-open', () => {
  assert.equal(covers({ from: '2026-02', to: '2026-04' }, '2026-04'), false)
  assert.equal(covers({ from: '2026-02', to: '2026-04' }, '2026-02'), true)
  assert.equal(monthAfter('2026-12'), '2027-01')
  assert.deepEqual(monthsOf({ from: '2026-11', to: '2027-02' }), ['2026-11', '2026-12', '2027-01'])
})
