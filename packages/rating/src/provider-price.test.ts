import assert from 'node:assert/strict'
import { test } from 'node:test'
import { priceGroup } from './charge.ts'
import { describePrice, diffBooks } from './diff.ts'
import { PriceBookError } from './errors.ts'
import { parsePriceBook } from './parse-price-book.ts'
import type { PriceBook } from './price-book.ts'
import { ceilingRate, resolvePrice } from './price-book.ts'

const ORG = '11111111-1111-4111-8111-111111111111'
const TOKENS = 'small: { prompt: "1", cached: "0.1", completion: "2" }'

function book(models: string, more = ''): PriceBook {
  return parsePriceBook(`version: 1\nper: million\nbase_models:\n  ${TOKENS}\n${models}\n${more}`, { file: 'prices.yaml' })
}

const HOUR = 1_000_000n

test('parsePriceBook() takes machines in the owner’s own account for settled by the provider, by the hour, whatever per says', () => {
  const prices = book('  vm: { meters: { vm_cpu_mhz_hours: "0.000011" } }\n  platform-vm: { meters: { vm_cpu_mhz_hours: "0.000011" } }')
  const own = priceGroup(prices, { model: 'vm', quantities: { vm_cpu_mhz_hours: 2000n * HOUR } })
  const ours = priceGroup(prices, { model: 'platform-vm', quantities: { vm_cpu_mhz_hours: 2000n * HOUR } })
  assert.ok(own.kind === 'priced' && ours.kind === 'priced')
  assert.deepEqual([own.charges, own.memos.map(({ amount }) => amount)], [[], [22_000_000n]])
  assert.deepEqual([ours.memos, ours.charges.map(({ amount }) => amount)], [[], [22_000_000n]])
})

test('settled_by goes either way, with a plain price only', () => {
  const prices = book(`  vm:
    meters: { vm_cpu_mhz_hours: { price: "0.001", settled_by: platform }, vm_ip_hours: "0.004" }
  hosted: { prompt: "1", cached: "1", completion: "1", meters: { seats: { price: "3", settled_by: provider } } }`)
  const machine = priceGroup(prices, { model: 'vm', quantities: { vm_cpu_mhz_hours: HOUR, vm_ip_hours: HOUR } })
  assert.ok(machine.kind === 'priced')
  assert.deepEqual(
    [machine.charges.map(({ meter }) => meter), machine.memos.map(({ meter }) => meter)],
    [['vm_cpu_mhz_hours'], ['vm_ip_hours']],
  )
  const seats = resolvePrice(prices, { model: 'hosted' })?.rates.get('seats')
  assert.ok(seats !== undefined)
  assert.equal(describePrice(seats), '0.000003 settled by the provider')
  assert.equal(ceilingRate(seats), 0n, 'it is held against no budget')
  for (const [written, words] of [
    ['{ price: "1", included: 5, settled_by: provider }', /total of a month/],
    ['{ price: "1", settled_by: them }', /nobody who bills/],
  ] as const) {
    assert.throws(
      () => book(`  vm: { meters: { vm_ip_hours: ${written} } }`),
      (error) => error instanceof PriceBookError && words.test(error.message),
    )
  }
})

test('a discount changes list values too, and a book that begins to charge differs from one that did not', () => {
  const models = '  vm: { meters: { vm_cpu_mhz_hours: "0.00001" } }'
  const prices = book(models, `overrides: { ${ORG}: { discount: "0.5" } }`)
  const half = priceGroup(prices, { model: 'vm', organizationId: ORG, quantities: { vm_cpu_mhz_hours: HOUR } })
  assert.deepEqual(half.kind === 'priced' && half.memos.map(({ amount }) => amount), [5000n])
  const charged = book('  vm: { meters: { vm_cpu_mhz_hours: { price: "0.00001", settled_by: platform } } }')
  assert.deepEqual(diffBooks(book(models), charged).rates, [
    { model: 'vm', meter: 'vm_cpu_mhz_hours', change: 'changed', before: '0.00001 settled by the provider', after: '0.00001' },
  ])
})

test('never-list 5: a book that sold vm with tokens, before machines were, means what it meant, overrides and fine-tunes included', () => {
  const prices = book(
    `  vm: { prompt: "0", cached: "0", completion: "0", per: unit, meters: { vm_cpu_mhz_hours: "0.00001", vm_egress_gib: "0.05" } }
  platform-vm: { prompt: "0", cached: "0", completion: "0", per: thousand, meters: { vm_ip_hours: "4" } }`,
    `fine_tunes: { vm-large: { derived_from: vm } }
overrides: { ${ORG}: { models: { vm: { per: unit, meters: { vm_cpu_mhz_hours: "0.000005" } } } } }`,
  )
  const amountOf = (key: Parameters<typeof resolvePrice>[1], quantities: Readonly<Record<string, bigint>>): unknown => {
    const priced = priceGroup(prices, { ...key, quantities })
    return priced.kind === 'priced' ? [priced.charges.map(({ amount }) => amount), priced.memos.length] : priced.kind
  }
  const used = { vm_cpu_mhz_hours: 2000n, vm_egress_gib: 1n }
  assert.deepEqual(amountOf({ model: 'vm' }, used), [[20_000_000n, 50_000_000n], 0])
  assert.deepEqual(amountOf({ model: 'vm', organizationId: ORG }, used), [[10_000_000n, 50_000_000n], 0])
  assert.deepEqual(amountOf({ model: 'vm-large' }, used), [[20_000_000n, 50_000_000n], 0])
  assert.deepEqual(amountOf({ model: 'platform-vm' }, { vm_ip_hours: 1n }), [[4_000_000n], 0])
  // A million times too much, if millionths were priced by it: what a controller states is held instead.
  assert.equal(amountOf({ model: 'vm', isMachine: true }, { vm_cpu_mhz_hours: HOUR }), 'unpriced')
  assert.deepEqual(
    diffBooks(undefined, prices).rates.find(({ model, meter }) => model === 'vm' && meter === 'vm_cpu_mhz_hours')?.after,
    '0.00001',
  )
})

test('prices of machines price what controllers state, and no whole hours that others report under the same names', () => {
  const prices = book(
    '  vm: { meters: { vm_ip_hours: "0.004" } }',
    `overrides: { ${ORG}: { models: { vm: { meters: { vm_ip_hours: "0.002" } } } } }`,
  )
  const memoOf = (organizationId: string | undefined): unknown => {
    const priced = priceGroup(prices, { model: 'vm', isMachine: true, organizationId, quantities: { vm_ip_hours: HOUR } })
    return priced.kind === 'priced' && priced.memos.map(({ amount }) => amount)
  }
  assert.deepEqual([memoOf(undefined), memoOf(ORG)], [[4_000_000n], [2_000_000n]])
  assert.equal(priceGroup(prices, { model: 'vm', isMachine: false, quantities: { vm_ip_hours: 1n } }).kind, 'unpriced')
  assert.equal(resolvePrice(prices, { model: 'ft:mine', baseModel: 'vm' }), undefined)
  assert.throws(() => book('  vm: { meters: { vm_ip_hours: "0.004" } }', 'fine_tunes: { big: { derived_from: vm } }'), PriceBookError)
})
