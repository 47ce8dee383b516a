import { type Choice, type Generation, choiceText, pieceOf, tokensOf } from './generation.ts'
import { type Counts, callIdOf, countsOf } from './reply-shapes.ts'
import type { StreamEvent } from './stream-events.ts'
import { TypedEvents } from './typed-events.ts'

type Json = Readonly<Record<string, unknown>>

/** The events of a streamed response (OpenAI's Responses). Lazy: what nobody takes is not generated. */
export function* responsesEvents(generation: Generation): Generator<StreamEvent, void, undefined> {
  const { faults } = generation.request
  const [choice] = generation.choices
  if (choice === undefined || faults.emptyStream === true) return
  const stream = new TypedEvents(generation)
  const open = { ...headOf(generation), status: 'in_progress', output: [], usage: null }
  yield stream.event('role', { type: 'response.created', response: open })
  yield stream.event('role', { type: 'response.in_progress', response: open })
  for (const item of itemsOf(choice)) {
    const place = { item_id: item.id, output_index: item.index, content_index: 0 }
    const { id, type, part } = item
    if (item.call !== undefined) {
      yield* callEvents(stream, choice, item)
      continue
    }
    yield stream.event('role', {
      type: 'response.output_item.added',
      output_index: item.index,
      item: { id, type, role: 'assistant', status: 'in_progress', summary: [], content: [] },
    })
    yield stream.event('role', { type: 'response.content_part.added', ...place, part: { type: part, text: '', annotations: [] } })
    for (let step = item.from; step < item.to; step += 1) {
      yield stream.token({ type: `response.${part}.delta`, ...place, delta: pieceOf(choice, step) })
      if (faults.usage === 'continuous') {
        const usage = responsesUsage(generation, countsOf(generation, { made: [step + 1] }))
        yield stream.event('pad', { type: 'response.in_progress', response: { ...open, usage } })
      }
    }
    const { text } = item
    yield stream.event(type === 'message' ? 'finish' : 'role', { type: `response.${part}.done`, ...place, text })
    yield stream.event('role', { type: 'response.content_part.done', ...place, part: { type: part, text, annotations: [] } })
    yield stream.event('role', { type: 'response.output_item.done', output_index: item.index, item: outputOf(item) })
  }
  if (faults.done === false) return
  const response = responseOf(generation, faults.padBytes === undefined ? undefined : 'x'.repeat(faults.padBytes))
  yield stream.event('done', { type: response['status'] === 'completed' ? 'response.completed' : 'response.incomplete', response })
}

/** A function that is called is an item of its own, without parts. */
function* callEvents(stream: TypedEvents, choice: Choice, item: Item): Generator<StreamEvent, void, undefined> {
  const place = { item_id: item.id, output_index: item.index }
  yield stream.event('role', {
    type: 'response.output_item.added',
    output_index: item.index,
    item: { ...outputOf(item), arguments: '', status: 'in_progress' },
  })
  for (let step = item.from; step < item.to; step += 1)
    yield stream.token({ type: 'response.function_call_arguments.delta', ...place, delta: pieceOf(choice, step) })
  yield stream.event('finish', { type: 'response.function_call_arguments.done', ...place, name: item.call?.name, arguments: item.text })
  yield stream.event('role', { type: 'response.output_item.done', output_index: item.index, item: outputOf(item) })
}

/** The whole JSON reply. `padding`, if there is one, stands between output and usage. */
export function responseOf(generation: Generation, padding: string | undefined): Json {
  const { faults } = generation.request
  const [choice] = generation.choices
  const isCut = choice?.finishReason === 'length'
  return {
    ...headOf(generation),
    status: isCut ? 'incomplete' : 'completed',
    error: null,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: choice === undefined ? [] : itemsOf(choice).map(outputOf),
    ...(padding === undefined ? {} : { padding }),
    usage: faults.usage === 'none' ? null : responsesUsage(generation, countsOf(generation)),
  }
}

function headOf({ id, created, request }: Generation): Json {
  return { id, object: 'response', created_at: created, model: request.modelName }
}

type Item = {
  readonly index: number
  readonly id: string
  readonly type: 'reasoning' | 'message'
  readonly part: 'reasoning_text' | 'output_text'
  readonly text: string
  /** Its tokens, of all that were generated. */
  readonly from: number
  readonly to: number
  readonly call?: { readonly id: string; readonly name: string }
}

function itemsOf(choice: Choice): readonly Item[] {
  const { reasoningTokens } = choice
  const text = choiceText(choice, 'reasoning')
  const reasoning = { index: 0, id: 'rs_0', type: 'reasoning', part: 'reasoning_text', text, from: 0, to: reasoningTokens } as const
  const message = { id: 'msg_0', type: 'message', part: 'output_text', from: reasoningTokens, to: tokensOf(choice) } as const
  const content = choiceText(choice, 'content')
  if (choice.call !== undefined) {
    const call = { id: callIdOf(choice.seed), name: choice.call }
    return [{ ...message, id: 'fc_0', index: 0, text: content, call }]
  }
  return reasoningTokens > 0 ? [reasoning, { ...message, index: 1, text: content }] : [{ ...message, index: 0, text: content }]
}

function outputOf({ id, type, part, text, call }: Item): Json {
  if (call !== undefined) return { id, type: 'function_call', call_id: call.id, name: call.name, arguments: text, status: 'completed' }
  const content = [{ type: part, text, annotations: [] }]
  return type === 'reasoning' ? { id, type, summary: [], content } : { id, type, role: 'assistant', status: 'completed', content }
}

function responsesUsage({ request }: Generation, counts: Counts): Json {
  const wrong = request.faults.counts ?? {}
  const pick = (name: string, value: number): unknown => (name in wrong ? wrong[name] : value)
  return {
    input_tokens: pick('input_tokens', counts.prompt),
    input_tokens_details: { cached_tokens: pick('cached_tokens', counts.cached) },
    output_tokens: pick('output_tokens', counts.completion),
    output_tokens_details: { reasoning_tokens: pick('reasoning_tokens', counts.reasoning) },
    total_tokens: pick('total_tokens', counts.prompt + counts.completion),
  }
}
