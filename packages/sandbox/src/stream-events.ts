import type { Faults } from './faults.ts'
import { type Choice, type Generation, pieceOf, tokensOf } from './generation.ts'
import { chunkOf, countsOf, finishChoice, pythonJson, roleChoice, styleOf, timingsOf, tokenChoice, usageOf } from './reply-shapes.ts'

/** One event of a stream, in the order in which the engine makes them. */
export type StreamEvent = {
  readonly kind: 'role' | 'token' | 'finish' | 'usage' | 'pad' | 'done'
  /** What stands after `event:`, where events have a name. */
  readonly name?: string
  /** What stands after `data:`. */
  readonly data: string
  /** Tokens that were generated to make it: 0 or 1. */
  readonly tokens: number
  /** The first token of a step: choices are generated side by side, so a token's time passes once for all of them. */
  readonly startsStep: boolean
  /** Goes into the same write as the event after it, as llama-server does. */
  readonly joinsNext: boolean
}

type Usage = NonNullable<Faults['usage']> | 'at-end'

/** The events of a streamed chat or completion. Lazy: what nobody takes is not generated. */
export function* chunkEvents(generation: Generation): Generator<StreamEvent, void, undefined> {
  const { request, choices } = generation
  const { faults } = request
  if (faults.emptyStream === true) return
  const stream = new Stream(generation)
  const isChat = request.api === 'chat'
  const style = styleOf(generation)

  if (isChat && style !== 'llama') for (const choice of choices) yield stream.chunk('role', [roleChoice(generation, choice)])
  if (faults.padBytes !== undefined) yield stream.padding(faults.padBytes)
  const steps = choices.reduce((most, choice) => Math.max(most, tokensOf(choice)), 1)
  for (let step = 0; step < steps; step += 1) {
    let startsStep = true
    for (const choice of choices) {
      if (isChat && style === 'llama' && step === 0) yield stream.chunk('role', [roleChoice(generation, choice)], { joinsNext: true })
      if (step < tokensOf(choice)) yield stream.token(choice, step, startsStep)
      startsStep = false
      if (step === Math.max(0, tokensOf(choice) - 1)) yield* stream.finish(choice)
    }
  }
  yield* stream.end()
}

class Stream {
  readonly #generation: Generation
  readonly #usage: Usage
  readonly #made: number[]
  #finished = 0

  constructor(generation: Generation) {
    this.#generation = generation
    this.#usage = usagePlace(generation)
    this.#made = generation.choices.map(() => 0)
  }

  chunk(kind: StreamEvent['kind'], choices: readonly object[], options: Partial<StreamEvent> & { extras?: object } = {}): StreamEvent {
    const { extras = this.#runningUsage(), ...rest } = options
    const chunk = chunkOf(this.#generation, choices as never, extras as never)
    const data = styleOf(this.#generation) === 'python' ? pythonJson(chunk) : JSON.stringify(chunk)
    return { kind, data, tokens: 0, startsStep: false, joinsNext: false, ...rest }
  }

  token(choice: Choice, step: number, startsStep: boolean): StreamEvent {
    this.#made[choice.index] = step + 1
    const token = { text: pieceOf(choice, step), isReasoning: step < choice.reasoningTokens, isFirst: step === choice.reasoningTokens }
    return this.chunk('token', [tokenChoice(this.#generation, choice, token)], { tokens: 1, startsStep })
  }

  padding(sizeBytes: number): StreamEvent {
    return this.chunk('pad', [], { extras: { padding: 'x'.repeat(sizeBytes) } })
  }

  *finish(choice: Choice): Generator<StreamEvent, void, undefined> {
    this.#finished += 1
    const generation = this.#generation
    const isLlamaText = styleOf(generation) === 'llama' && generation.request.api !== 'chat'
    const own = countsOf(generation, { choice })
    const isLast = this.#finished === generation.choices.length
    const carries = this.#usage === 'last-chunk' && (isLast || isLlamaText)
    const counts = isLlamaText || generation.request.faults.underReport === true ? own : countsOf(generation)
    const hasOwnChunk = this.#usage === 'per-choice' && generation.request.includeUsage
    const extras = {
      ...(carries ? { usage: usageOf(generation, counts) } : this.#runningUsage()),
      ...(hasOwnChunk ? {} : timingsOf(generation, own)),
    }
    yield this.chunk('finish', [finishChoice(generation, choice)], { extras, joinsNext: hasOwnChunk && styleOf(generation) === 'llama' })
    if (hasOwnChunk) yield this.chunk('usage', [], { extras: { usage: usageOf(generation, own), ...timingsOf(generation, own) } })
  }

  *end(): Generator<StreamEvent, void, undefined> {
    const generation = this.#generation
    const { includeUsage, faults } = generation.request
    const isAtEnd = this.#usage !== 'none' && this.#usage !== 'last-chunk' && this.#usage !== 'per-choice'
    if (includeUsage && isAtEnd) {
      const [choice] = generation.choices
      const counts = faults.underReport === true && choice !== undefined ? countsOf(generation, { choice }) : countsOf(generation)
      const usage = this.chunk('usage', [], { extras: { usage: usageOf(generation, counts) } })
      yield usage
      if (this.#usage === 'twice') yield usage
    }
    if (faults.done !== false) yield { kind: 'done', data: '[DONE]', tokens: 0, startsStep: false, joinsNext: false }
  }

  #runningUsage(): object {
    if (this.#usage === 'continuous') return { usage: usageOf(this.#generation, countsOf(this.#generation, { made: this.#made })) }
    if (this.#usage === 'null-elsewhere' && this.#generation.request.includeUsage) return { usage: null }
    return {}
  }
}

/** Where the usage of a stream goes: as the faults say, else as the style does it, else in a chunk of its own at the end. */
function usagePlace(generation: Generation): Usage {
  const { request } = generation
  if (request.faults.usage !== undefined) return request.faults.usage
  switch (styleOf(generation)) {
    case 'python':
      return 'none'
    case 'llama':
      return request.api === 'chat' ? 'per-choice' : 'last-chunk'
    case 'vllm':
      return request.continuousUsage ? 'continuous' : 'at-end'
  }
}

/**
 * The bytes of one event, in the framing that the faults ask for (WHATWG HTML, "server-sent events"). Without a final
 * newline the blank line between two events comes with the second.
 */
export function eventText(event: StreamEvent, faults: Faults, isFirst: boolean): string {
  const newline = faults.lineEnd ?? '\n'
  const blank = `${newline}${newline}`
  const comment = faults.comments === true ? `: keep-alive${blank}` : ''
  const name = event.name === undefined ? '' : `event:${faults.spaceAfterColon === false ? '' : ' '}${event.name}${newline}`
  const line = `${comment}${name}data:${faults.spaceAfterColon === false ? '' : ' '}${event.data}`
  if (faults.finalNewline === false) return isFirst ? line : `${blank}${line}`
  return `${line}${blank}`
}
