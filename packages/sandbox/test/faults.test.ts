import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { type SandboxEngine, startEngine } from '../src/engine.ts'
import type { Faults, Place } from '../src/faults.ts'
import { type RawReply, eventsOf, rawPost } from './raw-http.ts'

const MESSAGES = [{ role: 'user', content: 'hello there' }]

let engine: SandboxEngine
before(async () => {
  engine = await startEngine()
})
after(() => engine.close())
beforeEach(() => {
  engine.forget()
  engine.setFaults({})
})

const ask = (sandbox: Faults, body: object = {}): Promise<RawReply | undefined> =>
  rawPost(engine.url, '/v1/chat/completions', {
    model: 'sandbox-small',
    messages: MESSAGES,
    max_tokens: 4,
    stream: true,
    stream_options: { include_usage: true },
    sandbox,
    ...body,
  })
const whole = async (sandbox: Faults, body: object = {}): Promise<RawReply> => {
  const reply = await ask(sandbox, body)
  assert(reply)
  return reply
}
/** Without what differs from reply to reply. */
const textOf = (reply: RawReply | undefined): string =>
  String(reply?.body)
    .replace(/"id":"[^"]*"/g, '"id":""')
    .replace(/"created":\d+/g, '"created":0')
    .replace(/"cached_tokens":\d+/g, '"cached_tokens":0')
const JSON_REPLY = { stream: false, stream_options: undefined }
type Parsed = { usage?: Record<string, unknown> | null; choices: { finish_reason: string | null }[] }
const chunksOf = (reply: RawReply): Parsed[] =>
  eventsOf(reply.body)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as Parsed)

test('splitEvery and splitRandom cut the same body into small pieces', async () => {
  const plain = await whole({})
  const drip = await whole({ splitEvery: 1 })
  assert.equal(textOf(drip), textOf(plain))
  assert(drip.frames.every((frame) => frame.length === 1))
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 300 }), async (splitRandom) => {
      const reply = await whole({ splitRandom })
      assert.equal(textOf(reply), textOf(plain))
      assert(reply.frames.every((frame) => frame.length <= splitRandom))
    }),
    { numRuns: 10 },
  )
})

test('lineEnd, spaceAfterColon, comments, finalNewline and done change the framing and nothing else', async () => {
  const plain = textOf(await whole({}))
  assert.equal(textOf(await whole({ lineEnd: '\r' })).replaceAll('\r', '\n'), plain)
  assert.equal(textOf(await whole({ lineEnd: '\r\n' })).replaceAll('\r\n', '\n'), plain)
  assert.equal(textOf(await whole({ spaceAfterColon: false })).replaceAll('data:', 'data: '), plain)
  assert.equal(textOf(await whole({ comments: true })).replaceAll(': keep-alive\n\n', ''), plain)
  assert.equal(`${textOf(await whole({ finalNewline: false }))}\n\n`, plain)
  assert.equal(`${textOf(await whole({ done: false }))}data: [DONE]\n\n`, plain)
  assert(textOf(await whole({ done: false, finalNewline: false })).endsWith('}'))
})

test('usage says where usage stands in a stream', async () => {
  const places = async (faults: Faults, body: object = {}): Promise<string> =>
    chunksOf(await whole(faults, body))
      .map(({ usage, choices }) => (usage === null ? 'n' : usage ? (choices.length === 0 ? 'U' : 'u') : '.'))
      .join('')
  assert.equal(await places({}), '......U')
  assert.equal(await places({ usage: 'none' }), '......')
  assert.equal(await places({ usage: 'last-chunk' }), '.....u')
  assert.equal(await places({ usage: 'last-chunk' }, { n: 2 }), '...........u')
  assert.equal(await places({ usage: 'twice' }), '......UU')
  assert.equal(await places({ usage: 'null-elsewhere' }), 'nnnnnnU')
  assert.equal(await places({ usage: 'continuous' }), 'uuuuuuU')
  assert.equal(await places({ usage: 'per-choice' }, { n: 2 }), '..........U..U')
  assert.equal(await places({ usage: 'none' }, JSON_REPLY).catch(String), '.')
})

test('counts and underReport falsify what is said, not what is counted', async () => {
  for (const completion_tokens of [-1, 1.5, 1e30, '7', null]) {
    const [chunk] = chunksOf(await whole({ counts: { completion_tokens } }, JSON_REPLY))
    assert.equal(chunk?.usage?.['completion_tokens'], completion_tokens)
  }
  const [under] = chunksOf(await whole({ underReport: true }, { n: 3, ...JSON_REPLY }))
  assert.equal(under?.usage?.['completion_tokens'], 4)
  assert.equal(engine.seen.at(-1)?.completionTokens, 12)
  const cached = await whole({ counts: { cached_tokens: 99 } })
  assert.match(String(cached.body), /"cached_tokens":99/)
})

test('usageFirst and padBytes put usage before the choices, and that many bytes between', async () => {
  const reply = await whole({ usageFirst: true, padBytes: 1_000_000 }, JSON_REPLY)
  assert(reply.isWhole)
  const { padding } = JSON.parse(String(reply.body)) as { padding: string }
  assert.equal(padding.length, 1_000_000)
  const text = String(reply.body)
  assert(text.indexOf('"usage"') < text.indexOf('"choices"'))
  const stream = await whole({ padBytes: 100_000 })
  assert(stream.isWhole && eventsOf(stream.body).some((event) => event.length > 100_000))
})

test('encoding compresses although nobody asked, event by event, and the stream is whole', async () => {
  const plain = textOf(await whole({}))
  const gzip = await whole({ encoding: 'gzip' })
  assert.equal(gzip.headers['content-encoding'], 'gzip')
  assert(gzip.frames.length > 5)
  assert.equal(textOf({ ...gzip, body: gunzipSync(gzip.body) }), plain)
  const brotli = await whole({ encoding: 'br', padBytes: 300_000 }, JSON_REPLY)
  assert.equal(JSON.parse(String(brotliDecompressSync(brotli.body))).padding.length, 300_000)
})

test('contentType, contentLengthOff, emptyStream and status change the head', async () => {
  assert.equal((await whole({ contentType: 'Text/Event-Stream' })).headers['content-type'], 'Text/Event-Stream')
  for (const contentLengthOff of [-5, 5]) {
    const reply = await whole({ contentLengthOff }, JSON_REPLY)
    assert.equal(Number(reply.headers['content-length']) - reply.body.length, contentLengthOff)
  }
  const empty = await whole({ emptyStream: true })
  assert.deepEqual([empty.status, empty.body.length, empty.isWhole], [200, 0, true])
  const failed = await whole({ status: 503 })
  assert.equal(failed.status, 503)
  assert.match(String(failed.body), /^\{"error":\{"message":".*","type":"server_error"/)
  assert.equal(engine.seen.at(-1)?.completionTokens, 0)
})

const ENDINGS: readonly [Place, RegExp | undefined, number][] = [
  ['before-head', undefined, 0],
  ['before-content', /"role":"assistant"(?!.*finish_reason":"length").*\n\n$/s, 0],
  ['before-finish', /"finish_reason":null\}\]\}\n\n$/, 4],
  ['after-finish', /"finish_reason":"length","stop_reason":null\}\]\}\n\n$/, 4],
  ['before-usage', /"finish_reason":"length","stop_reason":null\}\]\}\n\n$/, 4],
  ['before-done', /"usage":\{.*\}\}\n\n$/, 4],
]
for (const [place, tail, tokens] of ENDINGS) {
  for (const resetWith of ['rst', 'fin'] as const) {
    test(`resetAt ${place} breaks the connection off there with a ${resetWith}`, async () => {
      const reply = await ask({ resetAt: place, resetWith })
      if (tail === undefined) assert.equal(reply, undefined)
      else {
        assert.match(String(reply?.body), tail)
        assert.deepEqual([reply?.isWhole, reply?.ended], [false, resetWith])
      }
      const [seen] = engine.seen
      assert.deepEqual([seen?.ending, seen?.completionTokens], ['broken', tokens])
    })
  }
}

test('resetAt a byte lets exactly so many bytes of the body pass, in streams and JSON, split or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 350 }), fc.boolean(), fc.boolean(), async (resetAt, isStream, isSplit) => {
      const reply = await ask({ resetAt, resetWith: 'fin', ...(isSplit ? { splitEvery: 7 } : {}) }, isStream ? {} : JSON_REPLY)
      assert.equal(reply?.body.length ?? 0, resetAt)
      assert.equal(reply?.isWhole ?? false, false)
    }),
    { numRuns: 40 },
  )
})

test('hangAt sends what comes before and then nothing, until the client leaves', async () => {
  const response = await fetch(`${engine.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'sandbox-small', messages: MESSAGES, max_tokens: 2, stream: true, sandbox: { hangAt: 'before-done' } }),
  })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  assert(reader)
  let text = ''
  while (!text.includes('"finish_reason":"length"')) text += (await reader.read()).value ?? assert.fail('ended')
  assert.equal(engine.seen[0]?.ending, 'open')
  await reader.cancel()
  while (engine.seen[0]?.ending === 'open') await new Promise((resolve) => setImmediate(resolve))
  assert.equal(engine.seen[0]?.ending, 'client-left')
})

test('setFaults() holds for every request, a request goes over it, and a wrong knob is refused', async () => {
  engine.setFaults({ status: 500, usage: 'none' })
  assert.equal((await whole({})).status, 500)
  assert.throws(() => engine.setFaults({ lineEnd: 'x' } as never), /lineEnd/)
  engine.setFaults({ usage: 'none' })
  assert.match(textOf(await whole({ usage: 'last-chunk' })), /"usage"/)
  const response = await fetch(`${engine.url}/sandbox/faults`, { method: 'PUT', body: '{"status":429}' })
  assert.equal(response.status, 200)
  assert.equal((await whole({})).status, 429)
  assert.equal((await fetch(`${engine.url}/sandbox/faults`, { method: 'PUT', body: '{"stat":429}' })).status, 400)
})
