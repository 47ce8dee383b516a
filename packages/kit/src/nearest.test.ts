import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

const KEYS = ['prompt', 'cached', 'completion', 'per']

test('nearest() finds the word that a slip of one or two letters was meant for', () => {
  const cases: readonly [string, string | undefined][] = [
    ['promt', 'prompt'],
    ['prmopt', 'prompt'],
    ['Prompt', 'prompt'],
    ['completions', 'completion'],
    ['comletoin', 'completion'],
    ['pre', 'per'],
    ['prompt', 'prompt'],
    ['output', undefined],
    ['x', undefined],
    ['', undefined],
  ]
  for (const [word, expected] of cases) assert.equal(nearest(word, KEYS), expected, word)
})

test('nearest() counts two neighbours that changed places as one slip', () => {
  assert.equal(nearest('prmopt', KEYS, 1), 'prompt')
  assert.equal(nearest('prmotp', KEYS, 1), undefined)
})

test('nearest() prefers the fewer slips, then the first', () => {
  assert.equal(nearest('modelx', ['modelab', 'modelx1', 'modelx2']), 'modelx1')
})
