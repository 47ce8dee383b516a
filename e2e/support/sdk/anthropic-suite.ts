import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { SCHEMA, assertAnswer, assertLeft, engineFault } from './target.ts'
import type { Abilities, SdkTarget } from './target.ts'

const MESSAGES = [{ role: 'user' as const, content: 'what does the hour cost' }]

/** The official client of Anthropic, unmodified, and the record of each thing that it does. */
export function anthropicSuite(target: () => SdkTarget, can: Abilities): void {
  const clientOf = (options: object = {}): Anthropic =>
    new Anthropic({ baseURL: target().gateway, apiKey: target().key, authToken: null, maxRetries: 0, ...options })
  const message = (): { model: string; messages: typeof MESSAGES; max_tokens: number } => ({
    model: target().model,
    messages: MESSAGES,
    max_tokens: 12,
  })
  const input = ({ input_tokens, cache_read_input_tokens, cache_creation_input_tokens }: Anthropic.Usage): number =>
    input_tokens + (cache_read_input_tokens ?? 0) + (cache_creation_input_tokens ?? 0)
  const idOf = (response: Response): string | null => response.headers.get('x-request-id')

  test('anthropic: a message is recorded with the counts of its reply, the cache among its input', async () => {
    const { data, response } = await clientOf().messages.create(message()).withResponse()
    const record = await target().recordOf(idOf(response))
    assert.deepEqual([record.outcome, record.provenance, record.model], ['completed', 'reported', data.model])
    assert.deepEqual([record.prompt_tokens, record.completion_tokens], [input(data.usage), data.usage.output_tokens])
  })

  test('anthropic: a stream, put together by the helper, is recorded as its last word says', async () => {
    const headers = { 'X-Request-Id': `messages-${target().model}` }
    const stream = clientOf().messages.stream(message(), { headers })
    let text = ''
    stream.on('text', (piece) => (text += piece))
    const final = await stream.finalMessage()
    assert.ok(text.length > 0)
    const record = await target().recordOf(headers['X-Request-Id'])
    assert.deepEqual([record.outcome, record.provenance], ['completed', 'reported'])
    assert.deepEqual([record.prompt_tokens, record.completion_tokens], [input(final.usage), final.usage.output_tokens])
  })

  if (can.faults)
    test('anthropic: what is written to the cache has classes of its own', async () => {
      const system = (ttl: '5m' | '1h'): Anthropic.TextBlockParam[] => [
        { type: 'text', text: `${ttl} ${'a long word about the price of an hour '.repeat(20)}`, cache_control: { type: 'ephemeral', ttl } },
      ]
      for (const [ttl, meter] of [
        ['5m', 'cache_write_5m_tokens'],
        ['1h', 'cache_write_1h_tokens'],
      ] as const) {
        const first = await clientOf()
          .messages.create({ ...message(), system: system(ttl) })
          .withResponse()
        const again = await clientOf()
          .messages.create({ ...message(), system: system(ttl) })
          .withResponse()
        const [wrote, read] = [await target().recordOf(idOf(first.response)), await target().recordOf(idOf(again.response))]
        assert.ok((wrote.meters[meter] ?? 0) > 0)
        assert.equal(wrote.meters[meter], first.data.usage.cache_creation_input_tokens)
        assert.ok((read.meters['cached_input_tokens'] ?? 0) > 0)
        assert.equal(read.meters['cached_input_tokens'], again.data.usage.cache_read_input_tokens)
      }
    })

  if (can.tools)
    test('anthropic: a tool is called, and its result goes back: a record each', async () => {
      const tools: Anthropic.Tool[] = [{ name: 'measure', input_schema: SCHEMA }]
      const called = await clientOf()
        .messages.create({ ...message(), max_tokens: 100, tools })
        .withResponse()
      const use = called.data.content.find((block) => block.type === 'tool_use')
      assert.ok(use)
      assertAnswer(use.input)
      assert.equal(called.data.stop_reason, 'tool_use')
      const answered = await clientOf()
        .messages.create({
          ...message(),
          tools,
          messages: [
            ...MESSAGES,
            { role: 'assistant', content: called.data.content },
            { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'done' }] },
          ],
        })
        .withResponse()
      assert.equal(answered.data.content[0]?.type, 'text')
      for (const { data, response } of [called, answered])
        assert.equal((await target().recordOf(idOf(response))).completion_tokens, data.usage.output_tokens)
    })

  test('anthropic: counting tokens is free, and leaves a record that says so', async () => {
    const { data, response } = await clientOf().messages.countTokens({ model: target().model, messages: MESSAGES }).withResponse()
    assert.ok(data.input_tokens > 0)
    const record = await target().recordOf(idOf(response))
    assert.deepEqual([record.outcome, record.meters], ['completed', {}])
  })

  test('anthropic: a stream that is aborted is recorded, and not free', async () => {
    const headers = { 'X-Request-Id': `messages-abort-${target().model}` }
    const slow = can.faults ? engineFault({ tokenDelayMs: 5, tokens: 64 }) : {}
    const stream = await clientOf().messages.create({ ...message(), max_tokens: 64, stream: true, ...slow }, { headers })
    for await (const event of stream) {
      if (event.type !== 'content_block_delta') continue
      stream.controller.abort()
      break
    }
    const record = await target().recordOf(headers['X-Request-Id'])
    assertLeft(record, can)
  })

  test('anthropic: errors have the class and the shape that the client has for them, and no record', async () => {
    const before = await target().count()
    await assert.rejects(clientOf({ apiKey: 'sk-nobody' }).messages.create(message()), (error) => {
      assert.ok(error instanceof Anthropic.AuthenticationError)
      assert.equal((error.error as { type?: unknown } | undefined)?.type, 'error')
      return true
    })
    await assert.rejects(clientOf().post('/v1/messages', { body: [] }), Anthropic.BadRequestError)
    await assert.rejects(clientOf().post('/v1/messages/batches', { body: {} }), Anthropic.APIError)
    assert.equal(await target().count(), before)
  })

  if (can.faults)
    test("anthropic: the client's retries are a record each, of which none costs anything", async () => {
      const headers = { 'X-Request-Id': 'messages-retried' }
      const request = { ...message(), ...engineFault({ status: 529 }) }
      await assert.rejects(clientOf({ maxRetries: 1 }).messages.create(request, { headers }), Anthropic.InternalServerError)
      for (const { outcome, meters } of await target().recordsOf('messages-retried', 2))
        assert.deepEqual([outcome, meters], ['upstream_error', {}])
    })
}
