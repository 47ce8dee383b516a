import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatNano } from '@ascribe/units'
import { priceGroup } from './charge.ts'
import { parsePriceBook } from './parse-price-book.ts'

// What users of other products complain about when classes of tokens are priced: market research, section 4.3.

const BOOK = parsePriceBook(
  `version: 1
per: million
base_models:
  m:
    prompt: "3"
    cached: "0.3"
    completion: "15"
    input_audio: "40"
    input_image: "10"
    output_audio: "80"
    output_image: "40"
    cache_write_5m: "3.75"
    cache_write_1h: "6"
    meters: { images: "40000", audio_seconds: "100", characters: "15" }
`,
  { file: 'p' },
)

function amounts(quantities: Readonly<Record<string, bigint>>): Record<string, string> {
  const priced = priceGroup(BOOK, { model: 'm', quantities })
  assert.equal(priced.kind, 'priced')
  return priced.kind === 'priced' ? Object.fromEntries(priced.charges.map(({ meter, amount }) => [meter, formatNano(amount)])) : {}
}

test('litellm-31714: cached tokens cost the price of a cache read', () => {
  assert.deepEqual(amounts({ cached_input_tokens: 1_000_000n }), { cached_input_tokens: '0.3' })
})

test('bifrost-3451: cached input is charged once, and not as fresh input too', () => {
  assert.deepEqual(amounts({ input_tokens: 200_000n, cached_input_tokens: 800_000n }), { input_tokens: '0.6', cached_input_tokens: '0.24' })
})

test('langwatch-7018: the cached share is not priced at a multiple of its rate', () => {
  const { cached_input_tokens: cached } = amounts({ input_tokens: 1n, cached_input_tokens: 10_000_000n, output_tokens: 1n })
  assert.equal(cached, '3')
})

test('langwatch-7021: characters, seconds and audio tokens reach the bill', () => {
  assert.deepEqual(amounts({ characters: 1_000_000n, audio_seconds: 60n, input_audio_tokens: 1000n, output_audio_tokens: 1000n }), {
    audio_seconds: '0.006',
    characters: '15',
    input_audio_tokens: '0.04',
    output_audio_tokens: '0.08',
  })
})

test('what was written to a cache costs by how long it stays, and image tokens cost what images do', () => {
  const quantities = { cache_write_5m_tokens: 1000n, cache_write_1h_tokens: 1000n, input_image_tokens: 1000n, output_image_tokens: 1000n }
  assert.deepEqual(amounts(quantities), {
    cache_write_1h_tokens: '0.006',
    cache_write_5m_tokens: '0.00375',
    input_image_tokens: '0.01',
    output_image_tokens: '0.04',
  })
})

test('a class of tokens without a price of its own is held, and never charged as another one', () => {
  const file = 'version: 1\nbase_models: { m: { prompt: "1", cached: "1", completion: "1" } }'
  const book = parsePriceBook(file, { file: 'p' })
  for (const meter of ['cache_write_5m_tokens', 'cache_write_1h_tokens', 'input_image_tokens', 'output_image_tokens']) {
    const group = { model: 'm', quantities: { input_tokens: 1n, output_tokens: 1n, [meter]: 1n } }
    assert.deepEqual(priceGroup(book, group), { kind: 'unpriced', missing: [meter] })
  }
})

test('llm-gateway-12: images, speech and transcription are never 0, with a price or without', () => {
  assert.deepEqual(amounts({ images: 2n }), { images: '0.08' })
  assert.deepEqual(priceGroup(BOOK, { model: 'm', quantities: { images: 2n, video_seconds: 1n } }), {
    kind: 'unpriced',
    missing: ['video_seconds'],
  })
})
