import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathOf } from './paths.ts'
import { PAGES, pageAt } from './routes.ts'

const ORGANIZATION = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'

test('pageAt() finds the page of every path that pathOf() makes, for customers and for operators', () => {
  for (const { id: page, path } of PAGES) {
    const params = Object.fromEntries([...path.matchAll(/\$(\w+)/g)].map(([, name = '']) => [name, 'a/b c']))
    for (const mode of ['customer', 'operator'] as const) {
      const made = pathOf({ mode }, ORGANIZATION, { page, params, search: { from: '2026-11-01' } })
      assert.equal(made.startsWith(mode === 'operator' ? `/as/${ORGANIZATION}/` : '/'), true)
      assert.equal(pageAt(made.replace(/\?.*/, ''))?.id, page, made)
    }
  }
  assert.equal(pageAt('/internal-console/as/x/no-such-page'), undefined)
})

test('R6: PAGES lets nobody who may not write reach what writes by the navigation, and names each page once', () => {
  for (const { id, section, isWrite, isForOperators } of PAGES) {
    assert.ok(!(isWrite && isForOperators), id)
    if (isWrite && id !== 'support') assert.equal(section, undefined, id)
  }
  assert.equal(new Set(PAGES.map(({ path }) => path)).size, PAGES.length)
  assert.equal(new Set(PAGES.map(({ id }) => id)).size, PAGES.length)
})
