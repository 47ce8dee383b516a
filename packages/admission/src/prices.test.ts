import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PriceTable } from './prices.ts'
import type { PriceList } from './prices.ts'
import { estimateTokens, outputBound, reservationOf } from './reservation.ts'

const LIST: PriceList = {
  currency: 'USD',
  models: {
    small: { input_tokens: '10', cached_input_tokens: '1', output_tokens: '20', reasoning_tokens: '30' },
    large: { input_tokens: '100', output_tokens: '400', image_count: '1000' },
  },
  derived: { small: { input_tokens: '15', output_tokens: '25' } },
}
const TABLE = new PriceTable([LIST])
const AT = Date.UTC(2026, 10, 22)

function cost(model: string | undefined, meters: Record<string, number>, baseModel?: string): bigint {
  return TABLE.cost({ model, baseModel, meters: Object.entries(meters).map(([name, count]) => [name, BigInt(count)] as const) }, AT)
}

test('cost() is quantity times rate, exact, over all meters', () => {
  assert.equal(cost('small', { input_tokens: 3, cached_input_tokens: 5, output_tokens: 7, reasoning_tokens: 0 }), 30n + 5n + 140n)
})

test('cost() prices a fine-tune by its base model, and no other model', () => {
  assert.equal(cost('ft:mine', { input_tokens: 2 }, 'small'), 30n)
  assert.equal(cost('mine', { input_tokens: 2 }, 'small'), 200n)
})

test('cost() takes the dearest rate for what has no price: it is not free, and not unlimited either', () => {
  assert.equal(cost('nobody-priced', { input_tokens: 2, output_tokens: 1 }), 2n * 100n + 400n)
  assert.equal(cost(undefined, { output_tokens: 1 }), 400n)
  assert.equal(cost('small', { output_audio_tokens: 1 }), 400n, 'as the dearest token, not as a picture')
  assert.equal(cost('small', { search_units: 1 }), 1000n)
})

test('cost() goes by the list in force at the instant', () => {
  const later = AT + 1000
  const table = new PriceTable([{ ...LIST, from: later, models: { small: { input_tokens: '11' } } }, LIST])
  const usage = { model: 'small', baseModel: undefined, meters: [['input_tokens', 1n]] as const }
  assert.deepEqual([table.cost(usage, later - 1), table.cost(usage, later)], [10n, 11n])
})

test('cost() takes the prices of an organization that has its own', () => {
  const own = new PriceTable([{ ...LIST, overrides: { acme: { models: { small: { input_tokens: '7' } } } } }])
  const usage = { model: 'small', baseModel: undefined, meters: [['input_tokens', 1n]] as const }
  assert.deepEqual([own.cost({ ...usage, organizationId: 'ACME' }, AT), own.cost({ ...usage, organizationId: 'other' }, AT)], [7n, 10n])
})

test('bounds() takes what is written to a cache for something that goes in, and covers its price', () => {
  const rates = { input_tokens: '10', cache_write_5m_tokens: '12', cache_write_1h_tokens: '20', output_tokens: '15' }
  const table = new PriceTable([{ currency: 'USD', models: { m: rates } }])
  assert.deepEqual(table.bounds({ model: 'm', baseModel: undefined }, AT), { input: 20n, output: 15n })
})

test('bounds() covers every class of a model, and the dearest model where it has no price', () => {
  assert.deepEqual(TABLE.bounds({ model: 'small', baseModel: undefined }, AT), { input: 10n, output: 30n })
  assert.deepEqual(TABLE.bounds({ model: 'nobody-priced', baseModel: undefined }, AT), { input: 100n, output: 400n })
  assert.equal(new PriceTable([]).bounds({ model: 'small', baseModel: undefined }, AT), undefined)
})

test('reservationOf() is never less than what the request costs, whatever the classes of its tokens', () => {
  const anySplit = fc.record({
    model: fc.constantFrom('small', 'large', 'other'),
    bytes: fc.nat(10_000),
    out: fc.nat(10_000),
    cached: fc.double({ min: 0, max: 1, noNaN: true }),
    reasoning: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(anySplit, ({ model, bytes, out, cached, reasoning }) => {
      const size = { bodyBytes: bytes, outputTokens: out, model, baseModel: undefined }
      const [inCache, thought] = [Math.floor(bytes * cached), Math.floor(out * reasoning)]
      const real = { input_tokens: bytes - inCache, cached_input_tokens: inCache, output_tokens: out - thought, reasoning_tokens: thought }
      const reserved = reservationOf(size, 'USD', { prices: TABLE, at: AT }) ?? assert.fail()
      // A class that the model has no price for is held at the dearest, which only an engine that invents classes comes to.
      const priced = model === 'large' ? { input_tokens: bytes, output_tokens: out } : real
      assert(cost(model, priced) <= reserved)
      assert((reservationOf(size, 'tokens', { prices: undefined, at: AT }) ?? 0n) >= BigInt(bytes + out))
    }),
  )
})

test('reservationOf() cannot say anything in a currency without prices', () => {
  const size = { bodyBytes: 1, outputTokens: 1, model: 'small', baseModel: undefined }
  assert.equal(reservationOf(size, 'EUR', { prices: undefined, at: AT }), undefined)
})

test('outputBound() multiplies choices and prompts, and takes the word of the route where nothing was asked', () => {
  const asked = { api: 'chat', choices: 3, prompts: 2 }
  assert.equal(outputBound({ ...asked, maxTokens: 10 }), 60)
  assert.equal(outputBound({ ...asked, routeMax: 4 }), 24)
  assert.equal(outputBound({ ...asked, maxTokens: 10, routeMax: 4 }), 60)
  assert.equal(outputBound(asked), undefined)
  assert.equal(outputBound({ ...asked, api: 'embeddings' }), 0)
  assert.equal(outputBound({ ...asked, maxTokens: Number.MAX_SAFE_INTEGER }), Number.MAX_SAFE_INTEGER)
})

test('estimateTokens() expects a token for four bytes', () => {
  assert.equal(estimateTokens(401, 10), 111)
  assert.equal(estimateTokens(0, undefined), 0)
})
