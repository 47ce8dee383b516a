import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import type { Faults } from '@ascribe/sandbox'
import { startControlled } from './controlled.ts'
import { startWithEngine } from './engine-world.ts'
import type { EngineWorld } from './engine-world.ts'
import { CHAT, EVENTS, IDENTITY, LAST_CHUNK, ask, chunk, chunkedHead, fixedReply, jsonChat, rawUpstream, STREAM } from './support.ts'
import { startTestGateway, until, watch } from './support.ts'
import type { Answer, GatewayOptions, HeaderList } from './support.ts'

const KEY = { ...IDENTITY, 'Idempotency-Key': 'order-7' }

const start = (t: TestContext, faults: Faults = {}, options: GatewayOptions = {}): Promise<EngineWorld> =>
  startWithEngine(t, { faults: { tokens: 5, ...faults }, ...options })

type ErrorBody = { readonly code: string; readonly type: string; readonly message: string; readonly param: string }
const errorOf = (answer: Answer): ErrorBody => (JSON.parse(answer.text) as { error: ErrorBody }).error

for (const body of [CHAT, STREAM]) {
  const what = 'stream' in body ? 'a stream' : 'a JSON body'
  test(`a key whose request was answered with ${what} is refused with 409, and its event id is named; nothing else is done`, async (t) => {
    const world = await start(t)
    const { url, engine } = world
    assert.equal((await ask(url, { headers: KEY, body })).status, 200)
    const first = await world.record()
    assert.equal(first.idempotencyKey, 'order-7')
    const again = await ask(url, { headers: KEY, body })
    assert.deepEqual([again.status, errorOf(again).code, errorOf(again).param], [409, 'idempotency_key_used', 'Idempotency-Key'])
    assert.ok(errorOf(again).message.includes(first.eventId))
    assert.equal(again.headers['x-should-retry'], 'false', 'the official clients would ask twice more')
    assert.deepEqual([engine.seen.length, (await world.intents()).length], [1, 1])
    assert.equal((await ask(url, { headers: { ...KEY, 'Idempotency-Key': 'order-8' }, body })).status, 200)
  })
}

test('a key is refused while its first request is in flight, as one that may come again', async (t) => {
  const world = await start(t, { tokens: 500, tokenDelayMs: 5 })
  const { url, port, engine } = world
  const client = await watch(t, port, { headers: KEY, body: { ...STREAM, max_tokens: 500 } })
  await until('it is served', () => engine.seen.length === 1)
  const again = await ask(url, { headers: KEY })
  const [intent] = await world.intents()
  assert.deepEqual([again.status, errorOf(again).code, again.headers['retry-after']], [409, 'idempotency_key_in_use', '1'])
  assert.ok(errorOf(again).message.includes(intent?.eventId ?? '–'))
  assert.equal(again.headers['x-should-retry'], undefined)
  // Its client leaves and asks again, as one does whose time is over: it has no reply, and the key is free at once.
  client.socket.destroy()
  await until('it may ask again', async () => (await ask(url, { headers: KEY, body: { ...CHAT, max_tokens: 1 } })).status === 200)
  assert.equal((await world.intents()).length, 2)
})

test('a key goes through again after every failure, and each attempt is a record of its own', async (t) => {
  const served: (readonly [string, Buffer])[] = [
    ['refused', fixedReply('{"error":{"message":"no"}}', { status: '400 Bad', fields: 'Connection: close\r\n' })],
    ['failed', fixedReply('{"error":{"message":"no"}}', { status: '500 Oops', fields: 'Connection: close\r\n' })],
    ['no head', Buffer.alloc(0)],
    ['broken off', Buffer.concat([Buffer.from(chunkedHead('text/event-stream')), chunk(EVENTS.content('a'))])],
    ['broken off in JSON', fixedReply(jsonChat(9, 7)).subarray(0, -20)],
    ['whole', fixedReply(jsonChat(9, 7), { fields: 'Connection: close\r\n' })],
  ]
  let turn = 0
  const upstream = await rawUpstream(t, (wire) => {
    const [, bytes] = served[turn++] ?? []
    wire.socket.write(bytes ?? '', () => wire.socket.destroy())
  })
  const world = await startTestGateway(t, { upstream: upstream.url })
  const answers: number[] = []
  for (const [what] of served) {
    const answer = await ask(world.url, { headers: KEY, body: what === 'broken off' ? STREAM : CHAT })
    answers.push(answer.whole ? answer.status : 0)
  }
  assert.deepEqual(answers, [400, 500, 502, 0, 0, 200])
  assert.equal((await ask(world.url, { headers: KEY })).status, 409, 'only the last one was answered')
  const records = await world.records(served.length)
  assert.deepEqual(
    records.map(({ outcome, idempotencyKey }) => [outcome, idempotencyKey]),
    [
      ['upstream_error', 'order-7'],
      ['upstream_error', 'order-7'],
      ['upstream_error', 'order-7'],
      ['upstream_reset', 'order-7'],
      ['upstream_reset', 'order-7'],
      ['completed', 'order-7'],
    ],
  )
})

test('a client that left after [DONE], before the end of its connection, has its reply: the key is used', async (t) => {
  const upstream = await rawUpstream(t)
  const world = await startTestGateway(t, { upstream: upstream.url })
  const client = await watch(t, world.port, { headers: KEY, body: STREAM })
  const wire = await upstream.asked()
  const events = EVENTS.content('a') + EVENTS.finish + EVENTS.usage(4, 2) + EVENTS.done
  wire.socket.write(Buffer.concat([Buffer.from(chunkedHead('text/event-stream')), chunk(events)]))
  await client.sees('[DONE]')
  client.socket.destroy()
  await wire.isClosed()
  assert.equal((await ask(world.url, { headers: KEY })).status, 409)
  wire.socket.write(LAST_CHUNK)
})

test('a key is of its credential: nobody learns whether somebody else has used it', async (t) => {
  const world = await start(t)
  const { url } = world
  const { key } = world.addKey()
  const asks: HeaderList[] = [
    Object.entries(KEY),
    Object.entries({ ...KEY, 'X-Saturn-Auth-Id': 'auth-2' }),
    // Auth id and key run together are the same text as before.
    Object.entries({ ...KEY, 'X-Saturn-Auth-Id': 'auth-1o', 'Idempotency-Key': 'rder-7' }),
    Object.entries({ Authorization: `Bearer ${key}`, 'Idempotency-Key': 'order-7' }),
  ]
  for (const headers of asks) assert.equal((await ask(url, { headers })).status, 200)
  for (const headers of asks) assert.equal((await ask(url, { headers })).status, 409)
  assert.equal((await ask(url, { headers: { 'Idempotency-Key': 'order-7' } })).status, 400, 'who is nobody is told so first')
})

test('a key that protects nobody is 400 before any work', async (t) => {
  const world = await start(t)
  const { url, engine } = world
  const twice: HeaderList = [...Object.entries(KEY), ['idempotency-key', 'order-8']]
  for (const headers of [
    twice,
    Object.entries({ ...KEY, 'Idempotency-Key': '' }),
    Object.entries({ ...KEY, 'Idempotency-Key': 'k'.repeat(256) }),
    Object.entries({ ...KEY, 'Idempotency-Key': 'kü' }),
    Object.entries({ ...KEY, 'Idempotency-Key': 'a\tb' }),
  ]) {
    const answer = await ask(url, { headers })
    assert.deepEqual([answer.status, errorOf(answer).code], [400, 'invalid_idempotency_key'], JSON.stringify(headers.at(-1)))
  }
  assert.deepEqual([engine.seen.length, (await world.entries()).length], [0, 0])
  for (const key of ['k'.repeat(255), '"quoted with spaces"', '~'])
    assert.equal((await ask(url, { headers: { ...KEY, 'Idempotency-Key': key } })).status, 200)
})

test('a request that a limit or a budget refuses leaves its key free', async (t) => {
  const engine = await startEngine({ faults: { tokens: 500, tokenDelayMs: 5 } })
  t.after(() => engine.close())
  const { gateway, rule } = await startControlled(t, { upstream: engine.url })
  const budget = { id: 'b', scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'day' } as const
  await rule({ budgets: [budget] }, 10)
  assert.equal((await ask(gateway.url, { headers: KEY })).status, 402)
  await rule({ budgets: [budget] }, 10_000_000)
  await gateway.setTerms([{ scope: 'credential', subject: 'auth-1', maxConcurrent: 1, abort: 'cancel' }])
  const open = await watch(t, gateway.port, { body: { ...STREAM, max_tokens: 500 } })
  await until('it is served', () => engine.seen.length === 1)
  const short = { headers: KEY, body: { ...CHAT, max_tokens: 1 } }
  assert.equal((await ask(gateway.url, short)).status, 429)
  open.socket.destroy()
  await until('there is room, and the key was never used', async () => (await ask(gateway.url, short)).status === 200)
})

test('where it cannot be told whether a key was used, the request is not served; others are', async (t) => {
  const world = await start(t)
  const file = join(world.data, 'idempotency.db')
  mkdirSync(file)
  const answer = await ask(world.url, { headers: KEY })
  assert.deepEqual([answer.status, errorOf(answer).code, answer.headers['retry-after']], [503, 'idempotency_unavailable', '1'])
  assert.equal(world.engine.seen.length, 0)
  assert.equal((await ask(world.url)).status, 200)
  rmSync(file, { recursive: true })
  assert.equal((await ask(world.url, { headers: KEY })).status, 200)
})

test('a request without a key opens no file', async (t) => {
  const world = await start(t)
  assert.equal((await ask(world.url)).status, 200)
  assert.deepEqual(
    readdirSync(world.data).filter((name) => name.startsWith('idempotency')),
    [],
  )
})

test('gateways of one machine share their keys, and a new one on the same data directory knows them', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'ascribe-idempotency-'))
  t.after(() => rmSync(data, { recursive: true, force: true }))
  const world = await start(t, {}, { data })
  const other = await start(t, {}, { data })
  assert.equal((await ask(world.url, { headers: KEY })).status, 200)
  assert.equal((await ask(other.url, { headers: KEY })).status, 409)
  await world.gateway.close({ graceMs: 0 })
  await other.gateway.close({ graceMs: 0 })
  const next = await start(t, {}, { data })
  const refused = await ask(next.url, { headers: KEY })
  assert.deepEqual([refused.status, errorOf(refused).code], [409, 'idempotency_key_used'])
})
