import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { periodLines } from './period-price.ts'
import type { PeriodPrice, PeriodSegment, Tier } from './period-price.ts'

const UNIT = 10n ** 18n

function tiers(...steps: readonly (readonly [bigint | undefined, bigint])[]): readonly Tier[] {
  return steps.map(([upTo, rate]) => ({ upTo, rate }))
}

function said(segments: readonly PeriodSegment[]): readonly string[] {
  return periodLines(segments).map((line) => `${line.kind} ${line.quantity} × ${line.rate / UNIT} = ${line.amount} (${line.description})`)
}

const GRADUATED: PeriodPrice = {
  kind: 'graduated',
  included: 0n,
  tiers: tiers([100n, 3n * UNIT], [150n, 2n * UNIT], [undefined, UNIT]),
}
const VOLUME: PeriodPrice = { ...GRADUATED, kind: 'volume' }
const PACKAGE: PeriodPrice = { kind: 'package', included: 0n, size: 100n, price: 5n * UNIT }

test('periodLines() prices each unit by its own graduated tier', () => {
  assert.deepEqual(said([{ price: GRADUATED, quantity: 170n }]), [
    'tier 100 × 3 = 300000000000 (tier 1 of 3: 1 to 100)',
    'tier 50 × 2 = 100000000000 (tier 2 of 3: 101 to 150)',
    'tier 20 × 1 = 20000000000 (tier 3 of 3: above 150)',
  ])
})

test('periodLines() prices all units by the volume tier of the total', () => {
  assert.deepEqual(said([{ price: VOLUME, quantity: 100n }]), ['tier 100 × 3 = 300000000000 (all at tier 1 of 3: 1 to 100)'])
  assert.deepEqual(said([{ price: VOLUME, quantity: 101n }]), ['tier 101 × 2 = 202000000000 (all at tier 2 of 3: 101 to 150)'])
})

test('periodLines() counts a block that is begun, once for the month', () => {
  assert.deepEqual(said([{ price: PACKAGE, quantity: 201n }]), ['package 3 × 5 = 15000000000 (blocks of 100)'])
  assert.deepEqual(said([{ price: PACKAGE, quantity: 200n }]), ['package 2 × 5 = 10000000000 (blocks of 100)'])
})

test('periodLines() takes what is included off first', () => {
  assert.deepEqual(said([{ price: { kind: 'linear', included: 30n, rate: 2n * UNIT }, quantity: 50n }]), [
    'included 30 × 0 = 0 (of 30 included)',
    'usage 20 × 2 = 40000000000 (beyond the 30 included)',
  ])
  assert.deepEqual(said([{ price: { ...PACKAGE, included: 30n }, quantity: 30n }]), ['included 30 × 0 = 0 (of 30 included)'])
})

test('periodLines() goes on where the version before left off when prices change within the month', () => {
  const dearer: PeriodPrice = { ...GRADUATED, tiers: tiers([100n, 6n * UNIT], [undefined, 4n * UNIT]) }
  assert.deepEqual(
    said([
      { price: GRADUATED, quantity: 90n },
      { price: dearer, quantity: 20n },
    ]),
    [
      'tier 90 × 3 = 270000000000 (tier 1 of 3: 1 to 100)',
      'tier 10 × 6 = 60000000000 (tier 1 of 2: 1 to 100)',
      'tier 10 × 4 = 40000000000 (tier 2 of 2: above 100)',
    ],
  )
  assert.deepEqual(
    said([
      { price: PACKAGE, quantity: 150n },
      { price: { ...PACKAGE, price: 7n * UNIT }, quantity: 60n },
    ]),
    ['package 2 × 5 = 10000000000 (blocks of 100)', 'package 1 × 7 = 7000000000 (blocks of 100)'],
  )
  assert.deepEqual(
    said([
      { price: VOLUME, quantity: 90n },
      { price: { ...VOLUME, tiers: tiers([100n, 6n * UNIT], [undefined, 4n * UNIT]) }, quantity: 20n },
    ]),
    ['tier 90 × 2 = 180000000000 (all at tier 2 of 3: 101 to 150)', 'tier 20 × 4 = 80000000000 (all at tier 2 of 2: above 100)'],
  )
})

/*
 * The oracle prices one unit after the other and adds up fractions of a nano-unit; it shares no code with the implementation.
 */
const positiveTiers = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.bigInt({ min: 0n, max: 10n ** 12n })), { minLength: 1, maxLength: 4 })
  .map((steps) => {
    let upTo = 0n
    return steps.map(([size, rate], index) => {
      upTo += BigInt(size)
      return { upTo: index === steps.length - 1 ? undefined : upTo, rate }
    })
  })
const included = fc.bigInt({ min: 0n, max: 60n })
const price: fc.Arbitrary<PeriodPrice> = fc.oneof(
  fc.record({ kind: fc.constant('linear' as const), included, rate: fc.bigInt({ min: 0n, max: 10n ** 12n }) }),
  fc.record({ kind: fc.constantFrom('graduated' as const, 'volume' as const), included, tiers: positiveTiers }),
  fc.record({
    kind: fc.constant('package' as const),
    included,
    size: fc.bigInt({ min: 1n, max: 30n }),
    price: fc.bigInt({ min: 0n, max: 10n ** 12n }),
  }),
)
const segments = fc.array(fc.record({ price, quantity: fc.bigInt({ min: 0n, max: 80n }) }), { minLength: 1, maxLength: 4 })

function oracle(of: readonly PeriodSegment[]): { readonly exact: bigint; readonly units: readonly bigint[] } {
  const total = of.reduce((sum, { quantity }) => sum + quantity, 0n)
  let [position, exact] = [0n, 0n]
  const units: bigint[] = []
  for (const { price: own, quantity } of of) {
    let cost = 0n
    for (let used = 0n; used < quantity; used += 1n) {
      position += 1n
      cost += unitCost(own, { position: position - own.included, total: total - own.included })
    }
    exact += cost
    units.push(cost)
  }
  return { exact, units }
}

function unitCost(of: PeriodPrice, { position, total }: { readonly position: bigint; readonly total: bigint }): bigint {
  if (position <= 0n) return 0n
  if (of.kind === 'linear') return of.rate
  if (of.kind === 'package') return (position - 1n) % of.size === 0n ? of.price : 0n
  const at = of.kind === 'volume' ? total : position
  return of.tiers.filter(({ upTo }) => upTo === undefined || at <= upTo)[0]?.rate ?? -1n
}

test('periodLines() is what an oracle says that prices one unit after the other', () => {
  fc.assert(
    fc.property(segments, (of) => {
      const lines = periodLines(of)
      const { units } = oracle(of)
      for (const [segment] of of.entries()) {
        const own = lines.filter((line) => line.segment === segment)
        assert.equal(
          own.reduce((sum, line) => sum + line.quantity * line.rate, 0n),
          units[segment],
        )
      }
      for (const line of lines) {
        assert.ok(line.quantity > 0n)
        const exact = line.quantity * line.rate
        // Rounded once: nearest, ties away from zero.
        assert.equal(line.amount, (exact + 500_000_000n) / 1_000_000_000n)
      }
    }),
    { numRuns: 500 },
  )
})

test('periodLines() accounts for every unit exactly once, packages apart', () => {
  fc.assert(
    fc.property(segments, (of) => {
      for (const [segment, { price: own, quantity }] of of.entries()) {
        if (own.kind === 'package') continue
        const lines = periodLines(of).filter((line) => line.segment === segment)
        assert.equal(
          lines.reduce((sum, line) => sum + line.quantity, 0n),
          quantity,
        )
      }
    }),
  )
})

test('periodLines() of graduated tiers is continuous: one more unit never costs more than the dearest tier, nor less than the cheapest', () => {
  const cost = (of: PeriodPrice, quantity: bigint): bigint =>
    periodLines([{ price: of, quantity }]).reduce((sum, line) => sum + line.quantity * line.rate, 0n)
  fc.assert(
    fc.property(positiveTiers, fc.bigInt({ min: 0n, max: 200n }), (steps, quantity) => {
      const of: PeriodPrice = { kind: 'graduated', included: 0n, tiers: steps }
      const more = cost(of, quantity + 1n) - cost(of, quantity)
      assert.ok(steps.some(({ rate }) => rate === more))
    }),
  )
})

test('periodLines() does not see how a segment is split when the price stays: the sum of the parts is the whole', () => {
  fc.assert(
    fc.property(price, fc.array(fc.bigInt({ min: 0n, max: 40n }), { minLength: 1, maxLength: 5 }), (of, parts) => {
      const exact = (split: readonly PeriodSegment[]): bigint =>
        periodLines(split).reduce((sum, line) => sum + line.quantity * line.rate, 0n)
      const whole = parts.reduce((sum, part) => sum + part, 0n)
      assert.equal(exact(parts.map((quantity) => ({ price: of, quantity }))), exact([{ price: of, quantity: whole }]))
    }),
  )
})
