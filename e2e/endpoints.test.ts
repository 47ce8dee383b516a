import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import OpenAI, { toFile } from 'openai'
import { nano } from './support/nano.ts'
import { temporaryDir, up } from './support/product.ts'
import type { Event, Product } from './support/product.ts'

// Sound, images and rankings, asked for with the official client as it is: from the request to the money on the statement.

const dir = temporaryDir()
let product: Product
let client: OpenAI
let records = 0

before(async () => {
  product = await up(dir.path)
  client = new OpenAI({ baseURL: `${product.ready.gateway}/v1`, apiKey: product.ready.key, maxRetries: 2 })
})
after(async () => {
  await product[Symbol.asyncDispose]()
  dir[Symbol.dispose]()
})

async function recorded(): Promise<Event> {
  records += 1
  const event = (await product.eventsUntil(records)).at(-1)
  assert.ok(event)
  return event
}

/** Mono, 16 bits, 8000 samples a second. */
function wav(ms: number): Buffer {
  const samples = Buffer.alloc(ms * 16, 1)
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + samples.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(8000, 24)
  head.writeUInt32LE(16_000, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(samples.length, 40)
  return Buffer.concat([head, samples])
}

test('speech that an engine reports nothing of is billed by its characters', async () => {
  const reply = await client.audio.speech.create({ model: 'sandbox-tts', voice: 'alloy', input: 'Grüße, 🎻!' })
  assert.equal((await reply.arrayBuffer()).byteLength, 900)
  const event = await recorded()
  assert.deepEqual(
    [event.outcome, event.provenance, event.model, event.meters],
    ['completed', 'estimated', 'sandbox-tts', { input_characters: 9 }],
  )
  assert.deepEqual([event.prompt_tokens, event.completion_tokens], [null, null])
})

test('speech as a stream of events is billed by the tokens that its last event reports', async () => {
  const reply = await client.audio.speech.create({ model: 'sandbox-tts', voice: 'alloy', input: 'hello', stream_format: 'sse' })
  assert.match(await reply.text(), /"type":"speech\.audio\.done"/)
  const event = await recorded()
  assert.deepEqual([event.provenance, event.meters], ['reported', { input_tokens: 1, output_audio_tokens: 10 }])
})

test('a transcription is billed by the time that the engine reports', async () => {
  const said = await client.audio.transcriptions.create({ model: 'sandbox-whisper', file: await toFile(wav(2500), 'speech.wav') })
  assert.ok(said.text.length > 0)
  const event = await recorded()
  assert.deepEqual([event.provenance, event.model, event.meters], ['reported', 'sandbox-whisper', { input_audio_ms: 3000 }])
})

test('a transcription as subtitles, without usage, is billed by the length of what was uploaded', async () => {
  const file = await toFile(wav(2500), 'speech.wav')
  const said = await client.audio.transcriptions.create({ model: 'sandbox-whisper', file, response_format: 'srt' })
  assert.match(String(said), /--> 00:00:02,500/)
  const event = await recorded()
  assert.deepEqual([event.provenance, event.meters], ['estimated', { input_audio_ms: 2500 }])
})

test('a transcription that streams is billed by the tokens of its last event, sound apart from text', async () => {
  const stream = await client.audio.transcriptions.create({
    model: 'sandbox-transcribe',
    file: await toFile(wav(2000), 'speech.wav'),
    prompt: 'meter token',
    stream: true,
  })
  let usage: unknown
  for await (const event of stream) if (event.type === 'transcript.text.done') usage = event.usage
  assert.ok(usage)
  const event = await recorded()
  assert.deepEqual([event.provenance, event.meters], ['reported', { input_tokens: 2, input_audio_tokens: 20, output_tokens: 4 }])
})

test('a translation is billed as a transcription is', async () => {
  await client.audio.translations.create({ model: 'sandbox-whisper', file: await toFile(wav(1000), 'speech.wav') })
  assert.deepEqual((await recorded()).meters, { input_audio_ms: 1000 })
})

test('images are billed by the tokens that the engine reports, and those that come along apart', async () => {
  const made = await client.images.generate({ model: 'sandbox-image', prompt: 'a copper bridge', n: 2 })
  assert.equal(made.data?.length, 2)
  assert.deepEqual((await recorded()).meters, { input_tokens: 3, output_image_tokens: 2112 })
  const image = [await toFile(Buffer.alloc(100, 1), 'one.png'), await toFile(Buffer.alloc(200, 2), 'two.png')]
  await client.images.edit({ model: 'sandbox-image', prompt: 'a river', image })
  assert.deepEqual((await recorded()).meters, { input_tokens: 2, input_image_tokens: 646, output_image_tokens: 1056 })
})

test('an image that streams is billed by the usage of its last event', async () => {
  const stream = await client.images.generate({ model: 'sandbox-image', prompt: 'a river', stream: true, partial_images: 1 })
  const types = []
  for await (const event of stream) types.push(event.type)
  assert.deepEqual(types, ['image_generation.partial_image', 'image_generation.completed'])
  const event = await recorded()
  assert.deepEqual([event.provenance, event.meters], ['reported', { input_tokens: 2, output_image_tokens: 1056 }])
})

test('images of an engine that reports nothing are billed by their number', async () => {
  await client.images.generate({ model: 'sandbox-image-plain', prompt: 'a river', n: 3 })
  const event = await recorded()
  assert.deepEqual([event.provenance, event.meters], ['reported', { images: 3 }])
})

test('a ranking is billed by tokens, or by search units where the engine bills those', async () => {
  const body = { model: 'sandbox-rerank', query: 'bridge', documents: ['river stone', 'copper'] }
  await client.post('/rerank', { body })
  assert.deepEqual((await recorded()).meters, { input_tokens: 5 })
  const cohere = new OpenAI({ baseURL: `${product.ready.gateway}/v2`, apiKey: product.ready.key })
  await cohere.post('/rerank', { body: { ...body, documents: Array.from({ length: 101 }, () => 'river') } })
  assert.deepEqual((await recorded()).meters, { search_units: 2 })
})

test('tokens are counted for free: a record, and nothing on the bill', async () => {
  const counted = await client.post<{ input_tokens: number }>('/messages/count_tokens', {
    body: { model: 'sandbox-small', messages: [{ role: 'user', content: 'river stone' }] },
  })
  assert.ok(counted.input_tokens >= 2)
  const event = await recorded()
  assert.deepEqual([event.provenance, event.prompt_tokens, event.completion_tokens, event.meters], ['reported', 0, 0, {}])
})

test('files, batches and realtime are refused with a word that says why, at once and without a record', async () => {
  const refusal = async (asked: Promise<unknown>): Promise<unknown> => {
    const error = await asked.then(
      () => undefined,
      (cause: unknown) => cause,
    )
    assert.ok(error instanceof OpenAI.APIError)
    assert.equal(error.headers?.get('x-should-retry'), 'false', 'the client would try again')
    return [error.status, error.code]
  }
  const file = await toFile(Buffer.from('{}'), 'batch.jsonl')
  assert.deepEqual(await refusal(client.files.create({ file, purpose: 'batch' })), [501, 'files_not_served'])
  const batch = client.batches.create({ input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h' })
  assert.deepEqual(await refusal(batch), [501, 'batches_not_served'])
  assert.deepEqual(await refusal(client.post('/realtime/sessions', { body: {} })), [501, 'realtime_not_served'])
  assert.deepEqual(await refusal(client.responses.retrieve('resp_1')), [501, 'stored_replies_not_served'])
  await product.eventsUntil(records)
})

test('langwatch-7021, llm-gateway-12: the statement holds the money of exactly these records, whatever they count', async () => {
  const events = await product.eventsUntil(records)
  const statement = await product.statement()
  assert.deepEqual(statement.held, { unpriced: 0, unattributed: 0, unknown: 0 })
  const used = new Map<string, number>()
  for (const { meters } of events) for (const [meter, count] of Object.entries(meters)) used.set(meter, (used.get(meter) ?? 0) + count)
  const billed = new Map<string, number>()
  for (const { meter, quantity } of statement.lines) billed.set(meter, (billed.get(meter) ?? 0) + Number(quantity))
  for (const [meter, count] of used) assert.equal(billed.get(meter), count, meter)
  for (const [meter, rate] of [
    ['input_characters', '0.000015'],
    ['input_audio_ms', '0.0000001'],
    ['images', '0.04'],
    ['search_units', '0.002'],
  ] as const) {
    const line = statement.lines.find((each) => each.meter === meter)
    assert.equal(nano(line?.amount ?? ''), nano(rate) * BigInt(used.get(meter) ?? 0), meter)
  }
  assert.equal(
    nano(statement.total),
    statement.lines.reduce((sum, line) => sum + nano(line.amount), 0n),
  )
})
