import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upstreamBodyOf } from './upstream-body.ts'

test('upstreamBodyOf() gives nothing for no bytes', () => {
  assert.deepEqual(upstreamBodyOf([]), { payload: null, declaredBytes: undefined })
  assert.deepEqual(upstreamBodyOf([Buffer.alloc(0)]), { payload: null, declaredBytes: undefined })
})

test('upstreamBodyOf() passes one short buffer as it is and joins several', () => {
  const only = Buffer.from('ab')
  assert.equal(upstreamBodyOf([only]).payload, only)
  assert.deepEqual(upstreamBodyOf([only, Buffer.from('cd')]), { payload: Buffer.from('abcd'), declaredBytes: undefined })
})

test('upstreamBodyOf() cuts a long body into pieces without copying, and declares its length', () => {
  const buffers = [Buffer.alloc(600_000, 'a'), Buffer.alloc(1, 'b'), Buffer.alloc(0)]
  const { payload, declaredBytes } = upstreamBodyOf(buffers)
  assert.equal(declaredBytes, 600_001)
  assert.ok(payload !== null && !Buffer.isBuffer(payload))
  const pieces = [...payload]
  assert.ok(pieces.every((piece) => piece.length <= 262_144))
  assert.equal(pieces[0]?.buffer, buffers[0]?.buffer)
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat(buffers)))
})
