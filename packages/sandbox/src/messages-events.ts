import { type Choice, type Generation, choiceText, pieceOf, tokensOf } from './generation.ts'
import { type Counts, callIdOf, countsOf } from './reply-shapes.ts'
import type { StreamEvent } from './stream-events.ts'
import { TypedEvents } from './typed-events.ts'

type Json = Readonly<Record<string, unknown>>

/** The events of a streamed message (Anthropic's Messages). Lazy: what nobody takes is not generated. */
export function* messagesEvents(generation: Generation): Generator<StreamEvent, void, undefined> {
  const { faults } = generation.request
  const [choice] = generation.choices
  if (choice === undefined || faults.emptyStream === true) return
  const stream = new TypedEvents(generation)
  const start =
    faults.usage === 'none' ? {} : { usage: messagesUsage(generation, { ...countsOf(generation), completion: 0, reasoning: 0 }) }
  yield stream.event('role', {
    type: 'message_start',
    message: { ...headOf(generation), content: [], stop_reason: null, stop_sequence: null, ...start },
  })
  if (faults.padBytes !== undefined) yield stream.event('pad', { type: 'ping', padding: 'x'.repeat(faults.padBytes) })
  let index = -1
  for (let step = 0; step < tokensOf(choice); step += 1) {
    const isReasoning = step < choice.reasoningTokens
    if (step === 0 || step === choice.reasoningTokens) {
      if (index >= 0) yield stream.event('role', { type: 'content_block_stop', index })
      index += 1
      const block = isReasoning ? { type: 'thinking', thinking: '', signature: '' } : (toolUseOf(choice, {}) ?? { type: 'text', text: '' })
      yield stream.event('role', { type: 'content_block_start', index, content_block: block })
    }
    const word = pieceOf(choice, step)
    const spoken = choice.call === undefined ? { type: 'text_delta', text: word } : { type: 'input_json_delta', partial_json: word }
    const delta = isReasoning ? { type: 'thinking_delta', thinking: word } : spoken
    yield stream.token({ type: 'content_block_delta', index, delta })
    if (faults.usage === 'continuous') {
      yield stream.event('pad', { type: 'message_delta', delta: { stop_reason: null }, usage: { output_tokens: step + 1 } })
    }
  }
  yield stream.event('finish', { type: 'content_block_stop', index })
  const counts = faults.usage === 'none' ? {} : { usage: outputUsage(generation, countsOf(generation)) }
  yield stream.event('usage', { type: 'message_delta', delta: { stop_reason: stopReason(choice), stop_sequence: null }, ...counts })
  if (faults.done !== false) yield stream.event('done', { type: 'message_stop' })
}

/** The whole JSON reply. `padding`, if there is one, stands between content and usage. */
export function messageOf(generation: Generation, padding: string | undefined): Json {
  const [choice] = generation.choices
  return {
    ...headOf(generation),
    content: choice === undefined ? [] : blocksOf(choice),
    stop_reason: choice === undefined ? null : stopReason(choice),
    stop_sequence: null,
    ...(padding === undefined ? {} : { padding }),
    ...(generation.request.faults.usage === 'none' ? {} : { usage: messagesUsage(generation, countsOf(generation)) }),
  }
}

function headOf({ id, request }: Generation): Json {
  return { id, type: 'message', role: 'assistant', model: request.modelName }
}

function blocksOf(choice: Choice): readonly Json[] {
  const content = choiceText(choice, 'content')
  const text = toolUseOf(choice, choice.finishReason === 'length' ? {} : content) ?? { type: 'text', text: content }
  if (choice.reasoningTokens === 0) return [text]
  return [{ type: 'thinking', thinking: choiceText(choice, 'reasoning'), signature: 'c2FuZGJveA==' }, text]
}

/** `input`: an object, or the text of one. */
function toolUseOf({ call, seed }: Choice, input: object | string): Json | undefined {
  if (call === undefined) return undefined
  return { type: 'tool_use', id: callIdOf(seed), name: call, input: typeof input === 'string' ? JSON.parse(input) : input }
}

function stopReason(choice: Choice): string {
  if (choice.finishReason === 'length') return 'max_tokens'
  return choice.call === undefined ? 'end_turn' : 'tool_use'
}

/** What was read from the cache and what was written to it stand beside the input here. */
function messagesUsage(generation: Generation, counts: Counts): Json {
  const { prompt, cached, write5m, write1h } = counts
  const wrong = generation.request.faults.counts ?? {}
  const pick = (name: string, value: number): unknown => (name in wrong ? wrong[name] : value)
  return {
    input_tokens: pick('input_tokens', prompt - cached - write5m - write1h),
    cache_creation_input_tokens: pick('cache_creation_input_tokens', write5m + write1h),
    cache_read_input_tokens: pick('cache_read_input_tokens', cached),
    cache_creation: { ephemeral_5m_input_tokens: write5m, ephemeral_1h_input_tokens: write1h },
    ...outputUsage(generation, counts),
    service_tier: 'standard',
  }
}

function outputUsage({ request }: Generation, counts: Counts): Json {
  const wrong = request.faults.counts ?? {}
  return { output_tokens: 'output_tokens' in wrong ? wrong['output_tokens'] : counts.completion }
}
