import type { Delivery } from './delivery.ts'
import { RefusalError } from './errors.ts'
import type { MediaRequest } from './media-request.ts'
import { tokenize, wordAt } from './tokens.ts'

/** What a request truly used, whatever the reply says about it: by the names of meters. */
export type MediaTruth = Readonly<Record<string, number>>

type Json = Readonly<Record<string, unknown>>
type Usage = Json | undefined

/** Sound of the engine: so many bytes for each character that is spoken, and so many tokens. */
const SPEECH_BYTES = 100
const IMAGE_TOKENS = 1056
const INPUT_IMAGE_TOKENS = 323

/** Answers a request for sound, its text, images, a ranking or a count, and tells what it truly used. */
export async function serveMedia(request: MediaRequest, delivery: Delivery, onTruth: (truth: MediaTruth) => void): Promise<void> {
  switch (request.kind) {
    case 'speech':
      return speak(request, delivery, onTruth)
    case 'transcription':
      return transcribe(request, delivery, onTruth)
    case 'images':
      return paint(request, delivery, onTruth)
    case 'rerank':
      return rank(request, delivery, onTruth)
    case 'count':
      return sendJson(
        delivery,
        request.path.endsWith('count_tokens')
          ? { input_tokens: countAll(request.fields) }
          : { object: 'response.input_tokens', input_tokens: countAll(request.fields) },
      )
  }
}

async function speak(request: MediaRequest, delivery: Delivery, onTruth: (truth: MediaTruth) => void): Promise<void> {
  const input = text(request.fields['input'])
  if (input === '') throw new RefusalError(400, "Missing required parameter: 'input'.", { param: 'input' })
  const spoken = Array.from(input)
  const characters = spoken.length
  const tokens = { input_tokens: tokenize(input).length, output_tokens: characters * 2 }
  onTruth({ input_characters: characters })
  const sound = Buffer.alloc(characters * SPEECH_BYTES, request.seed & 0xff)
  if (!request.stream) {
    delivery.head(200, { 'content-type': 'audio/mpeg' })
    for (let at = 0; at < sound.length && !delivery.isOver; at += SPEECH_BYTES * 10)
      await sendSlowly(delivery, request, sound.subarray(at, at + SPEECH_BYTES * 10))
    return delivery.end()
  }
  const deltas = spoken.map(() => ({ type: 'speech.audio.delta', audio: sound.toString('base64', 0, SPEECH_BYTES) }))
  return sendEvents(request, delivery, [
    ...deltas,
    { type: 'speech.audio.done', ...usageOf(request, { ...tokens, total_tokens: tokens.input_tokens + tokens.output_tokens }) },
  ])
}

async function transcribe(request: MediaRequest, delivery: Delivery, onTruth: (truth: MediaTruth) => void): Promise<void> {
  const [file] = request.files
  if (file === undefined) throw new RefusalError(400, "Missing required parameter: 'file'.", { param: 'file' })
  const ms = wavMs(file) ?? file.length
  const words = Array.from({ length: Math.max(1, Math.ceil(ms / 500)) }, (_, index) => wordAt(request.seed, index))
  const isByTime = request.model.includes('whisper')
  const audio = Math.ceil(ms / 100)
  const prompt = tokenize(text(request.fields['prompt'])).length
  onTruth(isByTime ? { input_audio_ms: ms } : { input_audio_tokens: audio, input_tokens: prompt, output_tokens: words.length })
  const usage = usageOf(
    request,
    isByTime
      ? { type: 'duration', seconds: Math.ceil(ms / 1000) }
      : {
          type: 'tokens',
          input_tokens: audio + prompt,
          input_token_details: { text_tokens: prompt, audio_tokens: audio },
          output_tokens: words.length,
          total_tokens: audio + prompt + words.length,
        },
  )
  const transcript = words.join('').trim()
  if (request.stream) {
    const deltas = words.map((delta) => ({ type: 'transcript.text.delta', delta }))
    return sendEvents(request, delivery, [...deltas, { type: 'transcript.text.done', text: transcript, ...usage }])
  }
  switch (text(request.fields['response_format']) || 'json') {
    case 'text':
      return sendText(delivery, 'text/plain; charset=utf-8', `${transcript}\n`)
    case 'srt':
      return sendText(delivery, 'application/x-subrip', `1\n00:00:00,000 --> ${clock(ms, ',')}\n${transcript}\n\n`)
    case 'vtt':
      return sendText(delivery, 'text/vtt', `WEBVTT\n\n00:00.000 --> ${clock(ms, '.')}\n${transcript}\n\n`)
    case 'verbose_json':
      return sendJson(delivery, { task: 'transcribe', language: 'english', duration: ms / 1000, text: transcript, segments: [], ...usage })
    default:
      return sendJson(delivery, { text: transcript, ...usage })
  }
}

async function paint(request: MediaRequest, delivery: Delivery, onTruth: (truth: MediaTruth) => void): Promise<void> {
  const { fields, files } = request
  const count = Number(fields['n'] ?? 1)
  const prompt = tokenize(text(fields['prompt'])).length
  const images = files.length * INPUT_IMAGE_TOKENS
  const isByTokens = !request.model.includes('plain')
  onTruth(isByTokens ? { input_tokens: prompt, input_image_tokens: images, output_image_tokens: count * IMAGE_TOKENS } : { images: count })
  const picture = Buffer.alloc(3000, request.seed & 0xff).toString('base64')
  const usage = (made: number): Json =>
    isByTokens
      ? usageOf(request, {
          input_tokens: prompt + images,
          input_tokens_details: { text_tokens: prompt, image_tokens: images },
          output_tokens: made * IMAGE_TOKENS,
          total_tokens: prompt + images + made * IMAGE_TOKENS,
        })
      : {}
  if (!request.stream)
    return sendJson(delivery, { created: 0, data: Array.from({ length: count }, () => ({ b64_json: picture })), ...usage(count) })
  const partial = { type: 'image_generation.partial_image', partial_image_index: 0, b64_json: picture }
  return sendEvents(request, delivery, [partial, { type: 'image_generation.completed', b64_json: picture, ...usage(1) }])
}

async function rank(request: MediaRequest, delivery: Delivery, onTruth: (truth: MediaTruth) => void): Promise<void> {
  const { fields, model } = request
  const documents: readonly unknown[] = Array.isArray(fields['documents']) ? fields['documents'] : []
  const query = tokenize(text(fields['query'])).length
  const tokens = documents.reduce<number>((sum, each) => sum + query + tokenize(text(each)).length, 0)
  const units = Math.ceil(documents.length / 100)
  const isCohere = request.path === '/v2/rerank'
  onTruth(isCohere ? { search_units: units } : { input_tokens: tokens })
  const results = documents.map((_, index) => ({ index, relevance_score: 1 / (index + 1) }))
  if (!isCohere) return sendJson(delivery, { model, object: 'list', ...usageOf(request, { total_tokens: tokens }), results })
  const meta = request.faults.usage === 'none' ? {} : { meta: { api_version: { version: '2' }, billed_units: { search_units: units } } }
  return sendJson(delivery, { id: 'rerank-1', results, ...meta })
}

function usageOf({ faults }: MediaRequest, usage: Json): { readonly usage?: Usage } {
  return faults.usage === 'none' ? {} : { usage: { ...usage, ...faults.counts } }
}

async function sendEvents(request: MediaRequest, delivery: Delivery, events: readonly Json[]): Promise<void> {
  delivery.head(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  for (const event of events) {
    if (delivery.isOver) return
    if (String(event['type']).endsWith('.done') || 'usage' in event) await delivery.reach('before-usage')
    await sendSlowly(delivery, request, `data: ${JSON.stringify(event)}\n\n`)
  }
  return delivery.end()
}

async function sendSlowly(delivery: Delivery, { faults }: MediaRequest, part: string | Buffer): Promise<void> {
  if (faults.tokenDelayMs !== undefined) await delivery.wait(faults.tokenDelayMs)
  await delivery.send(part)
  await delivery.flush()
}

function sendJson(delivery: Delivery, value: Json): Promise<void> {
  return sendText(delivery, 'application/json', JSON.stringify(value))
}

function sendText(delivery: Delivery, type: string, body: string): Promise<void> {
  delivery.head(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  return delivery.end(body)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Tokens of every string in a request, whatever it is called. */
function countAll(value: unknown): number {
  if (typeof value === 'string') return tokenize(value).length
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((sum, each) => sum + countAll(each), 0)
}

/** Of 16-bit PCM with the usual header of 44 bytes. */
function wavMs(file: Buffer): number | undefined {
  if (file.toString('latin1', 0, 4) !== 'RIFF' || file.length < 44) return undefined
  return Math.ceil(((file.length - 44) * 1000) / file.readUInt32LE(28))
}

function clock(ms: number, mark: string): string {
  return `${new Date(ms).toISOString().slice(11, 19)}${mark}${String(ms % 1000).padStart(3, '0')}`
}
