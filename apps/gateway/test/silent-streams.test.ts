import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { startEngine } from '@ascribe/sandbox'
import type { Balance, Place } from '../src/routing/index.ts'
import { routeTo, startTestGateway } from './support.ts'
import type { TestGateway } from './support.ts'

const PROMPT = 'a price of the hour, in words that are tokens of nobody'
const CHAT = { model: 'sandbox-small', messages: [{ role: 'user', content: PROMPT }], max_tokens: 9, ignore_eos: true, stream: true }

function post(gateway: TestGateway, body: object, options: { path?: string; signal?: AbortSignal } = {}): Promise<Response> {
  const { key } = gateway.addKey()
  return fetch(`${gateway.url}/v1${options.path ?? '/chat/completions'}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
    ...(options.signal !== undefined && { signal: options.signal }),
  })
}

/** An engine that sends several tokens in a piece and no usage, and whose tokenizer takes words for tokens. */
async function wordyEngine(
  t: TestContext,
  pieces: readonly string[],
  end: 'done' | 'reset' = 'done',
): Promise<{ readonly url: string; readonly questions: string[] }> {
  const questions: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      if (request.url === '/tokenize') {
        // What the gateway sent.
        const { content } = JSON.parse(body) as { readonly content: string }
        questions.push(content)
        response.end(JSON.stringify({ tokens: content.split(' ').map(() => 1) }))
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const content of pieces)
        response.write(`data: ${JSON.stringify({ model: 'words', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`)
      if (end === 'reset') setImmediate(() => response.socket?.resetAndDestroy())
      else response.end('data: {"model":"words","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, questions }
}

test('new-api-5288: what an engine sent without a word about usage is counted by its own tokenizer, and marked estimated', async (t) => {
  const engine = await wordyEngine(t, ['the first four words', ' and three more'])
  const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
  await (await post(gateway, CHAT)).text()
  const record = await gateway.record()
  assert.deepEqual([record.outcome, record.provenance, record.completionTokens], ['completed', 'estimated', 7])
  assert.equal(record.promptTokens, PROMPT.split(' ').length)
  assert.deepEqual(engine.questions, ['the first four words and three more', PROMPT])
  assert.match(gateway.meters.render(), /ascribe_gateway_tokenized_total\{result="counted"\} 1/)
})

test('estimate, the default: nobody is asked', async (t) => {
  const engine = await wordyEngine(t, ['the first four words', ' and three more'])
  const gateway = await startTestGateway(t, { upstream: engine.url })
  await (await post(gateway, CHAT)).text()
  const record = await gateway.record()
  assert.deepEqual([record.provenance, engine.questions.length], ['estimated', 0])
})

test('tokenize: a stream that breaks off, and one that its client leaves, are counted by what passed', async (t) => {
  const engine = await wordyEngine(t, ['two words', ' and two'], 'reset')
  const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
  await assert.rejects((await post(gateway, CHAT)).text())
  const record = await gateway.record()
  assert.deepEqual([record.outcome, record.provenance, record.completionTokens], ['upstream_reset', 'estimated', 4])
})

for (const style of ['vllm', 'llama'] as const) {
  test(`tokenize: what an engine reports (${style}) stands, and its tokenizer is not asked`, async (t) => {
    await using engine = await startEngine({ faults: { style, tokenizer: 'error' } })
    const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
    await (await post(gateway, CHAT)).text()
    const record = await gateway.record()
    assert.deepEqual([record.provenance, record.completionTokens], ['reported', 9])
    assert.doesNotMatch(gateway.meters.render(), /tokenized_total\{/)
  })
}

for (const path of ['/chat/completions', '/completions']) {
  test(`tokenize: llama-cpp-python's way of counting, with the token that begins a text: ${path}`, async (t) => {
    await using engine = await startEngine({ faults: { style: 'python', tokenizer: 'python' } })
    const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
    const body = path === '/completions' ? { model: CHAT.model, prompt: PROMPT, max_tokens: 9, ignore_eos: true, stream: true } : CHAT
    await (await post(gateway, body, { path })).text()
    const record = await gateway.record()
    assert.deepEqual([record.provenance, record.completionTokens], ['estimated', engine.totals.completionTokens])
    if (path === '/completions') assert.equal(record.promptTokens, engine.totals.promptTokens + 1)
  })
}

for (const tokenizer of ['none', 'error', 'hang'] as const) {
  test(`tokenize: with a tokenizer that is no help (${tokenizer}) the record is the estimate, and the reply is whole`, async (t) => {
    await using engine = await startEngine({ faults: { style: 'python', tokenizer } })
    const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
    const text = await (await post(gateway, CHAT)).text()
    assert.ok(text.endsWith('data: [DONE]\n\n'))
    const record = await gateway.record()
    assert.deepEqual([record.outcome, record.provenance, record.completionTokens], ['completed', 'estimated', 9])
    assert.match(gateway.meters.render(), /ascribe_gateway_tokenized_total\{result="failed"\} 1/)
  })
}

test('tokenize: of several upstreams, the one that sent the stream is asked', async (t) => {
  const engine = await wordyEngine(t, ['the first four words'])
  const place = (id: string, url: string): Place => ({ id, upstream: routeTo(url).upstream, basePath: '/v1', weight: 1 })
  const balance: Balance = {
    places: [place('gone', 'http://127.0.0.1:9'), place('there', engine.url)],
    health: { failAfter: 3, restMs: 60_000 },
    allDown: 'try',
    retry: { attemptsMax: 2, on: new Set(), billFailed: false },
  }
  const gateway = await startTestGateway(t, { upstream: 'http://127.0.0.1:9', route: { silentStreams: 'tokenize', balance } })
  for (let turn = 0; turn < 2; turn += 1) await (await post(gateway, CHAT)).text()
  for (const record of await gateway.records(2)) assert.deepEqual([record.provenance, record.completionTokens], ['estimated', 4])
  assert.equal(engine.questions.length, 4)
})

test('tokenize: text that is too long to be kept is estimated, and nobody is asked', async (t) => {
  const piece = 'word '.repeat(3000)
  const engine = await wordyEngine(
    t,
    Array.from({ length: 20 }, () => piece),
  )
  const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
  await (await post(gateway, CHAT)).text()
  const record = await gateway.record()
  assert.deepEqual([record.provenance, engine.questions.length], ['estimated', 0])
  assert.ok((record.completionTokens ?? 0) > 0)
})

test('tokenize: a gateway that is closed while it asks leaves the record all the same', async (t) => {
  await using engine = await startEngine({ faults: { style: 'python', tokenizer: 'hang' } })
  const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'tokenize' } })
  const leaving = new AbortController()
  const reply = await post(gateway, CHAT, { signal: leaving.signal })
  const reader = reply.body?.getReader()
  await reader?.read()
  leaving.abort()
  await gateway.gateway.close({ graceMs: 5000 })
  const [record] = await gateway.records(1)
  assert.equal(record?.provenance, 'estimated')
})

test('refuse: no stream gets through, no engine sees it, no record is left; what is not streamed is served', async (t) => {
  await using engine = await startEngine()
  const gateway = await startTestGateway(t, { upstream: engine.url, route: { silentStreams: 'refuse' } })
  for (const stream of [true, 1, 'true']) {
    const refused = await post(gateway, { ...CHAT, stream })
    assert.equal(refused.status, 400)
    assert.equal(((await refused.json()) as { error: { param: string } }).error.param, 'stream')
  }
  assert.equal(engine.seen.length, 0)
  const served = await post(gateway, { ...CHAT, stream: false })
  assert.equal(served.status, 200)
  await served.text()
  assert.equal((await gateway.intents()).length, 1)
})
