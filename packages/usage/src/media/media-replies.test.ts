import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Api, Settlement } from '../record.ts'
import { createReplyReader } from '../reply-reader.ts'
import { settle } from '../settle.ts'
import type { MediaAsked } from './media-asked.ts'

type Reply = {
  readonly api: Api
  readonly media?: MediaAsked
  readonly body: string | Buffer
  readonly contentType?: string
  readonly status?: number
  /** How it ended. Default: whole. */
  readonly how?: 'whole' | 'broken'
  readonly cut?: readonly number[]
}

type Read = { readonly settlement: Settlement; readonly now: Buffer; readonly later: Buffer; readonly terminal: boolean }

function read({ api, media = {}, body, contentType = 'application/json', status = 200, how = 'whole', cut = [] }: Reply): Read {
  const asked = { choices: 1, prompts: 1, promptBytes: 4, media }
  const reader = createReplyReader({ api, asked, streamedRequest: false, injected: false, contentType })
  const now: Buffer[] = []
  const later: Buffer[] = []
  let rest = Buffer.from(body)
  for (const size of [...cut, rest.length]) {
    const step = reader.push(rest.subarray(0, size))
    now.push(...step.now)
    later.push(...step.afterSettlement)
    rest = rest.subarray(size)
    reader.digest()
  }
  const { terminal } = reader
  later.push(...reader.end(how).afterSettlement)
  const outcome = how === 'whole' ? 'completed' : 'upstream_reset'
  const settlement = settle(reader.observation, { outcome, endedAt: 1, status, multipleChoices: 'count' })
  return { settlement, now: Buffer.concat(now), later: Buffer.concat(later), terminal }
}

const gist = (reply: Reply): unknown => {
  const { provenance, promptTokens, completionTokens, meters, invalidUsage } = read(reply).settlement
  return [provenance, promptTokens, completionTokens, meters, ...(invalidUsage === true ? ['invalid'] : [])]
}

const sse = (...events: readonly object[]): string => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
const SSE = 'text/event-stream'

const TABLE: Readonly<Record<string, readonly [Reply, unknown]>> = {
  'speech: sound is counted by its characters': [
    { api: 'speech', media: { characters: 12 }, body: Buffer.from([0xff, 0xfb, 0x90, 0]), contentType: 'audio/mpeg' },
    ['estimated', null, null, { input_characters: 12 }],
  ],
  'speech: a request without a character is not free where something came': [
    { api: 'speech', media: { characters: 0 }, body: 'x', contentType: 'audio/wav' },
    ['estimated', null, null, { input_characters: 1 }],
  ],
  'speech: half of the sound is the whole of the text': [
    { api: 'speech', media: { characters: 12 }, body: 'RIFF', contentType: 'audio/wav', how: 'broken' },
    ['estimated', null, null, { input_characters: 12 }],
  ],
  'speech: nothing that came is unknown, not zero': [
    { api: 'speech', media: { characters: 12 }, body: '', contentType: 'audio/wav' },
    ['unknown', null, null, {}],
  ],
  'speech: an error in place of sound is no usage': [
    { api: 'speech', media: { characters: 12 }, body: '{"error":{"message":"no"}}' },
    ['unknown', null, null, {}],
  ],
  'speech: a stream reports tokens, and what was generated is sound': [
    {
      api: 'speech',
      body: sse(
        { type: 'speech.audio.delta', audio: 'AAAA' },
        { type: 'speech.audio.done', usage: { input_tokens: 14, output_tokens: 101, total_tokens: 115 } },
      ),
      contentType: SSE,
    },
    ['reported', 14, 101, { input_tokens: 14, output_audio_tokens: 101 }],
  ],
  'speech: a stream that breaks off before its usage is counted by characters': [
    { api: 'speech', media: { characters: 7 }, body: sse({ type: 'speech.audio.delta', audio: 'AAAA' }), contentType: SSE, how: 'broken' },
    ['estimated', null, null, { input_characters: 7 }],
  ],
  'speech: an error after some sound does not make that free': [
    {
      api: 'speech',
      media: { characters: 7 },
      body: sse({ type: 'speech.audio.delta', audio: 'AAAA' }, { type: 'error', error: { message: 'no' } }),
      contentType: SSE,
    },
    ['estimated', null, null, { input_characters: 7 }],
  ],
  'speech: an error in place of all sound is no usage, and neither is a sign of life': [
    { api: 'speech', media: { characters: 7 }, body: `: alive\n\n${sse({ type: 'error', error: { message: 'no' } })}`, contentType: SSE },
    ['unknown', null, null, {}],
  ],
  'transcription: tokens, sound apart from text': [
    {
      api: 'transcriptions',
      body: '{"text":"hi","usage":{"type":"tokens","input_tokens":16,"input_token_details":{"text_tokens":2,"audio_tokens":14},"output_tokens":5,"total_tokens":21}}',
    },
    ['reported', 16, 5, { input_tokens: 2, input_audio_tokens: 14, output_tokens: 5 }],
  ],
  'transcription: seconds': [
    { api: 'transcriptions', body: '{"text":"hi","usage":{"type":"duration","seconds":9}}' },
    ['reported', null, null, { input_audio_ms: 9000 }],
  ],
  'transcription: seconds with a fraction': [
    { api: 'transcriptions', body: '{"usage":{"type":"duration","seconds":8.47},"text":""}' },
    ['reported', null, null, { input_audio_ms: 8470 }],
  ],
  'transcription: the duration of a verbose one': [
    { api: 'transcriptions', body: '{"task":"transcribe","duration":8.470000267028809,"text":"hi","segments":[]}' },
    ['reported', null, null, { input_audio_ms: 8470 }],
  ],
  'transcription: the duration as older engines write it': [
    { api: 'transcriptions', body: '{"duration":"8.47","text":"hi"}' },
    ['reported', null, null, { input_audio_ms: 8470 }],
  ],
  'transcription: negative seconds give no credit': [
    { api: 'transcriptions', media: { audioMs: 1200 }, body: '{"text":"hi","usage":{"type":"duration","seconds":-9}}' },
    ['estimated', null, null, { input_audio_ms: 1200 }, 'invalid'],
  ],
  'transcription: absurd seconds are no count': [
    { api: 'transcriptions', media: { audioMs: 1200 }, body: '{"text":"hi","usage":{"type":"duration","seconds":1e30}}' },
    ['estimated', null, null, { input_audio_ms: 1200 }, 'invalid'],
  ],
  'transcription: without a word the length of the file counts': [
    { api: 'transcriptions', media: { audioMs: 1200, audioBytes: 99 }, body: '{"text":"hi"}' },
    ['estimated', null, null, { input_audio_ms: 1200 }],
  ],
  'transcription: subtitles say where they end': [
    {
      api: 'transcriptions',
      media: { audioBytes: 8000 },
      body: '1\n00:00:00,000 --> 00:00:02,500\nhi\n\n2\n00:00:02,500 --> 01:00:04,250\nho\n',
      contentType: 'text/plain',
    },
    ['estimated', null, null, { input_audio_ms: 3_604_250 }],
  ],
  'transcription: WebVTT leaves the hours out': [
    { api: 'transcriptions', media: { audioBytes: 8000 }, body: 'WEBVTT\n\n00:00.000 --> 01:02.345\nhi\n', contentType: 'text/vtt' },
    ['estimated', null, null, { input_audio_ms: 62_345 }],
  ],
  'transcription: plain text is counted by the bytes of the file': [
    { api: 'transcriptions', media: { audioBytes: 8000 }, body: 'hi\n', contentType: 'text/plain' },
    ['estimated', null, null, { input_audio_ms: 1000 }],
  ],
  'transcription: a stream ends with its usage': [
    {
      api: 'transcriptions',
      body: sse(
        { type: 'transcript.text.delta', delta: 'hi' },
        { type: 'transcript.text.done', text: 'hi', usage: { type: 'duration', seconds: 3 } },
      ),
      contentType: SSE,
    },
    ['reported', null, null, { input_audio_ms: 3000 }],
  ],
  'transcription: chunks as of a chat, with running counts': [
    {
      api: 'transcriptions',
      body: `${sse({ object: 'transcription.chunk', model: 'w', choices: [{ delta: { content: 'hi' } }], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }, { choices: [], usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 } })}data: [DONE]\n\n`,
      contentType: SSE,
    },
    ['reported', 9, 2, { input_tokens: 9, output_tokens: 2 }],
  ],
  'transcription: chunks that break off are known by their last running count': [
    {
      api: 'transcriptions',
      body: sse({ choices: [{ delta: { content: 'hi' } }], usage: { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10 } }),
      contentType: SSE,
      how: 'broken',
    },
    ['continuous', 9, 1, { input_tokens: 9, output_tokens: 1 }],
  ],
  'images: tokens, those that came along apart': [
    {
      api: 'images',
      body: '{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens":1056,"total_tokens":1106}}',
    },
    ['reported', 50, 1056, { input_tokens: 10, input_image_tokens: 40, output_image_tokens: 1056 }],
  ],
  'images: text that a model wrote beside them is no image': [
    {
      api: 'images',
      body: '{"data":[{}],"usage":{"input_tokens":5,"output_tokens":110,"output_tokens_details":{"image_tokens":100,"text_tokens":10},"total_tokens":115}}',
    },
    ['reported', 5, 110, { input_tokens: 5, output_tokens: 10, output_image_tokens: 100 }],
  ],
  'images: without usage those that came count, not those that were wanted': [
    { api: 'images', media: { images: 4 }, body: '{"created":1,"data":[{"url":"x"},{"url":"y"}]}' },
    ['reported', null, null, { images: 2 }],
  ],
  'images: a reply that broke off was made whole by the engine': [
    { api: 'images', media: { images: 4 }, body: '{"created":1,"data":[{"b64_json":"AAAA', how: 'broken' },
    ['estimated', null, null, { images: 4 }],
  ],
  'images: a reply in another form counts as what was wanted': [
    { api: 'images', media: { images: 2 }, body: Buffer.from([0x89, 0x50]), contentType: 'image/png' },
    ['estimated', null, null, { images: 2 }],
  ],
  'images: a stream counts each of several with its own usage': [
    {
      api: 'images',
      media: { images: 2 },
      body: sse(
        { type: 'image_generation.completed', usage: { input_tokens: 5, output_tokens: 100, total_tokens: 105 } },
        { type: 'image_generation.completed', usage: { input_tokens: 5, output_tokens: 100, total_tokens: 105 } },
      ),
      contentType: SSE,
    },
    ['reported', 10, 200, { input_tokens: 10, output_image_tokens: 200 }],
  ],
  'images: a stream without usage counts those that were completed': [
    {
      api: 'images',
      media: { images: 1 },
      body: sse({ type: 'image_generation.partial_image' }, { type: 'image_generation.completed' }),
      contentType: SSE,
    },
    ['reported', null, null, { images: 1 }],
  ],
  'ranking: all tokens are input, whether they are called total or prompt': [
    { api: 'rerank', body: '{"model":"r","object":"list","usage":{"total_tokens":815},"results":[]}' },
    ['reported', 815, 0, { input_tokens: 815 }],
  ],
  'ranking: prompt and total': [
    { api: 'rerank', body: '{"usage":{"prompt_tokens":56,"total_tokens":56},"results":[]}' },
    ['reported', 56, 0, { input_tokens: 56 }],
  ],
  'ranking: search units as they are billed': [
    { api: 'rerank', body: '{"id":"x","results":[],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":3}}}' },
    ['reported', null, null, { search_units: 3 }],
  ],
  'ranking: malformed search units are no credit': [
    { api: 'rerank', media: { documents: 250 }, body: '{"results":[{}],"meta":{"billed_units":{"search_units":-3}}}' },
    ['estimated', null, null, { search_units: 3 }, 'invalid'],
  ],
  'ranking: without a word one search unit for a hundred documents': [
    { api: 'rerank', media: { documents: 101 }, body: '{"results":[]}' },
    ['estimated', null, null, { search_units: 2 }],
  ],
  'an error of the engine is no usage, whatever the API': [
    { api: 'images', media: { images: 4 }, body: '{"error":{"message":"no"}}', status: 500 },
    ['unknown', null, null, {}],
  ],
}

for (const [what, [reply, expected]] of Object.entries(TABLE)) {
  test(`settle() of ${what}`, () => {
    assert.deepEqual(gist(reply), expected)
    assert.deepEqual(gist({ ...reply, cut: Array.from({ length: reply.body.length }, () => 1) }), expected, 'byte by byte')
  })
}

test('settle() takes the model that was asked for where the reply names none, and no other', () => {
  const model = (reply: Reply): string | undefined => read(reply).settlement.model
  assert.equal(
    model({ api: 'transcriptions', media: { model: 'asked' }, body: '{"text":"x","usage":{"type":"duration","seconds":1}}' }),
    'asked',
  )
  assert.equal(model({ api: 'rerank', media: { model: 'asked' }, body: '{"model":"named","usage":{"total_tokens":1}}' }), 'named')
})

test('settle() keeps numbers that no class stands for, in any of these APIs', () => {
  const { settlement } = read({
    api: 'images',
    body: '{"data":[{}],"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12,"watermark_units":3}}',
  })
  assert.deepEqual(settlement.unclassified, { watermark_units: 3 })
})

test('the client has neither the end of a body nor the last event of a stream before the settlement is durable', () => {
  const json = read({ api: 'images', body: '{"data":[]}\n' })
  assert.deepEqual([json.now.toString(), json.later.toString()], ['{"data":[]', '}\n'])
  const sound = read({ api: 'speech', body: Buffer.from([1, 2, 3]), contentType: 'audio/mpeg', cut: [1, 1] })
  assert.deepEqual([[...sound.now], [...sound.later]], [[1, 2], [3]])
  const first = sse({ type: 'transcript.text.delta', delta: 'hi' })
  const last = sse({ type: 'transcript.text.done', text: 'hi', usage: { type: 'duration', seconds: 3 } })
  for (const cut of [[], [first.length], [first.length + 20], Array.from({ length: first.length + last.length }, () => 1)]) {
    const stream = read({ api: 'transcriptions', body: first + last, contentType: SSE, cut })
    assert.equal(stream.terminal, true)
    assert.equal(Buffer.concat([stream.now, stream.later]).toString(), first + last)
    assert.ok(!stream.now.toString().includes('"seconds":3}}'), 'the client could take the stream for a whole one')
  }
})

test('an image of several megabytes in one event is read for its usage, and held back at its end', () => {
  const body = sse({
    type: 'image_generation.completed',
    b64_json: 'A'.repeat(3_000_000),
    usage: { input_tokens: 5, output_tokens: 100, total_tokens: 105 },
  })
  const sizes = Array.from({ length: 60 }, () => 65_536)
  const stream = read({ api: 'images', media: { images: 1 }, body, contentType: SSE, cut: sizes })
  assert.deepEqual(stream.settlement.meters, { input_tokens: 5, output_image_tokens: 100 })
  assert.equal(stream.terminal, true)
  assert.equal(stream.now.length + stream.later.length, Buffer.byteLength(body))
  assert.ok(stream.later.length > 0)
})

test('readers of sound, images and rankings never throw, pass every byte on, and read the same however it is cut', () => {
  const apis = fc.constantFrom<Api>('speech', 'transcriptions', 'images', 'rerank', 'free')
  const piece = fc.constantFrom(
    'data: ',
    '{"type":"',
    'transcript.text.done"',
    ',"usage":',
    '{"input_tokens":3}',
    '}',
    '\n\n',
    '[DONE]',
    '"data":[',
    ']',
    '-->',
    '"',
    '\\',
    '\r',
  )
  fc.assert(
    fc.property(
      apis,
      fc.array(piece, { maxLength: 20 }),
      fc.array(fc.nat(6), { maxLength: 40 }),
      fc.boolean(),
      (api, pieces, cut, isStream) => {
        const reply = { api, media: { images: 1 }, body: pieces.join(''), contentType: isStream ? SSE : 'application/json' }
        const whole = read(reply)
        const parts = read({ ...reply, cut })
        assert.equal(Buffer.concat([parts.now, parts.later]).toString(), reply.body)
        assert.deepEqual(parts.settlement, whole.settlement)
      },
    ),
    { numRuns: 1500 },
  )
})

test('sound for which a stream was asked, under no name for sound, is never free', () => {
  const asked = { choices: 1, prompts: 1, promptBytes: 4, media: { characters: 12 } }
  for (const contentType of ['application/octet-stream', 'binary/octet-stream', undefined]) {
    const reader = createReplyReader({ api: 'speech', asked, streamedRequest: true, injected: false, contentType })
    reader.read(Buffer.from([0xff, 0xfb, 0x90, 0x00]))
    reader.end()
    const { provenance, meters } = settle(reader.observation, { outcome: 'completed', endedAt: 1, status: 200, multipleChoices: 'count' })
    assert.deepEqual([provenance, meters], ['estimated', { input_characters: 12 }])
  }
})
