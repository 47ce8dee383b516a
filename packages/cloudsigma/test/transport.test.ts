import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createBasicAuthenticator } from '../src/authenticator.ts'
import { createCloudSigma } from '../src/client.ts'
import type { Authenticator } from '../src/authenticator.ts'
import { CloudSigmaError, CloudSigmaRequestError } from '../src/errors.ts'
import type { CloudFault } from '../src/fault.ts'
import type { CallSeen } from '../src/transport.ts'
import { OWNER, SERVER, clientOf, countingAuthenticator, pageOf, refusal, serverJson, startScriptedCloud } from './scripted-cloud.ts'
import type { Reply } from './scripted-cloud.ts'

const PROFILE: Reply = { status: 200, body: { uuid: OWNER, email: 'user@example.com', state: 'REGULAR', currency: 'CHF' } }
const SPEC = { name: 'a', cpuMhz: 2000, memBytes: 2 ** 30, vncPassword: 'CANARY-VNC' }

/** The fault that a call ends with. */
async function faultOf(call: Promise<unknown>): Promise<CloudFault> {
  try {
    await call
  } catch (error) {
    if (error instanceof CloudSigmaError) return error.fault
    throw error
  }
  throw new Error('the call succeeded')
}

test('R-3: every request, the hand-made ones too, goes with the same authenticator to the same origin', async () => {
  await using cloud = await startScriptedCloud((asked) => {
    if (asked.path.endsWith('/detail/')) return pageOf([serverJson(SERVER)], asked)
    if (asked.method === 'DELETE') return { status: 204 }
    if (asked.path.includes('/action/')) return { status: 202, body: { action: 'start', result: 'success', uuid: SERVER } }
    return asked.path.endsWith('/profile/') ? PROFILE : { status: 200, body: serverJson(SERVER) }
  })
  const authenticator = countingAuthenticator()
  await using client = clientOf(cloud, { authenticator })
  await client.account.profile()
  await client.servers.list()
  await client.servers.get(SERVER)
  await client.servers.create(SPEC)
  await client.servers.update(SERVER, SPEC)
  await client.servers.act(SERVER, 'start')
  await client.servers.delete(SERVER, { recurse: 'all_drives' })
  assert.equal(cloud.asked.length, 7)
  assert.deepEqual(new Set(cloud.asked.map(({ headers }) => headers.authorization)), new Set(['Bearer token-1']))
  assert.deepEqual(new Set(authenticator.origins), new Set([new URL(cloud.url).origin]))
  // A token is asked for before every request, so that none is older than its request.
  assert.equal(authenticator.given.length, 7)
})

test('R-1: what the authenticator refuses for this origin is not sent', async () => {
  await using cloud = await startScriptedCloud(() => PROFILE)
  const refusing: Authenticator = {
    authorize: async (origin) => {
      throw new RangeError(`this token is for another origin than ${origin}`)
    },
    rejected: () => {},
  }
  await using client = clientOf(cloud, { authenticator: refusing })
  await assert.rejects(client.account.profile(), RangeError)
  assert.equal(cloud.asked.length, 0)
})

test('R-1: createCloudSigma() refuses an endpoint that is plain http elsewhere, has a user, or another origin', () => {
  const make = (apiUrl: string, origin = new URL(apiUrl).origin): unknown =>
    createCloudSigma({ endpoint: { region: 'zrh', apiUrl: new URL(apiUrl), origin }, authenticator: countingAuthenticator() })
  for (const url of [
    'http://direct.zrh.example/api/2.0/',
    'https://x@evil.example/api/2.0/',
    'https://a.example/api/2.0/?x',
    'ftp://127.0.0.1/',
  ])
    assert.throws(() => make(url), CloudSigmaRequestError, url)
  assert.throws(() => make('https://direct.zrh.example/api/2.0/', 'https://zrh.example'), CloudSigmaRequestError)
  for (const url of [
    'http://127.0.0.2:1/api/2.0/',
    'http://direct.zrh.localhost:1/',
    'http://[::1]:1/api/2.0',
    'https://direct.zrh.example',
  ])
    make(url)
})

test('3.1: *.localhost is this machine, whatever its resolver says', async () => {
  await using cloud = await startScriptedCloud(() => PROFILE)
  const url = `http://direct.zrh.localhost:${new URL(cloud.url).port}`
  await using client = clientOf({ url })
  assert.equal((await client.account.profile()).uuid, OWNER)
  assert.equal(cloud.asked[0]?.headers.host, new URL(url).host)
})

test('3.1: bodies are JSON by name, answers are asked for as JSON, and paths end in a slash', async () => {
  await using cloud = await startScriptedCloud(({ method }) => ({ status: method === 'GET' ? 200 : 201, body: serverJson(SERVER) }))
  await using client = clientOf(cloud)
  await client.servers.get(SERVER)
  await client.servers.create(SPEC)
  const [get, create] = cloud.asked
  assert.equal(get?.path, `/api/2.0/servers/${SERVER}/`)
  assert.equal(get?.headers['content-type'], undefined)
  assert.deepEqual(
    [create?.path, create?.headers['content-type'], create?.headers.accept],
    ['/api/2.0/servers/', 'application/json', 'application/json'],
  )
})

test('R-8: a 401 drops that token, mints once and replays an idempotent call once', async () => {
  await using cloud = await startScriptedCloud(({ headers }) =>
    headers.authorization === 'Bearer token-1' ? refusal(401, 'permission') : PROFILE,
  )
  const authenticator = countingAuthenticator()
  await using client = clientOf(cloud, { authenticator })
  assert.equal((await client.account.profile()).email, 'user@example.com')
  assert.deepEqual(authenticator.rejectedTokens, ['token-1'])
  assert.deepEqual(authenticator.given, ['token-1', 'token-2'])
})

test('R-8: a second 401 is the answer', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 401, headers: { 'www-authenticate': 'Digest nonce="x", realm="users"' } }))
  const authenticator = countingAuthenticator()
  await using client = clientOf(cloud, { authenticator })
  const fault = await faultOf(client.account.profile())
  assert.deepEqual([fault.kind, fault.status, fault.effect], ['auth', 401, 'none'])
  assert.deepEqual(authenticator.rejectedTokens, ['token-1', 'token-2'])
  assert.equal(cloud.asked.length, 2)
})

test('R-8: what makes something is not replayed after a 401; its token is dropped all the same', async () => {
  await using cloud = await startScriptedCloud(() => refusal(401, 'permission'))
  const authenticator = countingAuthenticator()
  await using client = clientOf(cloud, { authenticator })
  assert.equal((await faultOf(client.servers.create(SPEC))).kind, 'auth')
  assert.deepEqual([cloud.asked.length, authenticator.rejectedTokens], [1, ['token-1']])
})

test('H-20: a redirect is an error, and the token goes nowhere else', async () => {
  await using other = await startScriptedCloud(() => PROFILE)
  for (const status of [301, 302, 303, 307, 308]) {
    await using cloud = await startScriptedCloud(() => ({ status, headers: { location: `${other.url}/api/2.0/profile/` } }))
    await using client = clientOf(cloud)
    assert.equal((await faultOf(client.account.profile())).kind, 'redirect')
    assert.equal((await faultOf(client.servers.create(SPEC))).kind, 'redirect')
  }
  assert.equal(other.asked.length, 0)
})

test('R-42: a call that gets no answer ends at its deadline, and says that it may have done something', { timeout: 10_000 }, async () => {
  await using cloud = await startScriptedCloud(() => 'handled')
  await using client = clientOf(cloud)
  const fault = await faultOf(client.servers.create(SPEC, { deadlineMs: 50 }))
  assert.deepEqual([fault.kind, fault.effect], ['network', 'unknown'])
})

test('R-42: an answer that drips ends at its deadline too', { timeout: 10_000 }, async () => {
  await using cloud = await startScriptedCloud((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    const drip = setInterval(() => response.write(' '), 5)
    response.on('close', () => clearInterval(drip))
    return 'handled'
  })
  await using client = clientOf(cloud)
  assert.equal((await faultOf(client.account.profile({ deadlineMs: 60 }))).kind, 'network')
})

test('R-42: a token that never comes ends at the deadline, and nothing was sent', { timeout: 10_000 }, async () => {
  await using cloud = await startScriptedCloud(() => PROFILE)
  const never: Authenticator = { authorize: () => new Promise(() => {}), rejected: () => {} }
  await using client = clientOf(cloud, { authenticator: never })
  const fault = await faultOf(client.account.profile({ deadlineMs: 30 }))
  assert.deepEqual([fault.kind, fault.effect, cloud.asked.length], ['network', 'none', 0])
})

test('a caller that gives up gets its own reason', { timeout: 10_000 }, async () => {
  await using cloud = await startScriptedCloud(() => 'handled')
  await using client = clientOf(cloud)
  const leaving = new AbortController()
  const call = client.account.profile({ signal: leaving.signal })
  queueMicrotask(() => leaving.abort(new RangeError('the object is gone')))
  await assert.rejects(call, RangeError)
})

test('R-12: a refused connection did nothing; one that breaks after the request may have', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  await using refused = clientOf({ url: `http://127.0.0.1:${port}` })
  assert.deepEqual(await faultOf(refused.servers.create(SPEC)), {
    kind: 'network',
    why: 'nobody listens at the endpoint',
    errorTypes: [],
    effect: 'none',
  })
  await using cloud = await startScriptedCloud((_, response) => {
    response.destroy()
    return 'handled'
  })
  await using client = clientOf(cloud)
  const fault = await faultOf(client.servers.create(SPEC))
  assert.deepEqual([fault.kind, fault.effect, cloud.asked.length], ['network', 'unknown', 1])
})

test('3.11: an idempotent call survives a kept connection that died at rest; what makes something goes over a fresh one', async () => {
  let dying = false
  await using cloud = await startScriptedCloud((_, response) => {
    if (dying) {
      dying = false
      response.destroy()
      return 'handled'
    }
    return { status: 200, body: serverJson(SERVER) }
  })
  await using client = clientOf(cloud)
  await client.servers.get(SERVER)
  dying = true
  assert.equal((await client.servers.get(SERVER)).uuid, SERVER)
  await client.servers.create(SPEC)
  const ports = cloud.asked.map(({ port }) => port)
  assert.equal(ports[0], ports[1])
  assert.ok(!ports.slice(0, 3).includes(ports[3] ?? 0), 'the create shared a connection')
})

test('3.11: a truncated answer is no success, and may have done something', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 201, body: '{"objects":[{"uuid":"' }))
  await using client = clientOf(cloud)
  const fault = await faultOf(client.servers.create(SPEC))
  assert.deepEqual([fault.kind, fault.status, fault.effect], ['malformed', 201, 'unknown'])
  cloud.play((_, response) => {
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"objects":[')
    response.socket?.end()
    return 'handled'
  })
  assert.equal((await faultOf(client.servers.create(SPEC))).kind, 'network')
})

test('3.3: an HTML page of a gateway is a gateway, whatever number it bears', async () => {
  await using cloud = await startScriptedCloud(() => ({
    status: 502,
    body: '<html>404 Not Found</html>',
    headers: { 'content-type': 'text/html' },
  }))
  await using client = clientOf(cloud)
  for (const status of [404, 500, 502, 503, 504]) {
    cloud.play(() => ({ status, body: '<html>404 Not Found</html>', headers: { 'content-type': 'text/html' } }))
    assert.equal((await faultOf(client.servers.get(SERVER))).kind, 'gateway', String(status))
  }
  // A page with status 200 is no object either.
  cloud.play(() => ({ status: 200, body: '<html></html>' }))
  assert.equal((await faultOf(client.servers.get(SERVER))).kind, 'malformed')
})

test('R-14: a request id or an id with 404 in it makes no notFound', async () => {
  await using cloud = await startScriptedCloud(() => refusal(503, 'backend', `no capacity for ${SERVER}`))
  await using client = clientOf(cloud)
  const fault = await faultOf(client.servers.get(SERVER))
  assert.deepEqual([fault.kind, fault.requestId], ['capacity', 'req-404'])
})

test('3.1: the request id is kept, in errors and in what was made; one that is none is not', async () => {
  await using cloud = await startScriptedCloud(() => ({
    status: 201,
    body: { objects: [serverJson(SERVER)] },
    headers: { 'x-request-id': 'abc-1' },
  }))
  await using client = clientOf(cloud)
  assert.equal((await client.servers.create(SPEC)).requestId, 'abc-1')
  cloud.play(() => ({ status: 400, headers: { 'x-request-id': 'two words\tand more' } }))
  assert.equal((await faultOf(client.servers.create(SPEC))).requestId, undefined)
})

test('R-35: concurrency is tried again by itself, for what may be repeated, and in the end is the answer', async () => {
  let left = 2
  await using cloud = await startScriptedCloud(() => (left-- > 0 ? refusal(503, 'concurrency') : { status: 200, body: serverJson(SERVER) }))
  const waits: number[] = []
  await using client = clientOf(cloud, { wait: async (ms) => void waits.push(ms) })
  assert.equal((await client.servers.update(SERVER, SPEC)).uuid, SERVER)
  assert.deepEqual(waits, [500, 1000])
  cloud.play(() => refusal(503, 'concurrency'))
  assert.equal((await faultOf(client.servers.delete(SERVER))).kind, 'concurrency')
  const before = cloud.asked.length
  assert.equal((await faultOf(client.servers.create(SPEC))).kind, 'concurrency')
  assert.equal(cloud.asked.length, before + 1)
})

test('3.3: 429 and Retry-After hold back every call of the pace, not only the one that met it', async () => {
  let now = 0
  const waits: number[] = []
  const wait = async (ms: number): Promise<void> => {
    waits.push(ms)
    now += ms
  }
  let limited = true
  await using cloud = await startScriptedCloud(() => {
    if (!limited) return PROFILE
    limited = false
    return { status: 429, headers: { 'retry-after': '7' } }
  })
  await using client = clientOf(cloud, { wait, now: () => now })
  await client.account.profile()
  assert.equal(cloud.asked.length, 2)
  assert.deepEqual(waits, [7000])
  limited = true
  const fault = await faultOf(client.servers.create(SPEC))
  assert.deepEqual([fault.kind, fault.retryAfterMs], ['rateLimit', 7000])
  await client.account.profile()
  assert.deepEqual(waits, [7000, 7000])
  // What cannot wait that long is refused here, and not sent.
  limited = true
  await faultOf(client.servers.create(SPEC))
  const before = cloud.asked.length
  const early = await faultOf(client.account.profile({ deadlineMs: 1000 }))
  assert.deepEqual([early.kind, early.effect, cloud.asked.length], ['rateLimit', 'none', before])
})

test('3.3: at most inFlightMax requests are on the wire', async () => {
  let inFlight = 0
  let most = 0
  await using cloud = await startScriptedCloud(async () => {
    inFlight += 1
    most = Math.max(most, inFlight)
    await new Promise((resolve) => setImmediate(resolve))
    inFlight -= 1
    return PROFILE
  })
  await using client = clientOf(cloud, { limits: { inFlightMax: 3 } })
  await Promise.all(Array.from({ length: 30 }, () => client.account.profile()))
  assert.ok(most <= 3, `${most} at a time`)
  assert.equal(cloud.asked.length, 30)
})

test('3.2: Basic is what RFC 7617 says, in UTF-8, and refuses a user name with a colon', async () => {
  await using cloud = await startScriptedCloud(() => PROFILE)
  await using client = clientOf(cloud, { authenticator: createBasicAuthenticator({ username: 'user@example.com', password: 'pä:ss' }) })
  await client.account.profile()
  const [scheme, credentials = ''] = (cloud.asked[0]?.headers.authorization ?? '').split(' ')
  assert.equal(scheme, 'Basic')
  assert.equal(Buffer.from(credentials, 'base64').toString('utf8'), 'user@example.com:pä:ss')
  assert.throws(() => createBasicAuthenticator({ username: 'a:b', password: 'x' }), CloudSigmaRequestError)
})

test('3.2: a 401 under Basic is asked once more at most', async () => {
  await using cloud = await startScriptedCloud(() => ({ status: 401 }))
  await using client = clientOf(cloud, { authenticator: createBasicAuthenticator({ username: 'u', password: 'p' }) })
  assert.equal((await faultOf(client.account.profile())).kind, 'auth')
  assert.equal(cloud.asked.length, 2)
})

test('3.1: observe() is told of every request with the cloud’s id of it: writes without an answer of their own too', async () => {
  await using cloud = await startScriptedCloud(({ method }) =>
    method === 'DELETE' ? { status: 204, headers: { 'x-request-id': 'd-1' } } : refusal(403, 'permission'),
  )
  const seen: CallSeen[] = []
  await using client = clientOf(cloud, { observe: (each) => void seen.push(each), now: () => 0 })
  await client.servers.delete(SERVER)
  await faultOf(client.servers.act(SERVER, 'start'))
  assert.deepEqual(seen, [
    { operation: 'servers.delete', method: 'DELETE', region: 'zrh', outcome: 'done', status: 204, requestId: 'd-1', ms: 0 },
    { operation: 'servers.start', method: 'POST', region: 'zrh', outcome: 'forbidden', status: 403, requestId: 'req-404', ms: 0 },
  ])
})

test('nothing is sent of a request that is forbidden while its connection is being made, on a new connection or a kept one', async () => {
  await using cloud = await startScriptedCloud(() => PROFILE)
  const looks: number[] = []
  const gone = new Error('leadership is lost')
  let isAllowed = true
  const authenticator: Authenticator = {
    ...countingAuthenticator(),
    lastLook: () => {
      looks.push(cloud.asked.length)
      if (!isAllowed) throw gone
    },
  }
  await using client = clientOf(cloud, { authenticator })
  await client.account.profile()
  isAllowed = false
  await assert.rejects(client.account.profile(), (thrown) => thrown === gone)
  await assert.rejects(client.servers.create(SPEC), (thrown) => thrown === gone)
  assert.equal(cloud.asked.length, 1)
  isAllowed = true
  await client.account.profile()
  assert.equal(cloud.asked.length, 2)
  assert.deepEqual(looks, [0, 1, 1, 1])
})
