import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAbout, renderPains, testTitlesOf } from '../pains.ts'
import { createTree } from '../tidy/tree.ts'

const FILE = 'packages/units/src/a.test.ts'
const tree = createTree({
  [FILE]:
    "test('shop-12, shop-34: it holds', () => {})\ntest(\n  'a cut stream (shop-56)',\n  { timeout: 1 },\n  () => {},\n)\nother('shop-78: no')\n",
  'packages/units/src/b.ts': "test('shop-90: in no test file')\n",
})
const groups = (name: string, open?: string): Parameters<typeof renderPains>[1] => [
  { about: 'Shops', pains: [{ name, thread: 'a/shop#12', wants: 'It holds.', ...(open === undefined ? {} : { open }) }] },
]

test('testTitlesOf() gives the names of tests, and of nothing else', () => {
  assert.deepEqual(testTitlesOf(tree), [
    { path: FILE, title: 'shop-12, shop-34: it holds' },
    { path: FILE, title: 'a cut stream (shop-56)' },
  ])
})

test('isAbout() takes whole names only', () => {
  assert.ok(isAbout('shop-12, shop-34: it holds', 'Shop-34'))
  assert.ok(isAbout('a cut stream (shop-56)', 'shop-56'))
  for (const name of ['shop-1', 'hop-12', 'it holds']) assert.ok(!isAbout('shop-12, shop-34: it holds', name), name)
})

test('renderPains() names file and test of each pain, or why there is none', () => {
  assert.match(
    renderPains(tree, groups('shop-12')),
    /\| a\/shop#12 \| It holds\. \| `packages\/units\/src\/a\.test\.ts`: shop-12, shop-34: it holds \|/,
  )
  assert.match(renderPains(tree, groups('shop-99', 'Not built.')), /\| Not built\. \|/)
})

test('renderPains() throws when a test is missing, or there though it is said to be missing', () => {
  assert.throws(() => renderPains(tree, groups('shop-90')), /no test is named after shop-90/)
  assert.throws(() => renderPains(tree, groups('shop-56', 'Not built.')), /said to be open/)
})
