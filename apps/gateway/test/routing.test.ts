import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Attempt } from '@ascribe/usage'
import type { Balance, Place } from '../src/routing/index.ts'
import { ask, CHAT, fixedReply, jsonChat, rawUpstream, routeTo, startTestGateway, until, watch } from './support.ts'
import type { Route } from '../src/index.ts'

const OK = fixedReply(jsonChat(10, 5))
const busy = (status = '503 Service Unavailable'): Buffer => fixedReply('{"error":{"message":"busy"}}', { status })

async function closedUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

type BalanceOptions = Partial<Omit<Balance, 'places' | 'retry'>> & { readonly retry?: Partial<Balance['retry']> }

/** A route to these upstreams, called a, b, c. */
function balanced(urls: readonly string[], options: BalanceOptions = {}, route: Partial<Route> = {}): Route {
  const places = urls.map((url, at): Place => {
    const { upstream, basePath } = routeTo(url)
    return { id: 'abcdef'.charAt(at), upstream, basePath, weight: 1 }
  })
  const retry = { attemptsMax: 2, on: new Set<never>(), billFailed: false, ...options.retry }
  const health = { failAfter: 3, restMs: 60_000 }
  return routeTo(urls[0] ?? '', { ...route, balance: { places, health, allDown: 'try', ...options, retry } })
}

const told = (attempts: readonly Attempt[] | undefined): unknown =>
  attempts?.map(({ upstream, failure, status, provenance, meters, billed }) => ({ upstream, failure, status, provenance, meters, billed }))

test('a request that nobody took goes to another upstream: one intent, one record, its attempts inside, and one is billed', async (t) => {
  const second = await rawUpstream(t, (wire) => wire.socket.write(OK))
  const world = await startTestGateway(t, { routes: [balanced([await closedUrl(), second.url])] })
  const answer = await ask(world.url)
  assert.equal(answer.status, 200)
  assert.equal(answer.text, jsonChat(10, 5))
  const record = await world.record()
  assert.equal((await world.intents()).length, 1)
  assert.deepEqual([record.outcome, record.provenance, record.promptTokens, record.completionTokens], ['completed', 'reported', 10, 5])
  assert.deepEqual(told(record.attempts), [
    { upstream: 'a', failure: 'connect', status: undefined, provenance: 'unknown', meters: {}, billed: false },
    { upstream: 'b', failure: undefined, status: 200, provenance: 'reported', meters: record.meters, billed: true },
  ])
})

test('a request that one upstream served has no list of attempts', async (t) => {
  const first = await rawUpstream(t, (wire) => wire.socket.write(OK))
  const world = await startTestGateway(t, { routes: [balanced([first.url, await closedUrl()])] })
  assert.equal((await ask(world.url)).status, 200)
  assert.equal((await world.record()).attempts, undefined)
})

test('a request that an upstream may have begun is never sent again unless the route says so', async (t) => {
  const slams = await rawUpstream(t, (wire) => wire.socket.resetAndDestroy())
  const sick = await rawUpstream(t, (wire) => wire.socket.write(busy()))
  const second = await rawUpstream(t, (wire) => wire.socket.write(OK))
  for (const [url, status] of [
    [slams.url, 502],
    [sick.url, 503],
  ] as const) {
    const world = await startTestGateway(t, { routes: [balanced([url, second.url])] })
    assert.equal((await ask(world.url)).status, status)
    const record = await world.record()
    assert.deepEqual([record.outcome, record.attempts], ['upstream_error', undefined])
  }
  assert.equal(second.wires.length, 0)
})

test('where the route says so a refused request goes elsewhere, and the client sees nothing of the refusal', async (t) => {
  const sick = await rawUpstream(t, (wire) => wire.socket.write(busy()))
  const second = await rawUpstream(t, (wire) => wire.socket.write(OK))
  const world = await startTestGateway(t, { routes: [balanced([sick.url, second.url], { retry: { on: new Set([503]) } })] })
  const answer = await ask(world.url)
  assert.deepEqual([answer.status, answer.text], [200, jsonChat(10, 5)])
  const record = await world.record()
  assert.deepEqual(told(record.attempts), [
    { upstream: 'a', failure: 'status', status: 503, provenance: 'unknown', meters: {}, billed: false },
    { upstream: 'b', failure: undefined, status: 200, provenance: 'reported', meters: record.meters, billed: true },
  ])
})

test('an attempt that may have begun is billed, as an estimate of its prompt, only where the route says so', async (t) => {
  const slams = await rawUpstream(t, (wire) => wire.socket.resetAndDestroy())
  const second = await rawUpstream(t, (wire) => wire.socket.write(OK))
  for (const billFailed of [false, true]) {
    const retry = { on: new Set(['reset'] as const), billFailed }
    const world = await startTestGateway(t, { routes: [balanced([slams.url, second.url], { retry })] })
    assert.equal((await ask(world.url)).status, 200)
    const record = await world.record()
    const [first, last] = record.attempts ?? []
    assert.equal(first?.failure, 'reset')
    assert.equal(first.billed, billFailed)
    assert.deepEqual([last?.billed, last?.provenance], [true, 'reported'])
    const extra = first.meters['input_tokens'] ?? 0
    assert.equal(extra > 0, billFailed)
    assert.equal(record.promptTokens, 10 + extra)
    assert.equal(record.provenance, billFailed ? 'estimated' : 'reported')
    const sum = (record.attempts ?? [])
      .filter(({ billed }) => billed)
      .reduce((total, { meters }) => total + (meters['input_tokens'] ?? 0), 0)
    assert.equal(record.meters['input_tokens'], sum)
  }
})

test('a stream that broke off in the middle is never sent again, whatever the route says', async (t) => {
  const breaks = await rawUpstream(t, (wire) => {
    wire.socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n`)
    setImmediate(() => wire.socket.resetAndDestroy())
  })
  const second = await rawUpstream(t, (wire) => wire.socket.write(OK))
  const retry = { on: new Set(['reset', 'head_timeout', 'protocol', 500, 502, 503] as const) }
  const world = await startTestGateway(t, { routes: [balanced([breaks.url, second.url], { retry })] })
  const answer = await ask(world.url, { body: { ...CHAT, stream: true } })
  assert.equal(answer.whole, false)
  assert.equal((await world.record()).outcome, 'upstream_reset')
  assert.equal(second.wires.length, 0)
})

test('when no upstream serves the client gets one error, and the record lists every attempt and bills none', async (t) => {
  const world = await startTestGateway(t, {
    routes: [balanced([await closedUrl(), await closedUrl(), await closedUrl()], { retry: { attemptsMax: 4, billFailed: true } })],
  })
  const answer = await ask(world.url)
  assert.equal(answer.status, 502)
  const record = await world.record()
  assert.deepEqual([record.outcome, record.provenance, record.promptTokens], ['upstream_error', 'unknown', null])
  assert.deepEqual(
    record.attempts?.map(({ upstream, failure, billed }) => [upstream, failure, billed]),
    [
      ['a', 'connect', false],
      ['b', 'connect', false],
      ['c', 'connect', false],
    ],
  )
})

test('a client that leaves while its request waits at the second upstream leaves one record with both attempts', async (t) => {
  const second = await rawUpstream(t)
  const world = await startTestGateway(t, { routes: [balanced([await closedUrl(), second.url])], drain: { ms: 0, bytes: 0 } })
  const wire = await watch(t, world.port)
  await second.asked()
  wire.socket.destroy()
  const record = await world.record()
  assert.equal(record.outcome, 'aborted')
  assert.deepEqual(
    record.attempts?.map(({ upstream, failure }) => [upstream, failure]),
    [
      ['a', 'connect'],
      ['b', 'drain_exceeded'],
    ],
  )
})

test('an upstream that fails again and again gets no more requests, and none fails on its account', async (t) => {
  const gone = await closedUrl()
  const second = await rawUpstream(t, (wire) => wire.socket.end(OK))
  const world = await startTestGateway(t, { routes: [balanced([gone, second.url])] })
  for (let i = 0; i < 12; i += 1) assert.equal((await ask(world.url)).status, 200)
  const records = await world.records(12)
  assert.equal(records.filter(({ attempts }) => attempts !== undefined).length, 3, 'as many as take it out')
  assert.equal(world.log.filter(({ message }) => message === 'upstream is down').length, 1)
})

test('with every upstream down a route that says so answers 503 without a record, and is asked no more', async (t) => {
  const sick = await rawUpstream(t, (wire) => wire.socket.end(busy()))
  const routes = [balanced([sick.url], { health: { failAfter: 2, restMs: 60_000 }, allDown: 'refuse' })]
  const world = await startTestGateway(t, { routes })
  for (let i = 0; i < 2; i += 1) assert.equal((await ask(world.url)).text.includes('busy'), true)
  const refused = await ask(world.url)
  assert.equal(refused.status, 503)
  assert.equal((JSON.parse(refused.text) as { error: { code: string } }).error.code, 'upstream_unavailable')
  assert.ok(refused.headers['retry-after'])
  assert.equal((await world.records(2)).length, 2)
  assert.equal(sick.wires.length, 2)
})

test('checks find an upstream that is down before a request does, and that it is up again', async (t) => {
  let isWell = true
  const sick = await rawUpstream(t, (wire) =>
    wire.socket.end(wire.text.startsWith('GET /health') ? fixedReply('', { status: isWell ? '200 OK' : '500 No' }) : OK),
  )
  const health = { failAfter: 2, restMs: 60_000, check: { path: '/health', intervalMs: 50, timeoutMs: 5000, passAfter: 2 } }
  const world = await startTestGateway(t, { routes: [balanced([sick.url], { health, allDown: 'refuse' })] })
  assert.equal((await ask(world.url)).status, 200)
  isWell = false
  await until('it is found down', () => world.log.some(({ message }) => message === 'upstream is down'))
  assert.equal((await ask(world.url)).status, 503)
  isWell = true
  await until('it is found up', () => world.log.some(({ message }) => message === 'upstream is up'))
  assert.equal((await ask(world.url)).status, 200)
})

test('a retired model or resource is 410 and an unknown one 404, in the shape of OpenAI, without a record and without an upstream', async (t) => {
  const engine = await rawUpstream(t, (wire) => wire.socket.end(OK))
  const retired = routeTo(engine.url, { id: 'old', models: ['old-model'], resourceId: 'dep-old', isRetired: true })
  const live = routeTo(engine.url, { id: 'new', models: ['new-model'], resourceId: 'dep-new' })
  const world = await startTestGateway(t, { routes: [retired, live] })
  const identity = (resource: string): Record<string, string> => ({ 'X-Saturn-Auth-Id': 'auth-1', 'X-Saturn-Resource-Id': resource })
  for (const [resource, body, status, code] of [
    ['dep-other', { ...CHAT, model: 'old-model' }, 410, 'model_retired'],
    ['dep-old', { ...CHAT, model: 'any' }, 410, 'resource_retired'],
    ['dep-old', { messages: CHAT.messages }, 410, 'resource_retired'],
    // Retired is retired: that its caller may name another model does not bring it back.
    ['dep-old', { ...CHAT, model: 'new-model' }, 410, 'resource_retired'],
    ['dep-other', { ...CHAT, model: 'nobody-knows' }, 404, 'model_not_found'],
    ['dep-other', { messages: CHAT.messages }, 404, 'resource_not_found'],
  ] as const) {
    const answer = await ask(world.url, { headers: identity(resource), body })
    const { error } = JSON.parse(answer.text) as { error: { code: string; type: string } }
    assert.deepEqual([answer.status, error.code, error.type], [status, code, 'invalid_request_error'], JSON.stringify([resource, body]))
  }
  const models = await ask(world.url, { method: 'GET', path: '/v1/models' })
  assert.deepEqual(
    (JSON.parse(models.text) as { data: { id: string }[] }).data.map(({ id }) => id),
    ['new-model'],
  )
  assert.deepEqual(await world.entries(), [])
  assert.equal(engine.wires.length, 0)
})

test("each upstream gets its own credential and path, and never another one's", async (t) => {
  const [first, second] = [await rawUpstream(t, (wire) => wire.socket.end(busy())), await rawUpstream(t, (wire) => wire.socket.end(OK))]
  const route = balanced([first.url, second.url], { retry: { on: new Set([503]) } })
  const places = (route.balance?.places ?? []).map((place, at) => ({
    ...place,
    basePath: `/p${at}/v1`,
    credential: { reveal: () => `secret-${at}` },
  }))
  const world = await startTestGateway(t, {
    routes: [{ ...route, ...(route.balance !== undefined && { balance: { ...route.balance, places } }) }],
  })
  assert.equal((await ask(world.url)).status, 200)
  for (const [at, upstream] of [first, second].entries()) {
    const text = upstream.wires[0]?.text ?? ''
    assert.ok(text.startsWith(`POST /p${at}/v1/chat/completions `), text)
    assert.ok(text.includes(`Bearer secret-${at}`) && !text.includes(`secret-${1 - at}`), text)
  }
})
