import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STRANGERS, assertUnserved, startWithEngine } from './engine-world.ts'
import { IDENTITY, ask } from './support.ts'
import type { GatewayOptions, HeaderList } from './support.ts'

// Who is served: what a trusted edge says in headers, and who is one.

const MISSING = 'missing required billing identity: '
const SECRET = 'a-secret-that-only-the-edge-knows'
const EDGE_SECRET: GatewayOptions = { trust: { networks: [], secretHeader: { name: 'X-Edge-Secret', value: SECRET } } }

test('the gate captures all identity headers verbatim', async (t) => {
  const world = await startWithEngine(t)
  const headers = {
    'X-Saturn-Auth-Id': '0f7c2f6e-0d43-4c1c-9e1a-111111111111',
    'X-Saturn-Resource-Id': 'deployment-7',
    'X-Saturn-Resource-Type': 'deployment',
    'X-Saturn-User-Id': 'user-1',
    'X-Saturn-Group-Id': 'group-1',
    'X-Saturn-Base-Model': 'meta/Llama-3',
    'X-Saturn-Org-Id': 'org-1',
    'X-Saturn-Whatever-Comes': 'Kept; as "sent"',
  }
  assert.equal((await ask(world.url, { headers })).status, 200)
  const record = await world.record()
  assert.equal(record.identifiedBy, 'headers')
  assert.equal(record.authId, '0f7c2f6e-0d43-4c1c-9e1a-111111111111')
  assert.equal(record.resourceId, 'deployment-7')
  assert.equal(record.resourceType, 'deployment')
  assert.equal(record.userId, 'user-1')
  assert.equal(record.groupId, 'group-1')
  assert.equal(record.baseModel, 'meta/Llama-3')
  assert.equal(record.claimedOrganizationId, 'org-1')
  assert.deepEqual(record.headers, { 'X-Saturn-Org-Id': 'org-1', 'X-Saturn-Whatever-Comes': 'Kept; as "sent"' })
})

test('the gate takes blank identity headers for absent, and writes none of them into the record', async (t) => {
  const world = await startWithEngine(t)
  const headers = { ...IDENTITY, 'X-Saturn-User-Id': '', 'X-Saturn-Group-Id': '  ', 'X-Saturn-Org-Id': '', 'X-Saturn-Other': ' ' }
  assert.equal((await ask(world.url, { headers })).status, 200)
  const record = await world.record()
  for (const name of ['userId', 'groupId', 'resourceType', 'baseModel', 'claimedOrganizationId', 'headers'])
    assert.ok(!(name in record), name)
})

for (const [what, headers, named] of [
  ['both are absent', {}, 'X-Saturn-Auth-Id, X-Saturn-Resource-Id'],
  ['both are blank', { 'X-Saturn-Auth-Id': '', 'X-Saturn-Resource-Id': ' ' }, 'X-Saturn-Auth-Id, X-Saturn-Resource-Id'],
  ['only user and group are there', { 'X-Saturn-User-Id': 'u', 'X-Saturn-Group-Id': 'g' }, 'X-Saturn-Auth-Id, X-Saturn-Resource-Id'],
  ['the auth id is absent', { 'X-Saturn-Resource-Id': 'r' }, 'X-Saturn-Auth-Id'],
  ['the auth id is blank', { 'X-Saturn-Auth-Id': ' ', 'X-Saturn-Resource-Id': 'r' }, 'X-Saturn-Auth-Id'],
  ['the resource id is absent', { 'X-Saturn-Auth-Id': 'a' }, 'X-Saturn-Resource-Id'],
] as const) {
  test(`the gate answers 400 naming ${named} when ${what}, leaves no record, and the upstream sees nothing`, async (t) => {
    const world = await startWithEngine(t)
    const answer = await ask(world.url, { headers })
    assert.equal(answer.status, 400)
    assert.equal(answer.text, `${MISSING}${named}\n`)
    assert.match(String(answer.headers['content-type']), /^text\/plain/)
    await assertUnserved(world)
    const line = world.log.find((each) => each.level === 'warn')
    assert.equal(line?.fields?.['peer'], '127.0.0.1')
    assert.match(world.meters.render(), /ascribe_gateway_refused_total\{reason="missing_identity"\} 1/)
  })
}

test('the gate comes before the path: who cannot be attributed does not learn what is there', async (t) => {
  const world = await startWithEngine(t)
  for (const path of ['/v1/responses', '/anything', '/v1/models']) {
    const answer = await ask(world.url, { path, headers: {} })
    assert.equal(answer.text, `${MISSING}X-Saturn-Auth-Id, X-Saturn-Resource-Id\n`, path)
  }
})

test('the gate serves when auth id and resource id are there, and needs nothing else', async (t) => {
  const world = await startWithEngine(t)
  assert.equal((await ask(world.url)).status, 200)
  const record = await world.record()
  assert.equal(record.authId, 'auth-1')
  assert.equal(record.resourceId, 'resource-1')
  assert.equal(world.engine.seen.length, 1)
})

test('the gate answers 400 to a repeated identity header, in whatever case', async (t) => {
  const world = await startWithEngine(t)
  const headers: HeaderList = [...Object.entries(IDENTITY), ['x-saturn-auth-id', 'auth-2']]
  const answer = await ask(world.url, { headers })
  assert.equal(answer.status, 400)
  assert.equal(answer.text, 'repeated billing identity: x-saturn-auth-id\n')
  await assertUnserved(world)
})

test('trusted headers decide alone: a key beside them is ignored, even an unknown one', async (t) => {
  const world = await startWithEngine(t)
  const { key } = world.addKey()
  for (const token of [key, 'ask_nobody']) {
    const answer = await ask(world.url, { headers: { ...IDENTITY, Authorization: `Bearer ${token}` } })
    assert.equal(answer.status, 200)
  }
  for (const record of await world.records(2)) assert.deepEqual([record.authId, record.identifiedBy], ['auth-1', 'headers'])
})

test('one of the two headers from a trusted peer is 400, key or no key', async (t) => {
  const world = await startWithEngine(t)
  const { key } = world.addKey()
  const answer = await ask(world.url, { headers: { 'X-Saturn-Auth-Id': 'a', Authorization: `Bearer ${key}` } })
  assert.equal(answer.text, `${MISSING}X-Saturn-Resource-Id\n`)
  await assertUnserved(world)
})

test('a key decides at a trusted peer that sends neither header', async (t) => {
  const world = await startWithEngine(t)
  const { key, authId } = world.addKey()
  assert.equal((await ask(world.url, { headers: { Authorization: `Bearer ${key}` } })).status, 200)
  const record = await world.record()
  assert.deepEqual([record.authId, record.identifiedBy, record.resourceId], [authId, 'key', 'default'])
})

test("a stranger's identity headers are dropped, counted and logged, and the key decides", async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const { key, authId } = world.addKey()
  const headers = { ...IDENTITY, 'X-Saturn-User-Id': 'u', 'X-Saturn-Org-Id': 'o', Authorization: `Bearer ${key}` }
  assert.equal((await ask(world.url, { headers })).status, 200)
  const record = await world.record()
  assert.deepEqual([record.authId, record.identifiedBy, record.resourceId], [authId, 'key', 'default'])
  for (const name of ['userId', 'claimedOrganizationId', 'headers']) assert.ok(!(name in record), name)
  assert.match(world.meters.render(), /stripped_identity_headers_total 4/)
  assert.ok(world.log.some((line) => line.level === 'warn' && line.fields?.['count'] === 4))
})

test('a stranger with headers alone is 401, and so is one without anything', async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  for (const headers of [IDENTITY, {}]) {
    const answer = await ask(world.url, { headers })
    assert.equal(answer.status, 401)
    assert.equal(JSON.parse(answer.text).error.code, 'invalid_api_key')
  }
  await assertUnserved(world)
})

test("a stranger's repeated identity headers are no reason for a 400: nobody reads them", async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const { key } = world.addKey()
  const headers: HeaderList = [
    ['X-Saturn-Auth-Id', 'a'],
    ['X-Saturn-Auth-Id', 'b'],
    ['Authorization', `Bearer ${key}`],
  ]
  assert.equal((await ask(world.url, { headers })).status, 200)
})

test('X-Forwarded-For makes nobody a trusted peer', async (t) => {
  const world = await startWithEngine(t, STRANGERS)
  const answer = await ask(world.url, { headers: { ...IDENTITY, 'X-Forwarded-For': '10.1.2.3', Forwarded: 'for=10.1.2.3' } })
  assert.equal(answer.status, 401)
})

test('a peer whose IPv4 address comes mapped into IPv6 (::ffff:) is the IPv4 peer', async (t) => {
  const world = await startWithEngine(t, { host: '::' })
  assert.equal((await ask(`http://127.0.0.1:${world.port}`)).status, 200)
})

test('the edge proves itself by its secret header, which is neither recorded nor forwarded', async (t) => {
  const world = await startWithEngine(t, { ...EDGE_SECRET, route: { forwardHeaders: new Set(['x-edge-secret']) } })
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, 'X-Edge-Secret': SECRET } })).status, 200)
  assert.equal((await world.record()).authId, 'auth-1')
  for (const entry of await world.entries()) assert.doesNotMatch(entry.payload, new RegExp(SECRET))
  assert.ok(!JSON.stringify(world.engine.seen.map((seen) => seen.headers)).includes(SECRET))
  assert.ok(!JSON.stringify(world.log).includes(SECRET))
})

test("the secret header is not recorded either when its name looks like one of identity's", async (t) => {
  const trust = { networks: [], secretHeader: { name: 'X-Saturn-Edge-Secret', value: SECRET } }
  const world = await startWithEngine(t, { trust })
  const { key } = world.addKey()
  const secret = { 'X-Saturn-Edge-Secret': SECRET, 'X-Saturn-Org-Id': 'o' }
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, ...secret } })).status, 200)
  assert.equal((await ask(world.url, { headers: { ...secret, Authorization: `Bearer ${key}` } })).status, 200)
  for (const record of await world.records(2)) assert.deepEqual(record.headers, { 'X-Saturn-Org-Id': 'o' })
  for (const entry of await world.entries()) assert.ok(!entry.payload.includes(SECRET))
  assert.ok(!JSON.stringify(world.engine.seen.map((seen) => seen.headers)).includes(SECRET))
})

test('a wrong, or a repeated, secret makes nobody trusted', async (t) => {
  const world = await startWithEngine(t, EDGE_SECRET)
  const wrong = { ...IDENTITY, 'X-Edge-Secret': `${SECRET.slice(0, -1)}X` }
  assert.equal((await ask(world.url, { headers: wrong })).status, 401)
  const twice: HeaderList = [...Object.entries(IDENTITY), ['X-Edge-Secret', SECRET], ['X-Edge-Secret', SECRET]]
  assert.equal((await ask(world.url, { headers: twice })).status, 401)
  await assertUnserved(world)
})

test('an auth id from a trusted peer is not looked up', async (t) => {
  const world = await startWithEngine(t)
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'nobody has heard of it' } })).status, 200)
  assert.equal((await world.record()).authId, 'nobody has heard of it')
})

test('another header prefix is a setting, and then X-Saturn- means nothing', async (t) => {
  const world = await startWithEngine(t, { headerPrefix: 'X-Acme-' })
  assert.equal((await ask(world.url)).text, `${MISSING}X-Acme-Auth-Id, X-Acme-Resource-Id\n`)
  assert.equal((await ask(world.url, { headers: { 'X-Acme-Auth-Id': 'a', 'X-Acme-Resource-Id': 'r' } })).status, 200)
  assert.equal((await world.record()).authId, 'a')
})
