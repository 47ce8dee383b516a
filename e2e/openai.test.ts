import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import OpenAI from 'openai'
import { nano } from './support/nano.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Product } from './support/product.ts'

// The main job, whole: the official client talks to an engine through Ascribe, and the money for it stands on the
// statement of the right organization.

const dir = temporaryDir()
let product: Product
let client: OpenAI

before(async () => {
  product = await up(dir.path)
  client = new OpenAI({ baseURL: `${product.ready.gateway}/v1`, apiKey: product.ready.key, maxRetries: 0 })
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

let records = 0

test('a chat completion becomes one record with the counts that the reply carries', async () => {
  const { data, response } = await client.chat.completions
    .create({ model: 'sandbox-small', messages: [{ role: 'user', content: 'hello there' }], max_tokens: 12 })
    .withResponse()
  records += 1
  const event = (await product.eventsUntil(records)).at(-1)
  assert.equal(event?.outcome, 'completed')
  assert.equal(event.provenance, 'reported')
  assert.equal(event.prompt_tokens, data.usage?.prompt_tokens)
  assert.equal(event.completion_tokens, data.usage?.completion_tokens)
  assert.equal(event.auth_id, product.ready.auth_id)
  assert.equal(event.model, data.model)
  assert.equal(response.headers.get('x-request-id'), event.event_id)
})

test('a stream whose client did not ask for usage is metered by the report, and the client sees no usage chunk', async () => {
  const stream = await client.chat.completions.create({
    model: 'sandbox-small',
    messages: [{ role: 'user', content: 'count' }],
    max_tokens: 9,
    stream: true,
  })
  let chunks = 0
  for await (const chunk of stream) {
    chunks += 1
    assert.equal(chunk.choices.length, 1, 'a chunk without choices reached a client that did not ask for usage')
  }
  records += 1
  const event = (await product.eventsUntil(records)).at(-1)
  assert.ok(chunks > 3)
  assert.equal(event?.provenance, 'reported')
  assert.equal(event.completion_tokens, 9)
})

test('a stream whose client asked for usage still gets it', async () => {
  const stream = await client.chat.completions.create({
    model: 'sandbox-small',
    messages: [{ role: 'user', content: 'count' }],
    max_tokens: 5,
    stream: true,
    stream_options: { include_usage: true },
  })
  const usages = []
  for await (const chunk of stream) if (chunk.usage) usages.push(chunk.usage)
  records += 1
  const event = (await product.eventsUntil(records)).at(-1)
  assert.equal(usages.length, 1)
  assert.equal(event?.completion_tokens, usages[0]?.completion_tokens)
})

test('completions and embeddings are metered too', async () => {
  const text = await client.completions.create({ model: 'sandbox-small', prompt: 'the meter', max_tokens: 4 })
  const vectors = await client.embeddings.create({ model: 'sandbox-embed', input: ['one', 'two three'] })
  records += 2
  const events = await product.eventsUntil(records)
  const [embedding, completion] = [events.at(-1), events.at(-2)]
  assert.equal(completion?.completion_tokens, text.usage?.completion_tokens)
  assert.equal(embedding?.prompt_tokens, vectors.usage.prompt_tokens)
  assert.equal(embedding?.meters['input_tokens'], vectors.usage.prompt_tokens)
})

test('the statement holds the money of exactly these records, and its total is the sum of its lines', async () => {
  const events = await product.eventsUntil(records)
  const statement = await product.statement()
  assert.deepEqual(statement.held, { unpriced: 0, unattributed: 0, unknown: 0 })
  const billed = new Map<string, number>()
  for (const line of statement.lines) billed.set(line.meter, (billed.get(line.meter) ?? 0) + Number(line.quantity))
  for (const meter of ['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_tokens']) {
    const used = events.reduce((sum, event) => sum + (event.meters[meter] ?? 0), 0)
    assert.equal(billed.get(meter) ?? 0, used, meter)
  }
  assert.equal(
    nano(statement.total),
    statement.lines.reduce((sum, line) => sum + nano(line.amount), 0n),
  )
  assert.ok(nano(statement.total) > 0n)
})

test('the API shows the same statement to a billing key, and nothing to anybody else', async () => {
  const { api, organization, billing_key, key } = product.ready
  const url = `${api}/v1/organizations/${organization.id}/statement?month=${new Date().toISOString().slice(0, 7)}`
  const withKey = (token: string): Promise<Response> => fetch(url, { headers: { authorization: `Bearer ${token}` } })
  const own = await withKey(billing_key)
  assert.equal(own.status, 200)
  assert.deepEqual(await own.json(), await product.statement())
  assert.equal((await fetch(url)).status, 401)
  assert.equal((await withKey(key)).status, 403)
  const other = await product.cli<{ id: string }>('orgs', 'create', '--name', 'Other')
  const foreign = await fetch(url.replace(organization.id, other.id), { headers: { authorization: `Bearer ${billing_key}` } })
  const missing = await fetch(url.replace(organization.id, '018f4d5e-7b6a-7c3d-8e9f-0a1b2c3d4e5f'), {
    headers: { authorization: `Bearer ${billing_key}` },
  })
  assert.equal(foreign.status, 404)
  const told = async (reply: Response): Promise<unknown> => ({ ...((await reply.json()) as object), requestId: '' })
  assert.deepEqual(await told(foreign), await told(missing))
})
