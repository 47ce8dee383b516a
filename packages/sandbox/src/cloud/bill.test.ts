import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bills, PRICES } from './bill.ts'

const anyChange = fc.record({ afterMs: fc.nat(10_000_000), cpuMhz: fc.bigInt(0n, 96_000n), memBytes: fc.bigInt(0n, 2n ** 39n) })

test('of() adds up whole units times milliseconds, however often it is asked in between', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 20 }), fc.nat(1_000_000), (changes, tailMs) => {
      let now = 0
      const bills = new Bills(() => now)
      const plain = new Bills(() => now)
      let [cpuMhz, cpuMhzMs, memBytes, memByteMs] = [0n, 0n, 0n, 0n]
      const pass = (ms: number): void => {
        now += ms
        cpuMhzMs += cpuMhz * BigInt(ms)
        memByteMs += memBytes * BigInt(ms)
        bills.of('a', 'zrh')
      }
      for (const { afterMs, ...by } of changes) {
        pass(afterMs)
        for (const each of [bills, plain]) each.change('a', 'zrh', by)
        cpuMhz += by.cpuMhz
        memBytes += by.memBytes
      }
      pass(tailMs)
      const bill = bills.of('a', 'zrh')
      assert.deepEqual([bill.cpuMhzMs, bill.memByteMs], [cpuMhzMs, memByteMs])
      assert.deepEqual(bill, plain.of('a', 'zrh'))
    }),
  )
})

test('of() prices an hour of a GHz and a GiB at the prices of one hour, and keeps accounts and regions apart', () => {
  let now = 0
  const bills = new Bills(() => now)
  bills.change('a', 'zrh', { cpuMhz: 1000n, memBytes: 1_073_741_824n, diskBytes: 1_073_741_824n })
  now = 3_600_000
  const bill = bills.of('a', 'zrh')
  const hour = PRICES.cpuGhzHour + PRICES.memGbHour + PRICES.diskGbHour
  assert.deepEqual([bill.costNano, bill.costNanoPerHour], [hour, hour])
  assert.deepEqual([bill.cpuMhzHours, bill.memGbHours, bill.diskGbHours], ['1000.000000', '1.000000', '1.000000'])
  assert.equal(bills.of('a', 'sjc').costNano, 0n)
  assert.equal(bills.of('b', 'zrh').costNano, 0n)
})
