import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { MODEL, startLlamaPython, startLlamaServer } from './engine/start.ts'
import { engines, meterEngine, sumOfSeries } from './support/metered-engine.ts'
import type { MeteredEngine } from './support/metered-engine.ts'

// `silent_streams: tokenize` on the real engines: what an engine does not say of a stream is what its own tokenizer makes of the text,
// and what that comes to is held against the engine's own count of the very same reply.

const available = await engines()
const ROUTE = { route: { silent_streams: 'tokenize' } }
const NEVER_ENDS = { logit_bias: { 4: -100 } }
const PROMPT = 'how much is the token meter of the hour'
const CHAT = { model: MODEL, messages: [{ role: 'user' as const, content: PROMPT }], temperature: 0 }
const TEXT = { model: MODEL, prompt: PROMPT, temperature: 0 }

describe('llama-cpp-python with its tokenizer asked', { skip: available.skip }, () => {
  let metered: MeteredEngine
  before(async () => {
    if (available.skip === false) metered = await meterEngine(() => startLlamaPython(available.installed), ROUTE)
  })
  after(() => metered?.[Symbol.asyncDispose]())

  for (const maxTokens of [1, 9, 60, 300]) {
    test(`LLMKube-1852: a stream of ${maxTokens} tokens is recorded as the engine counts the same reply in one piece`, async () => {
      const { client } = metered
      const limits = { ...NEVER_ENDS, max_tokens: maxTokens }
      const [chat, text] = [
        await client.chat.completions.create({ ...CHAT, ...limits }),
        await client.completions.create({ ...TEXT, ...limits }),
      ]
      const streams = [
        { usage: text.usage, said: text.choices[0]?.text, ...(await stream('/completions', { ...TEXT, ...limits })) },
        { usage: chat.usage, said: chat.choices[0]?.message.content, ...(await stream('/chat/completions', { ...CHAT, ...limits })) },
      ]
      const records = await metered.records()
      for (const { usage, said, reply, passed } of streams) {
        assert.equal(passed, said, 'the engine has said something else this time: nothing to compare')
        const record = metered.recordOf(records, reply)
        assert.deepEqual([record.outcome, record.provenance, record.model], ['completed', 'estimated', MODEL])
        assert.equal(record.completion_tokens, usage?.completion_tokens)
      }
      const [ofText, ofChat] = streams.map(({ reply }) => metered.recordOf(records, reply))
      // The template of a chat is in no text.
      assert.equal(ofText?.prompt_tokens, text.usage?.prompt_tokens)
      assert.ok(
        (ofChat?.prompt_tokens ?? 0) >= PROMPT.split(' ').length && (ofChat?.prompt_tokens ?? 0) <= (chat.usage?.prompt_tokens ?? 0),
      )
    })
  }

  test('the tokenizer is told nothing that only the client may know, and is asked at its own place', () => {
    const questions = metered.tap.exchanges.filter(({ path }) => !path.startsWith('/v1/'))
    assert.ok(questions.length > 0)
    for (const { headers } of questions) assert.equal(headers['authorization'], undefined)
    assert.equal(questions.at(-1)?.path, '/extras/tokenize/count')
  })

  async function stream(path: string, body: object): Promise<{ readonly reply: Response; readonly passed: string }> {
    const reply = await metered.post(path, { ...body, stream: true })
    let passed = ''
    for (const line of (await reply.text()).split('\n')) {
      if (!line.startsWith('data: {')) continue
      const { choices } = JSON.parse(line.slice('data: '.length)) as { choices: { text?: string; delta?: { content?: string } }[] }
      passed += choices[0]?.text ?? choices[0]?.delta?.content ?? ''
    }
    return { reply, passed }
  }
})

describe('llama-server with its tokenizer asked', { skip: available.skip }, () => {
  test('what it reports stands; a stream that is cut off before that is counted by its tokenizer, for no more than it generated', async () => {
    if (available.skip !== false) return
    await using metered = await meterEngine(() => startLlamaServer(available.installed), { ...ROUTE, drainTime: '0s' })
    const whole = await metered.post('/chat/completions', { ...CHAT, ...NEVER_ENDS, max_tokens: 20, stream: true })
    await whole.text()
    const reported = metered.recordOf(await metered.records(), whole)
    assert.deepEqual([reported.provenance, reported.completion_tokens], ['reported', 20])
    assert.equal(metered.tap.exchanges.length, 1, 'its tokenizer was asked for nothing')

    const gone = await metered.clientsGone()
    const hold = metered.tap.holdNext(4000)
    const leaving = new AbortController()
    const reply = metered.post('/chat/completions', { ...CHAT, ...NEVER_ENDS, max_tokens: 400, stream: true }, { signal: leaving.signal })
    const left = assert.rejects(reply.then((answer) => answer.arrayBuffer()))
    await hold.held
    leaving.abort()
    await left
    await metered.clientGone(gone)
    hold.release()
    const id = metered.tap.exchanges[1]?.headers['x-request-id']
    const record = (await metered.records()).find(({ event_id }) => event_id === id)
    const counted = ((await sumOfSeries(metered.engine.url, 'llamacpp:tokens_predicted_total')) ?? 0) - 20
    assert.deepEqual([record?.outcome, record?.provenance], ['aborted', 'estimated'])
    assert.ok(
      (record?.completion_tokens ?? 0) > 5 && (record?.completion_tokens ?? 0) <= counted,
      `${record?.completion_tokens} of ${counted}`,
    )
    assert.ok(metered.tap.exchanges.some(({ path }) => path === '/tokenize'))
  })
})
