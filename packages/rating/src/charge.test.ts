import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssertionError } from '@ascribe/kit'
import { formatNano, formatRate, parseRate } from '@ascribe/units'
import { chargeNano } from './charge-nano.ts'
import { priceGroup } from './charge.ts'
import { parsePriceBook } from './parse-price-book.ts'
import type { PricedGroup } from './charge.ts'

// The oracle: decimals as fractions, by long multiplication of what the book says, and rounding by comparing with one half.
// It shares no code with what it checks.
type Fraction = { readonly top: bigint; readonly bottom: bigint }
type Rounding = (top: bigint, bottom: bigint) => bigint

function fraction(decimal: string): Fraction {
  const [whole = '', places = ''] = decimal.split('.')
  return { top: BigInt(whole + places), bottom: 10n ** BigInt(places.length) }
}

const awayFromZero: Rounding = (top, bottom) => {
  let result = top / bottom
  if (2n * (top - result * bottom) >= bottom) result += 1n
  return result
}
const toEven: Rounding = (top, bottom) => {
  const floor = top / bottom
  const twice = 2n * (top - floor * bottom)
  return twice > bottom || (twice === bottom && floor % 2n === 1n) ? floor + 1n : floor
}
const truncated: Rounding = (top, bottom) => top / bottom

function oracle(quantity: bigint, quoted: string, per: bigint, round: Rounding = awayFromZero): bigint {
  const price = fraction(quoted)
  return round(quantity * price.top * 1_000_000_000n, price.bottom * per)
}

/** What the reference does: round the rate to nano-units first, then multiply. */
function quantisedFirst(quantity: bigint, quoted: string, per: bigint): bigint {
  return quantity * oracle(1n, quoted, per)
}

const anyQuantity = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n })
const anyPer = fc.constantFrom(1, 1000, 1_000_000)
// At most 12 places, so that it fits at any unit.
const anyQuote = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 9n }), fc.stringMatching(/^[0-9]{1,12}$/))
  .map(([whole, places]) => `${whole}.${places}`)

test('chargeNano() equals the oracle for any quantity, quote and unit', () => {
  fc.assert(
    fc.property(anyQuantity, anyQuote, anyPer, (quantity, quoted, per) => {
      const rate = parseRate(quoted, per as 1)
      assert.ok(typeof rate === 'bigint')
      assert.equal(chargeNano(quantity, rate), oracle(quantity, quoted, BigInt(per)))
    }),
    { numRuns: 1000 },
  )
})

// Each row: quantity, quote a unit, and the amounts in nano-units. The first two columns of amounts must differ from the third.
const DIVERGING: readonly { quantity: bigint; quoted: string; right: bigint; wrong: Rounding | typeof quantisedFirst }[] = [
  { quantity: 1n, quoted: '0.0000000005', right: 1n, wrong: toEven },
  { quantity: 1n, quoted: '0.0000000025', right: 3n, wrong: toEven },
  { quantity: 1n, quoted: '0.0000000005', right: 1n, wrong: truncated },
  { quantity: 3n, quoted: '0.0000000009', right: 3n, wrong: truncated },
  { quantity: 1000n, quoted: '0.0000000015', right: 1500n, wrong: quantisedFirst },
  { quantity: 1_000_000n, quoted: '0.0000000001', right: 100_000n, wrong: quantisedFirst },
]

test('chargeNano() rounds once, half away from zero, where every other way gives another amount', () => {
  for (const { quantity, quoted, right, wrong } of DIVERGING) {
    const rate = parseRate(quoted, 1)
    assert.ok(typeof rate === 'bigint')
    assert.equal(chargeNano(quantity, rate), right, quoted)
    assert.equal(oracle(quantity, quoted, 1n), right, quoted)
    const other = wrong === quantisedFirst ? quantisedFirst(quantity, quoted, 1n) : oracle(quantity, quoted, 1n, wrong as Rounding)
    assert.notEqual(other, right, `${quoted} must tell the roundings apart`)
  }
})

test('chargeNano() conserves money: parts differ from the whole by less than half a nano each, and not at all at whole rates', () => {
  const anyParts = fc.array(anyQuantity, { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(anyParts, fc.bigInt({ min: 0n, max: 10n ** 20n }), (parts, rate) => {
      const whole = chargeNano(
        parts.reduce((sum, part) => sum + part, 0n),
        rate,
      )
      const summed = parts.reduce((sum, part) => sum + chargeNano(part, rate), 0n)
      const drift = whole > summed ? whole - summed : summed - whole
      assert.ok(drift * 2n <= BigInt(parts.length + 1), `${drift}`)
      const nanoRate = rate * 1_000_000_000n
      assert.equal(
        chargeNano(
          parts.reduce((sum, part) => sum + part, 0n),
          nanoRate,
        ),
        parts.reduce((sum, part) => sum + chargeNano(part, nanoRate), 0n),
      )
    }),
  )
})

test('chargeNano() is monotone in the quantity', () => {
  fc.assert(
    fc.property(anyQuantity, anyQuantity, fc.bigInt({ min: 0n, max: 10n ** 20n }), (a, b, rate) => {
      const [less, more] = a < b ? [a, b] : [b, a]
      assert.ok(chargeNano(less, rate) <= chargeNano(more, rate))
    }),
  )
})

const BOOK = parsePriceBook(
  `
version: 1
per: million
base_models:
  m: { prompt: "0.20", cached: "0.05", completion: "0.60" }
  free: { prompt: "0", cached: "0", completion: "0" }
  audio: { prompt: "1", cached: "1", completion: "1", output_audio: "20", meters: { images: "10000" } }
`,
  { file: 'prices.yaml' },
)

function written(group: PricedGroup): string[] {
  if (group.kind === 'unpriced') return ['unpriced', ...group.missing]
  return group.charges.map(({ meter, quantity, rate, amount }) => `${meter} ${quantity} × ${formatRate(rate)} = ${formatNano(amount)}`)
}

test('priceGroup() charges each meter at its rate, by name, without a charge for zero', () => {
  const quantities = { output_tokens: 50n, input_tokens: 1000n, cached_input_tokens: 0n, reasoning_tokens: 7n }
  assert.deepEqual(written(priceGroup(BOOK, { model: 'm', quantities })), [
    'input_tokens 1000 × 0.0000002 = 0.0002',
    'output_tokens 50 × 0.0000006 = 0.00003',
    'reasoning_tokens 7 × 0.0000006 = 0.0000042',
  ])
})

test('priceGroup() charges nothing, but does charge, for what is free on purpose', () => {
  assert.deepEqual(written(priceGroup(BOOK, { model: 'free', quantities: { input_tokens: 5n } })), ['input_tokens 5 × 0 = 0'])
})

test('priceGroup() holds the whole group when one meter has no rate', () => {
  const quantities = { input_tokens: 10n, output_audio_tokens: 1n, input_audio_tokens: 3n }
  assert.deepEqual(written(priceGroup(BOOK, { model: 'm', quantities })), ['unpriced', 'input_audio_tokens', 'output_audio_tokens'])
  assert.deepEqual(written(priceGroup(BOOK, { model: 'audio', quantities })), ['unpriced', 'input_audio_tokens'])
  assert.deepEqual(written(priceGroup(BOOK, { model: 'gone', quantities: { input_tokens: 1n } })), ['unpriced', 'input_tokens'])
  assert.deepEqual(written(priceGroup(BOOK, { quantities: { input_tokens: 1n } })), ['unpriced', 'input_tokens'])
})

test('priceGroup() does not hold a group for a meter of which nothing was used', () => {
  assert.deepEqual(written(priceGroup(BOOK, { model: 'm', quantities: { input_tokens: 1n, input_audio_tokens: 0n } })), [
    'input_tokens 1 × 0.0000002 = 0.0000002',
  ])
  assert.deepEqual(priceGroup(BOOK, { model: 'gone', quantities: { input_tokens: 0n } }), {
    kind: 'priced',
    charges: [],
    period: [],
    memos: [],
  })
})

// litellm-38457: native audio output uses the audio rate, never the text rate or zero.
test('priceGroup() prices audio at the audio rate', () => {
  assert.deepEqual(written(priceGroup(BOOK, { model: 'audio', quantities: { output_audio_tokens: 3n, images: 2n } })), [
    'images 2 × 0.01 = 0.02',
    'output_audio_tokens 3 × 0.00002 = 0.00006',
  ])
})

// litellm-31714, langwatch-7018: the cached share is charged once, at its own rate.
test('priceGroup() prices cached input at the cached rate', () => {
  assert.deepEqual(written(priceGroup(BOOK, { model: 'm', quantities: { cached_input_tokens: 100n } })), [
    'cached_input_tokens 100 × 0.00000005 = 0.000005',
  ])
})

test('priceGroup() refuses a negative quantity: it would be credit', () => {
  assert.throws(() => priceGroup(BOOK, { model: 'm', quantities: { input_tokens: -1n } }), AssertionError)
})

test('priceGroup() gives the same charges in whatever order quantities and models come', () => {
  const METERS = ['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens', 'output_audio_tokens', 'images']
  const anyEntries = fc.uniqueArray(fc.tuple(fc.constantFrom(...METERS), anyQuantity), { selector: ([meter]) => meter })
  fc.assert(
    fc.property(anyEntries, fc.constantFrom('m', 'free', 'audio', 'gone'), (entries, model) => {
      const group = priceGroup(BOOK, { model, quantities: Object.fromEntries(entries) })
      assert.deepEqual(priceGroup(BOOK, { model, quantities: Object.fromEntries(entries.toReversed()) }), group)
      if (group.kind === 'unpriced') return
      assert.deepEqual(
        group.charges.map(({ meter, quantity }) => [meter, quantity]),
        entries.filter(([, quantity]) => quantity > 0n).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      )
      for (const { quantity, rate, amount } of group.charges) assert.equal(amount, oracle(quantity, formatRate(rate), 1n))
    }),
  )
})
