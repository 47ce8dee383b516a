import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createTestDisk } from './disk.ts'
import { startWithEngine } from './engine-world.ts'
import { IDENTITY, LAST_CHUNK, ask, chunk, chunkedHead, rawUpstream, startTestGateway, until, watch } from './support.ts'
import { gist, sum } from './ways-out.ts'

// Responses and Messages through the whole gateway.

const RESPONSES = { path: '/v1/responses', body: { model: 'sandbox-small', max_output_tokens: 5, input: 'hello there' } } as const
const MESSAGES = {
  path: '/v1/messages',
  body: { model: 'sandbox-small', max_tokens: 5, messages: [{ role: 'user', content: 'hello there' }] },
} as const
const BOTH = [RESPONSES, MESSAGES] as const

for (const { path, body } of BOTH) {
  const api = path.slice('/v1/'.length)

  test(`a reply of ${api}, streamed or not, passes byte for byte and leaves the counts of its engine`, async (t) => {
    const world = await startWithEngine(t)
    for (const [index, stream] of [false, true].entries()) {
      const request = { ...body, stream }
      const answer = await ask(world.url, { path, body: request })
      assert.deepEqual([answer.status, answer.whole], [200, true])
      const seen = world.engine.seen[index]
      assert.equal(seen?.body.toString(), JSON.stringify(request), 'nothing is spliced into it')
      const record = (await world.records(index + 1))[index]
      assert.ok(record !== undefined)
      assert.deepEqual(gist(record), ['completed', 'reported', 5])
      assert.deepEqual([record.api, record.streamed, record.model, record.promptTokens], [api, stream, 'sandbox-small', seen?.promptTokens])
      assert.equal(sum(record), (record.promptTokens ?? 0) + 5)
    }
  })

  test(`a client of ${api} that leaves in mid-stream is aborted, and charged what the engine reports`, async (t) => {
    const world = await startWithEngine(t)
    const faults = { tokens: 12, tokenDelayMs: 3 }
    const long = path === '/v1/messages' ? { max_tokens: 12 } : { max_output_tokens: 12 }
    const client = await watch(t, world.port, { path, body: { ...body, ...long, stream: true, sandbox: faults } })
    await client.sees('delta')
    client.socket.resetAndDestroy()
    assert.deepEqual(gist(await world.record()), ['aborted', 'reported', 12])
  })

  test(`a stream of ${api} that its upstream breaks off is never zero: by running counts, or else by what passed`, async (t) => {
    for (const [usage, provenance] of [
      ['continuous', 'continuous'],
      ['none', 'estimated'],
    ] as const) {
      const world = await startWithEngine(t)
      const sandbox = { tokens: 5, usage, resetAt: 'before-finish', resetWith: 'fin' }
      const answer = await ask(world.url, { path, body: { ...body, stream: true, sandbox } })
      assert.equal(answer.whole, false)
      const record = await world.record()
      assert.deepEqual(gist(record), ['upstream_reset', provenance, 5])
      assert.ok((record.promptTokens ?? 0) > 0)
    }
  })

  test(`an engine of ${api} that reports nothing in its stream leaves an estimate`, async (t) => {
    const world = await startWithEngine(t)
    await ask(world.url, { path, body: { ...body, stream: true, sandbox: { usage: 'none' } } })
    assert.deepEqual(gist(await world.record()), ['completed', 'estimated', 5])
  })

  test(`a compressed stream of ${api} is read on a copy, and one that is badly framed is read all the same`, async (t) => {
    const faults = [
      { encoding: 'gzip' },
      { encoding: 'br', splitRandom: 40 },
      { lineEnd: '\r', splitEvery: 7 },
      { spaceAfterColon: false, comments: true },
      { finalNewline: false },
      { contentType: 'Text/Event-Stream' },
      { done: false, usage: 'continuous' },
      { padBytes: 100_000 },
    ]
    const world = await startWithEngine(t)
    for (const [index, sandbox] of faults.entries()) {
      const answer = await ask(world.url, { path, body: { ...body, stream: true, sandbox } })
      assert.deepEqual([answer.status, answer.whole], [200, true])
      const record = (await world.records(index + 1))[index]
      assert.ok(record !== undefined)
      assert.deepEqual(gist(record), ['completed', 'reported', 5], JSON.stringify(sandbox))
    }
  })

  test(`negative counts of ${api} are no credit`, async (t) => {
    const world = await startWithEngine(t)
    const counts = { input_tokens: -1000, output_tokens: -5 }
    for (const [index, stream] of [false, true].entries()) {
      await ask(world.url, { path, body: { ...body, stream, sandbox: { counts } } })
      const record = (await world.records(index + 1))[index]
      assert.deepEqual([record?.provenance, record?.invalidUsage], ['estimated', true])
      assert.ok(Object.values(record?.meters ?? {}).every((count) => count >= 0))
      assert.ok((record?.completionTokens ?? 0) > 0)
    }
  })
}

/** A whole stream, and how its terminal event begins. */
const STREAMS = {
  '/v1/responses': ['event: response.completed', '{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":1}}}'],
  '/v1/messages': ['event: message_stop', '{"type":"message_stop"}'],
} as const

for (const { path, body } of BOTH) {
  test(`the terminal event of ${path} is not on the wire before the settlement is durable`, async (t) => {
    const disk = createTestDisk()
    const [name, data] = STREAMS[path]
    const delta = 'event: x\ndata: {"type":"x.delta","delta":"hi"}\n\n'
    const events = Buffer.concat([
      chunk(`${delta}${name}\ndata: ${data.slice(0, 9)}`),
      chunk(`${data.slice(9)}\n\n`),
      Buffer.from(LAST_CHUNK),
    ])
    const upstream = await rawUpstream(
      t,
      (wire) => void wire.socket.write(Buffer.concat([Buffer.from(chunkedHead('text/event-stream')), events])),
    )
    t.after(() => disk.release())
    const world = await startTestGateway(t, { upstream: upstream.url, journalFs: disk })
    disk.held = true
    const client = await watch(t, world.port, { path, body: { ...body, stream: true } })
    await client.sees('"delta":"hi"')
    await until('the settlement waits for the disk', () => disk.written.includes('"endedAt"') && disk.waiting > 0)
    for (let turns = 0; turns < 30; turns += 1) await turn()
    assert.ok(!client.text.includes(name), client.text)
    disk.release()
    await client.sees(`${data}\n\n`)
    await client.sees(LAST_CHUNK)
  })
}

test('what Messages writes to a cache is a class of its own in the record', async (t) => {
  const world = await startWithEngine(t)
  const text = { type: 'text', text: 'one two '.repeat(32), cache_control: { type: 'ephemeral', ttl: '1h' } }
  await ask(world.url, { path: MESSAGES.path, body: { ...MESSAGES.body, system: [text] } })
  const record = await world.record()
  assert.equal(record.meters['cache_write_1h_tokens'], 65)
  assert.equal(sum(record), (record.promptTokens ?? 0) + 5)
})

test('clients of Messages send their key as X-Api-Key; it reaches no engine, and what is refused has the shape they know', async (t) => {
  const world = await startWithEngine(t, { trust: { networks: [] } })
  const { key, authId } = world.addKey()
  await until('the key is known', async () => (await ask(world.url, { ...MESSAGES, headers: { 'x-api-key': key } })).status === 200)
  const record = await world.record()
  assert.deepEqual([record.authId, record.identifiedBy], [authId, 'key'])
  const headers = world.engine.seen[0]?.headers
  assert.equal(headers?.['x-api-key'], undefined)
  const refusals: [Parameters<typeof ask>[1], number, string][] = [
    [{ ...MESSAGES, headers: { 'x-api-key': 'wrong' } }, 401, 'authentication_error'],
    [{ ...MESSAGES, headers: {} }, 401, 'authentication_error'],
    [{ ...MESSAGES, headers: { 'x-api-key': key }, body: '{"model":"m",' }, 400, 'invalid_request_error'],
    [{ ...MESSAGES, headers: { 'x-api-key': key }, method: 'GET' }, 405, 'invalid_request_error'],
    [{ ...MESSAGES, headers: { 'x-api-key': key }, path: '/v1/messages/nothing' }, 404, 'not_found_error'],
  ]
  for (const [request, status, type] of refusals) {
    const answer = await ask(world.url, request)
    const { type: kind, error } = JSON.parse(answer.text) as { type: string; error: { type: string; message: string } }
    assert.deepEqual([answer.status, kind, error.type, typeof error.message], [status, 'error', type, 'string'], answer.text)
  }
  const openai = await ask(world.url, { headers: { 'x-api-key': 'wrong' } })
  assert.equal((JSON.parse(openai.text) as { error: { code: string } }).error.code, 'invalid_api_key')
})

test('what the relay refuses by itself is an error to clients of OpenAI and of Anthropic', async (t) => {
  const world = await startWithEngine(t, { bodyBytesMax: 100 })
  const answer = await ask(world.url, { ...MESSAGES, body: 'x'.repeat(1000) })
  const { type, error } = JSON.parse(answer.text) as { type: string; error: { message: string; code: string } }
  assert.deepEqual([answer.status, type, error.code, typeof error.message], [413, 'error', 'body_too_large', 'string'])
})

test('an engine of Messages that cannot be reached is told of in the shape of Messages', async (t) => {
  const world = await startTestGateway(t, { upstream: 'http://127.0.0.1:9' })
  const answer = await ask(world.url, MESSAGES)
  assert.deepEqual([answer.status, (JSON.parse(answer.text) as { type: string }).type], [502, 'error'])
  assert.deepEqual(gist(await world.record()), ['upstream_error', 'unknown', null])
})

test('a background response is refused, and one that is kept or refers to a kept one goes only where its route says so', async (t) => {
  const refer = [{ store: true }, { previous_response_id: 'resp_1' }, { conversation: 'conv_1' }, { prompt: { id: 'p' } }, { Store: true }]
  const passes = [{}, { store: false }, { store: null, previous_response_id: null, background: false }]
  const strict = await startWithEngine(t)
  for (const more of [{ background: true }, { background: 1 }, ...refer]) {
    const answer = await ask(strict.url, { ...RESPONSES, body: { ...RESPONSES.body, ...more } })
    const { error } = JSON.parse(answer.text) as { error: { param: string } }
    assert.deepEqual([answer.status, error.param], [400, Object.keys(more)[0]?.toLowerCase()])
  }
  assert.equal(strict.engine.seen.length, 0)
  for (const more of passes) assert.equal((await ask(strict.url, { ...RESPONSES, body: { ...RESPONSES.body, ...more } })).status, 200)
  const lenient = await startWithEngine(t, { route: { storedResponses: true } })
  for (const more of refer) assert.equal((await ask(lenient.url, { ...RESPONSES, body: { ...RESPONSES.body, ...more } })).status, 200)
  const background = await ask(lenient.url, { ...RESPONSES, body: { ...RESPONSES.body, background: true } })
  assert.equal(background.status, 400)
  assert.equal((await ask(lenient.url, { path: '/v1/responses/resp_1', method: 'GET', headers: IDENTITY })).status >= 400, true)
})
