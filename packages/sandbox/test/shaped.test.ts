import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type SandboxEngine, startEngine } from '../src/index.ts'

let engine: SandboxEngine
before(async () => {
  engine = await startEngine()
})
after(() => engine.close())

const SCHEMA = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    size: { type: 'integer' },
    kind: { enum: ['hour', 'month'] },
    parts: { type: 'array', items: { type: 'object', properties: { ok: { type: 'boolean' } } } },
  },
}
const MESSAGES = [{ role: 'user', content: 'measure it' }]
const model = 'sandbox-small'

type Json = { readonly [name: string]: Json } & readonly Json[] & string & number

async function ask(path: string, body: object): Promise<Json> {
  const reply = await fetch(`${engine.url}/v1${path}`, { method: 'POST', body: JSON.stringify({ model, ...body }) })
  assert.equal(reply.status, 200)
  return (await reply.json()) as Json
}

async function tokens(text: string): Promise<number> {
  const reply = await fetch(`${engine.url}/tokenize`, { method: 'POST', body: JSON.stringify({ content: text }) })
  return ((await reply.json()) as { count: number }).count
}

function assertShaped(text: string): void {
  const { name, size, kind, parts } = JSON.parse(text) as Record<string, unknown>
  assert.deepEqual([typeof name, typeof size], ['string', 'number'])
  assert.ok(kind === 'hour' || kind === 'month')
  assert.equal(typeof (parts as { ok: unknown }[])[0]?.ok, 'boolean')
}

test('a reply in the shape of a schema has as many tokens as its usage says', async () => {
  const reply = await ask('/chat/completions', {
    messages: MESSAGES,
    response_format: { type: 'json_schema', json_schema: { name: 'it', schema: SCHEMA } },
  })
  const text = reply['choices']?.[0]?.['message']?.['content'] ?? ''
  assertShaped(text)
  assert.equal(reply['usage']?.['completion_tokens'], await tokens(text))
})

test('a function is called, by name where one is named, and not after its result', async () => {
  const tools = ['first', 'second'].map((name) => ({ type: 'function', function: { name, parameters: SCHEMA } }))
  const called = await ask('/chat/completions', {
    messages: MESSAGES,
    tools,
    tool_choice: { type: 'function', function: { name: 'second' } },
  })
  const choice = called['choices']?.[0]
  const call = choice?.['message']?.['tool_calls']?.[0]
  assert.deepEqual([choice?.['finish_reason'], call?.['function']?.['name']], ['tool_calls', 'second'])
  assertShaped(call?.['function']?.['arguments'] ?? '')
  const result = { role: 'tool', tool_call_id: call?.['id'], content: 'done' }
  const answered = await ask('/chat/completions', { messages: [...MESSAGES, choice?.['message'], result], tools })
  assert.equal(answered['choices']?.[0]?.['finish_reason'], 'stop')
  const none = await ask('/chat/completions', { messages: MESSAGES, tools, tool_choice: 'none' })
  assert.equal(none['choices']?.[0]?.['message']?.['tool_calls'], undefined)
})

test('in a stream the pieces of a call add up to its arguments', async () => {
  const tools = [{ type: 'function', function: { name: 'it', parameters: SCHEMA } }]
  const reply = await fetch(`${engine.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, messages: MESSAGES, tools, stream: true }),
  })
  let text = ''
  for (const line of (await reply.text()).split('\n')) {
    if (!line.startsWith('data: {')) continue
    text +=
      (JSON.parse(line.slice('data: '.length)) as Json)['choices']?.[0]?.['delta']?.['tool_calls']?.[0]?.['function']?.['arguments'] ?? ''
  }
  assertShaped(text)
})

test('a limit cuts a shape short, and says so', async () => {
  const tools = [{ name: 'it', input_schema: SCHEMA }]
  const cut = await ask('/messages', { messages: MESSAGES, tools, max_tokens: 3 })
  assert.deepEqual([cut['stop_reason'], cut['usage']?.['output_tokens'], cut['content']?.[0]?.['input']], ['max_tokens', 3, {}])
})
