import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createGate } from './gate.ts'
import type { GateOutcome } from './gate.ts'
import { createPeerTrust } from './peer-trust.ts'
import type { PolicyKey } from './policy.ts'

const KEY: PolicyKey = { authId: 'auth-of-key', publicId: 'p', hmac: 'h', organizationId: 'org', scopes: ['inference'] }
const EDGE = '10.1.2.3'
const STRANGER = '192.0.2.1'

const gate = createGate({
  trust: createPeerTrust({ networks: ['10.0.0.0/8', 'fd00::/8'], secretHeader: { name: 'X-Edge-Secret', value: 'a-long-shared-secret' } }),
  findKey: (token) => (token === 'good' ? KEY : undefined),
})
const ask = (headers: readonly string[], peer: string = EDGE): GateOutcome => gate({ headers, peer })
const BOTH = ['X-Saturn-Auth-Id', 'tok-1', 'X-Saturn-Resource-Id', 'res-1'] as const

test('gate captures every identity header verbatim', () => {
  const outcome = ask([
    ...BOTH,
    'x-saturn-USER-id',
    'u',
    'X-Saturn-Group-Id',
    'g',
    'X-Saturn-Resource-Type',
    'Deployment',
    'X-Saturn-Base-Model',
    'b',
  ])
  assert.equal(outcome.kind, 'headers')
  const { count, ...identity } = outcome.kind === 'headers' ? outcome.identity : { count: -1 }
  assert.equal(count, 6)
  assert.deepEqual(identity, {
    authId: 'tok-1',
    resourceId: 'res-1',
    userId: 'u',
    groupId: 'g',
    resourceType: 'Deployment',
    baseModel: 'b',
  })
})

test('gate keeps headers it has no name for, and the claimed organization among them', () => {
  const outcome = ask([...BOTH, 'X-Saturn-Org-Id', 'o', 'X-Saturn-Plan', 'Gold Plus'])
  assert.deepEqual(outcome.kind === 'headers' && outcome.identity.others, { 'X-Saturn-Org-Id': 'o', 'X-Saturn-Plan': 'Gold Plus' })
  assert.equal(outcome.kind === 'headers' && outcome.identity.claimedOrganizationId, 'o')
})

test('gate captures headers that are named like what every object has', () => {
  const outcome = ask([...BOTH, 'X-Saturn-Constructor', 'c', 'X-Saturn-__proto__', 'p'])
  assert.deepEqual(outcome.kind === 'headers' && outcome.identity.others, { 'X-Saturn-Constructor': 'c', 'X-Saturn-__proto__': 'p' })
})

test('gate reads UTF-8 in a header as what was meant, and leaves other bytes as they are', () => {
  const sent = Buffer.from('café', 'utf8').toString('latin1')
  const outcome = ask(['X-Saturn-Auth-Id', sent, 'X-Saturn-Resource-Id', 'caf\u00E9'])
  assert.equal(outcome.kind === 'headers' && outcome.identity.authId, 'café')
  assert.equal(outcome.kind === 'headers' && outcome.identity.resourceId, 'caf\u00E9')
})

test('gate keeps the last letter of an auth id whose last byte is white space in Latin-1', () => {
  const outcome = ask(['X-Saturn-Auth-Id', ` ${Buffer.from('voilà').toString('latin1')}\t`, 'X-Saturn-Resource-Id', 'r'])
  assert.equal(outcome.kind === 'headers' && outcome.identity.authId, 'voilà')
})

test('gate never passes over an Authorization that it cannot read for the sake of a key beside it', () => {
  for (const peer of [STRANGER, EDGE])
    for (const authorization of [
      ['authorization', 'Bearer bad', 'authorization', 'Bearer bad'],
      ['authorization', 'Basic eDp5'],
    ])
      assert.equal(ask([...authorization, 'x-api-key', 'good'], peer).kind, 'unauthenticated')
})

test('gate never makes one auth id of two that differ in their first bytes', () => {
  const sent = Buffer.from('\uFEFFtok-1', 'utf8').toString('latin1')
  const outcome = ask(['X-Saturn-Auth-Id', sent, 'X-Saturn-Resource-Id', 'r'])
  assert.equal(outcome.kind === 'headers' && outcome.identity.authId, '\uFEFFtok-1')
})

test('gate takes a key from X-Api-Key, as clients of Anthropic send it, where no Authorization says another', () => {
  const kindOf = (headers: readonly string[], peer?: string): string => ask(headers, peer).kind
  assert.equal(kindOf(['X-API-Key', ' good '], STRANGER), 'key')
  assert.equal(kindOf(['authorization', 'Bearer good', 'x-api-key', 'bad'], STRANGER), 'key')
  assert.equal(kindOf(['authorization', 'Bearer bad', 'x-api-key', 'good'], STRANGER), 'unauthenticated')
  assert.equal(kindOf(['x-api-key', 'good', 'x-api-key', 'good'], STRANGER), 'unauthenticated', 'twice says nothing')
  assert.equal(kindOf(['authorization', ' ', 'x-api-key', 'good'], STRANGER), 'key')
  const key = `ask_${'a'.repeat(12)}_${'b'.repeat(32)}`
  assert.deepEqual(ask(['x-api-key', key]), { kind: 'unauthenticated', reason: 'unknown_key', stripped: 0 })
  assert.equal(kindOf(['x-api-key', 'sk-of-the-engine']), 'missing', 'a trusted edge may pass a key of its upstream')
})

test('gate names both fields when a trusted peer sends nothing at all', () => {
  const outcome = ask([])
  assert.deepEqual(outcome, {
    kind: 'missing',
    missing: ['X-Saturn-Auth-Id', 'X-Saturn-Resource-Id'],
    message: 'missing required billing identity: X-Saturn-Auth-Id, X-Saturn-Resource-Id',
  })
})

for (const [present, missing] of [
  ['X-Saturn-Auth-Id', 'X-Saturn-Resource-Id'],
  ['X-Saturn-Resource-Id', 'X-Saturn-Auth-Id'],
] as const) {
  test(`gate names ${missing} when only ${present} is there, whatever key comes along`, () => {
    const outcome = ask([present, 'x', 'Authorization', 'Bearer good'])
    assert.equal(outcome.kind === 'missing' && outcome.message, `missing required billing identity: ${missing}`)
  })
}

test('gate takes a blank header for an absent one', () => {
  const outcome = ask(['X-Saturn-Auth-Id', '  ', 'X-Saturn-Resource-Id', 'r'])
  assert.equal(outcome.kind === 'missing' && outcome.message, 'missing required billing identity: X-Saturn-Auth-Id')
})

test('gate refuses an identity header that comes twice, in whatever case, from a trusted peer', () => {
  assert.equal(ask([...BOTH, 'x-saturn-auth-id', 'tok-1']).kind, 'repeated')
  assert.equal(ask([...BOTH, 'X-Saturn-Plan', 'a', 'x-saturn-plan', 'a']).kind, 'repeated')
})

test('gate lets the headers of a trusted peer decide alone, also beside a key', () => {
  const outcome = ask([...BOTH, 'Authorization', 'Bearer good'])
  assert.equal(outcome.kind === 'headers' && outcome.identity.authId, 'tok-1')
})

test('gate lets the key decide when a trusted peer names no identity', () => {
  const outcome = ask(['Authorization', 'bearer good', 'X-Saturn-User-Id', 'u'])
  assert.equal(outcome.kind === 'key' && outcome.key.authId, 'auth-of-key')
  assert.equal(outcome.kind === 'key' && outcome.identity.userId, 'u')
})

test('gate never reads an identity header of a stranger', () => {
  assert.deepEqual(ask([...BOTH], STRANGER), { kind: 'unauthenticated', reason: 'no_key', stripped: 2 })
  const outcome = ask([...BOTH, 'X-Saturn-Auth-Id', 'twice', 'Authorization', 'Bearer good'], STRANGER)
  assert.deepEqual(outcome, { kind: 'key', key: KEY, identity: { count: 0 }, stripped: 3 })
})

test('gate refuses unknown, malformed and repeated credentials of a stranger', () => {
  for (const headers of [
    ['Authorization', 'Bearer bad'],
    ['Authorization', 'Basic good'],
    ['Authorization', 'Bearer good', 'Authorization', 'Bearer good'],
  ]) {
    assert.equal(ask(headers, STRANGER).kind, 'unauthenticated', headers.join(' '))
  }
})

test('gate trusts a stranger who holds the shared secret, and nobody who nearly does', () => {
  assert.equal(ask([...BOTH, 'x-edge-secret', 'a-long-shared-secret'], STRANGER).kind, 'headers')
  assert.equal(ask([...BOTH, 'X-Edge-Secret', 'a-long-shared-secreT'], STRANGER).kind, 'unauthenticated')
  assert.equal(ask([...BOTH, 'X-Edge-Secret', 'a-long-shared-secret', 'X-Edge-Secret', 'x'], STRANGER).kind, 'unauthenticated')
})

test('gate trusts networks of both families', () => {
  assert.equal(ask([...BOTH], 'fd12::1').kind, 'headers')
  assert.equal(ask([...BOTH], 'fe80::1').kind, 'unauthenticated')
  assert.equal(ask([...BOTH], '').kind, 'unauthenticated')
})

test('gate never attributes a stranger to what his headers say, whatever they are', () => {
  const headerName = fc.constantFrom(
    'X-Saturn-Auth-Id',
    'x-saturn-resource-id',
    'X-SATURN-ORG-ID',
    'Authorization',
    'X-Forwarded-For',
    'X-Saturn-',
  )
  const headers = fc.array(fc.tuple(headerName, fc.constantFrom('', ' ', 'v', '10.0.0.1', 'Bearer bad'))).map((pairs) => pairs.flat())
  fc.assert(fc.property(headers, (list) => gate({ headers: list, peer: STRANGER }).kind === 'unauthenticated'))
})

const terms = createGate({
  trust: createPeerTrust({
    networks: ['10.0.0.0/8'],
    secretHeader: { name: 'X-Edge-Secret' },
    peers: [
      { networks: ['10.9.0.0/16'], resource: 'from-model' },
      { networks: ['10.8.0.0/16'], secret: 'a-long-shared-secret', resource: 'from-model' },
      { networks: [], secret: 'another-long-secret', resource: 'from-model' },
    ],
  }),
  findKey: (token) => (token === 'good' ? KEY : undefined),
})
const alone = ['X-Saturn-Auth-Id', 'tok-1', 'Authorization', 'Bearer good'] as const

test('gate takes an auth id alone only from the peer whose resource comes from the model, and asks every other for both', () => {
  const taken = terms({ headers: alone, peer: '10.9.1.1' })
  assert.equal(taken.kind === 'headers' && taken.identity.authId, 'tok-1')
  assert.equal(taken.kind === 'headers' && taken.identity.resourceId, undefined)
  for (const peer of ['10.1.1.1', '10.8.1.1'])
    assert.deepEqual(terms({ headers: alone, peer }), {
      kind: 'missing',
      missing: ['X-Saturn-Resource-Id'],
      message: 'missing required billing identity: X-Saturn-Resource-Id',
    })
  assert.equal(terms({ headers: alone, peer: STRANGER }).kind, 'key')
})

test('gate asks the peer whose resource comes from the model for its auth id, and keeps the resource that it names', () => {
  const nobody = terms({ headers: ['X-Saturn-Resource-Id', 'res-1', 'Authorization', 'Bearer good'], peer: '10.9.1.1' })
  assert.equal(nobody.kind === 'missing' && nobody.message, 'missing required billing identity: X-Saturn-Auth-Id')
  const nothing = terms({ headers: [], peer: '10.9.1.1' })
  assert.deepEqual(nothing.kind === 'missing' && nothing.missing, ['X-Saturn-Auth-Id'])
  const named = terms({ headers: [...BOTH], peer: '10.9.1.1' })
  assert.equal(named.kind === 'headers' && named.identity.resourceId, 'res-1')
})

test('gate asks a peer with networks and a secret for both, and one with a secret alone for that', () => {
  const secret = (value: string): readonly string[] => [...alone, 'X-Edge-Secret', value]
  assert.equal(terms({ headers: secret('a-long-shared-secret'), peer: '10.8.1.1' }).kind, 'headers')
  assert.equal(terms({ headers: secret('a-long-shared-secret'), peer: STRANGER }).kind, 'key')
  assert.equal(terms({ headers: secret('another-long-secret'), peer: STRANGER }).kind, 'headers')
  assert.equal(terms({ headers: secret(''), peer: STRANGER }).kind, 'key')
})

test('createPeerTrust() refuses a peer that could be anybody, and a short secret', () => {
  for (const peer of [
    { networks: [], resource: 'from-model' },
    { networks: ['10.0.0.0/8'], secret: 'short', resource: 'from-model' },
  ] as const)
    assert.throws(() => createPeerTrust({ networks: [], peers: [peer] }), { code: 'INPUT_INVALID' })
})

test('createPeerTrust() refuses what is no network, and says what one looks like', () => {
  for (const network of ['10.0.0.0/33', 'example.org', '10.0.0.0/8/8', '::/129', '10.0.0.0/', '']) {
    assert.throws(() => createPeerTrust({ networks: [network] }), { code: 'INPUT_INVALID' }, network)
  }
})
