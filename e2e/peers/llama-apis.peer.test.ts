import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Event } from '../support/product.ts'
import { MODEL, startLlamaPython, startLlamaServer } from './engine/start.ts'
import { engines, meterEngine, sumOfSeries } from './support/metered-engine.ts'
import type { MeteredEngine } from './support/metered-engine.ts'

// Every API of a real engine that costs something: what is recorded is what the engine's own counters rose by, in each class.

const available = await engines()

const NEVER_ENDS = { logit_bias: { 4: -100 } }
const MESSAGES = [{ role: 'user', content: 'how much is the meter of the hour' }]
const APIS = [
  { path: '/chat/completions', body: { model: MODEL, messages: MESSAGES, ...NEVER_ENDS }, limit: 'max_tokens' },
  { path: '/completions', body: { model: MODEL, prompt: 'the token meter', ...NEVER_ENDS }, limit: 'max_tokens' },
  {
    path: '/responses',
    body: { model: MODEL, input: 'how much is the meter of the hour', store: false, ...NEVER_ENDS },
    limit: 'max_output_tokens',
  },
  { path: '/messages', body: { model: MODEL, messages: MESSAGES, ...NEVER_ENDS }, limit: 'max_tokens' },
] as const

type Counts = { readonly input: number; readonly cached: number; readonly output: number }

describe('every API of llama-server', { skip: available.skip }, () => {
  let metered: MeteredEngine
  before(async () => {
    if (available.skip === false) metered = await meterEngine(() => startLlamaServer(available.installed))
  })
  after(() => metered?.[Symbol.asyncDispose]())

  const counted = async (): Promise<Counts> => {
    const names = ['prompt_tokens_total', 'prompt_tokens_cached_total', 'tokens_predicted_total']
    const [input = 0, cached = 0, output = 0] = await Promise.all(names.map((name) => sumOfSeries(metered.engine.url, `llamacpp:${name}`)))
    return { input, cached, output }
  }
  /** The records of what was done, and what the engine counted of it. */
  const measured = async (
    work: () => Promise<unknown>,
  ): Promise<{ readonly records: Event[]; readonly recorded: Counts; readonly engine: Counts }> => {
    const first = metered.tap.exchanges.length
    const before = await counted()
    await work()
    await metered.settled()
    const ids = new Set(metered.tap.exchanges.slice(first).map(({ headers }) => headers['x-request-id']))
    const records = (await metered.records()).filter(({ event_id }) => ids.has(event_id))
    const now = await counted()
    const sum = (meter: string): number => records.reduce((total, { meters }) => total + (meters[meter] ?? 0), 0)
    return {
      records,
      recorded: { input: sum('input_tokens'), cached: sum('cached_input_tokens'), output: sum('output_tokens') },
      engine: { input: now.input - before.input, cached: now.cached - before.cached, output: now.output - before.output },
    }
  }

  for (const { path, body, limit } of APIS) {
    test(`${path}: in one piece, streamed, and again from the cache, class by class as the engine counts`, async () => {
      const { records, recorded, engine } = await measured(async () => {
        for (const stream of [false, true, false, true]) {
          const reply = await metered.post(path, { ...body, [limit]: 17, ...(stream && { stream }) })
          assert.equal(reply.status, 200)
          await reply.arrayBuffer()
        }
      })
      assert.deepEqual(
        records.map(({ outcome, provenance, completion_tokens }) => [outcome, provenance, completion_tokens]),
        records.map(() => ['completed', 'reported', 17]),
      )
      assert.deepEqual(recorded, engine)
      assert.ok(recorded.cached > 0)
    })

    test(`${path}: clients that leave, in a stream and in one piece, are billed for what the engine generated`, async () => {
      const { records, recorded, engine } = await measured(async () => {
        for (const [stream, bytes] of [
          [true, 0],
          [true, 900],
          [true, 2500],
          [false, 0],
          [false, 100],
        ] as const) {
          const gone = await metered.clientsGone()
          const hold = metered.tap.holdNext(bytes)
          const leaving = new AbortController()
          const reply = metered.post(path, { ...body, [limit]: 50, ...(stream && { stream }) }, { signal: leaving.signal })
          const left = assert.rejects(reply.then((answer) => answer.arrayBuffer()))
          await hold.held
          leaving.abort()
          await left
          await metered.clientGone(gone)
          hold.release()
        }
      })
      assert.equal(records.length, 5)
      for (const { outcome, provenance } of records) assert.deepEqual([outcome, provenance], ['aborted', 'reported'])
      assert.deepEqual(recorded, engine)
    })
  }

  test('/messages/count_tokens: the engine generates nothing, and nothing is billed', async () => {
    const { records, recorded, engine } = await measured(async () => {
      const reply = await metered.post('/messages/count_tokens', { model: MODEL, messages: MESSAGES })
      assert.equal(reply.status, 200)
      assert.ok(((await reply.json()) as { input_tokens: number }).input_tokens > 0)
    })
    assert.deepEqual(
      records.map(({ outcome, meters }) => [outcome, meters]),
      [['completed', {}]],
    )
    assert.deepEqual([recorded, engine], [recorded, recorded])
  })
})

describe('the APIs that llama-cpp-python does not have', { skip: available.skip }, () => {
  test('are answered as it answers them, and cost nothing', async () => {
    if (available.skip !== false) return
    await using metered = await meterEngine(() => startLlamaPython(available.installed))
    const replies = [
      await metered.post('/responses', { model: MODEL, input: 'hi', store: false }),
      await metered.post('/messages', { model: MODEL, messages: MESSAGES, max_tokens: 3 }),
    ]
    await Promise.all(replies.map((reply) => reply.arrayBuffer()))
    const records = await metered.records()
    for (const reply of replies) {
      assert.equal(reply.status, 404)
      const { outcome, provenance, meters } = metered.recordOf(records, reply)
      assert.deepEqual([outcome, provenance, meters], ['upstream_error', 'unknown', {}])
    }
  })
})
