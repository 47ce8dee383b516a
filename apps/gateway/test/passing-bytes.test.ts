import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { startEngine } from '@ascribe/sandbox'
import type { Faults } from '@ascribe/sandbox'
import { assertUnserved, startWithEngine } from './engine-world.ts'
import {
  ask,
  CHAT,
  chunk,
  chunkedHead,
  EVENTS,
  fixedReply,
  jsonChat,
  LAST_CHUNK,
  rawUpstream,
  startTestGateway,
  STREAM,
} from './support.ts'
import type { Ask, TestGateway } from './support.ts'

const WITH_USAGE = { ...STREAM, stream_options: { include_usage: true } }

/** A gateway before an upstream that answers everything with these bytes and closes. */
async function startBefore(
  t: TestContext,
  ...reply: readonly (string | Buffer)[]
): Promise<TestGateway & { readonly asked: () => string }> {
  const upstream = await rawUpstream(t, (wire) => {
    for (const part of reply) wire.socket.write(part)
    wire.socket.end()
  })
  return Object.assign(await startTestGateway(t, { upstream: upstream.url }), { asked: () => upstream.wires[0]?.text ?? '' })
}

const withoutIds = (text: string): string => text.replaceAll(/(chatcmpl|cmpl)-[0-9a-f-]+/g, 'id').replaceAll(/"created":\d+/g, '')
const withoutUsageEvent = (text: string): string => text.replace(/data: \{[^\n]*"choices":\[\],[^\n]*"usage":\{[^\n]*\n\n/, '')

for (const [what, path, body] of [
  ['a chat', '/v1/chat/completions', CHAT],
  ['a completion', '/v1/completions', { model: 'sandbox-small', max_tokens: 4, prompt: 'hello' }],
  ['embeddings', '/v1/embeddings', { model: 'sandbox-embed', input: ['hello', 'there'] }],
  ['a stream whose client asked for usage', '/v1/chat/completions', WITH_USAGE],
  ['a stream of completions whose client asked for usage', '/v1/completions', { ...WITH_USAGE, messages: undefined, prompt: 'hello' }],
] as const) {
  test(`the client gets ${what} byte for byte, and the request goes up byte for byte`, async (t) => {
    const world = await startWithEngine(t)
    const through = await ask(world.url, { path, body })
    const sent = world.engine.seen[0]?.body.toString()
    assert.equal(sent, JSON.stringify(body))
    // The engine caches prompts: ask a new one, so that both are first questions.
    const fresh = await startEngine()
    t.after(() => fresh.close())
    const direct = await ask(fresh.url, { path, body, headers: {} })
    assert.equal(through.status, 200)
    assert.equal(withoutIds(through.text), withoutIds(direct.text))
    assert.equal(through.headers['content-type'], direct.headers['content-type'])
    assert.equal((await world.record()).provenance, 'reported')
  })
}

for (const [what, path, body, splice] of [
  ['a chat', '/v1/chat/completions', STREAM, '"stream_options":{"include_usage":true},'],
  ['completions', '/v1/completions', { ...STREAM, messages: undefined, prompt: 'hello' }, '"stream_options":{"include_usage":true},'],
] as const) {
  test(`the wish for usage is spliced into the stream of ${what} with nothing else touched, and its answer is withheld`, async (t) => {
    const world = await startWithEngine(t)
    const through = await ask(world.url, { path, body })
    assert.equal(world.engine.seen[0]?.body.toString(), `{${splice}${JSON.stringify(body).slice(1)}`)
    const fresh = await startEngine()
    t.after(() => fresh.close())
    const direct = await ask(fresh.url, { path, body: { ...body, stream_options: { include_usage: true } }, headers: {} })
    assert.notEqual(withoutUsageEvent(direct.text), direct.text)
    assert.equal(withoutIds(through.text), withoutIds(withoutUsageEvent(direct.text)))
    const record = await world.record()
    assert.deepEqual([record.completionTokens, record.provenance, record.outcome], [5, 'reported', 'completed'])
  })
}

test('an integer beyond 2^53 and the order of members go up as they were sent', async (t) => {
  const world = await startWithEngine(t)
  const body = `{ "seed": 12345678901234567890, "stream" : true, "stream_options": {"include_usage" : false, "x":"<&>"}, "messages":[{"role":"user","content":"<\u00e9>"}],"model":"sandbox-small","max_tokens":2}`
  assert.equal((await ask(world.url, { body })).status, 200)
  assert.equal(world.engine.seen[0]?.body.toString(), body.replace('"include_usage" : false', '"include_usage" : true'))
})

for (const stream of [1, 'true'] as const) {
  test(`"stream": ${JSON.stringify(stream)} is metered where a lax engine streams`, async (t) => {
    const world = await startWithEngine(t)
    const answer = await ask(world.url, { body: { ...CHAT, stream } })
    assert.match(String(answer.headers['content-type']), /event-stream/)
    const record = await world.record()
    assert.deepEqual([record.completionTokens, record.provenance], [5, 'reported'])
  })
}

const FRAMINGS: readonly Faults[] = [
  { splitEvery: 1 },
  { splitRandom: 40 },
  { lineEnd: '\r' },
  { lineEnd: '\r\n', splitEvery: 3 },
  { spaceAfterColon: false },
  { finalNewline: false },
  { done: false },
  { comments: true },
  { contentType: 'Text/Event-Stream' },
  { padBytes: 100_000 },
  { usage: 'null-elsewhere' },
  { usage: 'last-chunk' },
  { style: 'llama' },
]
for (const faults of FRAMINGS) {
  test(`usage is read, and withheld, from a stream with ${JSON.stringify(faults)}`, async (t) => {
    const world = await startWithEngine(t)
    world.engine.setFaults(faults)
    const through = await ask(world.url, { body: STREAM })
    assert.equal(through.whole, true)
    assert.doesNotMatch(through.text, /"choices":\s*\[\],[^\n\r]*"usage"/)
    const record = await world.record()
    assert.deepEqual([record.outcome, record.provenance, record.completionTokens], ['completed', 'reported', 5])
    assert.equal(record.promptTokens, world.engine.seen[0]?.promptTokens)
  })
}

test('an event with usage and choices is never withheld, whoever asked for it', async (t) => {
  const event =
    'data: {"model":"m","choices":[{"index":0,"text":"","finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
  const world = await startBefore(t, chunkedHead('text/event-stream'), chunk(event + EVENTS.done), LAST_CHUNK)
  assert.equal((await ask(world.url, { body: STREAM })).text, event + EVENTS.done)
  assert.equal((await world.record()).completionTokens, 1)
})

test('an event without choices whose usage is null is never withheld', async (t) => {
  const events = `data: {"choices":[],"usage":null,"prompt_filter_results":[]}\n\n${EVENTS.content('x')}${EVENTS.finish}`
  const world = await startBefore(t, chunkedHead('text/event-stream'), chunk(events + EVENTS.usage(3, 1) + EVENTS.done), LAST_CHUNK)
  assert.equal((await ask(world.url, { body: STREAM })).text, events + EVENTS.done)
})

for (const encoding of ['gzip', 'br'] as const) {
  test(`a JSON reply in ${encoding} passes as it is, and a copy is read`, async (t) => {
    const world = await startWithEngine(t)
    world.engine.setFaults({ encoding })
    const through = await ask(world.url)
    assert.equal(through.headers['content-encoding'], encoding)
    const record = await world.record()
    assert.deepEqual([record.provenance, record.completionTokens, record.outcome], ['reported', 5, 'completed'])
    assert.equal(record.promptTokens, world.engine.seen[0]?.promptTokens)
  })
}

test('a stream in gzip passes as it is: nothing is withheld, and its usage is read', async (t) => {
  const world = await startWithEngine(t)
  world.engine.setFaults({ encoding: 'gzip', splitRandom: 30 })
  const through = await ask(world.url, { body: STREAM })
  assert.equal(through.whole, true)
  assert.match(gunzipSync(through.body).toString(), /"choices":\[\],"usage":\{.*\[DONE\]/s)
  const record = await world.record()
  assert.deepEqual([record.provenance, record.completionTokens, record.outcome], ['reported', 5, 'completed'])
})

for (const [encoding, encode] of [
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
] as const) {
  test(`a reply in ${encoding} keeps its length and its bytes`, async (t) => {
    const body = encode(Buffer.from(jsonChat(7, 3)))
    const world = await startBefore(t, fixedReply(body, { fields: `Content-Encoding: ${encoding}\r\n` }))
    const answer = await ask(world.url)
    assert.deepEqual(answer.body, body)
    assert.equal(answer.headers['content-length'], String(body.length))
    assert.equal((await world.record()).completionTokens, 3)
    assert.match(world.asked(), /accept-encoding: identity/i)
  })
}

test('a reply in an encoding that nobody knows passes, and is estimated, not zero', async (t) => {
  const body = Buffer.alloc(400, 0x41)
  const world = await startBefore(t, fixedReply(body, { fields: 'Content-Encoding: x-odd\r\n' }))
  assert.deepEqual((await ask(world.url, { body: { ...CHAT, max_tokens: undefined } })).body, body)
  const record = await world.record()
  assert.deepEqual([record.provenance, record.completionTokens], ['estimated', 100])
})

test('a reply that only claims to be gzip passes as it is', async (t) => {
  const body = jsonChat(7, 3)
  const world = await startBefore(t, fixedReply(body, { fields: 'Content-Encoding: gzip\r\n' }))
  assert.equal((await ask(world.url)).text, body)
  const record = await world.record()
  assert.deepEqual([record.outcome, record.provenance], ['completed', 'unknown'])
})

test('a compressed stream that cannot be decoded to its end is not taken for reported', async (t) => {
  const running = `data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}\n\n`
  const body = gzipSync(running.repeat(2_000))
  const world = await startBefore(
    t,
    fixedReply(body.subarray(0, body.length - 20), { contentType: 'text/event-stream', fields: 'Content-Encoding: gzip\r\n' }),
  )
  await ask(world.url, { body: STREAM })
  const record = await world.record()
  assert.equal(record.provenance, 'estimated')
  assert.ok((record.completionTokens ?? 0) > 0)
})

test('a JSON reply keeps its Content-Length', async (t) => {
  const world = await startBefore(t, fixedReply(jsonChat(7, 3)))
  const answer = await ask(world.url)
  assert.equal(answer.headers['content-length'], String(jsonChat(7, 3).length))
  assert.equal(answer.headers['transfer-encoding'], undefined)
  assert.equal(answer.text, jsonChat(7, 3))
})

test('a JSON reply of unknown length passes with all its white space', async (t) => {
  const body = `\n ${jsonChat(7, 3)} \n\n`
  const world = await startBefore(t, chunkedHead('application/json'), ...Array.from(body, (letter) => chunk(letter)), LAST_CHUNK)
  assert.equal((await ask(world.url)).text, body)
  assert.equal((await world.record()).completionTokens, 3)
})

test('a stream of known length passes whole, though an event of it is withheld', async (t) => {
  const body = EVENTS.content('x') + EVENTS.finish + EVENTS.usage(3, 1) + EVENTS.done
  const world = await startBefore(t, fixedReply(body, { contentType: 'text/event-stream' }))
  const answer = await ask(world.url, { body: STREAM })
  assert.equal(answer.text, EVENTS.content('x') + EVENTS.finish + EVENTS.done)
  assert.equal(answer.whole, true)
})

test("the upstream's headers pass, but for its request id and what belongs to its connection", async (t) => {
  const fields =
    'X-Request-Id: upstream-id\r\nx-request-id: again\r\nX-Other: 1\r\nX-Other: 2\r\nConnection: x-hop\r\nX-Hop: 1\r\nServer: e\r\n'
  const world = await startBefore(t, fixedReply(jsonChat(7, 3), { fields }))
  const { headers } = await ask(world.url, { headers: { 'X-Saturn-Auth-Id': 'a', 'X-Saturn-Resource-Id': 'r', 'X-Request-Id': 'mine' } })
  assert.equal(headers['x-request-id'], 'mine')
  assert.equal(headers['x-other'], '1, 2')
  assert.equal(headers['x-hop'], undefined)
  assert.equal(headers['server'], 'e')
})

for (const status of [400, 401, 404, 429, 500, 503]) {
  test(`an upstream's ${status} passes with its body, and leaves a record without quantities`, async (t) => {
    const world = await startWithEngine(t)
    const answer = await ask(world.url, { body: { ...CHAT, sandbox: { status } } })
    assert.equal(answer.status, status)
    assert.equal(JSON.parse(answer.text).error.message, `The sandbox was asked to answer ${status}.`)
    const record = await world.record()
    assert.deepEqual([record.outcome, record.provenance, record.status], ['upstream_error', 'unknown', status])
    assert.deepEqual([record.promptTokens, record.completionTokens, record.meters], [null, null, {}])
  })
}

test('the query of a request goes up, below the path of the upstream', async (t) => {
  const world = await startBefore(t, fixedReply(jsonChat(7, 3)))
  await ask(world.url, { path: '/v1/chat/completions?api-version=2&x=%2F' })
  assert.match(world.asked(), /^POST \/v1\/chat\/completions\?api-version=2&x=%2F HTTP\/1\.1\r\n/)
})

const REFUSED: readonly (readonly [string, Ask, number, string | null])[] = [
  ['a path that no rule covers', { path: '/v1/nothing' }, 404, 'unknown_url'],
  ['a path with a slash too many', { path: '/v1/chat/completions/' }, 404, 'unknown_url'],
  ['a path with dot segments', { path: '/v1/x/../chat/completions' }, 404, 'unknown_url'],
  ['a wrong method', { method: 'PUT' }, 405, 'method_not_allowed'],
  ['a body that is no JSON', { body: '{"model":' }, 400, null],
  ['an empty body', { body: '' }, 400, null],
  ['two members that say which model', { body: '{"model":"a","model":"b","messages":[]}' }, 400, null],
  ['a body that is too large', { body: { ...CHAT, pad: 'x'.repeat(1024 * 1024) } }, 413, 'body_too_large'],
]
for (const [what, options, status, code] of REFUSED) {
  test(`the gateway refuses ${what} with ${status}, without a record, and the upstream sees nothing`, async (t) => {
    const world = await startWithEngine(t)
    const answer = await ask(world.url, options)
    assert.equal(answer.status, status)
    assert.equal(JSON.parse(answer.text).error.code, code)
    await assertUnserved(world)
  })
}

test('a compressed request is 415: its usage could not be forced', async (t) => {
  const world = await startWithEngine(t)
  const headers = { 'X-Saturn-Auth-Id': 'a', 'X-Saturn-Resource-Id': 'r', 'Content-Encoding': 'gzip' }
  assert.equal((await ask(world.url, { headers })).status, 415)
  assert.deepEqual(await world.entries(), [])
})

test('headers that are too large are 431', async (t) => {
  const world = await startWithEngine(t)
  const answer = await ask(world.url, { headers: { 'X-Saturn-Auth-Id': 'a', 'X-Saturn-Resource-Id': 'r', 'X-Big': 'x'.repeat(17_000) } })
  assert.equal(answer.status, 431)
  assert.deepEqual(await world.entries(), [])
})

test('a route may refuse several choices, and several prompts, but not several inputs to embed', async (t) => {
  const engine = await startEngine()
  t.after(() => engine.close())
  const world = await startTestGateway(t, { upstream: engine.url, route: { multipleChoices: 'refuse' } })
  assert.equal(JSON.parse((await ask(world.url, { body: { ...CHAT, n: 2 } })).text).error.param, 'n')
  const prompts = { path: '/v1/completions', body: { model: 'sandbox-small', prompt: ['a', 'b'] } }
  assert.equal(JSON.parse((await ask(world.url, prompts)).text).error.param, 'prompt')
  const inputs = { path: '/v1/embeddings', body: { model: 'sandbox-embed', input: ['a', 'b'] } }
  assert.equal((await ask(world.url, inputs)).status, 200)
  assert.equal((await world.record()).api, 'embeddings')
})

test('several choices that an engine under-reports are never billed as one', async (t) => {
  const world = await startWithEngine(t)
  world.engine.setFaults({ style: 'llama' })
  for (const stream of [false, true]) await ask(world.url, { body: { ...CHAT, n: 3, ignore_eos: true, stream } })
  for (const record of await world.records(2)) assert.equal(record.completionTokens, 15)
})
