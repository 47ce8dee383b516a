import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_KEY, checkNewKey, isAmount, newKeyBody } from './new-key.ts'

const NOW = Date.UTC(2026, 10, 22, 12)

test('checkNewKey() names each field that is wrong, and takes today as a last day', () => {
  const fields = (draft: object): readonly string[] => checkNewKey({ ...EMPTY_KEY, name: 'ci', ...draft }, NOW).map(({ field }) => field)
  assert.deepEqual(fields({}), [])
  assert.deepEqual(fields({ name: '  ' }), ['name'])
  assert.deepEqual(fields({ inference: false }), ['scopes'])
  assert.deepEqual(fields({ expires: '2026-11-21' }), ['expires'])
  assert.deepEqual(fields({ expires: '2026-11-22' }), [])
  assert.deepEqual(fields({ expires: '22.11.2026', budget: '1,50' }), ['expires', 'budget'])
  assert.deepEqual(['250', '0.01', '0', '-1', '1e3', ''].map(isAmount), [true, true, false, false, false, false])
})

test('newKeyBody() sends what was filled in and nothing else; a last day counts whole', () => {
  assert.deepEqual(newKeyBody({ ...EMPTY_KEY, name: ' ci ' }), { name: 'ci', scopes: ['inference'] })
  assert.deepEqual(newKeyBody({ ...EMPTY_KEY, name: 'x', billing: true, user: 'u', group: 'g', expires: '2026-11-30' }), {
    name: 'x',
    scopes: ['inference', 'billing:read'],
    userId: 'u',
    groupId: 'g',
    expiresAt: '2026-12-01T00:00:00.000Z',
  })
})
