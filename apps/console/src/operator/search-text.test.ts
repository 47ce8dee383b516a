import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutSecret } from './search-text.ts'

test('withoutSecret() leaves the public id of a pasted key, and never its secret, in whatever it stands', () => {
  const secret = '0123456789abcdefghijklmnopqrstuv'
  assert.equal(withoutSecret(`ask_ltu6y6hm2dao_${secret}`), 'ltu6y6hm2dao')
  assert.equal(withoutSecret(`Bearer ask_ltu6y6hm2dao_${secret} `), 'Bearer ltu6y6hm2dao ')
  // Typed or cut off: what there is of a secret goes too.
  assert.equal(withoutSecret(`ask_ltu6y6hm2dao_${secret.slice(0, 5)}`), 'ltu6y6hm2dao')
  for (const text of ['', 'Demo', 'ltu6y6hm2dao', 'ask_ltu6', '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'])
    assert.equal(withoutSecret(text), text)
})
