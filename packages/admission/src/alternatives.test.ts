import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reservationOfAlternatives } from './alternatives.ts'
import type { Alternative } from './alternatives.ts'
import { PriceTable } from './prices.ts'

const prices = new PriceTable([
  {
    currency: 'USD',
    models: {
      whisper: { input_audio_ms: '7' },
      transcribe: { input_tokens: '2', input_audio_tokens: '3', output_tokens: '5' },
      chat: { input_tokens: '2', output_tokens: '11' },
      picture: { images: '1000000' },
    },
  },
])
const WAYS: readonly Alternative[] = [
  { by: ['input_audio_ms'], most: { input_audio_ms: 1000 } },
  { by: ['input_audio_tokens'], most: { input_audio_tokens: 100, output_tokens: 10 } },
]
const of = (model: string, ways: readonly Alternative[] = WAYS, unit = 'USD'): unknown => {
  const found = reservationOfAlternatives(ways, unit, { model: { model, baseModel: undefined }, prices, at: 0 })
  return found.kind === 'amount' ? found.amount : found.kind
}

test('reservationOfAlternatives() reserves the most that the model can cost in the way in which it is sold', () => {
  assert.equal(of('whisper'), 7000n)
  assert.equal(of('transcribe'), 350n)
})

test('reservationOfAlternatives() takes the dearest way for a model that has a price in none of them', () => {
  assert.equal(of('nobody'), 7000n)
})

test('reservationOfAlternatives() gives no bound where the way in which the model is sold has none', () => {
  const [byTime] = WAYS
  const ways = [byTime ?? { by: [] }, { by: ['input_audio_tokens'] }]
  assert.equal(of('whisper', ways), 7000n)
  assert.equal(of('transcribe', ways), 'unbounded')
  assert.equal(of('nobody', ways), 'unbounded')
  assert.equal(of('whisper', ways, 'tokens'), 'unbounded')
})

test('reservationOfAlternatives() counts tokens alone for a budget in tokens, and nothing in a currency without prices', () => {
  assert.equal(of('whisper', WAYS, 'tokens'), 110n)
  const found = reservationOfAlternatives(WAYS, 'EUR', { model: { model: 'whisper', baseModel: undefined }, prices: undefined, at: 0 })
  assert.equal(found.kind, 'unpriced')
})

test('PriceTable: a class of tokens that nobody has priced costs as the dearest tokens, not as a picture', () => {
  const usage = { model: 'chat', baseModel: undefined, meters: [['output_image_tokens', 2n]] as const }
  assert.equal(prices.cost(usage, 0), 22n)
  assert.equal(prices.cost({ ...usage, meters: [['search_units', 2n]] }, 0), 2_000_000n)
})
