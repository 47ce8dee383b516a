import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Output, embed, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai'
import type { LanguageModel } from 'ai'
import { SCHEMA, assertAnswer, assertLeft } from './target.ts'
import type { Abilities, Answer, SdkTarget } from './target.ts'

const PROMPT = 'what does the hour cost'

/** Vercel's `ai` with its client for compatible APIs, unmodified, and the record of each thing that it does. */
export function aiSuite(target: () => SdkTarget, can: Abilities): void {
  const provider = (includeUsage = true): ReturnType<typeof createOpenAICompatible> =>
    createOpenAICompatible({
      name: 'ascribe',
      baseURL: `${target().gateway}/v1`,
      apiKey: target().key,
      includeUsage,
      supportsStructuredOutputs: true,
    })
  const model = (includeUsage = true): LanguageModel => provider(includeUsage)(target().model)
  const named = (id: string): { headers: Record<string, string> } => ({ headers: { 'X-Request-Id': id } })
  const quiet = { maxRetries: 0, maxOutputTokens: 12 }

  test('ai: generateText is recorded with the counts that it shows', async () => {
    const { usage, text } = await generateText({ model: model(), prompt: PROMPT, ...quiet, ...named('ai-generate') })
    assert.ok(text.length > 0)
    const record = await target().recordOf('ai-generate')
    assert.deepEqual([record.outcome, record.provenance], ['completed', 'reported'])
    assert.deepEqual([record.prompt_tokens, record.completion_tokens], [usage.inputTokens, usage.outputTokens])
  })

  for (const includeUsage of [true, false]) {
    test(`ai: streamText ${includeUsage ? 'shows the usage that is recorded' : 'is recorded without having asked for usage'}`, async () => {
      const id = `ai-stream-${includeUsage}`
      const { textStream, usage } = streamText({ model: model(includeUsage), prompt: PROMPT, ...quiet, ...named(id) })
      let text = ''
      for await (const piece of textStream) text += piece
      assert.ok(text.length > 0)
      const { inputTokens, outputTokens } = await usage
      const record = await target().recordOf(id)
      assert.deepEqual([record.outcome, record.provenance], ['completed', 'reported'])
      if (includeUsage) assert.deepEqual([record.prompt_tokens, record.completion_tokens], [inputTokens, outputTokens])
      else assert.ok(outputTokens === undefined && (record.completion_tokens ?? 0) > 0)
    })
  }

  test('ai: an object by a schema', async () => {
    const { output, usage } = await generateText({
      model: model(),
      prompt: PROMPT,
      output: Output.object({ schema: jsonSchema<Answer>(SCHEMA) }),
      maxRetries: 0,
      maxOutputTokens: 200,
      seed: 1,
      ...named('ai-object'),
    })
    assertAnswer(output)
    assert.equal((await target().recordOf('ai-object')).completion_tokens, usage.outputTokens)
  })

  if (can.tools)
    test('ai: a loop of tools leaves a record for each step', async () => {
      const asked: Answer[] = []
      const { steps } = await generateText({
        model: model(),
        prompt: PROMPT,
        tools: {
          measure: tool({
            inputSchema: jsonSchema<Answer>(SCHEMA),
            execute: (answer) => {
              asked.push(answer)
              return Promise.resolve('done')
            },
          }),
        },
        stopWhen: stepCountIs(3),
        maxRetries: 0,
        ...named('ai-tools'),
      })
      assert.equal(asked.length, 1)
      assertAnswer(asked[0])
      assert.equal(steps.length, 2)
      const records = await target().recordsOf('ai-tools', 2)
      const recorded = records.map(({ completion_tokens }) => completion_tokens)
      for (const { usage } of steps) assert.ok(recorded.includes(usage.outputTokens ?? null))
    })

  test('ai: a stream that is aborted is recorded, and not free', async () => {
    const leaving = new AbortController()
    const { textStream } = streamText({
      model: model(),
      prompt: PROMPT,
      maxRetries: 0,
      maxOutputTokens: 64,
      abortSignal: leaving.signal,
      ...(can.faults && { providerOptions: { ascribe: { sandbox: { tokenDelayMs: 5, tokens: 64 } } } }),
      onError: () => {
        // It was wanted.
      },
      ...named('ai-abort'),
    })
    for await (const _piece of textStream) {
      leaving.abort()
      break
    }
    const record = await target().recordOf('ai-abort')
    assertLeft(record, can)
  })

  test('ai: an embedding', async () => {
    const { embedding, usage } = await embed({
      model: provider().embeddingModel(target().embedModel),
      value: 'one two three',
      maxRetries: 0,
      ...named('ai-embed'),
    })
    assert.ok(embedding.length > 0)
    assert.equal((await target().recordOf('ai-embed')).prompt_tokens, usage.tokens)
  })

  test('ai: an error says what is wrong, and leaves no record', async () => {
    const before = await target().count()
    const stranger = createOpenAICompatible({ name: 'ascribe', baseURL: `${target().gateway}/v1`, apiKey: 'sk-nobody' })
    await assert.rejects(generateText({ model: stranger(target().model), prompt: PROMPT, ...quiet }), /API key/i)
    assert.equal(await target().count(), before)
  })
}
