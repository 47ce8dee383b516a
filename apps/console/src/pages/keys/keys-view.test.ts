import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiKeyJson } from '@ascribe/contract/reads'
import { keyName, selectKeys, sortKeys } from './keys-view.ts'

function key(id: string, fields: Partial<ApiKeyJson> = {}): ApiKeyJson {
  return {
    id,
    publicId: `sk-${id}`,
    scopes: ['inference'],
    state: 'active',
    createdAt: '2026-01-01T00:00:00Z',
    spentThisMonth: '0',
    ...fields,
  }
}

const KEYS = [
  key('b', { name: 'prod', lastUsedAt: '2026-11-02T00:00:00Z' }),
  key('a', { user: 'Ada', lastUsedAt: '2026-11-01T00:00:00Z' }),
  key('c', { name: 'old', state: 'revoked' }),
  key('d', { name: 'over', state: 'expired' }),
]
const idsOf = (keys: readonly ApiKeyJson[]): string => keys.map(({ id }) => id).join('')

test('selectKeys() shows active keys, ended ones or all, and finds by name, id, owner and group', () => {
  assert.equal(idsOf(selectKeys(KEYS, { filter: 'active', search: '' })), 'ba')
  assert.equal(idsOf(selectKeys(KEYS, { filter: 'revoked', search: '' })), 'cd')
  assert.equal(idsOf(selectKeys(KEYS, { filter: 'all', search: '' })), 'bacd')
  assert.equal(idsOf(selectKeys(KEYS, { filter: 'all', search: ' PRO' })), 'b')
  assert.equal(idsOf(selectKeys(KEYS, { filter: 'all', search: 'ada' })), 'a')
  assert.equal(idsOf(selectKeys(KEYS, { filter: 'active', search: 'old' })), '')
})

test('sortKeys() sorts by name, use and exact spend, and keeps one order where they are equal', () => {
  const spend = (id: string): bigint => ({ a: 9_007_199_254_740_993n, b: 9_007_199_254_740_992n })[id] ?? 0n
  const by = (column: string, direction: 'ascending' | 'descending') => idsOf(sortKeys(KEYS, { column, direction }, spend))
  assert.equal(by('spend', 'descending'), 'abcd', 'two that a float would take for equal')
  assert.equal(by('spend', 'ascending'), 'cdba')
  assert.equal(by('used', 'descending'), 'bacd')
  assert.equal(by('name', 'ascending'), 'cdba', 'without a name it goes by how it begins')
  assert.equal(keyName(key('x')), 'sk-x')
})
