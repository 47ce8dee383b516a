import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import OpenAI, { APIConnectionError, APIError, ConflictError } from 'openai'
import { temporaryDir, up } from './support/product.ts'
import type { Event, Product } from './support/product.ts'

// The official client, which asks again by itself, with keys that are to be answered once.

/** What the engine does with the requests to come; when there is nothing left it answers. */
const plan: ((response: ServerResponse) => void)[] = []
const seen: string[] = []

const REPLY = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'engine-model',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
}

const engine = createServer((request, response) => {
  request.resume().once('end', () => {
    seen.push(String(request.headers['idempotency-key']))
    const next = plan.shift()
    if (next === undefined) response.setHeader('content-type', 'application/json').end(JSON.stringify(REPLY))
    else next(response)
  })
})

/** The client as a vendor of the same family has it who turned keys on: one for each call, the same for its retries. */
class KeyedOpenAI extends OpenAI {
  protected override idempotencyHeader = 'Idempotency-Key'
}

const dir = temporaryDir()
let product: Product
let upstream: string
const clientOf = (Client: typeof OpenAI = OpenAI, maxRetries = 2): OpenAI =>
  new Client({ baseURL: `${product.ready.gateway}/v1`, apiKey: product.ready.key, maxRetries })
const CHAT = { model: 'engine-model', messages: [{ role: 'user' as const, content: 'hello there' }] }
const keyed = (key: string): { headers: Record<string, string> } => ({ headers: { 'Idempotency-Key': key } })

before(async () => {
  engine.listen(0, '127.0.0.1')
  await once(engine, 'listening')
  upstream = `http://127.0.0.1:${(engine.address() as AddressInfo).port}`
  product = await up(dir.path, '--upstream', upstream)
})
after(async () => {
  await product[Symbol.asyncDispose]()
  engine.closeAllConnections()
  engine.close()
  dir[Symbol.dispose]()
})

let records = 0
async function recordsAfter(more: number): Promise<readonly Event[]> {
  records += more
  return (await product.eventsUntil(records)).slice(-more)
}
const outcomes = (events: readonly Event[]): string[] => events.map(({ outcome }) => outcome)

const refuse = (response: ServerResponse): void => void response.writeHead(500).end('{"error":{"message":"no"}}')
const reset = (response: ServerResponse): void => void response.socket?.resetAndDestroy()

for (const Client of [OpenAI, KeyedOpenAI]) {
  const name = Client === OpenAI ? 'a key that the caller gives' : 'keys that the client makes itself'
  test(`the official client with ${name} gets its reply after a 500 and after a reset, and each attempt is a record`, async () => {
    seen.length = 0
    plan.push(refuse, reset)
    const options = Client === OpenAI ? keyed('order-1') : {}
    const reply = await clientOf(Client).chat.completions.create(CHAT, options)
    assert.equal(reply.choices[0]?.message.content, 'hello')
    assert.deepEqual([seen.length, new Set(seen).size], [3, 1], 'one key, three times')
    assert.deepEqual(outcomes(await recordsAfter(3)), ['upstream_error', 'upstream_error', 'completed'])
  })
}

test('the official client without a key asks again as before, and is billed for what it asked', async () => {
  plan.push(refuse)
  const reply = await clientOf().chat.completions.create(CHAT)
  assert.equal(reply.usage?.completion_tokens, 2)
  assert.deepEqual(outcomes(await recordsAfter(2)), ['upstream_error', 'completed'])
})

test('a stream that breaks off can be asked for again with its key', async () => {
  plan.push((response) => {
    response.setHeader('content-type', 'text/event-stream')
    response.write('data: {"model":"engine-model","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', () => reset(response))
  })
  const stream = await clientOf().chat.completions.create({ ...CHAT, stream: true }, keyed('order-2'))
  await assert.rejects(Array.fromAsync(stream), Error)
  await clientOf().chat.completions.create(CHAT, keyed('order-2'))
  assert.deepEqual(outcomes(await recordsAfter(2)), ['upstream_reset', 'completed'])
})

test('a client whose time is over asks again with the same key, and is not told that it is taken', async () => {
  plan.push(() => {
    // Says nothing, for ever.
  })
  const reply = await clientOf().chat.completions.create(CHAT, { ...keyed('order-3'), timeout: 300 })
  assert.equal(reply.choices[0]?.message.content, 'hello')
})

test('a key that was answered is a ConflictError that names the record, asked for once', async () => {
  const count = seen.length
  const error = await clientOf()
    .chat.completions.create(CHAT, keyed('order-1'))
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
  assert.ok(error instanceof ConflictError)
  assert.equal(error.code, 'idempotency_key_used')
  const first = (await product.events()).find(({ event_id: id }) => error.message.includes(id))
  assert.equal(first?.outcome, 'completed')
  assert.equal(first.idempotency_key, 'order-1')
  assert.equal(seen.length, count)
})

test('after kill -9 a key in flight is free again, and one that was answered is not', async () => {
  let open: ServerResponse | undefined
  plan.push((response) => (open = response))
  const lost = clientOf(OpenAI, 0).chat.completions.create(CHAT, keyed('order-4'))
  lost.catch(() => undefined)
  const deadline = Date.now() + 15_000
  while (open === undefined && Date.now() < deadline) await new Promise(setImmediate)
  product.process.kill('SIGKILL')
  await product.process.exited
  await assert.rejects(lost, APIConnectionError)
  product = await up(dir.path, '--upstream', upstream)
  const reply = await clientOf(OpenAI, 5).chat.completions.create(CHAT, keyed('order-4'))
  assert.equal(reply.choices[0]?.message.content, 'hello')
  const events = (await product.events()).filter(({ idempotency_key: key }) => key === 'order-4')
  assert.deepEqual(outcomes(events).toSorted(), ['completed', 'unknown'])
  await assert.rejects(clientOf().chat.completions.create(CHAT, keyed('order-1')), APIError)
})
