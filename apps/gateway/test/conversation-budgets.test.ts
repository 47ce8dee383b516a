import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Budget } from '@ascribe/admission'
import { startEngine } from '@ascribe/sandbox'
import type { SandboxEngine } from '@ascribe/sandbox'
import type { Route } from '../src/index.ts'
import { startControlled } from './controlled.ts'
import type { ControlledGateway } from './controlled.ts'
import { ask, until, watch } from './support.ts'
import type { Answer } from './support.ts'

// Budgets hold for Responses and Messages too.

const TOKENS: Budget = { id: 'b', scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'day' }
const MONEY: Budget = { ...TOKENS, unit: 'USD' }
const RESPONSES = { path: '/v1/responses', limit: 'max_output_tokens', body: { model: 'sandbox-small', input: 'hello there' } } as const
const MESSAGES = {
  path: '/v1/messages',
  limit: 'max_tokens',
  body: { model: 'sandbox-small', messages: [{ role: 'user', content: 'hello there' }] },
} as const

async function controlled(t: TestContext, route: Partial<Route> = {}): Promise<ControlledGateway & { readonly engine: SandboxEngine }> {
  const engine = await startEngine({ faults: { tokens: 5 } })
  t.after(() => engine.close())
  return { ...(await startControlled(t, { upstream: engine.url, route })), engine }
}

/** The `param` that OpenAI's errors have, and the message. */
const errorOf = ({ text }: Answer): { readonly param?: string; readonly message: string } =>
  (JSON.parse(text) as { error: { param?: string; message: string } }).error

for (const { path, limit, body } of [RESPONSES, MESSAGES]) {
  const limited = { ...body, [limit]: 5 }
  const reserved = JSON.stringify(limited).length + 256 + 5

  test(`a budget reserves the most that a request to ${path} may use`, async (t) => {
    const { gateway, engine, rule, told } = await controlled(t)
    engine.setFaults({ tokens: 5, hangAt: 'before-head' })
    const most = reserved + 2000
    await rule({ budgets: [TOKENS] }, most)
    await watch(t, gateway.port, { path, body: limited })
    await until('it is held', async () => (await told())?.used === String(reserved))
    assert.equal((await ask(gateway.url, { path, body: { ...body, [limit]: 2000 } })).status, 429, 'the rest does not cover it')
    assert.equal(engine.seen.length, 1)
  })

  test(`what a request to ${path} did not use of its reservation comes back`, async (t) => {
    const { gateway, rule, told } = await controlled(t)
    await rule({ budgets: [TOKENS] }, 10_000)
    assert.equal((await ask(gateway.url, { path, body: limited })).status, 200)
    const { promptTokens } = await gateway.record()
    await until('it is counted', async () => (await told())?.used === String((promptTokens ?? 0) + 5))
  })

  test(`a request to ${path} with a budget must bound what it generates, by the name that the API has for it`, async (t) => {
    const { gateway, engine, rule } = await controlled(t)
    await rule({ budgets: [TOKENS] }, 10_000)
    const refused: object[] = [
      { [limit]: 0 },
      { [limit]: -1 },
      { [limit]: '5' },
      { [limit]: 5, n_predict: -1 },
      { [limit.toUpperCase()]: 5, [`${limit}x`]: 1 },
    ]
    if (path === '/v1/responses') refused.push({})
    for (const more of refused) {
      const answer = await ask(gateway.url, { path, body: { ...body, ...more } })
      assert.equal(answer.status, 400, JSON.stringify(more))
      assert.match(errorOf(answer).message, new RegExp(limit))
    }
    assert.equal(engine.seen.length, 0)
    assert.equal((await ask(gateway.url, { path, body: limited })).status, 200)
    const counted = await gateway.record()
    assert.equal(counted.completionTokens, 5)
  })
}

test('what a budget counts of Messages are all of its classes, those of the cache included', async (t) => {
  const { gateway, rule, told } = await controlled(t)
  await rule({ budgets: [TOKENS] }, 10_000)
  const system = [{ type: 'text', text: 'one two '.repeat(32), cache_control: { type: 'ephemeral' } }]
  await ask(gateway.url, { path: MESSAGES.path, body: { ...MESSAGES.body, max_tokens: 5, system } })
  const { meters } = await gateway.record()
  assert.equal(meters['cache_write_5m_tokens'], 65)
  const total = Object.values(meters).reduce((sum, count) => sum + count, 0)
  await until('it is counted', async () => (await told())?.used === String(total))
})

test('a budget in money reserves what writing to a cache may cost, which is more than the input', async (t) => {
  const { gateway, engine, rule } = await controlled(t)
  const body = { ...MESSAGES.body, max_tokens: 5 }
  const most = JSON.stringify(body).length + 256
  const models = {
    'sandbox-small': {
      input_tokens: '10',
      cached_input_tokens: '1',
      cache_write_1h_tokens: '20',
      output_tokens: '30',
      reasoning_tokens: '30',
    },
  }
  const prices = [{ currency: 'USD', models }]
  await rule({ budgets: [MONEY], prices }, most * 10 + 5 * 30)
  assert.equal((await ask(gateway.url, { path: MESSAGES.path, body })).status, 402)
  assert.equal(engine.seen.length, 0)
  await rule({ budgets: [MONEY], prices }, most * 20 + 5 * 30)
  assert.equal((await ask(gateway.url, { path: MESSAGES.path, body })).status, 200)
})

test('a budget refuses what takes in more than the request holds, though its route allows it', async (t) => {
  const { gateway, engine, rule } = await controlled(t, { storedResponses: true })
  await rule({ budgets: [TOKENS] }, 10_000)
  for (const more of [{ previous_response_id: 'resp_1' }, { conversation: { id: 'conv_1' } }, { prompt: { id: 'p' } }]) {
    const answer = await ask(gateway.url, { path: RESPONSES.path, body: { ...RESPONSES.body, max_output_tokens: 5, ...more } })
    assert.deepEqual([answer.status, errorOf(answer).param], [400, Object.keys(more)[0]])
  }
  assert.equal(engine.seen.length, 0)
  const kept = await ask(gateway.url, { path: RESPONSES.path, body: { ...RESPONSES.body, max_output_tokens: 5, store: true } })
  assert.equal(kept.status, 200, 'to keep it takes in nothing more')
})
