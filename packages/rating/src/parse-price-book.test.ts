import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDecimal } from '@ascribe/units'
import type { Rate } from '@ascribe/units'
import { describePrice } from './diff.ts'
import { bookSha256, parsePriceBook } from './parse-price-book.ts'
import type { PriceBook, Rates } from './price-book.ts'

/** Everything that the reference's format has, as its operators write it. */
const REFERENCE_BOOK = `
# prices of November
version: 1
base_models:
  "meta-llama/Llama-3.1-8B-Instruct":
    prompt:     "0.000000200"   # $0.20 for a million
    cached:     "0.000000050"
    completion: "0.000000600"
  mistralai/Mistral-7B-Instruct-v0.3:
    prompt:     "+0.00000015"
    cached:     '0'
    completion: "0.000000450"
fine_tune_premium:
  policy: multiplier
  factor: "1.5"
  # markup: "0.000000100"
fine_tunes:
  "ft:1f0c2d3e":
    derived_from: "meta-llama/Llama-3.1-8B-Instruct"
  "ft:deadbeef":
    derived_from: "meta-llama/Llama-3.1-8B-Instruct"
    rate:
      prompt:     "0.000000300"
      cached:     "0.000000075"
      completion: "0.000000900"
  "ft:own":
    rate: { prompt: "0.1", cached: "0.01", completion: "1" }
gpu_floor_rates:
  "A100-80GB": "0.000000000"
  "H100-80GB": "2.5"
`

function parse(text: string): PriceBook {
  return parsePriceBook(text, { file: 'prices.yaml' })
}

function written(rates: Rates | undefined): Record<string, string> {
  return Object.fromEntries([...(rates ?? [])].map(([meter, rate]) => [meter, describePrice(rate)]))
}

test('parsePriceBook() takes a book of the reference as it stands, in USD', () => {
  const book = parse(REFERENCE_BOOK)
  assert.equal(book.currency, 'USD')
  assert.deepEqual(written(book.models.get('meta-llama/Llama-3.1-8B-Instruct')), {
    input_tokens: '0.0000002',
    cached_input_tokens: '0.00000005',
    output_tokens: '0.0000006',
    reasoning_tokens: '0.0000006',
  })
  assert.deepEqual(written(book.models.get('mistralai/Mistral-7B-Instruct-v0.3')), {
    input_tokens: '0.00000015',
    cached_input_tokens: '0',
    output_tokens: '0.00000045',
    reasoning_tokens: '0.00000045',
  })
  assert.deepEqual(written(book.gpuFloorRates), { 'A100-80GB': '0', 'H100-80GB': '2.5' })
})

test('parsePriceBook() gives a fine-tune its base rates with the premium, or its own rates without', () => {
  const book = parse(REFERENCE_BOOK)
  assert.deepEqual(book.premium, { policy: 'multiplier', factor: 15n * 10n ** 17n })
  const derived = {
    input_tokens: '0.0000003',
    cached_input_tokens: '0.000000075',
    output_tokens: '0.0000009',
    reasoning_tokens: '0.0000009',
  }
  assert.deepEqual(written(book.fineTunes.get('ft:1f0c2d3e')), derived)
  assert.deepEqual(written(book.derived.get('meta-llama/Llama-3.1-8B-Instruct')), derived)
  assert.deepEqual(written(book.fineTunes.get('ft:own')), {
    input_tokens: '0.1',
    cached_input_tokens: '0.01',
    output_tokens: '1',
    reasoning_tokens: '1',
  })
  assert.equal(written(book.fineTunes.get('ft:deadbeef'))['input_tokens'], '0.0000003')
})

test('parsePriceBook() adds a markup to every rate of tokens, and to no other', () => {
  const book = parse(`
version: 1
base_models:
  m: { prompt: "0.000003", cached: "0", completion: "0.00001", meters: { requests: "0.01" } }
fine_tune_premium: { policy: markup, markup: "0.000001" }
`)
  assert.deepEqual(written(book.derived.get('m')), {
    input_tokens: '0.000004',
    cached_input_tokens: '0.000001',
    output_tokens: '0.000011',
    reasoning_tokens: '0.000011',
    requests: '0.01',
  })
})

test('parsePriceBook() reads prices for a thousand or a million units, of the file or of one model', () => {
  const book = parse(`
version: 1
currency: EUR
per: million
base_models:
  a: { prompt: "0.20", cached: "0.05", completion: "0.60" }
  b: { per: thousand, prompt: "0.20", cached: "0.05", completion: "0.60" }
  c: { per: 1, prompt: "0.20", cached: "0.05", completion: "0.60" }
fine_tune_premium: { policy: markup, markup: "0.10" }
fine_tunes:
  "ft:own": { rate: { per: 1000, prompt: "0.20", cached: "0.05", completion: "0.60" } }
gpu_floor_rates: { A100: "1.5" }
`)
  assert.equal(book.currency, 'EUR')
  assert.equal(written(book.models.get('a'))['input_tokens'], '0.0000002')
  assert.equal(written(book.models.get('b'))['input_tokens'], '0.0002')
  assert.equal(written(book.models.get('c'))['input_tokens'], '0.2')
  assert.equal(written(book.fineTunes.get('ft:own'))['input_tokens'], '0.0002')
  assert.equal(written(book.derived.get('a'))['input_tokens'], '0.0000003')
  assert.equal(written(book.gpuFloorRates)['A100'], '1.5')
  for (const [word, rate] of [
    ['unit', '0.5'],
    ['1', '0.5'],
    ['1000', '0.0005'],
    ['1000000', '0.0000005'],
  ] as const) {
    const same = parse(`{ version: 1, per: ${word}, base_models: { m: { prompt: "0.5", cached: "0.5", completion: "0.5" } } }`)
    assert.equal(written(same.models.get('m'))['input_tokens'], rate, word)
  }
})

test('parsePriceBook() prices reasoning as output unless it has a rate of its own, and audio never as text', () => {
  const book = parse(`
version: 1
base_models:
  plain: { prompt: "1", cached: "2", completion: "3" }
  full:
    { prompt: "1", cached: "2", completion: "3", reasoning: "4", input_audio: "5", output_audio: "6", meters: { images: "7", audio_ms: "8" } }
  general: { prompt: "1", cached: "2", completion: "3", meters: { reasoning_tokens: "9" } }
`)
  assert.deepEqual(written(book.models.get('plain')), {
    input_tokens: '1',
    cached_input_tokens: '2',
    output_tokens: '3',
    reasoning_tokens: '3',
  })
  assert.deepEqual(written(book.models.get('full')), {
    input_tokens: '1',
    cached_input_tokens: '2',
    output_tokens: '3',
    reasoning_tokens: '4',
    input_audio_tokens: '5',
    output_audio_tokens: '6',
    images: '7',
    audio_ms: '8',
  })
  assert.equal(written(book.models.get('general'))['reasoning_tokens'], '9')
})

test('parsePriceBook() takes sections that were left empty, as a file does whose lines are all comments', () => {
  const book = parse(`
version: 1
currency:
per:
base_models:
  m: { prompt: "1", cached: "1", completion: "1" }
fine_tune_premium:
fine_tunes:
  # "ft:x": { derived_from: m }
gpu_floor_rates:
`)
  assert.equal(book.currency, 'USD')
  assert.deepEqual(book.premium, { policy: 'identity' })
  assert.equal(book.fineTunes.size, 0)
  assert.deepEqual(book.derived.get('m'), book.models.get('m'))
  assert.deepEqual(parse('{version: 1, base_models: {m: {prompt: "1", cached: "1", completion: "1"}}, fine_tune_premium: {}}').premium, {
    policy: 'identity',
  })
})

test('parsePriceBook() follows aliases', () => {
  const book = parse(`
version: 1
base_models:
  a: &small { prompt: "1", cached: "2", completion: "3" }
  b: *small
`)
  assert.deepEqual(book.models.get('b'), book.models.get('a'))
})

test('parsePriceBook() is exact to the 18th place', () => {
  const book = parse('{version: 1, base_models: {m: {prompt: "0.000000000000000001", cached: "0.123456789012345678", completion: "1"}}}')
  assert.equal(book.models.get('m')?.get('input_tokens'), 1n)
  assert.equal(book.models.get('m')?.get('cached_input_tokens'), 123456789012345678n)
})

const anyModel = fc.record({
  prompt: fc.bigInt({ min: 0n, max: 10n ** 20n }),
  cached: fc.bigInt({ min: 0n, max: 10n ** 20n }),
  completion: fc.bigInt({ min: 0n, max: 10n ** 20n }),
})
const anyModels = fc.dictionary(
  fc.string({ minLength: 1 }).filter((id) => !id.startsWith('ft:')),
  anyModel,
  { minKeys: 1, maxKeys: 8, noNullPrototype: true },
)

test('parsePriceBook() reads back what was written, at any unit and in any order', () => {
  fc.assert(
    fc.property(
      anyModels,
      fc.constantFrom([1n, 'unit'] as const, [1000n, 'thousand'] as const, [1_000_000n, 'million'] as const),
      (models, per) => {
        const [units, word] = per
        const write = (rate: Rate): string => JSON.stringify(formatDecimal(rate * units, 18))
        const lines = Object.entries(models).map(([id, { prompt, cached, completion }]) => {
          return `  ? ${JSON.stringify(id)}\n  : { completion: ${write(completion)}, prompt: ${write(prompt)}, cached: ${write(cached)} }`
        })
        const head = `version: 1\nper: ${word}\nbase_models:\n`
        const book = parse(`${head}${lines.join('\n')}\n`)
        const reversed = parse(`${head}${lines.toReversed().join('\n')}\n`)
        assert.equal(book.models.size, lines.length)
        for (const [id, { prompt, cached, completion }] of Object.entries(models)) {
          const rates = { input_tokens: prompt, cached_input_tokens: cached, output_tokens: completion, reasoning_tokens: completion }
          assert.deepEqual(Object.fromEntries(book.models.get(id) ?? []), rates)
          assert.deepEqual(reversed.models.get(id), book.models.get(id))
        }
      },
    ),
  )
})

test('bookSha256() is the hash of the bytes, and changes with each of them', () => {
  assert.equal(bookSha256(REFERENCE_BOOK), createHash('sha256').update(Buffer.from(REFERENCE_BOOK)).digest('hex'))
  assert.equal(parse(REFERENCE_BOOK).sha256, bookSha256(REFERENCE_BOOK))
  assert.notEqual(bookSha256(REFERENCE_BOOK), bookSha256(`${REFERENCE_BOOK}\n`))
})
