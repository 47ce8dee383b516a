import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { UsageRecord } from '@ascribe/usage'
import { startWithEngine } from './engine-world.ts'
import { CHAT, IDENTITY, ask, chunk, chunkedHead, rawUpstream, startTestGateway, until, watch, Wire } from './support.ts'
import type { Answer } from './support.ts'

const codeOf = (answer: Answer): unknown => (JSON.parse(answer.text) as { error: { code?: unknown } }).error.code
const gist = ({ outcome, provenance, meters }: UsageRecord): unknown => [outcome, provenance, meters]

const SPEECH = { model: 'sandbox-tts', voice: 'alloy', input: 'copper bridge' }
const IMAGES = { model: 'sandbox-image-plain', prompt: 'a river', n: 2 }
const RANKING = { model: 'sandbox-rerank', query: 'bridge', documents: ['river', 'stone'] }

type Form = { readonly body: string; readonly headers: Readonly<Record<string, string>> }

function form(fields: Readonly<Record<string, string>>, more = ''): Form {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--b0undary\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const file = `--b0undary\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n${'sound!  '.repeat(250)}\r\n`
  return {
    body: `${parts.join('')}${more}${file}--b0undary--\r\n`,
    headers: { ...IDENTITY, 'Content-Type': 'multipart/form-data; boundary=b0undary' },
  }
}

for (const [method, path, status, code] of [
  ['POST', '/v1/batches', 501, 'batches_not_served'],
  ['GET', '/v1/batches/batch_1', 501, 'batches_not_served'],
  ['POST', '/v1/files', 501, 'files_not_served'],
  ['DELETE', '/v1/files/file-1', 501, 'files_not_served'],
  ['POST', '/v1/realtime/sessions', 501, 'realtime_not_served'],
  ['GET', '/v1/responses/resp_1', 501, 'stored_replies_not_served'],
  ['POST', '/v1/threads/t/runs', 501, 'assistants_not_served'],
  ['POST', '/v1/fine_tuning/jobs', 501, 'fine_tuning_not_served'],
  ['POST', '/completion', 501, 'engine_path_not_served'],
  ['POST', '/v1/chat/completions/', 404, 'unknown_url'],
  ['POST', '/v1/something/new', 404, 'unknown_url'],
  ['GET', '/v1/audio/speech', 405, 'method_not_allowed'],
] as const) {
  test(`${method} ${path} is ${code}: no upstream sees it, and it has no record`, async (t) => {
    const world = await startWithEngine(t)
    const answer = await ask(world.url, { method, path, body: '{}' })
    assert.deepEqual([answer.status, codeOf(answer)], [status, code])
    assert.equal(answer.headers['x-should-retry'], status === 501 ? 'false' : undefined)
    assert.equal(world.engine.seen.length, 0)
    assert.equal((await world.intents()).length, 0)
    assert.match(world.meters.render(), /ascribe_gateway_refused_total\{reason="[a-z_]+"\} 1/)
  })
}

test('what is refused on a path of Messages has the shape that its clients know', async (t) => {
  const world = await startWithEngine(t)
  const answer = await ask(world.url, { path: '/v1/messages/batches', body: '{}' })
  assert.equal(answer.status, 501)
  assert.match(answer.text, /^\{"type":"error","error":\{"type":"[a-z_]+","message":"Batches are refused/)
})

test('a WebSocket is refused with 501 and a word that says why, before any upstream byte and whoever asks', async (t) => {
  const upstream = await rawUpstream(t)
  const world = await startTestGateway(t, { upstream: upstream.url })
  for (const headers of [IDENTITY, {}]) {
    const upgrade = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    const asked = request({
      port: world.port,
      host: '127.0.0.1',
      path: '/v1/realtime?model=sandbox-small',
      headers: { ...headers, ...upgrade },
    })
    asked.end()
    // oxlint-disable-next-line no-await-in-loop -- one after the other is enough
    const [response] = await once(asked, 'response')
    assert.equal(response.statusCode, 501)
    let text = ''
    // oxlint-disable-next-line no-await-in-loop -- as above
    for await (const part of response) text += String(part)
    assert.match(text, /WebSocket connections are refused: what passes on them \(realtime\) cannot be metered here.*"realtime_not_served"/)
  }
  assert.equal(upstream.wires.length, 0)
  assert.equal((await world.intents()).length, 0)
})

for (const [what, head, status] of [
  ['in HTTP/1.0', 'GET /v1/realtime HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n', 501],
  ['on a path that is metered', 'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nContent-Length: 0\r\n', 501],
  ['behind h2c', 'GET /v1/realtime HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\n', 501],
  [
    'without Upgrade',
    'GET /v1/realtime HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
    501,
  ],
  ['by the tunnel of HTTP/2', 'PRI * HTTP/2.0\r\n', 400],
  ['by CONNECT', 'CONNECT gateway:443 HTTP/1.1\r\nHost: gateway:443\r\n', 501],
  ['with a blank in the name', 'GET /v1/realtime HTTP/1.1\r\nHost: a\r\nUpgrade : websocket\r\n', 400],
] as const) {
  test(`a WebSocket, asked for ${what}, never reaches the upstream`, async (t) => {
    const upstream = await rawUpstream(t)
    const world = await startTestGateway(t, { upstream: upstream.url })
    const socket = connect({ port: world.port, host: '127.0.0.1' })
    t.after(() => socket.destroy())
    const wire = new Wire(socket)
    const identity = Object.entries(IDENTITY).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`${head}${identity.join('')}\r\nframes that nobody reads`)
    await wire.sees(`HTTP/1.1 ${status} `)
    assert.equal(upstream.wires.length, 0)
    assert.equal((await world.intents()).length, 0)
  })
}

test('an offer of h2c is no offer: the request is served as it stands, and metered', async (t) => {
  const world = await startWithEngine(t)
  const client = await watch(t, world.port, {
    headers: { ...IDENTITY, Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMA' },
  })
  await client.sees('HTTP/1.1 200 OK')
  assert.deepEqual([(await world.record()).outcome, (await world.record()).completionTokens], ['completed', CHAT.max_tokens])
  assert.equal(world.engine.seen[0]?.headers.upgrade, undefined)
})

test('a form goes up byte for byte, with the content type that it came with', async (t) => {
  const world = await startWithEngine(t)
  const { body, headers } = form(
    { model: 'sandbox-whisper', language: 'de' },
    '--b0undary\r\ncontent-disposition:form-data;name="x"\r\nX: y\r\n\r\n\0\x01\r\n',
  )
  const answer = await ask(world.url, { path: '/v1/audio/transcriptions', headers, body })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(world.engine.seen[0]?.body.toString(), body)
  assert.equal(world.engine.seen[0]?.headers['content-type'], headers['Content-Type'])
  const { api, modelAsked, model, ...rest } = await world.record()
  assert.deepEqual(
    [api, modelAsked, model, gist(rest as UsageRecord)],
    ['transcriptions', 'sandbox-whisper', 'sandbox-whisper', ['completed', 'reported', { input_audio_ms: 2000 }]],
  )
})

test('a form that two parsers read in two ways is refused before any upstream work', async (t) => {
  const world = await startWithEngine(t)
  const twice = form({ model: 'sandbox-whisper' }, '--b0undary\r\nContent-Disposition: form-data; name="model"\r\n\r\ncheap\r\n')
  const headers = [
    ...Object.entries(IDENTITY),
    ['Content-Type', 'multipart/form-data; boundary=b0undary'],
    ['Content-Type', 'multipart/form-data; boundary=c'],
  ]
  for (const [path, asked] of [
    ['/v1/audio/transcriptions', twice],
    ['/v1/audio/translations', { ...twice, headers: { ...IDENTITY, 'Content-Type': 'application/json' } }],
    ['/v1/images/edits', form({ prompt: 'x', Model: 'cheap' })],
    ['/v1/audio/transcriptions', { ...form({ model: 'sandbox-whisper' }), headers: headers as [string, string][] }],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is enough
    assert.equal((await ask(world.url, { path, ...asked })).status, 400)
  }
  assert.equal(world.engine.seen.length, 0)
  assert.equal((await world.intents()).length, 0)
})

test('a client that leaves in the middle of the sound pays for all of the text', async (t) => {
  const world = await startWithEngine(t, { faults: { tokenDelayMs: 5 } })
  const client = await watch(t, world.port, { path: '/v1/audio/speech', body: { ...SPEECH, input: 'x'.repeat(60) } })
  await client.sees('200 OK')
  client.socket.destroy()
  assert.deepEqual(gist(await world.record()), ['aborted', 'estimated', { input_characters: 60 }])
})

test('a client that leaves a transcription before its usage does not get it for free', async (t) => {
  const world = await startWithEngine(t, { faults: { tokenDelayMs: 5 } })
  const client = await watch(t, world.port, { path: '/v1/audio/transcriptions', ...form({ model: 'sandbox-transcribe', stream: 'true' }) })
  await client.sees('transcript.text.delta')
  client.socket.destroy()
  assert.deepEqual(gist(await world.record()), ['aborted', 'reported', { input_audio_tokens: 20, output_tokens: 4 }])
})

test('a drain that takes too long leaves what was asked for, never zero', async (t) => {
  const world = await startWithEngine(t, { drain: { ms: 10, bytes: 1_000_000 }, faults: { hangAt: 'before-usage' } })
  const client = await watch(t, world.port, {
    path: '/v1/images/generations',
    body: { ...IMAGES, stream: true, n: 1, model: 'sandbox-image' },
  })
  await client.sees('partial_image')
  client.socket.destroy()
  assert.deepEqual(gist(await world.record()), ['aborted', 'estimated', { images: 1 }])
})

for (const [path, asked, whole] of [
  ['/v1/audio/speech', { body: SPEECH }, { input_characters: 13 }],
  ['/v1/audio/speech', { body: { ...SPEECH, stream_format: 'sse' } }, { input_characters: 13 }],
  ['/v1/audio/transcriptions', form({ model: 'sandbox-whisper' }), { input_audio_ms: 250 }],
  ['/v1/images/generations', { body: IMAGES }, { images: 2 }],
  ['/v1/rerank', { body: RANKING }, { search_units: 1 }],
] as const) {
  test(`${path} that is reset after any byte of what it delivers is charged, and once (${JSON.stringify(whole)})`, async (t) => {
    const world = await startWithEngine(t)
    let count = 0
    // Of a stream nothing has been delivered before its first event is whole.
    for (const resetAt of JSON.stringify(asked).includes('stream_format') ? [300, 400] : [1, 2, 10, 30]) {
      world.engine.setFaults({ resetAt })
      // oxlint-disable-next-line no-await-in-loop -- each with a fault of its own
      const answer = await ask(world.url, { path, ...asked })
      assert.equal(answer.whole, false)
      count += 1
      // oxlint-disable-next-line no-await-in-loop -- as above
      const record = (await world.records(count)).at(-1)
      assert.deepEqual(record && gist(record), ['upstream_reset', 'estimated', whole], `byte ${resetAt}`)
    }
  })
}

test('a reply that is compressed is read all the same', async (t) => {
  const world = await startWithEngine(t, { faults: { encoding: 'gzip' } })
  await ask(world.url, { path: '/v1/images/generations', body: { ...IMAGES, model: 'sandbox-image' } })
  assert.deepEqual(gist(await world.record()), ['completed', 'reported', { input_tokens: 2, output_image_tokens: 2112 }])
})

test('the client has no whole sound before its settlement is durable', async (t) => {
  const upstream = await rawUpstream(t, (wire) => {
    wire.socket.write(Buffer.concat([Buffer.from(chunkedHead('audio/mpeg')), chunk('sound'), chunk('last')]))
  })
  const world = await startTestGateway(t, { upstream: upstream.url })
  const client = await watch(t, world.port, { path: '/v1/audio/speech', body: SPEECH })
  await client.sees('las')
  assert.ok(!client.text.includes('last'), 'nobody takes it for a whole one')
  assert.ok((await world.entries()).every(({ kind }) => kind === 'intent'))
  const [wire] = upstream.wires
  wire?.socket.write('0\r\n\r\n')
  await client.sees('0\r\n\r\n')
  assert.equal((await world.entries()).filter(({ kind }) => kind === 'settlement').length, 1)
})

test('counting tokens is free, whatever becomes of it: an intent, a record of nothing, never unknown', async (t) => {
  const world = await startWithEngine(t)
  const path = '/v1/messages/count_tokens'
  const answer = await ask(world.url, { path, body: { model: 'sandbox-small', messages: [] } })
  assert.equal(answer.status, 200)
  world.engine.setFaults({ status: 500 })
  await ask(world.url, { path, body: { model: 'sandbox-small' } })
  world.engine.setFaults({ resetAt: 'before-head' })
  await ask(world.url, { path, body: { model: 'sandbox-small' } })
  const all = await world.records(3)
  for (const record of all) {
    const { api, provenance, promptTokens, cachedTokens, completionTokens, meters } = record
    assert.deepEqual([api, provenance, promptTokens, cachedTokens, completionTokens, meters], ['free', 'reported', 0, 0, 0, {}])
  }
  assert.deepEqual(
    all.map(({ outcome }) => outcome),
    ['completed', 'upstream_error', 'upstream_error'],
  )
})

test('what is free may be in any format, and goes up as it is', async (t) => {
  const world = await startWithEngine(t)
  const answer = await ask(world.url, { path: '/tokenize', body: '{"content":"river stone"}' })
  assert.deepEqual([answer.status, (JSON.parse(answer.text) as { tokens: unknown[] }).tokens.length], [200, 2])
  assert.equal((await world.record()).api, 'free')
  assert.equal(world.engine.seen.length, 0, 'it is beside /v1, where the engine has it')
})

test('an operator decides about a path of his engine, and nothing else is opened by that', async (t) => {
  const upstream = await rawUpstream(t, (wire) => {
    const body = '{"model":"ranker","usage":{"total_tokens":7},"results":[]}'
    wire.socket.write(
      `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  })
  const world = await startTestGateway(t, {
    upstream: upstream.url,
    paths: [
      { path: '/v1/score', rule: 'billable', api: 'rerank' },
      { path: '/load', rule: 'free', method: 'GET' },
      { path: '/v1/embeddings', rule: 'refused' },
    ],
  })
  assert.equal((await ask(world.url, { path: '/v1/score', body: RANKING })).status, 200)
  assert.equal((await ask(world.url, { method: 'GET', path: '/load' })).status, 200)
  const refused = await ask(world.url, { path: '/v1/embeddings', body: { input: 'x' } })
  assert.deepEqual([refused.status, codeOf(refused)], [501, 'path_refused'])
  for (const path of ['/v1/score/', '/v1/scores', '/load/x']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is enough
    assert.equal((await ask(world.url, { path, body: RANKING })).status, 404)
  }
  const [score, load] = await world.records(2)
  assert.deepEqual([score?.api, score?.meters, load?.api, load?.meters], ['rerank', { input_tokens: 7 }, 'free', {}])
  assert.match(upstream.wires[1]?.text ?? '', /^GET \/load HTTP\/1\.1\r\n/)
  await until('nothing else came', () => upstream.wires.length === 2)
})

test('a body that is JSON to the gateway and something else to an engine is never sent to one', async (t) => {
  const world = await startWithEngine(t)
  const polyglot = '{"model":"sandbox-small","messages":[],"x":"&model=dear&n=9&y="}'
  const type = (value: string): [string, string] => ['Content-Type', value]
  for (const [path, fields] of [
    ['/v1/chat/completions', [type('application/x-www-form-urlencoded')]],
    ['/v1/responses', [type('Multipart/Form-Data; boundary=x')]],
    ['/v1/images/edits', [type('application/x-www-form-urlencoded; charset=utf-8')]],
    ['/v1/chat/completions', [type('application/json'), type('application/x-www-form-urlencoded')]],
    ['/v1/chat/completions', [type('application/json; charset=utf-7')]],
    [
      '/v1/chat/completions',
      [
        ['Content-Encoding', 'identity'],
        ['Content-Encoding', 'gzip'],
      ],
    ],
  ] as const) {
    const answer = await ask(world.url, { path, headers: [...Object.entries(IDENTITY), ...fields], body: polyglot })
    assert.ok([400, 415].includes(answer.status), `${path} ${fields.join(' ')}`)
  }
  for (const value of ['application/json; charset=UTF-8', 'text/plain', 'application/vnd.api+json']) {
    assert.equal((await ask(world.url, { headers: { ...IDENTITY, 'Content-Type': value } })).status, 200, value)
  }
  assert.equal(world.engine.seen.length, 3)
})
