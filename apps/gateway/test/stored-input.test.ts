import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Budget } from '@ascribe/admission'
import { startEngine } from '@ascribe/sandbox'
import { startControlled } from './controlled.ts'
import { ask, startTestGateway } from './support.ts'
import type { Answer } from './support.ts'

// What is not in a request for Responses, and goes in all the same.

const TOKENS: Budget = { id: 'b', scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'day' }
const BODY = { model: 'sandbox-small', input: 'hello there', max_output_tokens: 5 } as const

const message = (part: object): object => ({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }, part] }] })
/** Refers to what the engine keeps, and by which member. */
const STORED: readonly (readonly [more: object, param: string])[] = [
  [
    {
      input: [
        { role: 'user', content: 'a' },
        { type: 'item_reference', id: 'msg_1' },
      ],
    },
    'item_reference',
  ],
  [{ input: [{ id: 'msg_1' }] }, 'item_reference'],
  [message({ type: 'input_file', file_id: 'file_1' }), 'file_id'],
  [{ tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }] }, 'vector_store_ids'],
  [{ tools: [{ type: 'code_interpreter', container: 'cntr_1' }] }, 'container'],
]
/** Takes in more than is there, and nothing that is kept. */
const FETCHED: readonly (readonly [more: object, param: string])[] = [
  [message({ type: 'input_file', file_url: 'https://files.example/a.pdf' }), 'file_url'],
  [{ tools: [{ type: 'web_search' }] }, 'tools'],
]
const WORDS = {
  input: [{ role: 'user', content: '{"type":"item_reference","id":"msg_1","file_id":"f","vector_store_ids":["v"]}' }],
  tools: [{ type: 'function', name: 'container', parameters: { properties: { file_id: {}, vector_store_ids: {} } } }],
}

const post = (url: string, more: object): Promise<Answer> => ask(url, { path: '/v1/responses', body: { ...BODY, ...more } })
const paramOf = ({ text }: Answer): string | undefined => (JSON.parse(text) as { error?: { param?: string } }).error?.param

test('what an engine keeps never goes in through a route that does not say so; what merely speaks of it passes', async (t) => {
  await using engine = await startEngine({ faults: { tokens: 5 } })
  const strict = await startTestGateway(t, { upstream: engine.url })
  for (const [more, param] of STORED) {
    const answer = await post(strict.url, more)
    assert.deepEqual([answer.status, paramOf(answer)], [400, param], JSON.stringify(more))
  }
  assert.equal(engine.seen.length, 0)
  assert.deepEqual(await strict.entries(), [])
  for (const more of [WORDS, ...FETCHED.map(([each]) => each)])
    assert.equal((await post(strict.url, more)).status, 200, JSON.stringify(more))
  const lenient = await startTestGateway(t, { upstream: engine.url, route: { storedResponses: true } })
  for (const [more] of STORED) assert.equal((await post(lenient.url, more)).status, 200, JSON.stringify(more))
})

test('a budget never takes the bytes of a request for a bound of what goes in when more does, whatever the route allows', async (t) => {
  await using engine = await startEngine({ faults: { tokens: 5 } })
  const { gateway, rule } = await startControlled(t, { upstream: engine.url, route: { storedResponses: true } })
  await rule({ budgets: [TOKENS] }, 10_000)
  for (const [more, param] of [...STORED, ...FETCHED]) {
    const answer = await post(gateway.url, more)
    assert.deepEqual([answer.status, paramOf(answer)], [400, param], JSON.stringify(more))
  }
  assert.equal(engine.seen.length, 0)
  assert.equal((await post(gateway.url, WORDS)).status, 200)
})
