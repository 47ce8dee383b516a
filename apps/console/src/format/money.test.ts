import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNano, roundToMinor } from '@ascribe/units'
import fc from 'fast-check'
import {
  formatAmount,
  formatExact,
  formatForecast,
  formatMoneyCompact,
  formatMoneyShort,
  formatUnitPrice,
  meterWords,
  nanoOf,
} from './money.ts'

const usd = (text: string): string => formatAmount(nanoOf(text), 'USD')

test('formatAmount() has two decimals and groups, and a minus sign that is one', () => {
  assert.equal(usd('24040.618'), '24,040.62')
  assert.equal(usd('-12'), '−12.00')
  assert.equal(usd('123456789012.345'), '123,456,789,012.35')
  assert.equal(usd('0.01'), '0.01')
  assert.equal(usd('0.005'), '0.005')
  assert.equal(usd('0.015'), '0.02')
  assert.equal(formatAmount(nanoOf('1234.5'), 'JPY'), '1,235')
  assert.equal(formatAmount(nanoOf('1.2345'), 'KWD'), '1.235')
})

test('formatAmount() never shows a tiny amount as 0.00, and zero without a sign', () => {
  assert.equal(usd('0.000000001'), '0.000000001')
  assert.equal(usd('0.000123456'), '0.000123')
  assert.equal(usd('-0.0041'), '−0.0041')
  assert.equal(usd('0.009999'), '0.01')
  assert.equal(usd('0'), '0.00')
  assert.equal(usd('-0'), '0.00')
  assert.equal(formatAmount(nanoOf('0.4'), 'JPY'), '0.4')
})

test('formatAmount() is the rounding of invoices, and shows every amount but zero as something else than zero', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), fc.constantFrom('USD', 'JPY', 'KWD'), (amount, currency) => {
      const text = formatAmount(amount, currency)
      assert.doesNotMatch(text, /^−0(\.0+)?$/)
      assert.equal(/^0(\.0+)?$/.test(text), amount === 0n)
      const back = parseNano(text.replaceAll(',', '').replace('−', '-'))
      assert(typeof back === 'bigint')
      const rounded = roundToMinor(amount, currency)
      const size = amount < 0n ? -amount : amount
      if (size >= 10n ** BigInt(9 - { USD: 2, JPY: 0, KWD: 3 }[currency])) assert.equal(back, rounded)
    }),
  )
})

test('formatMoneyShort(), formatMoneyCompact() and formatForecast() name the currency', () => {
  assert.equal(formatMoneyShort(nanoOf('24040.62'), 'USD'), '$24,040.62')
  assert.equal(formatMoneyShort(nanoOf('-12'), 'USD'), '−$12.00')
  assert.equal(formatMoneyShort(nanoOf('8.1'), 'CHF'), 'CHF\u00a08.10')
  assert.equal(formatMoneyCompact(nanoOf('1234.5'), 'USD'), '$1.23k')
  assert.equal(formatMoneyCompact(nanoOf('999999'), 'USD'), '$1M')
  assert.equal(formatMoneyCompact(nanoOf('0.05'), 'EUR'), '€0.05')
  assert.equal(formatMoneyCompact(nanoOf('0'), 'USD'), '$0')
  assert.equal(formatForecast(nanoOf('31412.77'), 'USD'), '$31,400')
  assert.equal(formatForecast(nanoOf('1.2349'), 'USD'), '$1.23')
  assert.equal(formatExact(nanoOf('24040.618273645'), 'USD'), '24,040.618273645\u00a0USD')
})

test('formatUnitPrice() is per million tokens, or per one of anything else, with all digits', () => {
  assert.equal(formatUnitPrice('0.00000015', { currency: 'USD', meter: 'input_tokens' }), '$0.15 per 1\u00a0M input tokens')
  assert.equal(
    formatUnitPrice('0.000000000000000001', { currency: 'USD', meter: 'output_tokens' }),
    '$0.000000000001 per 1\u00a0M output tokens',
  )
  assert.equal(formatUnitPrice('1', { currency: 'USD', meter: 'input_tokens' }), '$1,000,000 per 1\u00a0M input tokens')
  assert.equal(formatUnitPrice('0.08', { currency: 'EUR', meter: 'vm_hours' }), '€0.08 per VM hours')
})

test('nanoOf() refuses what is no amount instead of showing 0', () => {
  assert.throws(() => nanoOf('NaN'), RangeError)
  assert.equal(meterWords('vm_cpu_mhz_hours'), 'VM CPU MHz hours')
})
