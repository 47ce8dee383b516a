import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import type { SandboxEngine } from '@ascribe/sandbox'
import { ask, CHAT, IDENTITY, routeTo, startTestGateway } from './support.ts'
import type { GatewayOptions, HeaderList, TestGateway } from './support.ts'

const MISSING = 'missing required billing identity: '
const SECRET = 'a-secret-that-only-the-edge-knows'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

async function start(t: TestContext, options: GatewayOptions = {}): Promise<TestGateway & { readonly engine: SandboxEngine }> {
  const engine = await startEngine()
  t.after(() => engine.close())
  const gateway = await startTestGateway(t, { upstream: engine.url, ...options })
  return Object.assign(gateway, { engine })
}

/** A gateway that believes nobody's network. */
const STRANGERS: GatewayOptions = { trust: { networks: ['10.0.0.0/8'] } }
const EDGE_SECRET: GatewayOptions = { trust: { networks: [], secretHeader: { name: 'X-Edge-Secret', value: SECRET } } }

async function assertUnserved(world: TestGateway & { readonly engine: SandboxEngine }): Promise<void> {
  assert.deepEqual(await world.entries(), [])
  assert.deepEqual(world.engine.seen, [])
}

test('the gate captures all identity headers verbatim', async (t) => {
  const world = await start(t)
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
  const world = await start(t)
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
    const world = await start(t)
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
  const world = await start(t)
  for (const path of ['/v1/responses', '/anything', '/v1/models']) {
    const answer = await ask(world.url, { path, headers: {} })
    assert.equal(answer.text, `${MISSING}X-Saturn-Auth-Id, X-Saturn-Resource-Id\n`, path)
  }
})

test('the gate serves when auth id and resource id are there, and needs nothing else', async (t) => {
  const world = await start(t)
  assert.equal((await ask(world.url)).status, 200)
  const record = await world.record()
  assert.equal(record.authId, 'auth-1')
  assert.equal(record.resourceId, 'resource-1')
  assert.equal(world.engine.seen.length, 1)
})

test('the gate answers 400 to a repeated identity header, in whatever case', async (t) => {
  const world = await start(t)
  const headers: HeaderList = [...Object.entries(IDENTITY), ['x-saturn-auth-id', 'auth-2']]
  const answer = await ask(world.url, { headers })
  assert.equal(answer.status, 400)
  assert.equal(answer.text, 'repeated billing identity: x-saturn-auth-id\n')
  await assertUnserved(world)
})

test('trusted headers decide alone: a key beside them is ignored, even an unknown one', async (t) => {
  const world = await start(t)
  const { key } = world.addKey()
  for (const token of [key, 'ask_nobody']) {
    const answer = await ask(world.url, { headers: { ...IDENTITY, Authorization: `Bearer ${token}` } })
    assert.equal(answer.status, 200)
  }
  for (const record of await world.records(2)) assert.deepEqual([record.authId, record.identifiedBy], ['auth-1', 'headers'])
})

test('one of the two headers from a trusted peer is 400, key or no key', async (t) => {
  const world = await start(t)
  const { key } = world.addKey()
  const answer = await ask(world.url, { headers: { 'X-Saturn-Auth-Id': 'a', Authorization: `Bearer ${key}` } })
  assert.equal(answer.text, `${MISSING}X-Saturn-Resource-Id\n`)
  await assertUnserved(world)
})

test('a key decides at a trusted peer that sends neither header', async (t) => {
  const world = await start(t)
  const { key, authId } = world.addKey()
  assert.equal((await ask(world.url, { headers: { Authorization: `Bearer ${key}` } })).status, 200)
  const record = await world.record()
  assert.deepEqual([record.authId, record.identifiedBy, record.resourceId], [authId, 'key', 'default'])
})

test("a stranger's identity headers are dropped, counted and logged, and the key decides", async (t) => {
  const world = await start(t, STRANGERS)
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
  const world = await start(t, STRANGERS)
  for (const headers of [IDENTITY, {}]) {
    const answer = await ask(world.url, { headers })
    assert.equal(answer.status, 401)
    assert.equal(JSON.parse(answer.text).error.code, 'invalid_api_key')
  }
  await assertUnserved(world)
})

test("a stranger's repeated identity headers are no reason for a 400: nobody reads them", async (t) => {
  const world = await start(t, STRANGERS)
  const { key } = world.addKey()
  const headers: HeaderList = [
    ['X-Saturn-Auth-Id', 'a'],
    ['X-Saturn-Auth-Id', 'b'],
    ['Authorization', `Bearer ${key}`],
  ]
  assert.equal((await ask(world.url, { headers })).status, 200)
})

test('X-Forwarded-For makes nobody a trusted peer', async (t) => {
  const world = await start(t, STRANGERS)
  const answer = await ask(world.url, { headers: { ...IDENTITY, 'X-Forwarded-For': '10.1.2.3', Forwarded: 'for=10.1.2.3' } })
  assert.equal(answer.status, 401)
})

test('a peer whose IPv4 address comes mapped into IPv6 (::ffff:) is the IPv4 peer', async (t) => {
  const world = await start(t, { host: '::' })
  assert.equal((await ask(`http://127.0.0.1:${world.port}`)).status, 200)
})

test('the edge proves itself by its secret header, which is neither recorded nor forwarded', async (t) => {
  const world = await start(t, { ...EDGE_SECRET, route: { forwardHeaders: new Set(['x-edge-secret']) } })
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, 'X-Edge-Secret': SECRET } })).status, 200)
  assert.equal((await world.record()).authId, 'auth-1')
  for (const entry of await world.entries()) assert.doesNotMatch(entry.payload, new RegExp(SECRET))
  assert.ok(!JSON.stringify(world.engine.seen.map((seen) => seen.headers)).includes(SECRET))
  assert.ok(!JSON.stringify(world.log).includes(SECRET))
})

test("the secret header is not recorded either when its name looks like one of identity's", async (t) => {
  const trust = { networks: [], secretHeader: { name: 'X-Saturn-Edge-Secret', value: SECRET } }
  const world = await start(t, { trust })
  const { key } = world.addKey()
  const secret = { 'X-Saturn-Edge-Secret': SECRET, 'X-Saturn-Org-Id': 'o' }
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, ...secret } })).status, 200)
  assert.equal((await ask(world.url, { headers: { ...secret, Authorization: `Bearer ${key}` } })).status, 200)
  for (const record of await world.records(2)) assert.deepEqual(record.headers, { 'X-Saturn-Org-Id': 'o' })
  for (const entry of await world.entries()) assert.ok(!entry.payload.includes(SECRET))
  assert.ok(!JSON.stringify(world.engine.seen.map((seen) => seen.headers)).includes(SECRET))
})

test('a wrong, or a repeated, secret makes nobody trusted', async (t) => {
  const world = await start(t, EDGE_SECRET)
  const wrong = { ...IDENTITY, 'X-Edge-Secret': `${SECRET.slice(0, -1)}X` }
  assert.equal((await ask(world.url, { headers: wrong })).status, 401)
  const twice: HeaderList = [...Object.entries(IDENTITY), ['X-Edge-Secret', SECRET], ['X-Edge-Secret', SECRET]]
  assert.equal((await ask(world.url, { headers: twice })).status, 401)
  await assertUnserved(world)
})

test('a key that is unknown, malformed or not a bearer token is 401 in the shape of OpenAI', async (t) => {
  const world = await start(t, STRANGERS)
  const { key } = world.addKey()
  const wrong = [
    `Bearer ${key.slice(0, -1)}!`,
    `Bearer ${key}x`,
    'Bearer',
    `Basic ${key}`,
    key,
    `Bearer ask_${'0'.repeat(12)}_${'0'.repeat(32)}`,
  ]
  for (const authorization of wrong) {
    const answer = await ask(world.url, { headers: { Authorization: authorization } })
    assert.equal(answer.status, 401, authorization)
    const { error } = JSON.parse(answer.text) as { error: Record<string, unknown> }
    assert.deepEqual([error['type'], error['code'], error['param']], ['invalid_request_error', 'invalid_api_key', null])
    assert.ok(!answer.text.includes(key.slice(4)), 'the reply does not repeat the key')
  }
  await assertUnserved(world)
})

test('a revoked key is refused within moments', async (t) => {
  const world = await start(t, STRANGERS)
  const { key, authId } = world.addKey()
  const { key: other } = world.addKey()
  const statusOf = async (token: string): Promise<number> =>
    (await ask(world.url, { headers: { Authorization: `Bearer ${token}` } })).status
  assert.equal(await statusOf(key), 200)
  world.revokeKey(authId)
  const deadline = performance.now() + 2_000
  while ((await statusOf(key)) === 200) assert.ok(performance.now() < deadline, 'the revoked key still works')
  assert.equal(await statusOf(key), 401)
  assert.equal(await statusOf(other), 200)
})

test('a key without the scope for inference is 403, and the upstream sees nothing', async (t) => {
  const world = await start(t, STRANGERS)
  const { key } = world.addKey(['billing:read'])
  const answer = await ask(world.url, { headers: { Authorization: `Bearer ${key}` } })
  assert.equal(answer.status, 403)
  assert.equal(JSON.parse(answer.text).error.code, 'insufficient_scope')
  await assertUnserved(world)
})

test('a repeated Authorization is 401', async (t) => {
  const world = await start(t, STRANGERS)
  const { key } = world.addKey()
  const headers: HeaderList = [
    ['Authorization', `Bearer ${key}`],
    ['Authorization', `Bearer ${key}`],
  ]
  assert.equal((await ask(world.url, { headers })).status, 401)
})

test('GET /v1/models lists the route table for a key, free and without a record', async (t) => {
  const world = await start(t, { ...STRANGERS, routes: [routeTo('http://127.0.0.1:9', { models: ['b-model', 'a-model'] })] })
  const { key } = world.addKey()
  const headers = { Authorization: `Bearer ${key}` }
  const list = await ask(world.url, { method: 'GET', path: '/v1/models', headers })
  assert.equal(list.status, 200)
  assert.deepEqual(
    JSON.parse(list.text).data.map((model: { id: string }) => model.id),
    ['a-model', 'b-model'],
  )
  const one = await ask(world.url, { method: 'GET', path: '/v1/models/a-model', headers })
  assert.deepEqual(JSON.parse(one.text), { id: 'a-model', object: 'model', created: 0, owned_by: 'ascribe' })
  assert.equal((await ask(world.url, { method: 'GET', path: '/v1/models/c', headers })).status, 404)
  assert.equal((await ask(world.url, { method: 'GET', path: '/v1/models', headers: {} })).status, 401)
  await assertUnserved(world)
})

test('a model without a route is 404 in the shape of OpenAI, without a record', async (t) => {
  const world = await start(t, { routes: [routeTo('http://127.0.0.1:9', { models: ['known'] })] })
  const answer = await ask(world.url, { body: { ...CHAT, model: 'un"known' } })
  assert.equal(answer.status, 404)
  assert.deepEqual(JSON.parse(answer.text), {
    error: {
      message: 'The model `un"known` does not exist or you do not have access to it.',
      type: 'invalid_request_error',
      param: 'model',
      code: 'model_not_found',
    },
  })
  await assertUnserved(world)
})

test('with a key the resource comes from the route of the model', async (t) => {
  const engine = await startEngine()
  t.after(() => engine.close())
  const routes = [
    routeTo(engine.url, { id: 'small', models: ['sandbox-small'], resourceId: 'res-small', resourceType: 'deployment' }),
    routeTo(engine.url, { id: 'large', models: ['sandbox-large'], resourceId: 'res-large' }),
  ]
  const world = await startTestGateway(t, { ...STRANGERS, routes })
  const { key } = world.addKey()
  for (const model of ['sandbox-small', 'sandbox-large']) {
    await ask(world.url, { headers: { Authorization: `Bearer ${key}` }, body: { ...CHAT, model } })
  }
  assert.deepEqual(
    (await world.records(2)).map(({ route, resourceId, resourceType, modelAsked }) => ({ route, resourceId, resourceType, modelAsked })),
    [
      { route: 'small', resourceId: 'res-small', resourceType: 'deployment', modelAsked: 'sandbox-small' },
      { route: 'large', resourceId: 'res-large', resourceType: undefined, modelAsked: 'sandbox-large' },
    ],
  )
})

test('an X-Request-Id that is valid is echoed and recorded, and the upstream gets our event id', async (t) => {
  const world = await start(t)
  const id = `!~${'x'.repeat(198)}`
  const answer = await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': id } })
  assert.equal(answer.headers['x-request-id'], id)
  const record = await world.record()
  assert.equal(record.requestId, id)
  assert.match(record.eventId, UUID)
  assert.equal(world.engine.seen[0]?.requestId, record.eventId)
})

test("the client's X-Request-Id goes up where the route says so", async (t) => {
  const world = await start(t, { route: { forwardRequestId: true } })
  await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': 'mine' } })
  await ask(world.url)
  const [, second] = await world.records(2)
  assert.deepEqual(
    world.engine.seen.map((seen) => seen.requestId),
    ['mine', second?.eventId],
  )
})

test('without an X-Request-Id, or with a blank one, it is our event id', async (t) => {
  const world = await start(t)
  const answers = [await ask(world.url), await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': '  ' } })]
  for (const [at, record] of (await world.records(2)).entries()) {
    assert.equal(record.requestId, record.eventId)
    assert.equal(answers[at]?.headers['x-request-id'], record.eventId)
  }
})

for (const [what, headers] of [
  ['is longer than 200 characters', [['X-Request-Id', 'x'.repeat(201)]]],
  ['has a space', [['X-Request-Id', 'a b']]],
  ['has a character beyond ASCII', [['X-Request-Id', 'a\u00e9']]],
  [
    'comes twice',
    [
      ['X-Request-Id', 'a'],
      ['x-request-id', 'a'],
    ],
  ],
] as const) {
  test(`an X-Request-Id that ${what} is 400, without a record`, async (t) => {
    const world = await start(t)
    const answer = await ask(world.url, { headers: [...Object.entries(IDENTITY), ...headers] })
    assert.equal(answer.status, 400)
    assert.equal(answer.text, 'invalid X-Request-Id: must be at most 200 printable ASCII (no spaces) characters\n')
    await assertUnserved(world)
  })
}

const PRIVATE = {
  Authorization: 'Bearer private-1',
  Cookie: 'private-2',
  'X-Api-Key': 'private-3',
  'Proxy-Authorization': 'Basic private-4',
  'X-Saturn-User-Id': 'private-5',
} as const

test('credentials, cookies and identity headers do not go up', async (t) => {
  const world = await start(t)
  const headers = { ...IDENTITY, ...PRIVATE, 'X-Custom': 'public', 'Accept-Encoding': 'gzip' }
  assert.equal((await ask(world.url, { headers })).status, 200)
  const [seen] = world.engine.seen
  assert.doesNotMatch(JSON.stringify(seen?.headers), /private|x-saturn/i)
  assert.equal(seen?.headers['x-custom'], 'public')
  assert.equal(seen?.headers['accept-encoding'], 'identity')
})

test('what a route forwards goes up, and nothing else', async (t) => {
  const forwardHeaders = new Set(['authorization', 'x-saturn-user-id', 'cookie'])
  const world = await start(t, { route: { forwardHeaders } })
  await ask(world.url, { headers: { ...IDENTITY, ...PRIVATE } })
  const headers = world.engine.seen[0]?.headers ?? {}
  assert.equal(headers.authorization, 'Bearer private-1')
  assert.equal(headers.cookie, 'private-2')
  assert.equal(headers['x-saturn-user-id'], 'private-5')
  assert.equal(headers['x-api-key'], undefined)
  assert.equal(headers['x-saturn-auth-id'], undefined)
})

test("a stranger's identity headers never go up, whatever the route forwards", async (t) => {
  const world = await start(t, { ...STRANGERS, route: { forwardHeaders: new Set(['x-saturn-auth-id', 'x-saturn-user-id']) } })
  const { key } = world.addKey()
  const headers = { ...IDENTITY, 'X-Saturn-User-Id': 'somebody-else', Authorization: `Bearer ${key}` }
  assert.equal((await ask(world.url, { headers })).status, 200)
  assert.doesNotMatch(JSON.stringify(world.engine.seen[0]?.headers), /x-saturn|somebody-else/i)
})

test("the route's own credential goes up in place of the client's", async (t) => {
  const engine = await startEngine({ apiKey: 'upstream-key' })
  t.after(() => engine.close())
  const credential = { reveal: () => 'upstream-key' }
  const world = await startTestGateway(t, { upstream: engine.url, route: { credential, forwardHeaders: new Set(['authorization']) } })
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, Authorization: 'Bearer private' } })).status, 200)
  assert.equal(engine.seen[0]?.headers.authorization, 'Bearer upstream-key')
  for (const entry of await world.entries()) assert.ok(!entry.payload.includes('upstream-key'))
})

test('an auth id from a trusted peer is not looked up', async (t) => {
  const world = await start(t)
  assert.equal((await ask(world.url, { headers: { ...IDENTITY, 'X-Saturn-Auth-Id': 'nobody has heard of it' } })).status, 200)
  assert.equal((await world.record()).authId, 'nobody has heard of it')
})

test('another header prefix is a setting, and then X-Saturn- means nothing', async (t) => {
  const world = await start(t, { headerPrefix: 'X-Acme-' })
  assert.equal((await ask(world.url)).text, `${MISSING}X-Acme-Auth-Id, X-Acme-Resource-Id\n`)
  assert.equal((await ask(world.url, { headers: { 'X-Acme-Auth-Id': 'a', 'X-Acme-Resource-Id': 'r' } })).status, 200)
  assert.equal((await world.record()).authId, 'a')
})
