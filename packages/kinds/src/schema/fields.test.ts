import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { REGION, UUID, email } from './fields.ts'

/** Characters that end or change a part of a URL, and what stands between. */
const tricky = fc.string({ unit: fc.constantFrom(...String.raw`abz09-.@/\#?:%[] _AÅ`.split('')), maxLength: 34 })

test('H-3: what REGION takes is a label of a host name, whatever it is put into', () => {
  fc.assert(
    fc.property(tricky, (region) => {
      if (!REGION.test(region)) return
      const { hostname, pathname, username } = new URL(`https://direct.${region}.example.com/api/2.0/`)
      assert.equal(hostname, `direct.${region}.example.com`)
      assert.equal(pathname, '/api/2.0/')
      assert.equal(username, '')
    }),
    { numRuns: 2_000 },
  )
  for (const region of ['zrh', 'a', 'next', 'us-east-1', 'a'.repeat(32)]) assert.ok(REGION.test(region), region)
})

test('H-6: email() takes printable ASCII with one @ and nothing else', () => {
  const schema = email('an address')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
      if (!schema.safeParse(text).success) return
      assert.match(text, /^[\x21-\x7e]+$/)
      assert.equal(text.split('@').length, 2)
    }),
    { numRuns: 2_000 },
  )
  assert.ok(schema.safeParse("o'neil+k8s@example.com").success)
})

test('UUID is one in lower case, as the cloud writes it', () => {
  assert.ok(UUID.test('b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10'))
  assert.ok(!UUID.test('B2C1D0E5-7A3F-4C0E-9D41-0F6A2F8A9B10'))
  assert.ok(!UUID.test('b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10 '))
})
