import assert from 'node:assert/strict'
import { test } from 'node:test'
import { priceGroup } from './charge.ts'
import { describePrice, diffBooks } from './diff.ts'
import { PriceBookError } from './errors.ts'
import { parsePriceBook } from './parse-price-book.ts'
import { ceilingRate, resolvePrice } from './price-book.ts'
import type { PriceBook, PriceKey } from './price-book.ts'

const ACME = '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'
const OTHER = '018f4d5e-7b6a-7c3d-8e9f-000000000000'

const TEXT = `version: 1
currency: EUR
per: million
base_models:
  llama:
    prompt: "1"
    cached: "0.1"
    completion: { mode: graduated, tiers: [{ up_to: 1000, price: "3" }, { price: "2" }] }
    meters:
      images: { package: 100, price: "5", included: 50 }
      requests: { price: "4", included: 10 }
      audio_seconds: { mode: volume, tiers: [{ up_to: 60, price: "7" }, { price: "6" }] }
  qwen: { prompt: "1", cached: "0.1", completion: "2" }
fine_tune_premium: { policy: multiplier, factor: "1.5" }
fine_tunes:
  "ft:mine": { derived_from: llama }
  "ft:own": { rate: { prompt: "10", cached: "1", completion: "20" } }
overrides:
  ${ACME.toUpperCase()}:
    discount: "0.5"
    models:
      llama: { prompt: "0.9" }
      qwen: { completion: "1.8" }
minimums:
  - { amount: "100" }
  - { organization: ${ACME}, amount: "0.5", from: "2026-01", to: "2026-07" }
  - { organization: ${ACME}, amount: "250.25", from: "2026-07" }
commitments:
  - { organization: ${OTHER}, amount: "12000", from: "2026-01", to: "2027-01" }
`

function book(text = TEXT): PriceBook {
  return parsePriceBook(text, { file: 'prices.yaml' })
}

function prices(key: PriceKey): Record<string, string> {
  return Object.fromEntries([...(resolvePrice(book(), key)?.rates ?? [])].map(([meter, price]) => [meter, describePrice(price)]))
}

function problems(text: string, organizations?: ReadonlyMap<string, string>): readonly string[] {
  try {
    parsePriceBook(text, { file: 'p', ...(organizations && { organizations }) })
    return []
  } catch (thrown) {
    assert.ok(thrown instanceof PriceBookError)
    return thrown.problems.map(({ line, message, hint }) => `${line}: ${message}; ${hint}`)
  }
}

test('parsePriceBook() reads tiers, packages and included quantities; reasoning is counted with output', () => {
  assert.deepEqual(prices({ model: 'llama' }), {
    input_tokens: '0.000001',
    cached_input_tokens: '0.0000001',
    output_tokens: 'graduated: 0.000003 to 1000, 0.000002 above',
    images: '5 a block of 100 beyond 50 included',
    requests: '0.000004 beyond 10 included',
    audio_seconds: 'volume: 0.000007 to 60, 0.000006 above',
    reasoning_tokens: 'graduated: 0.000003 to 1000, 0.000002 above',
  })
  const reasoning = resolvePrice(book(), { model: 'llama' })?.rates.get('reasoning_tokens')
  assert.equal(typeof reasoning === 'object' && reasoning.kind !== 'provider' && reasoning.pool, 'output_tokens')
})

test('parsePriceBook() puts the premium on every tier and block', () => {
  assert.equal(prices({ model: 'ft:mine' })['output_tokens'], 'graduated: 0.0000045 to 1000, 0.000003 above')
  assert.equal(prices({ model: 'ft:x', baseModel: 'llama' })['images'], '7.5 a block of 100 beyond 50 included')
  const markup = book(TEXT.replace('policy: multiplier, factor: "1.5"', 'policy: markup, markup: "1"'))
  const rates = resolvePrice(markup, { model: 'ft:mine' })?.rates
  assert.equal(describePrice(rates?.get('output_tokens') ?? 0n), 'graduated: 0.000004 to 1000, 0.000003 above')
  assert.equal(describePrice(rates?.get('images') ?? 0n), '5 a block of 100 beyond 50 included')
})

test('resolvePrice() gives an organization its own prices and its discount, and nobody else', () => {
  const acme = { organizationId: ACME }
  const { requests, ...llama } = prices({ model: 'llama', ...acme })
  assert.equal(llama['input_tokens'], '0.0000009')
  assert.equal(llama['cached_input_tokens'], '0.00000005')
  assert.equal(llama['output_tokens'], 'graduated: 0.0000015 to 1000, 0.000001 above')
  assert.equal(requests, '0.000002 beyond 10 included')
  assert.deepEqual(prices({ model: 'qwen', ...acme }), {
    input_tokens: '0.0000005',
    cached_input_tokens: '0.00000005',
    output_tokens: '0.0000018',
    reasoning_tokens: '0.0000018',
  })
  assert.deepEqual(prices({ model: 'qwen', organizationId: OTHER }), prices({ model: 'qwen' }))
})

test('resolvePrice() lets fine-tunes follow the own rates of their base model, and discounts those with rates of their own', () => {
  assert.equal(prices({ model: 'ft:mine', organizationId: ACME })['input_tokens'], '0.00000135')
  assert.equal(prices({ model: 'ft:x', baseModel: 'llama', organizationId: ACME })['input_tokens'], '0.00000135')
  assert.equal(prices({ model: 'ft:own', organizationId: ACME })['input_tokens'], '0.000005')
})

test('priceGroup() never charges by the hour what the total of the month prices, and holds nothing for it', () => {
  const quantities = { input_tokens: 10n, output_tokens: 5n, reasoning_tokens: 2n, images: 1n }
  const group = priceGroup(book(), { model: 'llama', quantities })
  assert.equal(group.kind, 'priced')
  assert.deepEqual(group.kind === 'priced' && group.charges.map(({ meter }) => meter), ['input_tokens'])
  assert.deepEqual(group.kind === 'priced' && group.period, [
    { meter: 'images', quantity: 1n },
    { meter: 'output_tokens', quantity: 5n },
    { meter: 'reasoning_tokens', quantity: 2n },
  ])
})

test('ceilingRate() is the most that one unit can cost', () => {
  const rates = resolvePrice(book(), { model: 'llama' })?.rates
  const of = (meter: string): bigint => ceilingRate(rates?.get(meter) ?? -1n)
  assert.deepEqual(
    [of('input_tokens'), of('output_tokens'), of('images'), of('requests')],
    [10n ** 12n, 3n * 10n ** 12n, 5n * 10n ** 18n, 4n * 10n ** 12n],
  )
})

test('parsePriceBook() reads minimums and commitments', () => {
  const { minimums, commitments } = book()
  assert.deepEqual(minimums, [
    { amount: 100_000_000_000n },
    { organizationId: ACME, amount: 500_000_000n, from: '2026-01', to: '2026-07' },
    { organizationId: ACME, amount: 250_250_000_000n, from: '2026-07' },
  ])
  assert.deepEqual(commitments, [{ organizationId: OTHER, amount: 12_000_000_000_000n, from: '2026-01', to: '2027-01' }])
})

test('diffBooks() says which tiers, overrides and agreements change, and for whom', () => {
  const after = TEXT.replace('{ price: "2" }]', '{ price: "1" }]')
    .replace('llama: { prompt: "0.9" }', 'llama: { prompt: "0.8" }')
    .replace('"12000"', '"13000"')
  const { rates, agreements } = diffBooks(book(), book(after))
  assert.ok(
    rates.some(
      (each) => each.organizationId === undefined && each.model === 'llama' && each.after === 'graduated: 0.000003 to 1000, 0.000001 above',
    ),
  )
  assert.ok(rates.some((each) => each.organizationId === ACME && each.meter === 'input_tokens' && each.after === '0.0000008'))
  assert.deepEqual(
    agreements.map(({ change, text }) => `${change} ${text}`),
    [
      `removed commitment of 12000 for ${OTHER}, from 2026-01, until 2027-01`,
      `added commitment of 13000 for ${OTHER}, from 2026-01, until 2027-01`,
    ],
  )
})

const FAULTS: readonly (readonly [name: string, from: string, to: string, says: RegExp])[] = [
  ['tiers without a mode', 'mode: graduated, ', '', /^8: .*has tiers but no mode; write mode: graduated/],
  ['an unknown mode', 'mode: volume', 'mode: stairs', /^12: .*"stairs" is no way to count tiers/],
  [
    'a bounded last tier',
    '{ price: "2" }]',
    '{ up_to: 2000, price: "2" }]',
    /^8: .*bounds the last tier: what is above it would have no price/,
  ],
  ['a tier without a bound before others', 'up_to: 1000, ', '', /^8: .*\[1\] has no up_to, but tiers follow it/],
  [
    'tiers that do not rise',
    '{ up_to: 60, price: "7" }',
    '{ up_to: 60, price: "7" }, { up_to: 60, price: "8" }',
    /^12: .*ends at 60, not above the tier before it; write up_to above 60/,
  ],
  ['a tier without a price', 'up_to: 60, price: "7"', 'up_to: 60', /^12: .*has no price/],
  ['an empty list of tiers', '[{ up_to: 60, price: "7" }, { price: "6" }]', '[]', /^12: .*has no tiers/],
  ['a package without a price', 'package: 100, price: "5"', 'package: 100', /^10: .*package without a size or a price/],
  ['a package of nothing', 'package: 100', 'package: 0', /^10: .*not a whole number of units/],
  ['an included fraction', 'included: 10 }', 'included: 1.5 }', /^11: .*not a whole number of units/],
  ['a price beside tiers', 'mode: volume', 'price: "1", mode: volume', /^12: .*does not go with tiers/],
  ['an override for what is no organization', ACME.toUpperCase(), 'Acme', /^19: "Acme" is not the id of an organization; write the UUID/],
  [
    'an override of an unknown model',
    '      llama: {',
    '      lama: {',
    /^22: "lama" is neither in base_models nor in fine_tunes; did you mean "llama"/,
  ],
  ['a discount of 0', 'discount: "0.5"', 'discount: "0"', /^20: .*makes everything free/],
  ['a discount that would be rounded', 'discount: "0.5"', 'discount: "0.3333333333333"', /^20: .*more than 18 decimal places a unit/],
  ['minimums that overlap', 'to: "2026-07"', 'to: "2026-08"', /^27: .*overlaps with the one on line 26/],
  ['a commitment without an end', ', to: "2027-01"', '', /^29: .*has no to; add to:/],
  ['a term that ends before it begins', 'to: "2027-01"', 'to: "2025-01"', /^29: .*ends before it begins/],
  ['a month that is none', 'from: "2026-07"', 'from: "July"', /^27: .*"July" is no month/],
]

for (const [name, from, to, says] of FAULTS) {
  test(`parsePriceBook() refuses ${name}, saying where and how to mend it`, () => {
    assert.ok(TEXT.includes(from), 'the fault must be planted')
    const found = problems(TEXT.replace(from, to))
    assert.ok(
      found.some((line) => says.test(line)),
      found.join('\n'),
    )
  })
}

test('parsePriceBook() reports organizations that there are not, and those billed in another currency', () => {
  assert.deepEqual(
    problems(
      TEXT,
      new Map([
        [ACME, 'EUR'],
        [OTHER, 'EUR'],
      ]),
    ),
    [],
  )
  assert.deepEqual(problems(TEXT, new Map([[ACME, 'USD']])), [
    ...[19, 26, 27].map((line) => `${line}: organization ${ACME} is billed in USD, this book is in EUR; move it to the book in USD`),
    `29: there is no organization ${OTHER}; \`ascribe orgs list\` shows all of them`,
  ])
})
