import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { type SandboxEngine, startEngine } from '../src/engine.ts'
import { SANDBOX_MODELS } from '../src/models.ts'
import { eventsOf } from './raw-http.ts'

type Usage = {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number }
  completion_tokens_details?: { reasoning_tokens: number }
}
type Message = { content: string; reasoning_content?: string }
type Reply = { model: string; choices: { message: Message; finish_reason: string; index: number }[]; usage: Usage }
type Chunk = { choices: { index: number; delta: Message; finish_reason: string | null }[]; usage?: Usage }

const MESSAGES = [{ role: 'user', content: 'hello there' }]

let engine: SandboxEngine
before(async () => {
  engine = await startEngine()
})
after(() => engine.close())
beforeEach(() => {
  engine.forget()
  engine.setFaults({})
})

const send = (path: string, body: object, init: RequestInit = {}) =>
  fetch(`${engine.url}${path}`, { method: 'POST', body: JSON.stringify(body), ...init })
const chat = async (body: object): Promise<Reply> => {
  const response = await send('/v1/chat/completions', { model: 'sandbox-small', messages: MESSAGES, ...body })
  assert.equal(response.status, 200)
  return (await response.json()) as Reply
}
const stream = async (body: object): Promise<Chunk[]> => {
  const response = await send('/v1/chat/completions', { model: 'sandbox-small', messages: MESSAGES, stream: true, ...body })
  const events = eventsOf(await response.text())
  assert.equal(events.pop(), '[DONE]')
  return events.map((event) => JSON.parse(event) as Chunk)
}
const countTokens = async (content: string): Promise<number> =>
  ((await (await send('/tokenize', { content })).json()) as { count: number }).count
const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`${engine.url}/metrics`)).text()
  return Number(new RegExp(`^sandbox:${name} (\\d+)$`, 'm').exec(text)?.[1])
}
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

test('startEngine() answers a chat with text whose tokens its own tokenizer counts alike', async () => {
  const { model, choices, usage } = await chat({ max_tokens: 12 })
  const [choice] = choices
  assert.equal(model, 'sandbox-small')
  assert.equal(choice?.finish_reason, 'length')
  assert.equal(usage.completion_tokens, 12)
  assert.equal(usage.total_tokens, usage.prompt_tokens + 12)
  assert.equal(await countTokens(choice?.message.content ?? ''), 12)
})

test('startEngine() says the same to the same request and another thing to another seed', async () => {
  const [first, second, other] = [await chat({ seed: 7 }), await chat({ seed: 7 }), await chat({ seed: 8 })]
  assert.deepEqual(first.choices, second.choices)
  assert.notDeepEqual(first.choices, other.choices)
})

test('startEngine() stops by itself below max_tokens, and not before it with ignore_eos', async () => {
  const stopped = await chat({ max_tokens: 5000 })
  assert.equal(stopped.choices[0]?.finish_reason, 'stop')
  assert(stopped.usage.completion_tokens < 100)
  const forced = await chat({ max_completion_tokens: 5000, ignore_eos: true })
  assert.equal(forced.choices[0]?.finish_reason, 'length')
  assert.equal(forced.usage.completion_tokens, 5000)
})

test('startEngine() counts every choice of n and every prompt of a list', async () => {
  const { choices, usage } = await chat({ n: 3, max_tokens: 5 })
  assert.deepEqual(
    choices.map(({ index }) => index),
    [0, 1, 2],
  )
  assert.equal(usage.completion_tokens, 15)
  const response = await send('/v1/completions', { model: 'sandbox-small', prompt: ['one', 'two three'], n: 2, max_tokens: 4 })
  const text = (await response.json()) as { choices: { text: string }[]; usage: Usage }
  assert.equal(text.choices.length, 4)
  assert.deepEqual([text.usage.prompt_tokens, text.usage.completion_tokens], [3, 16])
})

test('startEngine() streams the words of the JSON reply, a role first, usage last and only if asked for', async () => {
  const whole = await chat({ max_tokens: 9, n: 2 })
  const chunks = await stream({ max_tokens: 9, n: 2, stream_options: { include_usage: true } })
  assert.deepEqual(
    [0, 1].map((index) =>
      chunks
        .flatMap(({ choices }) => choices)
        .filter((choice) => choice.index === index)
        .map(({ delta }) => delta.content)
        .join(''),
    ),
    whole.choices.map(({ message }) => message.content),
  )
  const last = chunks.at(-1)
  assert.deepEqual(last?.choices, [])
  assert.equal(last?.usage?.completion_tokens, 18)
  assert.equal(chunks.filter((chunk) => 'usage' in chunk).length, 1)
  const without = await stream({ max_tokens: 9 })
  assert.equal(without.filter((chunk) => 'usage' in chunk).length, 0)
})

test('startEngine() streams running counts with continuous_usage_stats', async () => {
  const chunks = await stream({ max_tokens: 3, stream_options: { include_usage: true, continuous_usage_stats: true } })
  assert.deepEqual(
    chunks.map(({ usage }) => usage?.completion_tokens),
    [0, 1, 2, 3, 3, 3],
  )
})

test('startEngine() takes 1 and "true" for a wish to stream, as engines on pydantic do', async () => {
  for (const wish of [1, 'true']) assert((await stream({ stream: wish })).length > 3)
})

test('startEngine() reports reasoning inside the completion, its text apart', async () => {
  const { choices, usage } = await chat({ model: 'sandbox-reasoner', max_tokens: 60, ignore_eos: true })
  const { reasoning_content = '', content } = choices[0]?.message ?? { content: '' }
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0
  assert(reasoning > 0)
  assert.equal(await countTokens(reasoning_content), reasoning)
  assert.equal((await countTokens(content)) + reasoning, usage.completion_tokens)
  const deltas = (await stream({ model: 'sandbox-reasoner', max_tokens: 60, ignore_eos: true })).flatMap(
    ({ choices: [choice] }) => choice?.delta ?? [],
  )
  assert.equal(deltas.map((delta) => delta.reasoning_content ?? '').join(''), reasoning_content)
})

test('startEngine() finds the beginning of a prompt in its cache the second time, by model and whole blocks', async () => {
  const content = Array.from({ length: 50 }, (_, index) => `w${index}`).join(' ')
  const ask = async (model: string, text: string): Promise<number> =>
    (await chat({ model, messages: [{ role: 'user', content: text }] })).usage.prompt_tokens_details.cached_tokens
  assert.equal(await ask('sandbox-small', content), 0)
  assert.equal(await ask('sandbox-small', `${content} and more`), 48)
  assert.equal(await ask('sandbox-large', content), 0)
})

test('startEngine() embeds lists as numbers or base64, the same vectors', async () => {
  const embed = async (body: object) =>
    (await (await send('/v1/embeddings', { model: 'sandbox-embed', input: ['one', 'two three'], ...body })).json()) as {
      data: { embedding: unknown }[]
      usage: Usage
    }
  const floats = await embed({})
  const base64 = await embed({ encoding_format: 'base64' })
  assert.deepEqual(floats.usage, { prompt_tokens: 3, total_tokens: 3 })
  const decoded = base64.data.map(({ embedding }) => {
    const bytes = Buffer.from(String(embedding), 'base64')
    return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
  })
  assert.deepEqual(
    decoded,
    floats.data.map(({ embedding }) => embedding),
  )
})

test('startEngine() refuses in the shape of OpenAI errors', async () => {
  const refusals: [string, object | string, number, string | null][] = [
    ['/v1/chat/completions', { model: 'nobody', messages: MESSAGES }, 404, 'model_not_found'],
    ['/v1/chat/completions', { model: 'sandbox-small' }, 400, null],
    ['/v1/chat/completions', { model: 'sandbox-embed', messages: MESSAGES }, 400, null],
    ['/v1/chat/completions', { model: 'sandbox-small', messages: MESSAGES, n: 0 }, 400, null],
    ['/v1/chat/completions', { model: 'sandbox-small', messages: MESSAGES, sandbox: { resetat: 3 } }, 400, null],
    ['/v1/chat/completions', { model: 'sandbox-small', messages: MESSAGES, sandbox: { splitEvery: 0 } }, 400, null],
    ['/v1/embeddings', { model: 'sandbox-embed', input: 'x '.repeat(9000) }, 400, 'context_length_exceeded'],
    ['/v1/chat/completions', 'not JSON', 400, null],
    ['/v1/batches', {}, 404, null],
  ]
  for (const [path, body, status, code] of refusals) {
    const response = await fetch(`${engine.url}${path}`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
    assert.equal(response.status, status, JSON.stringify(body))
    const { error } = (await response.json()) as { error: { message: string; type: string; code: string | null } }
    assert.deepEqual([typeof error.message, typeof error.type, error.code], ['string', 'string', code])
  }
  assert.equal(engine.seen.at(-1)?.completionTokens, 0)
})

test('startEngine() with an apiKey serves only who has it', async () => {
  await using locked = await startEngine({ apiKey: 'open sesame' })
  assert.equal((await fetch(`${locked.url}/v1/models`)).status, 401)
  const response = await fetch(`${locked.url}/v1/models`, { headers: { authorization: 'Bearer open sesame' } })
  const { data } = (await response.json()) as { data: { id: string }[] }
  assert.deepEqual(
    data.map(({ id }) => id),
    SANDBOX_MODELS.map(({ id }) => id),
  )
})

test('seen holds each request with its id, headers, body and true counts; /sandbox/seen tells them to other processes', async () => {
  await send(
    '/v1/chat/completions',
    { model: 'sandbox-small', messages: MESSAGES, max_tokens: 4, n: 2, sandbox: { underReport: true } },
    { headers: { 'x-request-id': 'r1', 'x-extra': 'y' } },
  ).then((response) => response.text())
  const [seen] = engine.seen
  assert.equal(seen?.requestId, 'r1')
  assert.equal(seen?.headers['x-extra'], 'y')
  assert.equal((JSON.parse(String(seen?.body)) as { n: number }).n, 2)
  assert.deepEqual([seen?.status, seen?.ending, seen?.completionTokens, seen?.promptTokens], [200, 'completed', 8, 9])
  const told = (await (await fetch(`${engine.url}/sandbox/seen`)).json()) as { requestId: string; completionTokens: number }[]
  assert.deepEqual(
    told.map(({ requestId, completionTokens }) => [requestId, completionTokens]),
    [['r1', 8]],
  )
})

test('seen is bounded, oldest out first', async () => {
  await using small = await startEngine({ seenMax: 3 })
  for (let index = 0; index < 5; index += 1) {
    const headers = { 'x-request-id': `r${index}` }
    await (await fetch(`${small.url}/v1/completions`, { method: 'POST', headers, body: '{"model":"sandbox-small","prompt":"x"}' })).text()
  }
  assert.deepEqual(
    small.seen.map(({ requestId }) => requestId),
    ['r2', 'r3', 'r4'],
  )
})

test('/metrics counts what was generated and processed, as seen does', async () => {
  const [tokens, prompts, requests] = [
    await metric('tokens_predicted_total'),
    await metric('prompt_tokens_total'),
    await metric('requests_total'),
  ]
  await chat({ max_tokens: 7, n: 2 })
  await stream({ max_tokens: 3 })
  assert.equal((await metric('tokens_predicted_total')) - tokens, 17)
  assert.equal((await metric('prompt_tokens_total')) - prompts, 18)
  assert.equal((await metric('requests_total')) - requests, 2)
})

for (const isStream of [true, false]) {
  test(`startEngine() stops generating when the client leaves ${isStream ? 'a stream' : 'a JSON reply'}, and counts what it made`, async () => {
    const before = engine.totals.completionTokens
    const aborter = new AbortController()
    const body = {
      model: 'sandbox-small',
      messages: MESSAGES,
      stream: isStream,
      ignore_eos: true,
      max_tokens: 100_000,
      sandbox: { tokenDelayMs: 1 },
    }
    const reply = send('/v1/chat/completions', body, { signal: aborter.signal }).then((response) => response.text())
    await until(() => (engine.seen[0]?.completionTokens ?? 0) >= 3)
    aborter.abort()
    await assert.rejects(reply)
    await until(() => engine.seen[0]?.ending !== 'open')
    const [seen] = engine.seen
    assert.equal(seen?.ending, 'client-left')
    const made = seen?.completionTokens ?? 0
    assert(made >= 3 && made < 100_000)
    assert.equal(engine.totals.completionTokens - before, made)
  })
}

test('close() ends at once while replies hang', async () => {
  const hanging = await startEngine({ faults: { hangAt: 'before-head' } })
  const reply = fetch(`${hanging.url}/v1/completions`, { method: 'POST', body: '{"model":"sandbox-small","prompt":"x"}' })
  await until(() => hanging.seen.length === 1)
  await Promise.all([hanging.close(), assert.rejects(reply)])
})
