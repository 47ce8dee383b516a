import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BodyBuffer } from './body-buffer.ts'

test('BodyBuffer gives what was added, and leaves the pieces alone', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (arrays) => {
      const pieces = arrays.map((array) => Buffer.from(array))
      const before = Buffer.concat(pieces)
      const body = new BodyBuffer()
      for (const piece of pieces) body.add(piece)
      assert.equal(body.length, before.length)
      assert.deepEqual(body.take(), before)
      assert.deepEqual(Buffer.concat(pieces), before)
      assert.equal(body.length, 0)
    }),
  )
})

test('BodyBuffer passes one piece on without a copy', () => {
  const piece = Buffer.from('whole')
  const body = new BodyBuffer()
  body.add(piece)
  assert.equal(body.take(), piece)
})

test('BodyBuffer holds a body that comes byte by byte in about twice its bytes', () => {
  const body = new BodyBuffer()
  const byte = Buffer.from('x')
  for (let i = 0; i < 200_000; i += 1) body.add(byte)
  const bytes = body.take()
  assert.equal(bytes.length, 200_000)
  assert.ok(bytes.buffer.byteLength <= 400_000, `${bytes.buffer.byteLength}`)
})
