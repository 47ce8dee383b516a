import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMeterQuantity, formatMeterRate, meterScale, readableLine } from './meter-scale.ts'
import { parseRate } from './rate.ts'

const CPU = { model: 'vm', meter: 'vm_cpu_mhz_hours' }

test('formatMeterQuantity() shows hours of machines, and whole units of everything else', () => {
  assert.equal(formatMeterQuantity(CPU, 1_500_000n), '1.5')
  assert.equal(formatMeterQuantity({ model: 'platform-vm', meter: 'vm_ip_hours' }, 1n), '0.000001')
  assert.equal(formatMeterQuantity({ model: 'vm', meter: 'requests' }, 1_500_000n), '1500000')
  assert.equal(meterScale({ ...CPU, authId: 'cloudsigma:018f4d5e-7b6a-4c3d-8e9f-0a1b2c3d4e5f' }), 6)
  assert.equal(meterScale({ ...CPU, authId: 'key-1' }), 0, 'it was sold under that name before machines were')
  assert.equal(meterScale({ model: 'somebody else reports them', meter: 'vm_cpu_mhz_hours' }), 0)
})

test('formatMeterRate() shows the price of an hour, as it was written', () => {
  const rate = parseRate('0.000011', 1_000_000)
  assert.equal(typeof rate, 'bigint')
  if (typeof rate === 'bigint') assert.equal(formatMeterRate(CPU, rate), '0.000011')
  assert.equal(formatMeterRate({ model: 'llama', meter: 'input_tokens' }, 2_000_000_000_000n), '0.000002')
})

test('readableLine() keeps the product of quantity and rate, and leaves blocks of a package alone', () => {
  assert.deepEqual(readableLine({ ...CPU, kind: 'usage', quantity: 2_500_000, rate: '0.000000000011' }), {
    quantity: '2.5',
    rate: '0.000011',
  })
  assert.deepEqual(readableLine({ ...CPU, kind: 'package', quantity: 3, rate: '5' }), { quantity: '3', rate: '5' })
})
