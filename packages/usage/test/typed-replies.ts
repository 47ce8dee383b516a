import { run } from './replies.ts'
import type { Outcome, Run } from './replies.ts'

/** An event as both APIs send it: named as its data says. */
export const typed = (data: { readonly type: string } & Record<string, unknown>): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

type Responses = {
  readonly created: string
  readonly delta: (text: string) => string
  readonly running: (usage: object) => string
  readonly end: (usage: object | null, more?: Record<string, unknown>) => string
  readonly usage: (input: number, cached: number, output: number) => object
}

export const RESPONSES: Responses = {
  created: typed({ type: 'response.created', response: { id: 'r', model: 'tiny', status: 'in_progress', usage: null } }),
  delta: (text: string): string => typed({ type: 'response.output_text.delta', item_id: 'm', delta: text }),
  running: (usage: object): string => typed({ type: 'response.in_progress', response: { model: 'tiny', status: 'in_progress', usage } }),
  end: (usage: object | null, more: Record<string, unknown> = {}): string =>
    typed({ type: 'response.completed', response: { id: 'r', model: 'tiny', status: 'completed', usage, ...more } }),
  usage: (input: number, cached: number, output: number): object => ({
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  }),
}

type Messages = {
  readonly start: (usage: object) => string
  readonly delta: (text: string) => string
  readonly finish: (usage: object, reason?: string | null) => string
  readonly stop: string
}

export const MESSAGES: Messages = {
  start: (usage: object): string =>
    typed({ type: 'message_start', message: { id: 'm', model: 'tiny', content: [], stop_reason: null, usage } }),
  delta: (text: string): string => typed({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  finish: (usage: object, reason: string | null = 'end_turn'): string =>
    typed({ type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage }),
  stop: typed({ type: 'message_stop' }),
}

const REQUESTS: Readonly<Record<'responses' | 'messages', string>> = {
  responses: '{"model":"tiny","stream":true,"input":"hello there"}',
  messages: '{"model":"tiny","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hello there"}]}',
}

/** Reads a stream of Responses or Messages. */
export const stream = (api: 'responses' | 'messages', chunks: Run['chunks'], more: Partial<Run> = {}): Outcome =>
  run({ api, request: REQUESTS[api], chunks, ...more })

export const leftMidway: Partial<Run> = { broken: true, ending: { outcome: 'aborted' } }

export const told = ({ settlement: { provenance, promptTokens, cachedTokens, completionTokens } }: Outcome): unknown[] => [
  provenance,
  promptTokens,
  cachedTokens,
  completionTokens,
]

export const TYPED_APIS: readonly ('responses' | 'messages')[] = ['responses', 'messages']
