import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upstreamCredential } from '../src/routing/index.ts'
import type { UpstreamCredential } from '../src/routing/index.ts'
import { CHAT, ask, fixedReply, jsonChat, rawUpstream, routeTo, startTestGateway, until } from './support.ts'

const OK = fixedReply(jsonChat(1, 1))

function bare(header: string, secret = 'upstream-key'): UpstreamCredential {
  return upstreamCredential({ reveal: () => secret }, { header })
}

/** Fields of a head that arrived, in lower case, whose name or value has to do with a credential. */
function credentialsIn(text: string): readonly string[] {
  const [, ...lines] = (text.split('\r\n\r\n')[0] ?? '').toLowerCase().split('\r\n')
  return lines.filter((line) => /key|authorization|secret|bearer/.test(line)).toSorted()
}

for (const [header, theirs] of [
  ['x-api-key', ['X-Api-Key', 'x_api_key', 'X-API_KEY']],
  ['api-key', ['Api-Key', 'api_key', 'API-KEY']],
] as const) {
  test(`an engine that wants ${header} gets the route's credential in it, and never the client's beside it`, async (t) => {
    const engine = await rawUpstream(t, (wire) => wire.socket.end(OK))
    for (const forwarded of [[], [header, 'api_key', 'x_api_key']]) {
      const route = { credential: bare(header), forwardHeaders: new Set(forwarded) }
      const world = await startTestGateway(t, { upstream: engine.url, route, trust: { networks: [] } })
      const { key } = world.addKey()
      const headers = [
        ['Authorization', `Bearer ${key}`] as const,
        ...theirs.slice(header === 'x-api-key' ? 1 : 0).map((name) => [name, 'theirs'] as const),
      ]
      assert.equal((await ask(world.url, { headers })).status, 200)
      assert.deepEqual(credentialsIn(engine.wires.at(-1)?.text ?? ''), [`${header}: upstream-key`])
      for (const entry of await world.entries()) assert.ok(!entry.payload.includes('upstream-key'))
    }
  })
}

test('a client that shows its key as x-api-key never shows it to the engine, whose credential travels there', async (t) => {
  const reply = '{"type":"message","model":"m","usage":{"input_tokens":1,"output_tokens":1}}'
  const engine = await rawUpstream(t, (wire) => wire.socket.end(fixedReply(reply)))
  const route = { credential: bare('x-api-key'), forwardHeaders: new Set(['x-api-key']) }
  const world = await startTestGateway(t, { upstream: engine.url, route, trust: { networks: [] } })
  const { key } = world.addKey()
  const headers = { 'X-Api-Key': key, 'anthropic-version': '2023-06-01' }
  assert.equal((await ask(world.url, { path: '/v1/messages', headers })).status, 200)
  assert.deepEqual(credentialsIn(engine.wires[0]?.text ?? ''), ['x-api-key: upstream-key'])
})

test('each upstream gets its credential in its own field, in requests and in checks', async (t) => {
  const busy = fixedReply('{}', { status: '503 Busy' })
  const first = await rawUpstream(t, (wire) => wire.socket.end(wire.text.startsWith('GET') ? fixedReply('') : busy))
  const second = await rawUpstream(t, (wire) => wire.socket.end(wire.text.startsWith('GET') ? fixedReply('') : OK))
  const credentials = [bare('x-api-key', 'key-a'), { reveal: () => 'key-b' }]
  const places = [first, second].map(({ url }, at) => {
    const { upstream, basePath } = routeTo(url)
    const [credential] = credentials.slice(at)
    return { id: `p${at}`, upstream, basePath, weight: 1, ...(credential !== undefined && { credential }) }
  })
  const balance = {
    places,
    allDown: 'try' as const,
    health: { failAfter: 3, restMs: 60_000, check: { path: '/health', intervalMs: 50, timeoutMs: 5000, passAfter: 1 } },
    retry: { attemptsMax: 2, on: new Set([503]), billFailed: false },
  }
  const world = await startTestGateway(t, { routes: [routeTo(first.url, { balance })] })
  assert.equal((await ask(world.url)).status, 200)
  for (const [engine, field] of [
    [first, 'x-api-key: key-a'],
    [second, 'authorization: bearer key-b'],
  ] as const) {
    await until('it was asked how it is', () => engine.wires.some(({ text }) => text.startsWith('GET /health ')))
    assert.ok(engine.wires.some(({ text }) => text.startsWith('POST ')))
    for (const { text } of engine.wires.filter((wire) => wire.text !== '')) assert.deepEqual(credentialsIn(text), [field])
  }
})

test('a tokenizer is asked with the credential as the route sends it, and never with one that has been replaced', async (t) => {
  const stream = fixedReply('data: {"choices":[{"index":0,"delta":{"content":"two words"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n', {
    contentType: 'text/event-stream',
  })
  const engine = await rawUpstream(t, (wire) =>
    wire.socket.end(wire.text.startsWith('POST /tokenize') ? fixedReply('{"tokens":[1,2]}') : stream),
  )
  const route = (secret: string): ReturnType<typeof routeTo> =>
    routeTo(engine.url, { credential: bare('api-key', secret), silentStreams: 'tokenize' })
  const world = await startTestGateway(t, {
    routes: [
      { ...route('one'), models: ['first'] },
      { ...route('two'), id: 'b', models: ['second'] },
    ],
  })
  for (const [model, secret] of [
    ['first', 'one'],
    ['second', 'two'],
  ] as const) {
    const before = engine.wires.length
    assert.equal((await ask(world.url, { body: { ...CHAT, model, stream: true } })).status, 200)
    const questions = engine.wires.slice(before).map(({ text }) => text)
    assert.ok(questions.some((text) => text.startsWith('POST /tokenize ')))
    for (const text of questions) assert.deepEqual(credentialsIn(text), [`api-key: ${secret}`])
  }
})
