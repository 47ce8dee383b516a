import type { Choice, Generation } from './generation.ts'
import { choiceText, tokensOf } from './generation.ts'
import type { Style } from './faults.ts'
import type { PromptCount } from './prefix-cache.ts'

// What the three engines call things, and in which order: as in test/recorded.

/** What a usage block counts. */
export type Counts = {
  readonly prompt: number
  readonly cached: number
  readonly write5m: number
  readonly write1h: number
  readonly completion: number
  readonly reasoning: number
}
type Json = Readonly<Record<string, unknown>>

/** The style of a generation's replies. */
export function styleOf(generation: Generation): Style {
  return generation.request.faults.style ?? 'vllm'
}

/** Counts of a whole reply, or with `choice` of that choice alone. `made`: tokens so far of each choice, by default all. */
export function countsOf(generation: Generation, options: { choice?: Choice; made?: readonly number[] } = {}): Counts {
  const choices = options.choice ? [options.choice] : generation.choices
  const prompts = options.choice ? [options.choice.prompt] : generation.prompts
  let completion = 0
  let reasoning = 0
  for (const choice of choices) {
    const made = options.made?.[choice.index] ?? tokensOf(choice)
    completion += made
    reasoning += Math.min(made, choice.reasoningTokens)
  }
  const sum = (of: keyof PromptCount): number => prompts.reduce((total, prompt) => total + (prompt[of] ?? 0), 0)
  return { prompt: sum('tokens'), cached: sum('cached'), write5m: sum('write5m'), write1h: sum('write1h'), completion, reasoning }
}

/** The `usage` object, with whatever counts the faults put in place of the true ones. */
export function usageOf(generation: Generation, counts: Counts): Json {
  const { request } = generation
  const wrong = request.faults.counts ?? {}
  const pick = (name: string, value: number): unknown => (name in wrong ? wrong[name] : value)
  const prompt = pick('prompt_tokens', counts.prompt)
  const total = pick('total_tokens', counts.prompt + counts.completion)
  const completion = pick('completion_tokens', counts.completion)
  const promptDetails = { prompt_tokens_details: { cached_tokens: pick('cached_tokens', counts.cached) } }
  const details =
    counts.reasoning > 0 || 'reasoning_tokens' in wrong
      ? { completion_tokens_details: { reasoning_tokens: pick('reasoning_tokens', counts.reasoning) } }
      : {}
  if (request.api === 'embeddings') return { prompt_tokens: prompt, total_tokens: total }
  switch (styleOf(generation)) {
    case 'llama':
      return { completion_tokens: completion, prompt_tokens: prompt, total_tokens: total, ...promptDetails, ...details }
    case 'python':
      return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total, ...details }
    case 'vllm':
      return { prompt_tokens: prompt, total_tokens: total, completion_tokens: completion, ...promptDetails, ...details }
  }
}

/** llama-server's own measurements, beside every usage and every last chunk. */
export function timingsOf(generation: Generation, counts: Counts): Json {
  if (styleOf(generation) !== 'llama') return {}
  const prompt = { cache_n: counts.cached, prompt_n: counts.prompt - counts.cached, ...ratesOf('prompt') }
  return { timings: { ...prompt, predicted_n: counts.completion, ...ratesOf('predicted') } }
}

// Nobody's time is measured here; the names are there because llama-server has them.
function ratesOf(phase: string): Json {
  return { [`${phase}_ms`]: 0.1, [`${phase}_per_token_ms`]: 0.1, [`${phase}_per_second`]: 10_000.5 }
}

/** A chunk of a stream around `choices`. */
export function chunkOf(generation: Generation, choices: readonly Json[], extras: Json = {}): Json {
  const { id, created, request } = generation
  const isChat = request.api === 'chat'
  const object = isChat ? 'chat.completion.chunk' : 'text_completion'
  const model = request.modelName
  switch (styleOf(generation)) {
    case 'llama': {
      if (isChat) return { choices, created, id, model, system_fingerprint: 'sandbox', object, ...extras }
      const { timings, ...usage } = extras
      return { choices, created, model, system_fingerprint: 'sandbox', object, ...usage, id, ...(timings === undefined ? {} : { timings }) }
    }
    case 'python':
      return isChat ? { id, model, created, object, choices, ...extras } : { id, object, created, model, choices, ...extras }
    case 'vllm':
      return { id, object, created, model, choices, ...extras }
  }
}

/** The part of a chunk that says whose turn it is: chats only. */
export function roleChoice(generation: Generation, choice: Choice): Json {
  const contents = { vllm: { content: '' }, llama: { content: null }, python: {} }
  return choiceChunk(generation, choice, { delta: { role: 'assistant', ...contents[styleOf(generation)] } })
}

/** The part of a chunk that holds one token. */
export function tokenChoice(generation: Generation, choice: Choice, token: { text: string; isReasoning: boolean; isFirst: boolean }): Json {
  if (generation.request.api !== 'chat') return choiceChunk(generation, choice, { text: token.text })
  if (choice.call !== undefined) {
    const called = { index: 0, function: { ...(token.isFirst && { name: choice.call }), arguments: token.text } }
    return choiceChunk(generation, choice, { delta: { tool_calls: [token.isFirst ? { ...called, ...callOf(choice) } : called] } })
  }
  return choiceChunk(generation, choice, { delta: token.isReasoning ? { reasoning_content: token.text } : { content: token.text } })
}

/** The part of a chunk that ends a choice. */
export function finishChoice(generation: Generation, choice: Choice): Json {
  const isChat = generation.request.api === 'chat'
  const delta = styleOf(generation) === 'vllm' ? { content: '' } : {}
  return choiceChunk(generation, choice, isChat ? { delta, finish: finishReasonOf(choice) } : { text: '', finish: choice.finishReason })
}

function choiceChunk(generation: Generation, choice: Choice, part: { delta?: Json; text?: string; finish?: string }): Json {
  const finish_reason = part.finish ?? null
  const { index } = choice
  const style = styleOf(generation)
  if (part.delta === undefined) {
    const text = { text: part.text, index, logprobs: null, finish_reason }
    return style === 'vllm' ? { index, text: part.text, logprobs: null, finish_reason, stop_reason: null } : text
  }
  const { delta } = part
  switch (style) {
    case 'llama':
      return { finish_reason, index, delta }
    case 'python':
      return { index, delta, logprobs: null, finish_reason }
    case 'vllm':
      return { index, delta, logprobs: null, finish_reason, ...(part.finish === undefined ? {} : { stop_reason: null }) }
  }
}

/** The whole JSON reply of a chat or completion. `padding`, if there is one, stands between choices and usage. */
export function replyOf(generation: Generation, usage: Json, padding: string | undefined): Json {
  const { id, created, request } = generation
  const isChat = request.api === 'chat'
  const object = isChat ? 'chat.completion' : 'text_completion'
  const model = request.modelName
  const style = styleOf(generation)
  const choices = { choices: generation.choices.map((choice) => wholeChoice(generation, choice)) }
  const pad = padding === undefined ? {} : { padding }
  const counted = { ...pad, ...(request.faults.usage === 'none' ? {} : { usage }) }
  if (request.faults.usageFirst === true) return { id, object, created, model, ...counted, ...choices }
  if (style !== 'llama') return { id, object, created, model, ...choices, ...counted }
  return {
    ...choices,
    created,
    model,
    system_fingerprint: 'sandbox',
    object,
    ...counted,
    id,
    ...timingsOf(generation, countsOf(generation)),
  }
}

function wholeChoice(generation: Generation, choice: Choice): Json {
  const { index } = choice
  const finish_reason = finishReasonOf(choice)
  const style = styleOf(generation)
  const content = choiceText(choice, 'content')
  if (generation.request.api !== 'chat') {
    return style === 'vllm'
      ? { index, text: content, logprobs: null, finish_reason, stop_reason: null }
      : { text: content, index, logprobs: null, finish_reason }
  }
  const reasoning = choice.reasoningTokens > 0 ? { reasoning_content: choiceText(choice, 'reasoning') } : {}
  if (choice.call !== undefined) {
    const tool_calls = [{ ...callOf(choice), function: { name: choice.call, arguments: content } }]
    return { index, message: { role: 'assistant', content: null, tool_calls }, logprobs: null, finish_reason }
  }
  switch (style) {
    case 'llama':
      return { finish_reason, index, message: { role: 'assistant', content, ...reasoning } }
    case 'python':
      return { index, message: { content, role: 'assistant', ...reasoning }, logprobs: null, finish_reason }
    case 'vllm':
      return { index, message: { role: 'assistant', ...reasoning, content }, logprobs: null, finish_reason, stop_reason: null }
  }
}

function finishReasonOf({ call, finishReason }: Choice): string {
  return call !== undefined && finishReason === 'stop' ? 'tool_calls' : finishReason
}

function callOf({ seed }: Choice): Json {
  return { id: callIdOf(seed), type: 'function' }
}

/** The id of the call that a choice makes. */
export function callIdOf(seed: number): string {
  return `call_${seed.toString(16)}`
}

/** `value` as Python's json.dumps() writes it, with spaces after colons and commas. */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const pairs = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{${pairs.map(([name, each]) => `${JSON.stringify(name)}: ${pythonJson(each)}`).join(', ')}}`
}
