import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI from 'openai'
import type { RunnableToolFunctionWithParse } from 'openai/lib/RunnableFunction'
import { SCHEMA, assertAnswer, assertLeft, engineFault } from './target.ts'
import type { Abilities, Answer, SdkTarget } from './target.ts'

const MESSAGES = [{ role: 'user' as const, content: 'what does the hour cost' }]

/** The official client of OpenAI, unmodified, and the record of each thing that it does. */
export function openaiSuite(target: () => SdkTarget, can: Abilities): void {
  const clientOf = (options: object = {}): OpenAI =>
    new OpenAI({ baseURL: `${target().gateway}/v1`, apiKey: target().key, maxRetries: 0, ...options })
  const chat = (): { model: string; messages: typeof MESSAGES; max_tokens: number } => ({
    model: target().model,
    messages: MESSAGES,
    max_tokens: 12,
  })

  test('openai: a chat in one piece is recorded with the counts of its reply', async () => {
    const { data, request_id: id } = await clientOf().chat.completions.create(chat()).withResponse()
    const record = await target().recordOf(id)
    assert.deepEqual([record.outcome, record.provenance, record.model], ['completed', 'reported', data.model])
    assert.equal(record.prompt_tokens, data.usage?.prompt_tokens)
    assert.equal(record.completion_tokens, data.usage?.completion_tokens)
    assert.equal(record.cached_tokens, data.usage?.prompt_tokens_details?.cached_tokens)
  })

  test('openai: a stream is recorded as its usage chunk says, which only a client that asked for it gets', async () => {
    const { data: silent, request_id: silentId } = await clientOf()
      .chat.completions.create({ ...chat(), stream: true })
      .withResponse()
    for await (const chunk of silent) assert.equal(chunk.usage ?? null, null)
    const { data: asked, request_id: askedId } = await clientOf()
      .chat.completions.create({ ...chat(), stream: true, stream_options: { include_usage: true } })
      .withResponse()
    const usages = []
    for await (const chunk of asked) if (chunk.usage) usages.push(chunk.usage)
    assert.equal(usages.length, 1)
    const [ofSilent, ofAsked] = [await target().recordOf(silentId), await target().recordOf(askedId)]
    assert.deepEqual([ofAsked.prompt_tokens, ofAsked.completion_tokens], [usages[0]?.prompt_tokens, usages[0]?.completion_tokens])
    assert.deepEqual([ofSilent.outcome, ofSilent.provenance, ofSilent.prompt_tokens], ['completed', 'reported', ofAsked.prompt_tokens])
  })

  test('openai: the helper for streams puts the reply together, and leaves one record', async () => {
    const headers = { 'X-Request-Id': `helper-${target().model}` }
    const runner = clientOf().chat.completions.stream(chat(), { headers })
    const content = await runner.finalContent()
    assert.ok((content ?? '').length > 0)
    const record = await target().recordOf(headers['X-Request-Id'])
    assert.deepEqual([record.outcome, record.provenance], ['completed', 'reported'])
  })

  test('openai: a reply in the shape of a schema is metered like any other', async () => {
    const { data, request_id: id } = await clientOf()
      .chat.completions.create({
        ...chat(),
        max_tokens: 200,
        seed: 1,
        response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: SCHEMA, strict: true } },
      })
      .withResponse()
    assertAnswer(JSON.parse(data.choices[0]?.message.content ?? ''))
    const record = await target().recordOf(id)
    assert.deepEqual([record.completion_tokens, record.finish_reason], [data.usage?.completion_tokens, 'stop'])
  })

  if (can.tools)
    test('openai: a loop of tools leaves a record for each request of it', async () => {
      const before = await target().count()
      const asked: Answer[] = []
      const measure: RunnableToolFunctionWithParse<Answer> = {
        type: 'function',
        function: {
          name: 'measure',
          description: 'measures',
          parameters: SCHEMA,
          parse: (text) => JSON.parse(text) as Answer,
          function: (answer) => {
            asked.push(answer)
            return 'done'
          },
        },
      }
      const runner = clientOf().chat.completions.runTools({ model: target().model, messages: MESSAGES, tools: [measure] })
      await runner.done()
      assert.equal(asked.length, 1)
      assertAnswer(asked[0])
      const usage = await runner.totalUsage()
      const headers = { 'X-Request-Id': 'after-the-tools' }
      await clientOf().chat.completions.create(chat(), { headers })
      await target().recordOf(headers['X-Request-Id'])
      assert.equal((await target().count()) - before, 3)
      assert.ok(usage.completion_tokens > 0)
    })

  test('openai: a stream that is aborted is recorded as such, and for what was generated', async () => {
    const headers = { 'X-Request-Id': `abort-${target().model}` }
    const slow = can.faults ? engineFault({ tokenDelayMs: 5, tokens: 64 }) : {}
    const stream = await clientOf().chat.completions.create({ ...chat(), max_tokens: 64, stream: true, ...slow }, { headers })
    for await (const _chunk of stream) {
      stream.controller.abort()
      break
    }
    const record = await target().recordOf(headers['X-Request-Id'])
    assertLeft(record, can)
  })

  test('openai: errors have the class that the client has for them, and no record', async () => {
    const before = await target().count()
    await assert.rejects(clientOf({ apiKey: 'sk-nobody' }).chat.completions.create(chat()), OpenAI.AuthenticationError)
    await assert.rejects(clientOf().post('/chat/completions', { body: [] }), OpenAI.BadRequestError)
    await assert.rejects(clientOf().post('/no-such-path', { body: {} }), OpenAI.NotFoundError)
    assert.equal(await target().count(), before)
  })

  if (can.faults)
    test("openai: the client's retries are a record each, of which none costs anything", async () => {
      const headers = { 'X-Request-Id': 'retried' }
      const request = { ...chat(), ...engineFault({ status: 503 }) }
      await assert.rejects(clientOf({ maxRetries: 2 }).chat.completions.create(request, { headers }), OpenAI.InternalServerError)
      const records = await target().recordsOf('retried', 3)
      for (const { outcome, meters } of records) assert.deepEqual([outcome, meters], ['upstream_error', {}])
      assert.equal(new Set(records.map(({ event_id }) => event_id)).size, 3)
    })

  test('openai: Responses, in one piece and streamed', async () => {
    const body = { model: target().model, input: 'what does the hour cost', max_output_tokens: 12, store: false }
    const { data, request_id: id } = await clientOf().responses.create(body).withResponse()
    const whole = await target().recordOf(id)
    assert.deepEqual([whole.outcome, whole.provenance], ['completed', 'reported'])
    assert.deepEqual([whole.prompt_tokens, whole.completion_tokens], [data.usage?.input_tokens, data.usage?.output_tokens])
    const { data: stream, request_id: streamId } = await clientOf()
      .responses.create({ ...body, stream: true })
      .withResponse()
    let usage: OpenAI.Responses.ResponseUsage | undefined
    let text = ''
    for await (const event of stream) {
      if (event.type === 'response.output_text.delta') text += event.delta
      if (event.type === 'response.completed' || event.type === 'response.incomplete') usage = event.response.usage
    }
    assert.ok(text.length > 0)
    const streamed = await target().recordOf(streamId)
    assert.deepEqual([streamed.prompt_tokens, streamed.completion_tokens], [usage?.input_tokens, usage?.output_tokens])
  })

  if (can.tools)
    test('openai: a function that Responses calls is metered with its arguments', async () => {
      const { data, request_id: id } = await clientOf()
        .responses.create({
          model: target().model,
          input: 'measure it',
          store: false,
          tools: [{ type: 'function', name: 'measure', parameters: SCHEMA, strict: true }],
        })
        .withResponse()
      const [item] = data.output
      assert.ok(item?.type === 'function_call')
      assertAnswer(JSON.parse(item.arguments))
      assert.equal((await target().recordOf(id)).completion_tokens, data.usage?.output_tokens)
    })

  test('openai: completions and embeddings', async () => {
    const text = await clientOf().completions.create({ model: target().model, prompt: 'the meter', max_tokens: 5 }).withResponse()
    const vectors = await clientOf()
      .embeddings.create({ model: target().embedModel, input: ['one', 'two three'] })
      .withResponse()
    assert.equal(vectors.data.data.length, 2)
    assert.equal((await target().recordOf(text.request_id)).completion_tokens, text.data.usage?.completion_tokens)
    assert.equal((await target().recordOf(vectors.request_id)).prompt_tokens, vectors.data.usage.prompt_tokens)
  })
}
