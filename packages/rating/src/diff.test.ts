import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffBooks } from './diff.ts'
import { parsePriceBook } from './parse-price-book.ts'
import type { PriceBook } from './price-book.ts'

const BEFORE = `
version: 1
base_models:
  a: { prompt: "1", cached: "0.1", completion: "2" }
  b: { prompt: "1", cached: "0.1", completion: "2" }
fine_tune_premium: { policy: multiplier, factor: "1.5" }
fine_tunes: { "ft:1": { derived_from: a } }
`

function book(text: string): PriceBook {
  return parsePriceBook(text, { file: 'prices.yaml' })
}

test('diffBooks() finds no difference between texts that cost the same', () => {
  const same = BEFORE.replace('"1"', '"1.000"').replace('version: 1', '# a comment\nversion: 1')
  assert.deepEqual(diffBooks(book(BEFORE), book(same)), { rates: [], agreements: [] })
})

test('diffBooks() lists what was added, removed and changed, by model and meter, listed fine-tunes included', () => {
  const after = BEFORE.replace('completion: "2"', 'completion: "3", reasoning: "2"')
    .replace('  b:', '  c:')
    .replace('completion: "2" }\nfine', 'completion: "2", output_audio: "9" }\nfine')
  const { rates, ...rest } = diffBooks(book(BEFORE), book(after))
  assert.deepEqual(rest, { agreements: [] })
  assert.deepEqual(rates, [
    { model: 'a', meter: 'output_tokens', change: 'changed', before: '2', after: '3' },
    { model: 'b', meter: 'cached_input_tokens', change: 'removed', before: '0.1' },
    { model: 'b', meter: 'input_tokens', change: 'removed', before: '1' },
    { model: 'b', meter: 'output_tokens', change: 'removed', before: '2' },
    { model: 'b', meter: 'reasoning_tokens', change: 'removed', before: '2' },
    { model: 'c', meter: 'cached_input_tokens', change: 'added', after: '0.1' },
    { model: 'c', meter: 'input_tokens', change: 'added', after: '1' },
    { model: 'c', meter: 'output_audio_tokens', change: 'added', after: '9' },
    { model: 'c', meter: 'output_tokens', change: 'added', after: '2' },
    { model: 'c', meter: 'reasoning_tokens', change: 'added', after: '2' },
    { model: 'ft:1', meter: 'output_tokens', change: 'changed', before: '3', after: '4.5' },
  ])
})

test('diffBooks() says when currency or premium change', () => {
  const after = BEFORE.replace('version: 1', 'version: 1\ncurrency: EUR').replace(
    'policy: multiplier, factor: "1.5"',
    'policy: markup, markup: "0.01"',
  )
  const { currency, premium } = diffBooks(book(BEFORE), book(after))
  assert.deepEqual(currency, { before: 'USD', after: 'EUR' })
  assert.deepEqual(premium, { before: 'multiplier 1.5', after: 'markup 0.01' })
  const none = BEFORE.replace(/fine_tune_premium.*\n/, '')
  assert.deepEqual(diffBooks(book(BEFORE), book(none)).premium, { before: 'multiplier 1.5', after: 'identity' })
})

test('diffBooks() adds everything when there was no book', () => {
  const { rates, ...rest } = diffBooks(undefined, book(BEFORE))
  assert.deepEqual(rest, { agreements: [] })
  assert.equal(rates.length, 12)
  assert.ok(rates.every(({ change, before }) => change === 'added' && before === undefined))
})

test('diffBooks() mirrored is the mirrored diff', () => {
  const other = book(BEFORE.replace('"0.1"', '"0.2"').replace('  b:', '  c:'))
  const mirrored = { added: 'removed', removed: 'added', changed: 'changed' } as const
  const there = diffBooks(book(BEFORE), other).rates
  const back = diffBooks(other, book(BEFORE)).rates
  assert.deepEqual(
    back,
    there.map(({ before, after, change, ...rest }) => ({
      ...rest,
      change: mirrored[change],
      ...(after !== undefined && { before: after }),
      ...(before !== undefined && { after: before }),
    })),
  )
})
