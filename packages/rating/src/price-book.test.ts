import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describePrice } from './diff.ts'
import { parsePriceBook } from './parse-price-book.ts'
import { resolvePrice } from './price-book.ts'
import type { PriceKey } from './price-book.ts'

const BOOK = parsePriceBook(
  `
version: 1
base_models:
  base: { prompt: "2", cached: "1", completion: "4" }
fine_tune_premium: { policy: multiplier, factor: "1.5" }
fine_tunes:
  "ft:listed": { derived_from: base }
  "ft:own": { rate: { prompt: "7", cached: "7", completion: "7" } }
  tuned: { derived_from: base }
`,
  { file: 'prices.yaml' },
)

function found(key: PriceKey): string | undefined {
  const price = resolvePrice(BOOK, key)
  return price && `${price.via} ${describePrice(price.rates.get('input_tokens') ?? -1n)}`
}

test('resolvePrice() takes the model itself, then a listed fine-tune, then the base model of an ft: id', () => {
  assert.equal(found({ model: 'base' }), 'model 2')
  assert.equal(found({ model: 'base', baseModel: 'gone' }), 'model 2')
  assert.equal(found({ model: 'ft:listed' }), 'fine_tune 3')
  assert.equal(found({ model: 'tuned' }), 'fine_tune 3')
  assert.equal(found({ model: 'ft:own', baseModel: 'base' }), 'fine_tune 7')
  assert.equal(found({ model: 'ft:checkpoint', baseModel: 'base' }), 'base_model 3')
})

test('resolvePrice() has no price for anything else: never 0, never the base rate without the premium', () => {
  const unpriced: readonly PriceKey[] = [
    {},
    { baseModel: 'base' },
    { model: '' },
    { model: 'gone' },
    { model: 'gone', baseModel: 'base' },
    { model: 'ft:checkpoint' },
    { model: 'ft:checkpoint', baseModel: 'gone' },
    // A second hop: the base model is a fine-tune.
    { model: 'ft:checkpoint', baseModel: 'ft:own' },
    { model: 'ft:checkpoint', baseModel: 'tuned' },
    { model: 'Base' },
    { model: '__proto__' },
  ]
  for (const key of unpriced) assert.equal(found(key), undefined, JSON.stringify(key))
})

test('parsePriceBook() takes a model that counts no tokens without their prices, and then prices none: tokens are held, not free', () => {
  const text = 'version: 1\nbase_models:\n  whisper:\n    meters:\n      input_audio_ms: "0.0000001"\n'
  const rates = resolvePrice(parsePriceBook(text, { file: 'book' }), { model: 'whisper' })?.rates
  assert.deepEqual([...(rates?.keys() ?? [])], ['input_audio_ms'])
  const tokens = 'version: 1\nbase_models:\n  m:\n    meters:\n      input_image_tokens: "0.01"\n'
  assert.throws(() => parsePriceBook(tokens, { file: 'book' }), /no prompt rate/)
})
