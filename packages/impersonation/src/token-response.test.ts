import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jwtOf } from '../test/support/jwt.ts'
import { AnswerInvalidError } from './errors.ts'
import { readTokenResponse } from './token-response.ts'
import type { TokenResponse } from './token-response.ts'

function read(body: object | string): TokenResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return readTokenResponse({ status: 200, headers: new Map(), body: text }, 'impersonate')
}

const bearer = { access_token: 'opaque', token_type: 'Bearer' }

test('readTokenResponse() takes the shorter of expires_in and the life that the token itself states', () => {
  const token = jwtOf({ iat: 1000, exp: 1300 })
  assert.deepEqual(pick(read({ ...bearer, access_token: token, expires_in: 300 })), [300_000, 'both'])
  assert.deepEqual(pick(read({ ...bearer, access_token: token, expires_in: 60 })), [60_000, 'both'])
  assert.deepEqual(pick(read({ ...bearer, access_token: token, expires_in: 900 })), [300_000, 'both'])
  assert.deepEqual(pick(read({ ...bearer, access_token: token })), [300_000, 'claims'])
  assert.deepEqual(pick(read({ ...bearer, expires_in: 59 })), [59_000, 'expires_in'])
  assert.deepEqual(pick(read({ ...bearer, expires_in: '300' })), [300_000, 'expires_in'])
})

test('readTokenResponse() assumes a minute, not a quarter of an hour, when nobody says (R-7)', () => {
  assert.deepEqual(pick(read(bearer)), [60_000, 'assumed'])
  assert.deepEqual(pick(read({ ...bearer, expires_in: null, access_token: jwtOf({ exp: 4_000_000_000 }) })), [60_000, 'assumed'])
})

test('readTokenResponse() never reads a life out of the difference to our own clock', () => {
  const inThePast = jwtOf({ iat: 100, exp: 400 })
  const inTheFuture = jwtOf({ iat: 9_000_000_000, exp: 9_000_000_300 })
  for (const token of [inThePast, inTheFuture]) assert.equal(read({ ...bearer, access_token: token }).lifeMs, 300_000)
})

test('readTokenResponse() believes no life beyond a day', () => {
  assert.equal(read({ ...bearer, expires_in: 10 ** 9 }).lifeMs, 86_400_000)
  assert.equal(read('{"access_token":"a","expires_in":1e999}').lifeMs, 86_400_000)
})

for (const [what, body, reason] of [
  ['of no life', { ...bearer, expires_in: 0 }, 'expired_on_arrival'],
  ['whose exp is its iat', { ...bearer, access_token: jwtOf({ iat: 10, exp: 10 }) }, 'expired_on_arrival'],
  ['of a negative life', { ...bearer, expires_in: -1 }, 'expired_on_arrival'],
  ['of another type', { ...bearer, token_type: 'mac' }, 'answer_invalid'],
  ['that is empty', { ...bearer, access_token: '' }, 'answer_invalid'],
  ['that is missing', { token_type: 'Bearer', rpt_token: 'x', impersonated_token: 'y' }, 'answer_invalid'],
  ['that would end its header', { ...bearer, access_token: 'a\r\nx-evil: 1' }, 'answer_invalid'],
  ['with a space', { ...bearer, access_token: 'a b' }, 'answer_invalid'],
  ['longer than any', { ...bearer, access_token: 'a'.repeat(200_000) }, 'answer_invalid'],
  ['with a life that is no number', { ...bearer, expires_in: 'soon' }, 'answer_invalid'],
  ['with a list as its life', { ...bearer, expires_in: [300] }, 'answer_invalid'],
  ['in a list', '["a"]', 'answer_invalid'],
  ['in HTML', '<html>secret-of-the-page</html>', 'answer_invalid'],
  ['in half a JSON', '{"access_token":"secret-half', 'answer_invalid'],
] as const)
  test(`readTokenResponse() refuses a token ${what}`, () => {
    assert.throws(
      () => read(body),
      (error: unknown) => {
        assert.ok(error instanceof AnswerInvalidError)
        assert.equal(error.reason, reason)
        assert.doesNotMatch(error.message, /secret|evil/)
        return true
      },
    )
  })

test('readTokenResponse() either gives a token with a life, or refuses, whatever comes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.record({ access_token: fc.string(), expires_in: fc.anything() }).map((each) => JSON.stringify(each)),
      ),
      (body) => {
        try {
          const { lifeMs } = read(body)
          assert.ok(lifeMs > 0 && lifeMs <= 86_400_000)
        } catch (error) {
          assert.ok(error instanceof AnswerInvalidError, String(error))
        }
      },
    ),
  )
})

function pick({ lifeMs, lifeFrom }: TokenResponse): [number, string] {
  return [lifeMs, lifeFrom]
}
