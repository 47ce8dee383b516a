import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { JWTPayload } from 'jose'
import { silentLogger } from '@ascribe/kit'
import { createKeySet } from '../src/jwt.ts'
import { createAssertionVerifier, mayView, viewerRole } from '../src/teleport.ts'
import type { AssertionOptions, AssertionOutcome, AssertionVerifier } from '../src/teleport.ts'
import { newKey, rawToken, sign, startIssuer, testClock } from './issuer.ts'
import type { SigningKey, TestIssuer } from './issuer.ts'

const CLUSTER = 'example.teleport.sh'
const URI = 'http://127.0.0.1:34679'
const HEADER = 'Teleport-Jwt-Assertion'
const clock = testClock(Date.parse('2026-11-22T12:00:00Z'))
const NOW_S = clock() / 1000

let key: SigningKey
let proxy: TestIssuer
let verifier: AssertionVerifier
before(async () => {
  // As Teleport's sample: no key id, neither in the set nor in the token.
  key = await newKey('RS256')
  proxy = await startIssuer([key])
  verifier = verifierWith({})
})
after(() => proxy[Symbol.asyncDispose]())

function verifierWith(options: Partial<AssertionOptions>): AssertionVerifier {
  const keys = createKeySet({ jwksUrl: proxy.jwksUrl, name: CLUSTER, logger: silentLogger, clock })
  return createAssertionVerifier({ issuer: CLUSTER, audience: URI, viewers: [viewerRole('billing-viewer')], keys, clock, ...options })
}
const claims = (more: JWTPayload = {}): JWTPayload => ({
  iss: CLUSTER,
  aud: [URI],
  sub: 'alice@example.com',
  username: 'alice@example.com',
  roles: ['access', 'billing-viewer'],
  traits: { logins: ['alice'] },
  iat: NOW_S,
  nbf: NOW_S - 10,
  exp: NOW_S + 8 * 3600,
  ...more,
})
const word = (outcome: AssertionOutcome): string => (outcome.kind === 'refused' ? outcome.check : outcome.kind)
const check = async (more: JWTPayload): Promise<string> => word(await verifier.verify([HEADER, await sign(key, { claims: claims(more) })]))

test('R16: verify() gives the operator of a good assertion', async () => {
  const outcome = await verifier.verify(['Host', 'x', HEADER.toUpperCase(), await sign(key, { claims: claims() })])
  assert.ok(outcome.kind === 'verified')
  const { name, issuer, roles, issuedAt, expiresAt, policy } = outcome.operator
  assert.deepEqual(
    { name, issuer, roles, issuedAt },
    { name: 'alice@example.com', issuer: CLUSTER, roles: ['access', 'billing-viewer'], issuedAt: clock() },
  )
  assert.equal(expiresAt, clock() + 8 * 3_600_000)
  assert.ok(mayView(policy, '9e8b1bc8-fa08-4870-a21f-22ac01cc3808', []))
})

test('R16: verify() takes RS256 and ES256, and nothing else', async () => {
  for (const alg of ['RS256', 'ES256', 'PS256', 'RS384', 'RS512', 'ES384', 'Ed25519']) {
    const other = await newKey(alg, alg)
    proxy.keys = [key.jwk, other.jwk]
    const outcome = await verifierWith({}).verify([HEADER, await sign(other, { claims: claims() })])
    assert.equal(word(outcome), ['RS256', 'ES256'].includes(alg) ? 'verified' : 'algorithm', alg)
  }
  proxy.keys = [key.jwk]
})

test('R16: verify() refuses forgeries: alg none, HS256, another key, a key that the token brings along', async () => {
  const forger = await newKey('RS256')
  for (const alg of ['none', 'HS256']) assert.equal(word(await verifier.verify([HEADER, rawToken({ alg }, claims(), 'AAAA')])), 'algorithm')
  assert.equal(word(await verifier.verify([HEADER, await sign(forger, { claims: claims() })])), 'signature')
  assert.equal(word(await verifier.verify([HEADER, await sign(forger, { claims: claims(), header: { jwk: forger.jwk } })])), 'signature')
})

test('R16: verify() refuses another cluster, another app, other times, another user name', async () => {
  const refused: readonly (readonly [string, JWTPayload])[] = [
    ['issuer', { iss: 'evil.teleport.sh' }],
    ['issuer', { iss: `https://${CLUSTER}` }],
    ['audience', { aud: ['http://127.0.0.1:34680'] }],
    ['audience', { aud: ['https://billing.example.teleport.sh'] }],
    ['audience', { aud: [`${URI}/`] }],
    ['expired', { exp: NOW_S - 30 }],
    ['not_yet_valid', { nbf: NOW_S + 31 }],
    ['not_yet_valid', { iat: NOW_S + 31 }],
    ['subject', { username: 'bob@example.com' }],
    ['subject', { username: 'Alice@example.com' }],
    ['subject', { sub: '' }],
  ]
  for (const [expected, more] of refused) assert.equal(await check(more), expected, JSON.stringify(more))
  for (const [name, expected] of [
    ['username', 'subject'],
    ['iat', 'claims'],
    ['exp', 'expired'],
    ['aud', 'audience'],
  ] as const) {
    const { [name]: _, ...rest } = claims()
    assert.equal(word(await verifier.verify([HEADER, await sign(key, { claims: rest })])), expected, name)
  }
})

test('R16: verify() refuses clocks that differ by more than a minute, whatever is configured', () => {
  assert.throws(() => verifierWith({ skewMs: 60_001 }))
  assert.throws(() => verifierWith({ viewers: [] }))
  assert.throws(() => verifierWith({ audience: '' }))
})

test('R16: verify() reads exactly one assertion, and never one of several', async () => {
  const good = await sign(key, { claims: claims() })
  assert.equal(word(await verifier.verify([])), 'header')
  assert.equal(word(await verifier.verify([HEADER, good, HEADER, good])), 'header')
  assert.equal(word(await verifier.verify([HEADER, good, HEADER.toLowerCase(), ''])), 'header')
  for (const value of ['', `${good},${good}`, `${good}, `, `Bearer ${good}`, `"${good}"`])
    assert.equal(word(await verifier.verify([HEADER, value])), 'shape')
})

test('R16: verify() reads no other identity', async () => {
  const good = await sign(key, { claims: claims() })
  for (const name of [
    'Authorization',
    'Cf-Access-Token',
    'X-Forwarded-User',
    'Teleport_Jwt_Assertion',
    'X-Teleport-Jwt-Assertion',
    'Cookie',
  ])
    assert.equal(word(await verifier.verify([name, name === 'Authorization' ? `Bearer ${good}` : good])), 'header', name)
})

test('R16: verify() refuses who lacks every viewer role, or whose roles are not sent', async () => {
  for (const roles of [['access'], [], 'billing-viewer', { 0: 'billing-viewer' }, undefined, [['billing-viewer']], ['Billing-Viewer']])
    assert.equal(await check({ roles }), 'role', JSON.stringify(roles))
})

test('verify() gives one assertion the same id however its signature is spelled, and another one another', async () => {
  const id = async (token: string): Promise<string | undefined> => {
    const outcome = await verifier.verify([HEADER, token])
    return outcome.kind === 'verified' ? outcome.operator.assertionId : undefined
  }
  const token = await sign(key, { claims: claims() })
  const first = await id(token)
  assert.match(first ?? '', /^[\w-]{43}$/)
  // The last of 342 characters holds two bits of the 256 bytes, and four that say nothing: it has sixteen spellings.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.slice(-1))
  const ids = new Set<string | undefined>()
  for (let low = 0; low < 16; low += 1) ids.add(await id(`${token.slice(0, -1)}${alphabet[(last & 48) | low]}`))
  assert.deepEqual(ids, new Set([first]))
  assert.notEqual(await id(await sign(key, { claims: claims({ iat: NOW_S - 1 }) })), first)
})

test('verify() lets nobody in while it has no keys, and says that it cannot tell', async () => {
  proxy.reply = { status: 503, body: '' }
  assert.equal(word(await verifierWith({}).verify([HEADER, await sign(key, { claims: claims() })])), 'unavailable')
  proxy.reply = undefined
})

test('verify() reads an assertion that has grown with roles and traits, and not one that has outgrown every head', async () => {
  const traits = (count: number): JWTPayload => ({
    traits: { groups: Array.from({ length: count }, (_, index) => `group-number-${index}`) },
  })
  assert.equal(await check(traits(1500)), 'verified')
  assert.equal(await check(traits(4000)), 'size')
})
