import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseNano } from '@ascribe/units'
import type { ExportRow } from './export-row.ts'
import { FOCUS_HEADER, focusLine, unitOf } from './focus.ts'
import { parseCsv } from './parse-csv.test-support.ts'

const ROW: ExportRow = {
  kind: 'usage',
  organizationId: 'b7a9d0f2-3d7c-4f7e-9a41-0d8a8f6f1c01',
  organizationName: 'Acme',
  currency: 'USD',
  month: '2026-03',
  start: Date.UTC(2026, 2, 1),
  end: Date.UTC(2026, 2, 1, 1),
  authId: 'auth-1',
  userId: null,
  groupId: null,
  resourceId: 'chat',
  model: 'small',
  baseModel: null,
  meter: 'input_tokens',
  priceSequence: 1,
  rate: 1_234_567_890_123_456_789n,
  quantity: 3n,
  amount: 3_703_703_670n,
  recordCount: 1n,
  corrects: null,
  description: '',
  invoice: null,
}

function focusOf(row: ExportRow): Readonly<Record<string, string>> {
  const [header = [], cells = []] = parseCsv(FOCUS_HEADER + focusLine(row))
  return Object.fromEntries(header.map((name, index) => [name, cells[index] ?? '']))
}

test('focusLine() gives the exact product as ListCost, and what is billed, which was rounded, as BilledCost', () => {
  const focus = focusOf(ROW)
  assert.deepEqual(
    [focus['ListUnitPrice'], focus['PricingQuantity'], focus['ListCost'], focus['BilledCost'], focus['EffectiveCost']],
    ['1.234567890123456789', '3.0', '3.703703670370370367', '3.70370367', '3.70370367'],
  )
})

test('focusLine() loses no digit of any amount', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (amount) => {
      const { BilledCost: billed = '' } = focusOf({ ...ROW, amount })
      assert.match(billed, /^-?[0-9]+\.[0-9]+$/)
      assert.equal(parseNano(billed), amount)
    }),
  )
})

test('focusLine() says what a row is: usage, correction, true-up, credit, tax', () => {
  const of = (fields: Partial<ExportRow>): readonly (string | undefined)[] => {
    const focus = focusOf({ ...ROW, ...fields })
    return [focus['ChargeCategory'], focus['ChargeClass'], focus['ChargeFrequency'], focus['PricingQuantity'], focus['SkuPriceId']]
  }
  const whole = { model: '', meter: '', authId: '', resourceId: '', rate: null, quantity: null }
  assert.deepEqual(of({}), ['Usage', '', 'Usage-Based', '3.0', 'small/input_tokens/usage/1.234567890123456789'])
  assert.deepEqual(of({ kind: 'adjustment', quantity: -3n, corrects: '2026-02' }).slice(0, 4), [
    'Usage',
    'Correction',
    'Usage-Based',
    '-3.0',
  ])
  assert.deepEqual(of({ kind: 'adjustment', ...whole }), ['Adjustment', 'Correction', 'Usage-Based', '', ''])
  assert.deepEqual(of({ kind: 'minimum', ...whole }), ['Adjustment', '', 'Recurring', '', ''])
  assert.deepEqual(of({ kind: 'credit', ...whole, amount: -1n }), ['Credit', '', 'One-Time', '', ''])
  assert.deepEqual(of({ kind: 'credit', ...whole, amount: 1n }), ['Adjustment', '', 'One-Time', '', ''])
  assert.deepEqual(of({ kind: 'tax', ...whole }), ['Tax', '', 'One-Time', '', ''])
  assert.deepEqual(of({ kind: 'rounding', ...whole }), ['Adjustment', '', 'One-Time', '', ''])
})

test('focusLine() does not mix up rows that follow each other', () => {
  const later = { ...ROW, month: '2026-04', start: Date.UTC(2026, 3, 1), end: Date.UTC(2026, 3, 1, 1), rate: 5n }
  const alone = [focusLine(ROW), focusLine(later)]
  assert.deepEqual([focusLine(later), focusLine(ROW), focusLine(later), focusLine(ROW)], [alone[1], alone[0], alone[1], alone[0]])
})

test('unitOf() names units as FOCUS writes them', () => {
  const units = [
    ['usage', 'input_tokens', 'Tokens'],
    ['usage', 'cached_input_tokens', 'Tokens'],
    ['tier', 'output_audio', 'Tokens'],
    ['usage', 'requests', 'Requests'],
    ['usage', 'audio_seconds', 'Seconds'],
    ['package', 'images', 'Blocks'],
    ['usage', 'images', 'Images'],
    ['usage', 'vm_cpu_mhz_seconds', 'Vm Cpu Mhz Seconds'],
  ] as const
  for (const [kind, meter, unit] of units) assert.equal(unitOf({ kind, meter }), unit)
})
