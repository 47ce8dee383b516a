import type { Generation } from './generation.ts'
import { styleOf } from './reply-shapes.ts'
import type { StreamEvent } from './stream-events.ts'

type Typed = Readonly<Record<string, unknown>> & { readonly type: string }

/** Makes events that say by a type what they are, in the data and in the event's name, as Responses and Messages have them. */
export class TypedEvents {
  /** OpenAI numbers its events, llama-server does not. */
  readonly #isNumbered: boolean
  #number = 0

  constructor(generation: Generation) {
    this.#isNumbered = generation.request.api === 'responses' && styleOf(generation) !== 'llama'
  }

  event(kind: StreamEvent['kind'], data: Typed): StreamEvent {
    const number = this.#isNumbered ? { sequence_number: this.#number++ } : {}
    return { kind, name: data.type, data: JSON.stringify({ ...data, ...number }), tokens: 0, startsStep: false, joinsNext: false }
  }

  token(data: Typed): StreamEvent {
    return { ...this.event('token', data), tokens: 1, startsStep: true }
  }
}
