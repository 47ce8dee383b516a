import assert from 'node:assert/strict'
import { test } from 'node:test'
import { amountOfRecord, formatExactSmall, formatSmall, metersText } from './record-text.ts'

const price = { version: 1, entry: 'base_models.small', own: false }
const charge = (amount?: string) => ({ meter: 'input_tokens', quantity: '1', price, ...(amount !== undefined && { amount }) })

test('amountOfRecord() is exact to 18 places, and nothing where a month’s total prices', () => {
  assert.equal(amountOfRecord({ charges: [charge('0.000000000000000001'), charge('0.1')] }), 100_000_000_000_000_001n)
  assert.equal(amountOfRecord({ charges: [charge()] }), undefined)
  assert.equal(amountOfRecord({ charges: [] }), undefined)
})

test('formatSmall() never shows what is not zero as zero', () => {
  assert.equal(formatSmall(1n, 'USD'), '0.000000000000000001')
  assert.equal(formatSmall(227_000_000_000_000n, 'USD'), '0.000227')
  assert.equal(formatSmall(0n, 'USD'), '0.00')
  assert.equal(formatSmall(12n * 10n ** 18n + 5n, 'USD'), '12.00')
  assert.equal(formatExactSmall(227_000_000_000_000n, 'USD'), '0.000227\u00a0USD')
})

test('metersText() says tokens in and out, and every other meter by its name', () => {
  assert.equal(metersText({ input_tokens: 1000, cached_input_tokens: 204, output_tokens: 300, reasoning_tokens: 10 }), '1,204 in · 310 out')
  assert.equal(metersText({ output_tokens: 90 }), '90 out')
  assert.equal(metersText({ images: 7, input_tokens: 0 }), '7 images')
  assert.equal(metersText({ vm_disk_gib_hours: 1_500_000 }, 'vm'), '1.5 VM disk GiB hours')
  assert.equal(metersText({ vm_disk_gib_hours: 480 }, 'vm.small'), '480 VM disk GiB hours')
  assert.equal(metersText({}), 'nothing counted')
})
