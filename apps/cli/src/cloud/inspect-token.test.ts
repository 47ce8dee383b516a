import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { InputError } from '@ascribe/kit'
import { inspectToken } from './inspect-token.ts'

const NOW = Date.UTC(2026, 10, 22, 12)
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (claims: object): string => `${part({ alg: 'RS256', typ: 'JWT', kid: 'k1' })}.${part(claims)}.c2lnbmF0dXJl`
const CLAIMS = {
  iss: 'https://i/realms/x',
  sub: 's',
  azp: 'c',
  aud: 'service_provider_api',
  jti: 'j',
  iat: NOW / 1000,
  exp: NOW / 1000 + 60,
}
const RPT = { ...CLAIMS, authorization: { permissions: [{ rsname: 'user-impersonation', scopes: ['impersonate'] }] } }

test('inspectToken() gives claims and times, and nothing of the token', () => {
  const token = jwt(RPT)
  const facts = inspectToken(token, NOW + 18_000)
  assert.deepEqual(facts, {
    form: 'jwt',
    state: 'valid',
    in_words: 'ends in 42 s',
    algorithm: 'RS256',
    key_id: 'k1',
    type: 'JWT',
    issuer: 'https://i/realms/x',
    subject: 's',
    client: 'c',
    audience: ['service_provider_api'],
    permissions: ['user-impersonation'],
    issued_at: '2026-11-22T12:00:00Z',
    ends_at: '2026-11-22T12:01:00Z',
    life_seconds: 60,
    token_id: createHash('sha256').update('j').digest('hex'),
    length: token.length,
  })
  const said = JSON.stringify(facts)
  for (const piece of token.split('.')) assert.ok(!said.includes(piece))
})

test('inspectToken() says when a token has ended, and when a clock is off', () => {
  assert.deepEqual(pick(inspectToken(jwt(CLAIMS), NOW + 360_000)), ['ended', 'ended 5 min ago'])
  assert.deepEqual(pick(inspectToken(jwt(CLAIMS), NOW - 3_600_000)), ['not_valid_yet', 'issued 60 min in the future: a clock is off'])
  assert.deepEqual(pick(inspectToken(jwt({ sub: 's' }), NOW)), ['unknown', undefined])
})

function pick({ state, in_words: words }: ReturnType<typeof inspectToken>): unknown[] {
  return [state, words]
}

test('inspectToken() takes a header and the answer of a token endpoint as well', () => {
  const token = jwt(CLAIMS)
  const expected = inspectToken(token, NOW)
  for (const text of [`Bearer ${token}\n`, `Authorization: Bearer ${token}`, JSON.stringify({ access_token: token, expires_in: 60 })])
    assert.deepEqual(inspectToken(text, NOW), expected)
})

test('inspectToken() names an opaque token by its digest', () => {
  assert.deepEqual(inspectToken('CANARYopaque', NOW), {
    form: 'opaque',
    state: 'unknown',
    token_id: createHash('sha256').update('CANARYopaque').digest('hex'),
    length: 12,
  })
})

test('H-15: inspectToken() refuses what is no token without repeating it', () => {
  for (const text of [
    '',
    '  ',
    'CANARY two words',
    '{"CANARY": 1}',
    '{"access_token": "CANARY',
    '{"access_token": 7, "x": "CANARY"}',
    'CANARY\u{0}',
  ])
    assert.throws(
      () => inspectToken(text, NOW),
      (error: unknown) => error instanceof InputError && !`${error.message} ${String(error.cause)} ${error.hint}`.includes('CANARY'),
      text,
    )
})

test('inspectToken() never fails for times that no calendar has', () => {
  for (const [iat, exp] of [
    [1e300, 1e308],
    [8_640_000_000_001, 8_640_000_000_002],
    [253_402_300_800, 253_402_300_860],
  ]) {
    const facts = inspectToken(jwt({ ...CLAIMS, iat, exp }), NOW)
    assert.deepEqual([facts.state, facts.issued_at, facts.ends_at, facts.life_seconds], ['unknown', undefined, undefined, undefined])
  }
  assert.equal(inspectToken(jwt({ ...CLAIMS, exp: 253_402_300_799 }), NOW).ends_at, '9999-12-31T23:59:59Z')
})
