import type { Delivery } from './delivery.ts'
import { embeddingReply } from './embedding.ts'
import { NO_FAULTS } from './faults.ts'
import { type Generation, tokensOf } from './generation.ts'
import { countsOf, replyOf, styleOf, usageOf } from './reply-shapes.ts'
import { messageOf, messagesEvents } from './messages-events.ts'
import { responseOf, responsesEvents } from './responses-events.ts'
import { type StreamEvent, chunkEvents, eventText } from './stream-events.ts'

const PAD_BLOCK = 'x'.repeat(64 * 1024)
const PAD_MARK = '@padding@'

/** Counts tokens as they are generated. */
export type OnTokens = (tokens: number) => void

/** Generates and sends a streamed reply, and stops generating when the client has left. */
export async function sendStream(generation: Generation, delivery: Delivery, onTokens: OnTokens): Promise<void> {
  const { faults } = generation.request
  const mayJoin = faults.resetAt === undefined && faults.hangAt === undefined
  delivery.head(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  let held = ''
  let previous: StreamEvent | undefined
  for (const event of eventsOf(generation)) {
    if (faults !== NO_FAULTS) await beforeEvent(event, { previous, generation, delivery })
    if (delivery.isOver) return
    onTokens(event.tokens)
    held += eventText(event, faults, previous === undefined)
    previous = event
    if (event.joinsNext && mayJoin) continue
    await delivery.send(held)
    await delivery.flush()
    held = ''
  }
  await delivery.end()
}

function eventsOf(generation: Generation): Generator<StreamEvent, void, undefined> {
  switch (generation.request.api) {
    case 'responses':
      return responsesEvents(generation)
    case 'messages':
      return messagesEvents(generation)
    default:
      return chunkEvents(generation)
  }
}

type EventContext = { readonly previous: StreamEvent | undefined; readonly generation: Generation; readonly delivery: Delivery }

async function beforeEvent(event: StreamEvent, { previous, generation, delivery }: EventContext): Promise<void> {
  const { tokenDelayMs } = generation.request.faults
  if (event.startsStep && tokenDelayMs !== undefined) await delivery.wait(tokenDelayMs)
  if (event.kind === 'token' && previous?.kind !== 'token') await delivery.reach('before-content')
  if (previous?.kind === 'finish') await delivery.reach('after-finish')
  if (event.kind === 'finish' || event.kind === 'usage' || event.kind === 'done') await delivery.reach(`before-${event.kind}`)
}

/** Generates all of a JSON reply, then sends it. A client that leaves earlier stops the generating. */
export async function sendReply(generation: Generation, delivery: Delivery, onTokens: OnTokens): Promise<void> {
  const { faults } = generation.request
  await generateAll(generation, delivery, onTokens)
  if (delivery.isOver) return
  const text = textOf(generation)
  const padBytes = faults.padBytes ?? 0
  const sizeBytes = Buffer.byteLength(text) + (padBytes === 0 ? 0 : padBytes - PAD_MARK.length)
  const type = styleOf(generation) === 'llama' ? 'application/json; charset=utf-8' : 'application/json'
  delivery.head(200, { 'content-type': type, 'content-length': sizeBytes + (faults.contentLengthOff ?? 0) })
  if (padBytes === 0) return delivery.end(text)
  const [before = '', after = ''] = text.split(PAD_MARK)
  await delivery.send(before)
  for (let left = padBytes; left > 0 && !delivery.isOver; left -= PAD_BLOCK.length) await delivery.send(PAD_BLOCK.slice(0, left))
  await delivery.end(after)
}

async function generateAll({ request, choices }: Generation, delivery: Delivery, onTokens: OnTokens): Promise<void> {
  const { tokenDelayMs } = request.faults
  if (tokenDelayMs === undefined) {
    for (const choice of choices) onTokens(tokensOf(choice))
    return
  }
  const steps = choices.reduce((most, choice) => Math.max(most, tokensOf(choice)), 0)
  for (let step = 0; step < steps && !delivery.isOver; step += 1) {
    await delivery.wait(tokenDelayMs)
    if (delivery.isOver) return
    onTokens(choices.filter((choice) => step < tokensOf(choice)).length)
  }
}

function textOf(generation: Generation): string {
  const { api, faults } = generation.request
  const padding = faults.padBytes === undefined || faults.padBytes === 0 ? undefined : PAD_MARK
  switch (api) {
    case 'embeddings':
      return embeddingReply(generation)
    case 'responses':
      return JSON.stringify(responseOf(generation, padding))
    case 'messages':
      return JSON.stringify(messageOf(generation, padding))
    default:
      return chatOrText(generation, padding)
  }
}

function chatOrText(generation: Generation, padding: string | undefined): string {
  const { faults } = generation.request
  const [choice] = generation.choices
  const isUnder = faults.underReport ?? styleOf(generation) === 'llama'
  const counts = isUnder && choice !== undefined ? countsOf(generation, { choice }) : countsOf(generation)
  return JSON.stringify(replyOf(generation, usageOf(generation, counts), padding))
}
