import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startEngine } from '@ascribe/sandbox'

const engine = await startEngine()
after(() => engine.close())

type Json = Record<string, unknown>
type Event = { readonly name: string; readonly data: Json }

async function post(path: string, body: object): Promise<Response> {
  return await fetch(`${engine.url}${path}`, { method: 'POST', body: JSON.stringify({ model: 'sandbox-small', ...body }) })
}

async function eventsOf(response: Response): Promise<Event[]> {
  const text = await response.text()
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const [name = '', data = ''] = event.split('\n')
      return { name: name.slice('event: '.length), data: JSON.parse(data.slice('data: '.length)) as Json }
    })
}

/** Members in any depth, by a path with dots. */
function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((found, name) => (found as Json | undefined)?.[name], value)
}

const responses = { input: 'hello there', max_output_tokens: 5 }
const messages = { messages: [{ role: 'user', content: 'hello there' }], max_tokens: 5 }

test('the engine serves Responses and Messages with the counts that it has generated', async () => {
  const response: unknown = await (await post('/v1/responses', responses)).json()
  assert.equal(at(response, 'usage.output_tokens'), 5)
  assert.equal(at(response, 'status'), 'incomplete')
  const message: unknown = await (await post('/v1/messages', messages)).json()
  assert.equal(at(message, 'usage.output_tokens'), 5)
  assert.equal(at(message, 'stop_reason'), 'max_tokens')
  assert.deepEqual(
    engine.seen.slice(-2).map(({ completionTokens }) => completionTokens),
    [5, 5],
  )
})

test('streams of Responses and Messages name each event as its data does, number those of Responses, and end with the terminal one', async () => {
  for (const [path, body, terminal, usage] of [
    ['/v1/responses', responses, 'response.incomplete', 'response.usage.output_tokens'],
    ['/v1/messages', messages, 'message_stop', 'usage.output_tokens'],
  ] as const) {
    const events = await eventsOf(await post(path, { ...body, stream: true }))
    for (const { name, data } of events) assert.equal(name, data['type'])
    assert.equal(events.at(-1)?.name, terminal)
    assert.equal(events.filter(({ name }) => name.endsWith('delta') && name !== 'message_delta').length, 5)
    assert.equal(
      events.map(({ data }) => at(data, usage)).findLast((count) => count !== undefined),
      5,
    )
    if (path === '/v1/responses')
      assert.deepEqual(
        events.map(({ data }) => data['sequence_number']),
        [...events.keys()],
      )
  }
})

test('Messages keeps what it is asked to keep, for as long as it is asked, and reads it the next time', async () => {
  const keep = (ttl?: string): object => ({ type: 'ephemeral', ...(ttl !== undefined && { ttl }) })
  const body = {
    max_tokens: 1,
    system: [{ type: 'text', text: 'one two '.repeat(32), cache_control: keep('1h') }],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'three four '.repeat(16), cache_control: keep() }] }],
  }
  const usageOf = async (): Promise<Json> => at(await (await post('/v1/messages', body)).json(), 'usage') as Json
  const first = await usageOf()
  assert.deepEqual([first['cache_read_input_tokens'], first['cache_creation_input_tokens']], [0, 98])
  const { ephemeral_1h_input_tokens: hour, ephemeral_5m_input_tokens: minutes } = first['cache_creation'] as Json
  assert.deepEqual([hour, minutes], [65, 33])
  const second = await usageOf()
  assert.equal(second['cache_read_input_tokens'], 96, 'whole blocks of 16')
  assert.equal(second['cache_creation_input_tokens'], 2)
  assert.equal(Number(second['input_tokens']), Number(first['input_tokens']))
})

test('the engine reports reasoning of Responses as a class, and refuses Messages in their own shape', async () => {
  const response: unknown = await (await post('/v1/responses', { ...responses, model: 'sandbox-reasoner', max_output_tokens: 60 })).json()
  assert.ok(Number(at(response, 'usage.output_tokens_details.reasoning_tokens')) >= 8)
  const refused = await post('/v1/messages', { messages: messages.messages })
  assert.equal(refused.status, 400)
  assert.deepEqual(await refused.json(), { type: 'error', error: { type: 'invalid_request_error', message: 'max_tokens: Field required' } })
})
