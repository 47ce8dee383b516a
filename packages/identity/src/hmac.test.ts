import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createHmacOf } from './hmac.ts'

const latin1 = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))

test('createHmacOf() gives what createHmac() does, for any secret and one text after another', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(latin1, { maxLength: 5 }), (bytes, texts) => {
      const secret = Buffer.from(bytes)
      const hmacOf = createHmacOf(secret)
      for (const text of texts) {
        assert.equal(hmacOf(text), createHmac('sha256', secret).update(text, 'latin1').digest('base64url'))
      }
    }),
  )
})

test('createHmacOf() gives the digest of RFC 4231, test case 2', () => {
  const digest = createHmacOf(Buffer.from('Jefe'))('what do ya want for nothing?')
  assert.equal(Buffer.from(digest, 'base64url').toString('hex'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})
