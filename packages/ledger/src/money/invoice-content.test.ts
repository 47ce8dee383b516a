import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatNano, minorPlaces } from '@ascribe/units'
import { canonicalJson } from './canonical-json.ts'
import { buildInvoice, exactNano, frozen, payableByCredits } from './invoice-content.ts'
import type { ContentInput } from './invoice-content.ts'
import { taxOn } from './taxes.ts'
import type { TaxRule } from './taxes.ts'

const MARCH = { start: Date.UTC(2026, 2, 1), end: Date.UTC(2026, 3, 1) }
const line = (amount: bigint): ContentInput['lines'][number] => ({
  kind: 'usage',
  model: 'm',
  auth_id: 'a',
  meter: 'input_tokens',
  quantity: 1,
  rate: '1',
  amount: formatNano(amount),
})
const rule = (ratePercent: string): TaxRule => ({
  id: 1n,
  name: 'VAT',
  ratePercent,
  organizationId: undefined,
  country: undefined,
  note: '',
  effectiveFrom: '2026-01-01',
  effectiveUntil: undefined,
})

function input(fields: Partial<ContentInput>): ContentInput {
  return {
    organization: { id: 'o', name: 'Acme' },
    month: '2026-03',
    period: MARCH,
    currency: 'EUR',
    provisional: false,
    lines: [],
    draws: [],
    taxes: [],
    seller: undefined,
    customer: undefined,
    ...fields,
  }
}

test('buildInvoice() keeps every part exact, rounds taxes and the total once each, and shows the difference', () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 15n }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.bigInt({ min: 1n, max: 10n ** 12n }), { maxLength: 3 }),
      fc.array(fc.nat({ max: 100_000_000 }), { maxLength: 3 }),
      fc.constantFrom('JPY', 'EUR', 'KWD', 'CLF'),
      (amounts, draws, rates, currency) => {
        const taxes = rates.map((rate) => rule(`${Math.floor(rate / 1e6)}.${String(rate % 1e6).padStart(6, '0')}`))
        const { content, sums } = buildInvoice(
          input({
            currency,
            lines: amounts.map(line),
            draws: draws.map((amount, index) => ({ blockId: String(index), amount, kind: 'trial', note: '', expiresAt: undefined })),
            taxes,
          }),
        )
        const unit = 10n ** BigInt(9 - minorPlaces(currency))
        assert.equal(
          sums.subtotal,
          amounts.reduce((sum, amount) => sum + amount, 0n),
        )
        assert.equal(sums.subtotal + sums.credits + sums.tax + sums.rounding, sums.total)
        assert.equal(sums.total % unit, 0n)
        assert.ok(2n * (sums.rounding < 0n ? 0n - sums.rounding : sums.rounding) <= unit)
        for (const tax of content.taxes) assert.equal(exactNano(tax.amount) % unit, 0n)
        // What is printed says the same.
        const sum = (parts: readonly { readonly amount: string }[]): bigint =>
          parts.reduce((total, { amount }) => total + exactNano(amount), 0n)
        assert.equal(sum(content.lines) + sum(content.credits) + sum(content.taxes) + exactNano(content.rounding), exactNano(content.total))
      },
    ),
  )
})

test('taxOn() rounds once: a tax that is just below half a cent is nothing', () => {
  // 0.026315789 × 19 % = 0.00499999991: rounded to eight or fewer places before, it would be half a cent, and then one.
  assert.equal(taxOn(26_315_789n, '19', 'EUR'), 0n)
  assert.equal(taxOn(26_315_790n, '19', 'EUR'), 10_000_000n)
  assert.equal(taxOn(-26_315_790n, '19', 'EUR'), -10_000_000n)
  assert.equal(taxOn(100n * 10n ** 9n, '7.7', 'EUR'), 7_700_000_000n)
})

test('payableByCredits() takes what was used and its corrections, not what is missing to a minimum or a commitment', () => {
  const lines: ContentInput['lines'] = [
    { ...line(5n), kind: 'usage' },
    { ...line(7n), kind: 'tier' },
    { ...line(-2n), kind: 'adjustment' },
    { ...line(100n), kind: 'minimum', model: '', meter: '' },
    { ...line(100n), kind: 'commitment', model: '', meter: '' },
    { ...line(100n), kind: 'adjustment', model: '', meter: '' },
  ]
  assert.equal(payableByCredits(lines), 10n)
})

test('canonicalJson() is one text whatever the order of members, and refuses what is no whole number', () => {
  assert.equal(canonicalJson({ b: [1, null, 'ä"'], a: { d: true, c: undefined } }), '{"a":{"d":true},"b":[1,null,"ä\\""]}')
  assert.throws(() => canonicalJson({ a: 0.5 }), /no whole number/)
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null))), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).toReversed())
      assert.equal(canonicalJson(reversed), canonicalJson(value))
      assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('frozen() changes its hash with whatever it says', () => {
  const { content } = buildInvoice(input({ lines: [line(1n)] }))
  const hash = frozen(content).sha256
  assert.equal(frozen({ ...content }).sha256, hash)
  assert.notEqual(frozen({ ...content, total: '1' }).sha256, hash)
})
