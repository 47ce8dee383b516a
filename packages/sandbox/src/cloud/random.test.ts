import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isUuid } from '@ascribe/units'
import { SeededRandom } from './random.ts'

test('uuid() gives version 4, all different, the same for a seed, with the digits that are forced into it', () => {
  fc.assert(
    fc.property(fc.nat(), fc.stringMatching(/^[0-9a-f]{0,7}$/), (seed, contains) => {
      const [one, two] = [new SeededRandom(seed), new SeededRandom(seed)]
      const first = one.uuid('server', contains)
      assert.ok(isUuid(first) && first[14] === '4' && first.includes(contains), first)
      // Another kind has a row of its own.
      two.uuid('drive')
      assert.equal(two.uuid('server', contains), first)
      assert.notEqual(one.uuid('server', contains), first)
    }),
  )
})

test('mac() and fraction() stay in their ranges', () => {
  const random = new SeededRandom(1)
  for (let index = 0; index < 100; index += 1) {
    assert.match(random.mac(), /^22(:[0-9a-f]{2}){5}$/)
    const fraction = random.fraction('x')
    assert.ok(fraction >= 0 && fraction < 1)
  }
})
