import { RefusalError } from './errors.ts'
import type { GenerationRequest } from './generation-request.ts'
import type { PrefixCache, PromptCount } from './prefix-cache.ts'
import { shapedPieces } from './shaped-output.ts'
import { hashText, tokenize, wordAt } from './tokens.ts'

/** One answer, decided before its first token: how long it is follows from the seed, as the words do. */
export type Choice = {
  readonly index: number
  readonly seed: number
  readonly reasoningTokens: number
  readonly contentTokens: number
  readonly finishReason: 'stop' | 'length'
  readonly prompt: PromptCount
  /** What it says in place of words. */
  readonly pieces?: readonly string[]
  /** The function that it calls with that. */
  readonly call?: string
}

/** All that a reply is made from. */
export type Generation = {
  readonly request: GenerationRequest
  readonly id: string
  /** Unix time, seconds. */
  readonly created: number
  readonly prompts: readonly PromptCount[]
  readonly choices: readonly Choice[]
}

export type GenerationContext = { readonly id: string; readonly created: number; readonly cache: PrefixCache }

/** Counts the prompts and decides every choice. @throws {RefusalError} when a prompt does not fit the model's context. */
export function planGeneration(request: GenerationRequest, { id, created, cache }: GenerationContext): Generation {
  const { model, api } = request
  const prompts = request.prompts.map((text) => promptOf(request, text, cache))
  const choices: Choice[] = []
  for (const [at, prompt] of prompts.entries()) {
    const room = model.contextMax - prompt.tokens
    if (room < 1) throw contextError(model.contextMax, prompt.tokens)
    if (api === 'embeddings') continue
    for (let nth = 0; nth < request.n; nth += 1) {
      choices.push(planChoice(request, { index: at * request.n + nth, room, prompt }))
    }
  }
  return { request, id, created, prompts, choices }
}

/** Messages reads and keeps only what it is asked to keep; all others, and llama-server, whatever there is. */
function promptOf(request: GenerationRequest, text: string, cache: PrefixCache): PromptCount {
  const counted = cache.count(request.model.id, text, request.templateTokens)
  if (request.api !== 'messages' || request.faults.style === 'llama') return counted
  const { hour = 0, minutes = 0 } = request.conversation?.keep ?? {}
  const tokensTo = (end: number): number => tokenize(text.slice(0, end)).length
  const [toHour, toMinutes] = [tokensTo(hour), tokensTo(minutes)]
  const cached = Math.min(counted.cached, Math.max(toHour, toMinutes))
  const write1h = Math.max(0, toHour - cached)
  return { tokens: counted.tokens, cached, write1h, write5m: Math.max(0, toMinutes - Math.max(cached, toHour)) }
}

function planChoice(request: GenerationRequest, place: { index: number; room: number; prompt: PromptCount }): Choice {
  const { index, room, prompt } = place
  const seed = hashText(String(index), request.seed)
  const allowed = Math.min(request.maxTokens, room)
  const wantsReasoning = request.model.kind === 'reasoning' ? 8 + (seed % 25) : 0
  const { shape } = request
  if (shape !== undefined) {
    const pieces = shapedPieces(shape, seed)
    const contentTokens = Math.min(pieces.length, allowed)
    const finishReason = contentTokens < pieces.length ? 'length' : 'stop'
    return {
      index,
      seed,
      reasoningTokens: 0,
      contentTokens,
      finishReason,
      prompt,
      pieces,
      ...(shape.call !== undefined && { call: shape.call }),
    }
  }
  const wants = request.ignoreEnd ? allowed : (request.faults.tokens ?? wantsReasoning + 16 + (hashText('length', seed) % 49))
  const total = Math.min(wants, allowed)
  const reasoningTokens = Math.min(wantsReasoning, total)
  return {
    index,
    seed,
    reasoningTokens,
    contentTokens: total - reasoningTokens,
    finishReason: wants >= allowed ? 'length' : 'stop',
    prompt,
  }
}

function contextError(contextMax: number, tokens: number): RefusalError {
  const message = `This model's maximum context length is ${contextMax} tokens. However, your prompt has ${tokens} tokens.`
  return new RefusalError(400, message, { param: 'messages', openaiCode: 'context_length_exceeded' })
}

/** All words of a choice's reasoning or content. */
export function choiceText(choice: Choice, part: 'reasoning' | 'content'): string {
  const [from, count] = part === 'reasoning' ? [0, choice.reasoningTokens] : [choice.reasoningTokens, choice.contentTokens]
  let text = ''
  for (let index = 0; index < count; index += 1) text += pieceOf(choice, from + index)
  return text
}

/** The token at place `step` of a choice. */
export function pieceOf({ seed, reasoningTokens, pieces }: Choice, step: number): string {
  return pieces?.[step - reasoningTokens] ?? wordAt(seed, step)
}

/** Tokens of a choice, reasoning included. */
export function tokensOf(choice: Choice): number {
  return choice.reasoningTokens + choice.contentTokens
}
