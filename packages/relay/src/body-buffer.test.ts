import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { BodyBuffer } from './body-buffer.ts'

const size = fc.oneof(fc.nat(20), fc.constantFrom(0, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, 60_000))

test('BodyBuffer gives what was added, and leaves the pieces alone', () => {
  fc.assert(
    fc.property(fc.array(size), fc.boolean(), (sizes, isUsed) => {
      const pieces = sizes.map((length, i) => Buffer.alloc(length, `piece ${i} `))
      const before = Buffer.concat(pieces)
      const body = new BodyBuffer()
      if (isUsed) {
        body.add(Buffer.from('earlier'))
        body.take()
      }
      for (const piece of pieces) body.add(piece)
      assert.equal(body.length, before.length)
      assert.deepEqual(body.take(), before)
      assert.deepEqual(Buffer.concat(pieces), before)
      assert.equal(body.length, 0)
      assert.equal(body.take().length, 0)
    }),
  )
})

test('BodyBuffer passes one piece on without a copy', () => {
  const piece = Buffer.from('whole')
  const body = new BodyBuffer()
  body.add(piece)
  assert.equal(body.take(), piece)
})

test('BodyBuffer holds a body that comes in tiny pieces in little more than its bytes', () => {
  const bodies = Array.from({ length: 4 }, () => new BodyBuffer())
  const before = memory()
  // Each a read of its own, so that each has memory of its own.
  for (const body of bodies) for (let i = 0; i < 500_000; i += 1) body.add(Buffer.allocUnsafeSlow(1))
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
  assert.equal(bytes, 2_000_000)
  const grown = memory() - before
  assert.ok(grown < 3_000_000, `${grown} bytes for ${bytes}`)
  assert.equal(bodies[0]?.take().length, 500_000)
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function memory(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
