import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { MODEL, startLlamaPython } from './engine/start.ts'
import { costOf, engines, meterEngine, totalsOf } from './support/metered-engine.ts'
import type { MeteredEngine } from './support/metered-engine.ts'
import { contentEvents, eventsOf } from './support/sse.ts'

// The whole product in front of llama-cpp-python, which reports usage in JSON and never in a stream: what was not reported must
// be estimated, said to be so, and never be zero.

const available = await engines()

/** The random weights end a reply when they like; without their end of turn a reply is as long as it may be. */
const NEVER_ENDS = { logit_bias: { 4: -100 } }
/** Of words that are tokens of the model, and long enough that the chat template around it does not matter much. */
const PROMPT = 'how much is the token meter of the hour and who is to pay for the usage of this machine on the first day of the month'
const CHAT = { model: MODEL, messages: [{ role: 'user' as const, content: PROMPT }], temperature: 0 }
const TEXT = { model: MODEL, prompt: PROMPT, temperature: 0 }
const TOO_LONG = 'the '.repeat(3000)

describe('llama-cpp-python behind the gateway', { skip: available.skip }, () => {
  let metered: MeteredEngine
  /** What the engine says of the prompts in JSON. */
  let promptTokens: { readonly chat: number; readonly text: number }

  before(async () => {
    if (available.skip === false) metered = await meterEngine(() => startLlamaPython(available.installed))
  })
  after(() => metered?.[Symbol.asyncDispose]())

  test('JSON: the record says what the reply says', async () => {
    const { client } = metered
    const chat = await client.chat.completions.create({ ...CHAT, max_tokens: 9 }).withResponse()
    const text = await client.completions.create({ ...TEXT, max_tokens: 7 }).withResponse()
    // It sends floats whatever format is asked for, one vector a token.
    const vectors = await metered.post('/embeddings', { model: MODEL, input: ['the token', 'meter of the hour'] })
    const embedded = (await vectors.json()) as { readonly usage: { readonly prompt_tokens: number } }

    const records = await metered.records()
    for (const [response, usage] of [
      [chat.response, chat.data.usage],
      [text.response, text.data.usage],
      [vectors, { ...embedded.usage, completion_tokens: 0 }],
    ] as const) {
      const record = metered.recordOf(records, response)
      assert.deepEqual([record.outcome, record.provenance, record.model], ['completed', 'reported', MODEL])
      assert.equal(record.prompt_tokens, usage?.prompt_tokens)
      assert.equal(record.completion_tokens ?? 0, usage?.completion_tokens)
    }
    promptTokens = { chat: chat.data.usage?.prompt_tokens ?? 0, text: text.data.usage?.prompt_tokens ?? 0 }
  })

  test('a limit that the engine does not know never says what is billed', async () => {
    const limit = { max_tokens: 12, max_completion_tokens: 1 }
    const chat = await metered.client.chat.completions.create({ ...CHAT, ...NEVER_ENDS, stream: true, ...limit }).withResponse()
    let pieces = 0
    for await (const chunk of chat.data) if ((chunk.choices[0]?.delta.content ?? '') !== '') pieces += 1
    const record = metered.recordOf(await metered.records(), chat.response)
    assert.equal(pieces, 12, 'the engine knows max_completion_tokens now: this test has no subject left')
    assert.deepEqual([record.provenance, record.completion_tokens], ['estimated', pieces])
  })

  test('a stream carries no usage: its record is estimated, as many output tokens as the client saw pieces', async () => {
    const { client } = metered
    const wish = { stream: true, stream_options: { include_usage: true } } as const
    const chat = await client.chat.completions.create({ ...CHAT, ...NEVER_ENDS, ...wish, max_tokens: 9 }).withResponse()
    let pieces = 0
    for await (const chunk of chat.data) {
      assert.equal(chunk.usage ?? null, null, 'the engine has learnt to report usage in streams: this test has no subject left')
      if ((chunk.choices[0]?.delta.content ?? '') !== '') pieces += 1
    }
    const text = await client.completions.create({ ...TEXT, ...NEVER_ENDS, max_tokens: 7, stream: true }).withResponse()
    let words = 0
    for await (const chunk of text.data) if ((chunk.choices[0]?.text ?? '') !== '') words += 1

    assert.deepEqual([pieces, words], [9, 7])
    const records = await metered.records()
    const ofChat = metered.recordOf(records, chat.response)
    const ofText = metered.recordOf(records, text.response)
    for (const record of [ofChat, ofText]) {
      assert.deepEqual([record.outcome, record.provenance, record.model, record.aborted], ['completed', 'estimated', MODEL, false])
    }
    assert.equal(ofChat.completion_tokens, pieces)
    assert.equal(ofText.completion_tokens, words)
    assertPlausible(ofChat.prompt_tokens, promptTokens.chat)
    assertPlausible(ofText.prompt_tokens, promptTokens.text)
  })

  test('the bytes pass as they are, both ways', async () => {
    const bodies: readonly (readonly [string, string])[] = [
      ['/chat/completions', JSON.stringify({ ...CHAT, max_tokens: 4 }, undefined, 1)],
      ['/chat/completions', JSON.stringify({ ...CHAT, max_tokens: 4, stream: true, stream_options: { include_usage: true } })],
      ['/completions', JSON.stringify({ ...TEXT, max_tokens: 4 })],
    ]
    for (const [path, body] of bodies) {
      const reply = await metered.post(path, body)
      const received = await reply.text()
      const passed = metered.tap.exchanges.at(-1)
      assert.equal(received, String(passed?.body), path)
      assert.equal(String(passed?.sent), body, path)
    }
    const reply = await metered.post('/chat/completions', { ...CHAT, max_tokens: 4, stream: true })
    // It was asked for usage on the client's behalf and sent none: there is nothing to withhold.
    assert.equal(await reply.text(), String(metered.tap.exchanges.at(-1)?.body))
  })

  test('a stream over the context size is 200 and empty: nothing was delivered, nothing is billed', async () => {
    const reply = await metered.post('/completions', { ...TEXT, prompt: TOO_LONG, stream: true })
    assert.equal(reply.status, 200)
    assert.equal(await reply.text(), '', 'the engine has learnt to refuse: this test has no subject left')
    const record = metered.recordOf(await metered.records(), reply)
    assert.deepEqual([record.provenance, record.prompt_tokens, record.completion_tokens], ['unknown', null, null])
    assert.deepEqual(record.meters, {})
  })

  test("the engine's refusals pass as they are, and are recorded without a token", async () => {
    const refused = [
      await metered.post('/completions', { ...TEXT, prompt: TOO_LONG, max_tokens: 1 }),
      await metered.post('/chat/completions', { ...CHAT, messages: 'none' }),
    ]
    const seen = metered.tap.exchanges.slice(-refused.length)
    const bodies = await Promise.all(refused.map((reply) => reply.text()))
    assert.deepEqual(
      bodies,
      seen.map(({ body }) => body.toString()),
    )
    const records = await metered.records()
    for (const reply of refused) {
      assert.ok(reply.status >= 400)
      const record = metered.recordOf(records, reply)
      assert.deepEqual([record.outcome, record.prompt_tokens, record.completion_tokens], ['upstream_error', null, null])
    }
    const before = metered.tap.exchanges.length
    const broken = await metered.post('/chat/completions', '{"model":"tiny","messages":')
    assert.equal(broken.status, 400, 'the engine would answer 500')
    await broken.arrayBuffer()
    assert.equal(metered.tap.exchanges.length, before)
  })

  test('a request id that is no UUID does not reach the engine, which would answer 400 and nothing else', async () => {
    const headers = { 'x-request-id': 'ticket-4711' }
    const direct = await fetch(`${metered.engine.url}/v1/models`, { headers })
    await direct.arrayBuffer()
    assert.equal(direct.status, 400, 'the engine has learnt to take any id: this test has no subject left')
    const reply = await metered.post('/chat/completions', { ...CHAT, max_tokens: 2 }, { headers })
    await reply.arrayBuffer()
    assert.deepEqual([reply.status, reply.headers.get('x-request-id')], [200, 'ticket-4711'])
    const record = metered.recordOf(await metered.records(), reply)
    assert.equal(metered.tap.exchanges.at(-1)?.headers['x-request-id'], record.event_id)
  })

  test('n is ignored by the engine: one choice comes, and is billed as reported', async () => {
    const { data, response } = await metered.client.chat.completions.create({ ...CHAT, n: 3, max_tokens: 5 }).withResponse()
    assert.equal(data.choices.length, 1)
    const record = metered.recordOf(await metered.records(), response)
    assert.deepEqual([record.completion_tokens, record.provenance], [data.usage?.completion_tokens, 'reported'])
  })

  test('a client that leaves a stream is billed for every piece that the engine sent', async () => {
    const first = metered.tap.exchanges.length
    const paths = ['/chat/completions', '/completions']
    for (const path of paths) {
      await metered.settled()
      const before = await metered.clientsGone()
      const hold = metered.tap.holdNext(1500)
      const leaving = new AbortController()
      const prompt = path === '/completions' ? TEXT : CHAT
      const reply = metered.post(path, { ...prompt, ...NEVER_ENDS, max_tokens: 30, stream: true }, { signal: leaving.signal })
      const left = assert.rejects(reply.then((answer) => answer.arrayBuffer()))
      await hold.held
      leaving.abort()
      await left
      await metered.clientGone(before)
      hold.release()
      // This engine breaks off what it is doing as soon as somebody else asks for something.
      await metered.settled()
    }
    const records = await metered.records()
    for (const exchange of metered.tap.exchanges.slice(first)) {
      const record = records.find(({ event_id }) => event_id === exchange.headers['x-request-id'])
      assert.ok(
        eventsOf(exchange.body).some(({ data }) => data === undefined),
        'the stream was not read on to its [DONE]',
      )
      assert.equal(contentEvents(exchange.body), 30)
      assert.deepEqual(
        [record?.outcome, record?.aborted, record?.provenance, record?.completion_tokens],
        ['aborted', true, 'estimated', 30],
      )
    }
  })

  test('the statement holds the money of exactly these records, and holds aside the model without a price', async () => {
    // This engine repeats whatever model it was asked for.
    const { data, response } = await metered.client.chat.completions
      .create({ ...CHAT, model: 'no-such-model', max_tokens: 2 })
      .withResponse()
    const records = await metered.records()
    assert.deepEqual([data.model, metered.recordOf(records, response).model], ['no-such-model', 'no-such-model'])
    const statement = await metered.product.statement()
    const { total, lines } = totalsOf(statement)
    assert.ok(total > 0n)
    assert.equal(total, costOf(records.filter(({ model }) => model === MODEL)))
    assert.equal(total, lines)
    assert.equal(statement.held.unpriced, 1)
  })
})

/** An estimate is made of bytes and knows no tokenizer: it must be there, and of the right order. */
function assertPlausible(estimate: number | null, reported: number): void {
  assert.ok(estimate !== null && estimate >= reported / 4 && estimate <= reported * 4, `${estimate} for ${reported}`)
}
