import { createReplyReader, scanRequest, settle } from '@ascribe/usage'
import type { Api, MultipleChoices, Observation, Settlement } from '@ascribe/usage'
import type { EngineReply } from './engine-client.ts'

/** A reply as a gateway would read it. */
export type Reading = {
  readonly observation: Observation
  /** The terminal event came. */
  readonly terminal: boolean
  /** What the engine says, believed as it is. */
  readonly said: Settlement
  /** What would be recorded under each policy for several choices. */
  recorded(multipleChoices: MultipleChoices): Settlement
}

/** Reads what of a reply a bill would be made of, with what the gateway itself reads it with. `undefined`: the request is none that it would admit. */
export function readReply(api: Api, body: object, reply: EngineReply): Reading | undefined {
  const facts = scanRequest(Buffer.from(JSON.stringify(body)), api)
  if (facts.kind === 'invalid') return undefined
  const reader = createReplyReader({
    api,
    asked: facts,
    streamedRequest: facts.streams,
    injected: false,
    contentType: reply.headers.get('content-type') ?? undefined,
  })
  reader.read(reply.body)
  const terminal = reader.terminal
  reader.end(reply.broken || reply.left ? 'broken' : 'whole')
  const { observation } = reader
  const recorded = (multipleChoices: MultipleChoices): Settlement =>
    settle(observation, {
      outcome: reply.broken ? 'upstream_reset' : reply.left ? 'aborted' : 'completed',
      endedAt: 0,
      status: reply.status,
      multipleChoices,
    })
  return { observation, terminal, said: recorded('trust'), recorded }
}

/** Blocks of usage that are no null, anywhere in a reply. */
export function usageBlocks(reply: EngineReply): number {
  return reply.body.toString('utf8').match(/"usage"\s*:\s*\{/g)?.length ?? 0
}

type Json = Readonly<Record<string, unknown>>

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The reply's body where it is a JSON object. */
export function jsonOf(reply: EngineReply): Json | undefined {
  try {
    const value: unknown = JSON.parse(reply.body.toString('utf8'))
    return isJson(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The text that a JSON reply carries, of every choice and every kind of block. */
export function textsOf(reply: EngineReply): string[] {
  const body = jsonOf(reply)
  if (body === undefined) return []
  const texts: string[] = []
  for (const choice of listOf(body['choices'])) {
    const message = isJson(choice['message']) ? choice['message'] : choice
    texts.push(`${textOf(message['reasoning_content'])}${textOf(message['content'])}${textOf(choice['text'])}`)
  }
  // Messages, and the items of Responses.
  for (const block of listOf(body['content'])) texts.push(textOf(block['text']) + textOf(block['thinking']))
  for (const item of listOf(body['output'])) for (const part of listOf(item['content'])) texts.push(textOf(part['text']))
  return texts.filter((text) => text !== '')
}

/** What an engine's error says, for a person. */
export function messageOf(reply: EngineReply): string {
  const body = jsonOf(reply)
  const error = body?.['error'] ?? body?.['detail'] ?? body?.['message']
  const message = isJson(error) ? error['message'] : error
  const text = typeof message === 'string' && message !== '' ? message : reply.body.toString('utf8')
  return text.length > 160 ? `${text.slice(0, 159)}…` : text
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
