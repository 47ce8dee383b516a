import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import OpenAI from 'openai'
import { MODEL, startLlamaServer } from './engine/start.ts'
import type { Event } from '../support/product.ts'
import { temporaryDir, up } from '../support/product.ts'
import { costOf, engines, meterEngine, sumOfSeries, totalsOf } from './support/metered-engine.ts'
import type { MeteredEngine } from './support/metered-engine.ts'
import { eventsOf } from './support/sse.ts'

// The whole product in front of llama-server. What it counts is compared with what the engine counts by itself, with what
// passed between them, and with what the client was told: never with what the gateway wrote down.

const available = await engines()

/** The random weights end a reply when they like; without their end of turn a reply is as long as it may be. */
const NEVER_ENDS = { logit_bias: { 4: -100 } }
const CHAT = { model: MODEL, messages: [{ role: 'user' as const, content: 'how much is the meter' }], temperature: 0 }
const TEXT = { model: MODEL, prompt: 'the token meter', temperature: 0 }
const TOO_LONG = 'the '.repeat(3000)

describe('llama-server behind the gateway', { skip: available.skip }, () => {
  let metered: MeteredEngine
  /** What the engine says of `CHAT`'s prompt. */
  let promptTokens: number | undefined
  /** What the engine itself has counted since it started, in the classes of our meters, which are disjoint like its own. */
  const counted = async (): Promise<Counts> => {
    const [input, cached, output] = await Promise.all(
      ['prompt_tokens_total', 'prompt_tokens_cached_total', 'tokens_predicted_total'].map((name) =>
        sumOfSeries(metered.engine.url, `llamacpp:${name}`),
      ),
    )
    assert.ok(input !== undefined && cached !== undefined && output !== undefined, 'the engine counts no more')
    return { input, cached, output }
  }
  const since = async (before: Counts): Promise<Counts> => {
    const now = await counted()
    return { input: now.input - before.input, cached: now.cached - before.cached, output: now.output - before.output }
  }

  before(async () => {
    if (available.skip !== false) return
    metered = await meterEngine(() => startLlamaServer(available.installed))
    promptTokens = (await metered.client.chat.completions.create({ ...CHAT, max_tokens: 1 })).usage?.prompt_tokens
  })
  after(() => metered?.[Symbol.asyncDispose]())

  test('chat: the record says what the reply says, streamed or not, whoever asked for usage', async () => {
    const { client } = metered
    const whole = await client.chat.completions.create({ ...CHAT, max_tokens: 9 }).withResponse()
    const silent = await client.chat.completions.create({ ...CHAT, max_tokens: 10, stream: true }).withResponse()
    let chunks = 0
    for await (const chunk of silent.data) {
      chunks += 1
      assert.equal(chunk.choices.length, 1, 'a client that did not ask for usage got the chunk that carries it')
    }
    const asked = await client.chat.completions
      .create({ ...CHAT, max_tokens: 11, stream: true, stream_options: { include_usage: true } })
      .withResponse()
    const usages = []
    for await (const chunk of asked.data) if (chunk.usage) usages.push(chunk.usage)

    const records = await metered.records()
    const ofWhole = metered.recordOf(records, whole.response)
    const ofSilent = metered.recordOf(records, silent.response)
    const ofAsked = metered.recordOf(records, asked.response)
    for (const record of [ofWhole, ofSilent, ofAsked]) {
      assert.deepEqual([record.outcome, record.provenance, record.model, record.aborted], ['completed', 'reported', MODEL, false])
    }
    assert.equal(ofWhole.prompt_tokens, whole.data.usage?.prompt_tokens)
    assert.equal(ofWhole.cached_tokens, whole.data.usage?.prompt_tokens_details?.cached_tokens)
    assert.equal(ofWhole.completion_tokens, whole.data.usage?.completion_tokens)
    assert.ok(chunks > 1 && (ofSilent.completion_tokens ?? 0) > 1)
    // The same prompt: an engine that told the client nothing cannot have read another number of tokens.
    assert.equal(ofSilent.prompt_tokens, ofWhole.prompt_tokens)
    assert.equal(usages.length, 1)
    assert.equal(ofAsked.prompt_tokens, usages[0]?.prompt_tokens)
    assert.equal(ofAsked.completion_tokens, usages[0]?.completion_tokens)
  })

  test('completions and embeddings: the record says what the reply says', async () => {
    const { client } = metered
    const text = await client.completions.create({ ...TEXT, max_tokens: 7 }).withResponse()
    // This engine reports usage in the last chunk of text, asked or not: nothing of it may be withheld.
    const stream = await client.completions.create({ ...TEXT, max_tokens: 8, stream: true }).withResponse()
    const usages = []
    for await (const chunk of stream.data) if (chunk.usage) usages.push(chunk.usage)
    const vectors = await client.embeddings.create({ model: MODEL, input: ['the token', 'meter of the hour'] }).withResponse()

    const records = await metered.records()
    const ofText = metered.recordOf(records, text.response)
    const ofStream = metered.recordOf(records, stream.response)
    const ofVectors = metered.recordOf(records, vectors.response)
    assert.equal(ofText.prompt_tokens, text.data.usage?.prompt_tokens)
    assert.equal(ofText.completion_tokens, text.data.usage?.completion_tokens)
    assert.equal(usages.length, 1)
    assert.equal(ofStream.prompt_tokens, usages[0]?.prompt_tokens)
    assert.equal(ofStream.completion_tokens, usages[0]?.completion_tokens)
    assert.equal(vectors.data.data.length, 2)
    assert.equal(ofVectors.prompt_tokens, vectors.data.usage.prompt_tokens)
    assert.equal(ofVectors.meters['output_tokens'] ?? 0, 0)
  })

  test('a reply that follows a JSON schema is metered like any other', async () => {
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'], additionalProperties: false }
    const { data, response } = await metered.client.chat.completions
      .create({ ...CHAT, seed: 1, max_tokens: 200, response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } })
      .withResponse()
    assert.equal(typeof (JSON.parse(data.choices[0]?.message.content ?? '') as { ok: unknown }).ok, 'boolean')
    const record = metered.recordOf(await metered.records(), response)
    assert.equal(record.completion_tokens, data.usage?.completion_tokens)
    assert.equal(record.finish_reason, 'stop')
  })

  test('the client gets the bytes that the engine sent, and the engine those that the client sent', async () => {
    const { tap } = metered
    const asked = { stream: true, stream_options: { include_usage: true } }
    const untouched: readonly (readonly [string, string])[] = [
      ['/chat/completions', JSON.stringify({ ...CHAT, max_tokens: 6 }, undefined, 1)],
      ['/chat/completions', JSON.stringify({ ...CHAT, max_tokens: 6, ...asked })],
      ['/completions', JSON.stringify({ ...TEXT, max_tokens: 6, ...asked })],
      ['/embeddings', JSON.stringify({ model: MODEL, input: 'é ü \u{1f600}' })],
    ]
    for (const [path, body] of untouched) {
      const reply = await metered.post(path, body)
      const received = Buffer.from(await reply.arrayBuffer())
      const passed = tap.exchanges.at(-1)
      assert.deepEqual(received.toString(), passed?.body.toString(), path)
      assert.deepEqual(passed?.sent.toString(), body, path)
    }

    const reply = await metered.post('/chat/completions', { ...CHAT, max_tokens: 6, stream: true })
    const received = await reply.text()
    const passed = tap.exchanges.at(-1)
    assert.deepEqual(JSON.parse(String(passed?.sent)), { ...CHAT, max_tokens: 6, ...asked })
    const all = eventsOf(passed?.body ?? '')
    const withheld = all.filter(({ data }) => data?.choices?.length === 0 && data.usage !== undefined && data.usage !== null)
    assert.equal(withheld.length, 1)
    assert.equal(
      received,
      all
        .filter((event) => !withheld.includes(event))
        .map(({ raw }) => raw)
        .join(''),
    )
  })

  test("the engine's refusals pass as they are, and are recorded without a token", async () => {
    const { tap } = metered
    const before = await counted()
    const refused = [
      await metered.post('/completions', { ...TEXT, prompt: TOO_LONG, max_tokens: 1 }),
      await metered.post('/completions', { ...TEXT, prompt: TOO_LONG, stream: true }),
      await metered.post('/chat/completions', { model: MODEL, messages: [{ role: 'user', content: TOO_LONG }], stream: true }),
      await metered.post('/chat/completions', { model: MODEL }),
    ]
    const seen = tap.exchanges.slice(-refused.length)
    const bodies = await Promise.all(refused.map((reply) => reply.text()))
    assert.deepEqual(
      bodies,
      seen.map(({ body }) => body.toString()),
    )
    const records = await metered.records()
    for (const reply of refused) {
      assert.equal(reply.status, 400)
      const record = metered.recordOf(records, reply)
      assert.deepEqual([record.outcome, record.prompt_tokens, record.completion_tokens], ['upstream_error', null, null])
      assert.deepEqual(record.meters ?? {}, {})
    }
    assert.deepEqual(await since(before), { input: 0, cached: 0, output: 0 })
  })

  test('a request that cannot be metered never reaches the engine and leaves no record', async () => {
    const before = metered.tap.exchanges.length
    const broken = await metered.post('/chat/completions', '{"model":"tiny","messages":')
    assert.equal(broken.status, 400)
    assert.equal(typeof ((await broken.json()) as { error: { message: unknown } }).error.message, 'string')
    const elsewhere = await metered.post('/no-such-path', CHAT)
    assert.equal(elsewhere.status, 404)
    await elsewhere.arrayBuffer()
    assert.equal(metered.tap.exchanges.length, before)
    await metered.records()
  })

  test('a model that the engine does not know is priced as the one that answered', async () => {
    const { data, response } = await metered.client.chat.completions
      .create({ ...CHAT, model: 'no-such-model', max_tokens: 2 })
      .withResponse()
    assert.equal(data.model, MODEL)
    assert.equal(metered.recordOf(await metered.records(), response).model, MODEL)
  })

  test("the client's request id is correlation only: the engine gets ours", async () => {
    const headers = { 'x-request-id': 'ticket-4711' }
    const replies = [
      await metered.post('/completions', { ...TEXT, max_tokens: 2 }, { headers }),
      await metered.post('/completions', { ...TEXT, max_tokens: 2 }, { headers }),
    ]
    await Promise.all(replies.map((reply) => reply.arrayBuffer()))
    const records = (await metered.records()).filter(({ request_id }) => request_id === headers['x-request-id'])
    assert.equal(records.length, 2, 'a repeated request id is another request, and billed')
    assert.deepEqual(
      replies.map((reply) => reply.headers.get('x-request-id')),
      [headers['x-request-id'], headers['x-request-id']],
    )
    const seen = metered.tap.exchanges.slice(-2).map((exchange) => exchange.headers['x-request-id'])
    assert.deepEqual(new Set(seen), new Set(records.map(({ event_id }) => event_id)))
  })

  test('a client that leaves is billed for what the engine reports', async () => {
    const bodies: readonly (readonly [string, object, number])[] = [
      // Before the head, in a JSON body, in a stream of each API.
      ['/chat/completions', { ...CHAT, ...NEVER_ENDS, max_tokens: 60 }, 0],
      ['/chat/completions', { ...CHAT, ...NEVER_ENDS, max_tokens: 60, stream: true }, 0],
      ['/completions', { ...TEXT, ...NEVER_ENDS, max_tokens: 60 }, 100],
      ['/chat/completions', { ...CHAT, ...NEVER_ENDS, max_tokens: 60, stream: true }, 1500],
      ['/completions', { ...TEXT, ...NEVER_ENDS, max_tokens: 60, stream: true }, 1500],
    ]
    const first = metered.tap.exchanges.length
    for (const [path, body, bytes] of bodies) {
      const before = await metered.clientsGone()
      const hold = metered.tap.holdNext(bytes)
      const leaving = new AbortController()
      const reply = metered.post(path, body, { signal: leaving.signal }).then((answer) => answer.arrayBuffer())
      const left = assert.rejects(reply)
      await hold.held
      leaving.abort()
      await left
      await metered.clientGone(before)
      hold.release()
    }
    const ids = new Set(metered.tap.exchanges.slice(first).map((exchange) => exchange.headers['x-request-id']))
    const records = (await metered.records()).filter(({ event_id }) => ids.has(event_id))
    assert.equal(records.length, bodies.length)
    for (const record of records)
      assert.deepEqual([record.outcome, record.aborted, record.provenance, record.completion_tokens], ['aborted', true, 'reported', 60])
  })

  test('clients that leave at any point, many at once, are billed for every token that the engine generated', async () => {
    const clients = Array.from({ length: 4 }, async (_, lane) => {
      for (let turn = 0; turn < 6; turn += 1)
        await leaveAfter(metered, (lane * 6 + turn) * 2, turn % 2 === 0 ? '/chat/completions' : '/completions')
    })
    const hasty = Array.from({ length: 8 }, (_, turns) => leaveEarly(metered, turns))
    await Promise.all([...clients, ...hasty])
    await metered.settled()
    const seen = new Set(metered.tap.exchanges.map(({ headers }) => headers['x-request-id']))
    const records = (await metered.records()).filter(({ event_id, outcome }) => seen.has(event_id) && outcome !== 'upstream_error')
    assert.deepEqual(
      records.filter(({ provenance }) => provenance !== 'reported'),
      [],
    )
    assert.deepEqual(sumOf(records), await counted())
    const output = records.reduce((sum, { completion_tokens }) => sum + (completion_tokens ?? 0), 0)
    assert.equal(output, (await counted()).output)
  })

  // What the policy `count` promises for several choices, see packages/usage/README.md: a stream's blocks, one for each choice,
  // are added up; a JSON body whose choices all ran into `max_tokens` is corrected to choices × max_tokens and marked `estimated`;
  // any other JSON body with several choices keeps its numbers, never fewer than reported, and is marked `estimated`.
  for (const choices of [2, 3]) {
    test(`n = ${choices} in a stream is billed as the engine counts`, async () => {
      const bodies: readonly ChatBody[] = [
        { ...CHAT, ...NEVER_ENDS, n: choices, max_tokens: 8, stream: true, temperature: 0.8 },
        { ...CHAT, n: choices, max_tokens: 40, stream: true, stream_options: { include_usage: true }, temperature: 0.8 },
      ]
      for (const body of bodies) {
        const before = await counted()
        const reply = await metered.post('/chat/completions', body)
        const events = eventsOf(await reply.text())
        assert.equal(new Set(events.flatMap(({ data }) => data?.choices?.map(({ index }) => index) ?? [])).size, choices)
        assert.equal(events.filter(({ data }) => data?.usage).length, body.stream_options === undefined ? 0 : choices)
        const record = metered.recordOf(await metered.records(), reply)
        // The prompt was read once, whatever each of the blocks says.
        assert.deepEqual(sumOf([record]), await since(before))
        assert.deepEqual([record.prompt_tokens, record.provenance], [promptTokens, 'reported'])
      }
    })

    test(`n = ${choices} in a JSON body that max_tokens cut off is billed as the engine counts, marked estimated`, async () => {
      const before = await counted()
      const { data, response } = await metered.client.chat.completions
        .create({ ...CHAT, ...NEVER_ENDS, n: choices, max_tokens: 8, temperature: 0.8 })
        .withResponse()
      assert.equal(data.choices.length, choices)
      assert.equal(data.usage?.completion_tokens, 8, 'the engine has learnt to add up: this test has no subject left')
      const record = metered.recordOf(await metered.records(), response)
      assert.deepEqual([record.completion_tokens, record.provenance], [8 * choices, 'estimated'])
      assert.deepEqual(sumOf([record]), await since(before))
    })
  }

  test('a list of prompts that max_tokens cut off is billed as the engine counts, marked estimated', async () => {
    const before = await counted()
    const prompts = ['the token', 'meter of the hour']
    const { data, response } = await metered.client.completions
      .create({ ...TEXT, ...NEVER_ENDS, prompt: prompts, max_tokens: 8 })
      .withResponse()
    assert.equal(data.choices.length, prompts.length)
    const record = metered.recordOf(await metered.records(), response)
    assert.deepEqual([record.completion_tokens, record.provenance], [8 * prompts.length, 'estimated'])
    assert.equal(record.completion_tokens, (await since(before)).output)
  })

  test('n = 2 in a JSON body that ended by itself is never billed below the report, marked estimated', async () => {
    const before = await counted()
    const { data, response } = await metered.client.chat.completions
      .create({ ...CHAT, n: 2, max_tokens: 400, temperature: 0.8 })
      .withResponse()
    const record = metered.recordOf(await metered.records(), response)
    const billed = record.completion_tokens ?? 0
    assert.equal(record.provenance, 'estimated')
    assert.ok(billed >= (data.usage?.completion_tokens ?? Infinity) && billed <= (await since(before)).output)
  })

  test('connections that the engine closes after a hundred requests, with nothing between, lose none', async () => {
    using dir = temporaryDir()
    await using product = await up(dir.path, '--upstream', `${metered.engine.url}/v1`)
    const client = new OpenAI({ baseURL: `${product.ready.gateway}/v1`, apiKey: product.ready.key, maxRetries: 0 })
    const before = await counted()
    const lanes = Array.from({ length: 2 }, async () => {
      for (let turn = 0; turn < 120; turn += 1) await client.completions.create({ ...TEXT, max_tokens: 1 })
    })
    await Promise.all(lanes)
    assert.deepEqual(sumOf(await product.eventsUntil(240)), await since(before))
  })

  test('the statement holds the money of exactly these records', async () => {
    const records = await metered.records()
    const { total, lines } = totalsOf(await metered.product.statement())
    assert.ok(total > 0n)
    assert.equal(total, costOf(records))
    assert.equal(total, lines)
  })
})

type Counts = { readonly input: number; readonly cached: number; readonly output: number }

function sumOf(records: readonly Event[]): Counts {
  const sum = (meter: string): number => records.reduce((total, { meters }) => total + (meters[meter] ?? 0), 0)
  return { input: sum('input_tokens'), cached: sum('cached_input_tokens'), output: sum('output_tokens') }
}

type ChatBody = typeof CHAT & {
  readonly n: number
  readonly max_tokens: number
  readonly stream: boolean
  readonly stream_options?: object
}

/** Reads `chunks` chunks of a stream, or what there is of them, and leaves. */
async function leaveAfter(metered: MeteredEngine, chunks: number, path: string): Promise<void> {
  const leaving = new AbortController()
  const prompt = path === '/completions' ? TEXT : CHAT
  const reply = await metered.post(path, { ...prompt, ...NEVER_ENDS, max_tokens: 40, stream: true }, { signal: leaving.signal })
  let read = 0
  for await (const _chunk of reply.body ?? []) if (read++ >= chunks) break
  leaving.abort()
}

/** Asks for a whole reply and leaves before it can be there, `turns` turns of the event loop later. */
async function leaveEarly(metered: MeteredEngine, turns: number): Promise<void> {
  const leaving = new AbortController()
  const reply = metered.post('/completions', { ...TEXT, ...NEVER_ENDS, max_tokens: 40 }, { signal: leaving.signal })
  for (let turn = 0; turn < turns * turns; turn += 1) await setImmediate()
  leaving.abort()
  await reply.catch(() => undefined)
}
