import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerToken, createApiKey, isApiKey, publicIdOf } from './api-key.ts'

const SECRET = Buffer.alloc(32, 7)

test('createApiKey() makes keys that carry at least 128 random bits and their own public id', () => {
  const made = Array.from({ length: 200 }, () => createApiKey(SECRET))
  assert.equal(new Set(made.map(({ key }) => key)).size, 200)
  for (const { key, publicId } of made) {
    assert.equal(publicIdOf(key), publicId)
    const secret = key.split('_')[2] ?? ''
    assert.ok(secret.length * Math.log2(36) >= 128)
  }
})

test('isApiKey() knows a key by its HMAC, and only under the same server secret', () => {
  const { key, hmac } = createApiKey(SECRET)
  assert.ok(isApiKey(key, hmac, SECRET))
  assert.ok(!isApiKey(key, hmac, Buffer.alloc(32, 8)))
  assert.ok(!isApiKey(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`, hmac, SECRET))
  assert.ok(!isApiKey(key, '', SECRET))
  assert.ok(!hmac.includes(key.slice(-32)))
})

test('publicIdOf() takes nothing that does not have the shape of a key', () => {
  for (const text of [
    '',
    'sk-123',
    'ask__',
    'ask_short_x',
    `ask_${'a'.repeat(12)}_${'a'.repeat(31)}`,
    `ask_${'a'.repeat(12)}_${'A'.repeat(32)}`,
  ]) {
    assert.equal(publicIdOf(text), undefined, text)
  }
})

test('bearerToken() reads the scheme in any case and nothing else', () => {
  assert.equal(bearerToken('Bearer abc'), 'abc')
  assert.equal(bearerToken('BEARER   abc '), 'abc')
  for (const value of [undefined, '', 'Bearer', 'Bearer ', 'Basic abc', 'Bearer a b']) assert.equal(bearerToken(value), undefined)
})
