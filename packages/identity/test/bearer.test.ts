import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { after, before, test } from 'node:test'
import { CompactSign, base64url } from 'jose'
import type { JWTPayload } from 'jose'
import { silentLogger } from '@ascribe/kit'
import { createBearerVerifier, createKeySet } from '../src/jwt.ts'
import type { BearerOptions, BearerOutcome, BearerVerifier } from '../src/jwt.ts'
import { newKey, rawToken, sign, startIssuer, testClock } from './issuer.ts'
import type { SigningKey, TestIssuer } from './issuer.ts'

const ORG = '9e8b1bc8-fa08-4870-a21f-22ac01cc3808'
const OTHER = '9df348f3-6fb1-44a5-9ab0-2a2fe147a683'
const AUDIENCE = 'ascribe-api'
const clock = testClock(Date.parse('2026-11-22T12:00:00Z'))
const NOW_S = clock() / 1000

let key: SigningKey
let issuer: TestIssuer
let verifier: BearerVerifier
before(async () => {
  key = await newKey('RS256', 'k1')
  issuer = await startIssuer([key])
  verifier = verifierWith({})
})
after(() => issuer[Symbol.asyncDispose]())

function verifierWith(options: Partial<BearerOptions>): BearerVerifier {
  const keys = createKeySet({ jwksUrl: issuer.jwksUrl, name: 'test', logger: silentLogger, clock })
  return createBearerVerifier({ issuer: issuer.url, audience: AUDIENCE, keys, clock, ...options })
}
const claims = (more: JWTPayload = {}): JWTPayload => ({
  iss: issuer.url,
  aud: AUDIENCE,
  sub: 'user-1',
  iat: NOW_S,
  exp: NOW_S + 300,
  organization_id: ORG,
  ...more,
})
const without = (...names: string[]): JWTPayload => Object.fromEntries(Object.entries(claims()).filter(([name]) => !names.includes(name)))
const word = (outcome: BearerOutcome): string => (outcome.kind === 'refused' ? outcome.check : outcome.kind)
const check = async (more: JWTPayload, header: Record<string, unknown> = {}): Promise<string> =>
  word(await verifier.verify(await sign(key, { claims: claims(more), header })))

test('verify() gives the user, the organization and the end of a good token', async () => {
  const outcome = await verifier.verify(await sign(key, { claims: claims({ name: 'Ada', email: 'ada@example.com' }) }))
  assert.deepEqual(outcome, {
    kind: 'verified',
    principal: { subject: 'user-1', organizations: [ORG], name: 'Ada', email: 'ada@example.com', expiresAt: clock() + 300_000 },
  })
})

test('verify() takes a list of audiences that holds ours, and the types of access tokens', async () => {
  assert.equal(await check({ aud: ['account', AUDIENCE] }), 'verified')
  for (const typ of ['JWT', 'at+jwt', 'application/at+jwt', 'AT+JWT']) assert.equal(await check({}, { typ }), 'verified', typ)
  assert.equal(await check({ typ: 'Bearer' }), 'verified')
})

test('verify() refuses a token of another issuer, audience or time, and says which', async () => {
  const refused: readonly (readonly [string, JWTPayload])[] = [
    ['issuer', { iss: `${issuer.url}/` }],
    ['issuer', { iss: 'https://evil.com' }],
    ['issuer', { iss: [issuer.url] as unknown as string }],
    ['audience', { aud: 'other' }],
    ['audience', { aud: [] }],
    ['audience', { aud: [[AUDIENCE]] as unknown as string[] }],
    ['audience', { aud: `${AUDIENCE} ` }],
    ['expired', { exp: NOW_S - 31 }],
    ['expired', { exp: -1 }],
    ['claims', { exp: 1e15 }],
    ['not_yet_valid', { nbf: NOW_S + 31 }],
    ['not_yet_valid', { iat: NOW_S + 31 }],
    ['subject', { sub: '' }],
    ['subject', { sub: 'a\nb' }],
    ['subject', { sub: 'half a character \ud800' }],
    ['subject', { sub: 'a'.repeat(1025) }],
    ['subject', { sub: 1 as unknown as string }],
  ]
  for (const [expected, more] of refused) assert.equal(await check(more), expected, JSON.stringify(more))
  for (const [name, expected] of [
    ['iss', 'issuer'],
    ['aud', 'audience'],
    ['exp', 'expired'],
    ['sub', 'subject'],
  ] as const)
    assert.equal(word(await verifier.verify(await sign(key, { claims: without(name) }))), expected, name)
})

test('verify() allows clocks to differ by the skew and no more', async () => {
  assert.equal(await check({ exp: NOW_S - 29 }), 'verified')
  assert.equal(await check({ nbf: NOW_S + 30 }), 'verified')
  assert.equal(await check({ iat: NOW_S + 30 }), 'verified')
  assert.equal(await check({ exp: NOW_S - 30 }), 'expired')
})

test('verify() refuses tokens that are not for presenting: id, refresh, logout, bound ones', async () => {
  for (const typ of ['ID', 'Refresh', 'Offline', 'Logout']) assert.equal(await check({ typ }), 'type', typ)
  for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'id_token', 'JWE']) assert.equal(await check({}, { typ }), 'type', typ)
  assert.equal(await check({ events: {} }), 'type')
  assert.equal(await check({ cnf: { jkt: 'x' } }), 'bound')
})

test('verify() refuses "none" in any spelling, signed or not', async () => {
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined, null, 0, ['RS256']]) {
    assert.equal(word(await verifier.verify(rawToken({ alg, kid: 'k1' }, claims(), 'AAAA'))), 'algorithm', String(alg))
    assert.ok(['shape', 'algorithm'].includes(word(await verifier.verify(rawToken({ alg, kid: 'k1' }, claims())))))
  }
})

test('verify() refuses HS256 with the public key as the secret, in every form of it', async () => {
  const { jwk } = key
  const pem = createPublicKey({ key: jwk as never, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
  const secrets = [pem, pem.trim(), JSON.stringify(jwk), jwk.n ?? '', '']
  for (const secret of secrets) {
    for (const alg of ['HS256', 'HS384', 'HS512'] as const) {
      const header = base64url.encode(JSON.stringify({ alg, typ: 'JWT', kid: 'k1' }))
      const payload = base64url.encode(JSON.stringify(claims()))
      const hmacKey = await crypto.subtle.importKey(
        'raw',
        new TextEncoder().encode(secret || 'x'),
        { name: 'HMAC', hash: `SHA-${alg.slice(2)}` },
        false,
        ['sign'],
      )
      const mac = await crypto.subtle.sign('HMAC', hmacKey, new TextEncoder().encode(`${header}.${payload}`))
      assert.equal(word(await verifier.verify(`${header}.${payload}.${base64url.encode(new Uint8Array(mac))}`)), 'algorithm')
    }
  }
})

test('verify() refuses a signature of another key, under our key id, under none, and under tricks with it', async () => {
  const forger = await newKey('RS256', 'k1')
  assert.equal(word(await verifier.verify(await sign(forger, { claims: claims() }))), 'signature')
  const nameless = { ...forger, kid: undefined }
  assert.equal(word(await verifier.verify(await sign(nameless, { claims: claims() }))), 'signature')
  for (const kid of [
    '../../../../dev/null',
    '/etc/passwd',
    'https://evil.com/keys',
    "k1' or '1'='1",
    'k1\u0000',
    'K1',
    ' k1',
    '',
    '__proto__',
    'constructor',
  ])
    assert.equal(word(await verifier.verify(await sign(forger, { claims: claims(), header: { kid } }))), 'key', kid)
  assert.equal(word(await verifier.verify(rawToken({ alg: 'RS256', kid: ['k1'] }, claims(), 'AAAA'))), 'key')
  assert.equal(word(await verifier.verify(rawToken({ alg: 'RS256', kid: 'k'.repeat(513) }, claims(), 'AAAA'))), 'key')
})

test('verify() ignores keys that a token brings along or points to', async () => {
  const forger = await newKey('RS256', 'evil')
  const evil = await startIssuer([forger])
  await using _ = evil
  const headers = [
    { jwk: forger.jwk },
    { jku: evil.jwksUrl },
    { x5u: evil.jwksUrl },
    { x5c: ['MIIB'] },
    { jku: evil.jwksUrl, jwk: forger.jwk, kid: 'k1' },
  ]
  for (const header of headers)
    assert.ok(
      ['key', 'signature'].includes(word(await verifier.verify(await sign(forger, { claims: claims(), header })))),
      JSON.stringify(header),
    )
  assert.equal(evil.fetched, 0)
})

test('verify() refuses critical parameters, encrypted and nested tokens, and what is no token', async () => {
  assert.equal(word(await verifier.verify(await sign(key, { claims: claims(), header: { crit: ['odd'], odd: 1 } }))), 'critical')
  assert.equal(word(await verifier.verify(rawToken({ alg: 'RS256', kid: 'k1', crit: [] }, claims(), 'AAAA'))), 'critical')
  const inner = await sign(key, { claims: claims() })
  const nested = await new CompactSign(new TextEncoder().encode(inner))
    .setProtectedHeader({ alg: 'RS256', kid: 'k1', cty: 'JWT' })
    .sign(key.privateKey)
  assert.equal(word(await verifier.verify(nested)), 'shape')
  const [head = '', body = '', signature = ''] = inner.split('.')
  const shapes = [
    '',
    '.',
    '..',
    inner.slice(0, -1).concat('='),
    `${inner}.`,
    `.${inner}`,
    `${head}.${body}`,
    `${inner}.${inner}`,
    `${head}.${body}. ${signature}`,
    `${head}\n.${body}.${signature}`,
    'a.b.c.d.e',
    `${rawToken('[]', '{}')}AAAA`,
    `${rawToken('{', '{}')}AAAA`,
  ]
  for (const token of shapes) assert.ok(['shape', 'algorithm'].includes(word(await verifier.verify(token))), JSON.stringify(token))
  for (const payload of ['[]', '"x"', 'null', '1', '{', '']) {
    const signed = await new CompactSign(new TextEncoder().encode(payload))
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .sign(key.privateKey)
    assert.equal(word(await verifier.verify(signed)), 'shape', payload)
  }
})

test('verify() refuses a token when one character of it is another one', async () => {
  const token = await sign(key, { claims: claims() })
  for (let index = 0; index < token.length - 1; index += 7) {
    if (token[index] === '.') continue
    const changed = `${token.slice(0, index)}${token[index] === 'A' ? 'B' : 'A'}${token.slice(index + 1)}`
    assert.notEqual(word(await verifier.verify(changed)), 'verified', String(index))
  }
})

test('verify() does not look at a huge token', async () => {
  const fetched = issuer.fetched
  const fresh = verifierWith({})
  assert.equal(word(await fresh.verify(await sign(key, { claims: claims({ groups: Array(2000).fill('group') }) }))), 'size')
  assert.equal(word(await fresh.verify('a'.repeat(1_000_000))), 'size')
  assert.equal(issuer.fetched, fetched)
})

test('verify() refuses a short RSA key and a key for another algorithm or for encryption', async () => {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(
    { name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    true,
    ['sign', 'verify'],
  )
  const short = { kid: 'short', alg: 'RS256', privateKey, jwk: await crypto.subtle.exportKey('jwk', publicKey) } as unknown as SigningKey
  const enc = await newKey('RS256', 'enc', { kty: 'RSA', use: 'enc' })
  const ps = await newKey('PS256', 'ps')
  const own = await startIssuer([enc, ps])
  await using _ = own
  own.keys = [...own.keys, { ...short.jwk, kid: 'short' } as never, { kty: 'oct', k: 'AAAA', kid: 'oct' }]
  const keys = createKeySet({ jwksUrl: own.jwksUrl, name: 'test', logger: silentLogger, clock })
  const strict = createBearerVerifier({ issuer: issuer.url, audience: AUDIENCE, keys, clock })
  const header = base64url.encode(JSON.stringify({ alg: 'RS256', kid: 'short' }))
  const payload = base64url.encode(JSON.stringify(claims()))
  const signature = await crypto.subtle.sign('RSASSA-PKCS1-v1_5', privateKey, new TextEncoder().encode(`${header}.${payload}`))
  assert.equal(word(await strict.verify(`${header}.${payload}.${base64url.encode(new Uint8Array(signature))}`)), 'key')
  assert.equal(word(await strict.verify(await sign(enc, { claims: claims() }))), 'key')
  assert.equal(word(await strict.verify(await sign(ps, { claims: claims() }))), 'verified')
  // The same key under an algorithm that its set does not name for it.
  assert.equal(word(await strict.verify(rawToken({ alg: 'RS256', kid: 'ps' }, claims(), 'AAAA'))), 'key')
})

test('verify() takes no algorithm that is not allowed, though the key is there', async () => {
  const strict = verifierWith({ algorithms: ['ES256'] })
  assert.equal(word(await strict.verify(await sign(key, { claims: claims() }))), 'algorithm')
})

test('verify() reads the organization from the configured claim, in its several forms', async () => {
  const organizations = async (organizationClaim: string, more: JWTPayload): Promise<unknown> => {
    const outcome = await verifierWith({ organizationClaim }).verify(
      await sign(key, { claims: { ...without('organization_id'), ...more } }),
    )
    return outcome.kind === 'verified' ? outcome.principal.organizations : word(outcome)
  }
  assert.deepEqual(await organizations('organization_id', { organization_id: ORG.toUpperCase() }), [ORG])
  assert.deepEqual(await organizations('https://example.com/org.id', { 'https://example.com/org.id': ORG }), [ORG])
  assert.deepEqual(await organizations('app.tenant.id', { app: { tenant: { id: ORG } } }), [ORG])
  assert.deepEqual(await organizations('orgs', { orgs: [ORG, OTHER, ORG] }), [ORG, OTHER])
  assert.deepEqual(await organizations('organization', { organization: { acme: { id: ORG }, other: { id: OTHER } } }), [ORG, OTHER])
  assert.deepEqual(await organizations('organization_id', {}), [])
  assert.deepEqual(await organizations('__proto__.x', {}), [])
  for (const value of ['acme', '', 1, true, [], {}, [ORG, 'acme'], { acme: {} }, [[ORG]], `${ORG},${OTHER}`, Array(101).fill(ORG)])
    assert.equal(await organizations('organization_id', { organization_id: value }), 'organization', JSON.stringify(value).slice(0, 50))
})

test('verify() maps the values of the role claim to roles', async () => {
  const roleWith = async (roles: BearerOptions['roles'], more: JWTPayload): Promise<unknown> => {
    const outcome = await verifierWith({ roleClaim: 'realm_access.roles', ...(roles && { roles }) }).verify(
      await sign(key, { claims: claims(more) }),
    )
    return outcome.kind === 'verified' ? outcome.principal.role : word(outcome)
  }
  const roles = { admin: ['owner', 'billing-admin'], viewer: ['member'] }
  assert.equal(await roleWith(roles, { realm_access: { roles: ['member', 'owner'] } }), 'admin')
  assert.equal(await roleWith(roles, { realm_access: { roles: 'member' } }), 'viewer')
  assert.equal(await roleWith(roles, { realm_access: { roles: ['admin'] } }), 'none')
  assert.equal(await roleWith(undefined, { realm_access: { roles: ['admin'] } }), 'admin')
  assert.equal(await roleWith(roles, {}), undefined)
  assert.equal(await roleWith(roles, { realm_access: { roles: [] } }), 'none')
  assert.equal(await roleWith(roles, { realm_access: { roles: { owner: true } } }), 'none')
})

test('verify() never tells more than which check failed: no part of the token is in the detail', async () => {
  const token = await sign(await newKey('RS256', 'k1'), { claims: claims() })
  const outcome = await verifier.verify(token)
  assert.ok(outcome.kind === 'refused')
  for (const part of token.split('.')) assert.ok(!outcome.detail.includes(part))
})
