import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '@ascribe/kit'
import { silentLogger } from '@ascribe/kit'
import { createBearerVerifier, createKeySet, discoverIssuer, outboundFetch } from '../src/jwt.ts'
import type { KeySet, KeySetOptions } from '../src/jwt.ts'
import { newKey, sign, startIssuer, testClock } from './issuer.ts'
import type { SigningKey, TestClock, TestIssuer } from './issuer.ts'

const MINUTE_MS = 60_000

type Rig = {
  readonly clock: TestClock
  readonly keys: KeySet
  /** What becomes of a fresh token of this key. */
  readonly ask: (key: SigningKey) => Promise<string>
}

function rig(issuer: TestIssuer, options: Partial<KeySetOptions> = {}): Rig {
  const clock = testClock()
  const keys = createKeySet({ jwksUrl: issuer.jwksUrl, name: 'test', logger: silentLogger, clock, ...options })
  const verifier = createBearerVerifier({ issuer: issuer.url, audience: 'a', keys, clock })
  return {
    clock,
    keys,
    async ask(key) {
      const exp = Math.floor(clock() / 1000) + 300
      const outcome = await verifier.verify(await sign(key, { claims: { iss: issuer.url, aud: 'a', sub: 's', exp } }))
      return outcome.kind === 'refused' ? outcome.check : outcome.kind
    },
  }
}

test('createKeySet() fetches once for many tokens at once, and not again while its copy is fresh', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  const { ask, clock } = rig(issuer)
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 50 }, () => ask(key)))), new Set(['verified']))
  clock.advance(4 * MINUTE_MS)
  assert.equal(await ask(key), 'verified')
  assert.equal(issuer.fetched, 1)
})

test('createKeySet() takes a rotated key at once, and drops the old one with its set', async () => {
  const [old, next] = [await newKey('RS256', 'old'), await newKey('RS256', 'new')]
  await using issuer = await startIssuer([old])
  const { ask, clock } = rig(issuer)
  assert.equal(await ask(old), 'verified')
  issuer.keys = [next.jwk, old.jwk]
  assert.equal(await ask(next), 'verified')
  assert.equal(await ask(old), 'verified')
  issuer.keys = [next.jwk]
  clock.advance(11 * MINUTE_MS)
  assert.equal(await ask(old), 'key')
  assert.equal(await ask(next), 'verified')
})

test('createKeySet() fetches for unknown key ids at a limited rate, and forged ones do not keep a real one out for long', async () => {
  const [key, next, forger] = [await newKey('ES256', 'k1'), await newKey('ES256', 'k2'), await newKey('ES256', 'forged')]
  await using issuer = await startIssuer([key])
  const { ask, clock } = rig(issuer)
  await ask(key)
  for (let index = 0; index < 50; index += 1) assert.equal(await ask({ ...forger, kid: `forged-${index}` }), 'key')
  assert.equal(issuer.fetched, 4)
  issuer.keys = [next.jwk]
  assert.equal(await ask(next), 'key')
  clock.advance(5_000)
  assert.equal(await ask(next), 'verified')
  assert.equal(issuer.fetched, 5)
})

test('createKeySet() tries every key that has no id, as in Teleport sets while its authority rotates', async () => {
  const [old, next] = [await newKey('RS256'), await newKey('RS256')]
  await using issuer = await startIssuer([old, next])
  const { ask } = rig(issuer)
  assert.equal(await ask(old), 'verified')
  assert.equal(await ask(next), 'verified')
  // A token may name its key though the set does not.
  assert.equal(await ask({ ...next, kid: 'named' }), 'verified')
  assert.equal(await ask(await newKey('RS256')), 'signature')
})

test('createKeySet() takes a new key without an id at once, though an old one has refuted it', async () => {
  const [old, next] = [await newKey('RS256'), await newKey('RS256')]
  await using issuer = await startIssuer([old])
  const { ask } = rig(issuer)
  assert.equal(await ask(old), 'verified')
  issuer.keys = [next.jwk]
  assert.equal(await ask(next), 'verified')
})

test('createKeySet() uses its last copy for hours while the issuer is away, then lets nobody in', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  const { ask, clock, keys } = rig(issuer)
  assert.equal(await ask(key), 'verified')
  issuer.reply = { status: 503, body: '' }
  for (let hour = 0; hour < 11; hour += 1) {
    clock.advance(60 * MINUTE_MS)
    assert.equal(await ask(key), 'verified')
  }
  assert.ok(keys.state.failingSince !== undefined)
  clock.advance(61 * MINUTE_MS)
  assert.equal(await ask(key), 'unavailable')
  issuer.reply = undefined
  clock.advance(MINUTE_MS)
  assert.equal(await ask(key), 'verified')
  assert.equal(keys.state.failingSince, undefined)
})

test('createKeySet() does not ask a dead issuer for each token, and says once that it is', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  issuer.reply = { status: 500, body: '' }
  const said: string[] = []
  const logger: Logger = { ...silentLogger, warn: (message) => said.push(message) }
  const { ask, clock } = rig(issuer, { logger })
  for (let index = 0; index < 20; index += 1) assert.equal(await ask(key), 'unavailable')
  assert.equal(issuer.fetched, 1)
  clock.advance(1_000)
  assert.equal(await ask(key), 'unavailable')
  assert.equal(issuer.fetched, 2)
  assert.deepEqual(said, ['keys of an issuer cannot be fetched'])
})

test('createKeySet() never puts a bad reply in the place of a good copy', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  const { ask, clock, keys } = rig(issuer)
  await ask(key)
  const enc = await newKey('RS256', 'enc', { kty: 'RSA', use: 'enc' })
  const replies = [
    { status: 200, body: '' },
    { status: 200, body: '{' },
    { status: 200, body: '[]' },
    { status: 200, body: '{}' },
    { status: 200, body: '{"keys":{}}' },
    { status: 200, body: '{"keys":[]}' },
    { status: 200, body: '{"keys":[null,1,"x",{"kty":"oct","k":"AAAA"},{"kty":"RSA","kid":1}]}' },
    { status: 200, body: JSON.stringify({ keys: [enc.jwk] }) },
    { status: 200, body: `{"keys":[],"pad":"${'x'.repeat(300_000)}"}` },
    { status: 302, body: '', headers: { location: issuer.jwksUrl } },
    { status: 404, body: 'not here' },
    { status: 204, body: '' },
  ]
  for (const reply of replies) {
    issuer.reply = reply
    const before = issuer.fetched
    clock.advance(11 * MINUTE_MS)
    assert.equal(await ask(key), 'verified', reply.body.slice(0, 40))
    // Nobody waits for a fetch while the copy is good; this joins it.
    await keys.lookAgain()
    assert.ok(issuer.fetched > before, 'it asked')
  }
})

test('createKeySet() goes on with the good keys of a set that has odd ones', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  issuer.keys = [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: 'broken', alg: 'ES256' }, { kty: 'odd' }, key.jwk]
  const { ask } = rig(issuer)
  assert.equal(await ask(key), 'verified')
  assert.equal(await ask({ ...key, kid: 'broken' }), 'key')
})

test('createKeySet() gives up on an issuer that does not answer in time', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  const { promise, resolve } = Promise.withResolvers<void>()
  issuer.gate = promise
  const { ask } = rig(issuer, { timeoutMs: 50 })
  assert.equal(await ask(key), 'unavailable')
  resolve()
})

test('createKeySet() replaces an ageing copy without anybody waiting for it', async () => {
  const [old, next] = [await newKey('ES256', 'old'), await newKey('ES256', 'new')]
  await using issuer = await startIssuer([old])
  const { ask, clock, keys } = rig(issuer)
  await ask(old)
  const { promise, resolve } = Promise.withResolvers<void>()
  issuer.gate = promise
  issuer.keys = [next.jwk]
  clock.advance(6 * MINUTE_MS)
  assert.equal(await ask(old), 'verified')
  resolve()
  // Joins the fetch that is under way.
  await keys.lookAgain()
  assert.equal(await ask(old), 'key')
})

test('createKeySet() does not send for keys over plain http to another machine', async () => {
  const keys = createKeySet({ jwksUrl: 'http://keys.example.com/jwks', name: 'test', logger: silentLogger })
  await assert.rejects(keys.candidates({ alg: 'RS256' }), { code: 'KEY_SET_UNAVAILABLE' })
  // Nothing was sent: the refusal is our own, before any name is looked up.
  await assert.rejects(outboundFetch('http://keys.example.com/jwks'), {
    message: 'plain http to keys.example.com, which is not this machine',
  })
})

test('discoverIssuer() finds the keys of an issuer, also under a name below localhost', async () => {
  const key = await newKey('ES256', 'k1')
  await using issuer = await startIssuer([key])
  const found = await discoverIssuer(issuer.url)
  assert.equal(found.jwks_uri, issuer.jwksUrl)
  const named = issuer.url.replace('127.0.0.1', 'issuer.localhost')
  issuer.metadata = { issuer: named, jwks_uri: `${named}/keys` }
  assert.equal((await discoverIssuer(named)).jwks_uri, `${named}/keys`)
  const { ask } = rig(issuer, { jwksUrl: async () => (await discoverIssuer(named)).jwks_uri })
  assert.equal(await ask(key), 'verified')
})

test('discoverIssuer() refuses a provider that calls itself something else, or has its keys in the open', async () => {
  await using issuer = await startIssuer()
  for (const metadata of [
    { issuer: `${issuer.url}/`, jwks_uri: issuer.jwksUrl },
    { issuer: 'https://evil.com', jwks_uri: issuer.jwksUrl },
    { jwks_uri: issuer.jwksUrl },
    { issuer: issuer.url },
    { issuer: issuer.url, jwks_uri: 'http://keys.example.com/' },
    { issuer: issuer.url, jwks_uri: 'file:///etc/passwd' },
  ]) {
    issuer.metadata = metadata
    await assert.rejects(discoverIssuer(issuer.url), { code: 'ISSUER_UNUSABLE', retryable: false }, JSON.stringify(metadata))
  }
  for (const url of ['http://example.com', 'example.com', 'https://user@example.com', 'https://example.com?x', 'ftp://example.com'])
    await assert.rejects(discoverIssuer(url), { code: 'ISSUER_UNUSABLE' }, url)
  await assert.rejects(discoverIssuer(`${issuer.url}/other`), { code: 'ISSUER_UNUSABLE', retryable: true })
})
