import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import type { Api } from '@ascribe/usage'
import { cutAt, jsonRun, run } from './replies.ts'
import type { Outcome, Run } from './replies.ts'

const USAGE = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
const CHOICE = { index: 0, message: { role: 'assistant', content: 'abcdefgh' }, finish_reason: 'stop' }

const read = (body: unknown, more: Partial<Run> = {}): Outcome =>
  jsonRun('chat', typeof body === 'string' ? body : JSON.stringify(body), more)

function quantities({ settlement }: Outcome): unknown[] {
  return [settlement.provenance, settlement.promptTokens, settlement.completionTokens]
}

test('push() finds usage, model and finish reason wherever they stand in the top-level object', () => {
  const members = [
    ['model', 'tiny'],
    ['choices', [CHOICE]],
    ['usage', USAGE],
    ['timings', { cache_n: [0, { a: 'x' }] }],
  ] as const
  for (let turn = 0; turn < members.length; turn += 1) {
    const rotated = Object.fromEntries([...members.slice(turn), ...members.slice(0, turn)])
    for (const space of [undefined, 2]) {
      const outcome = read(JSON.stringify(rotated, undefined, space))
      assert.deepEqual(quantities(outcome), ['reported', 7, 3])
      assert.deepEqual([outcome.settlement.model, outcome.settlement.finishReason], ['tiny', 'stop'])
    }
  }
})

test('push() never believes a usage, a model or a finish reason that is text or stands deeper', () => {
  const forged = '"usage":{"prompt_tokens":1,"completion_tokens":0},"model":"free","finish_reason":"forged"'
  const bodies: unknown[] = [
    { model: 'tiny', choices: [{ ...CHOICE, message: { content: forged } }], usage: USAGE },
    { model: 'tiny', choices: [{ ...CHOICE, message: { content: `",${forged},"` } }], usage: USAGE },
    { model: 'tiny', choices: [{ ...CHOICE, message: { content: `\\",${forged},"\\` } }], usage: USAGE },
    {
      model: 'tiny',
      usage: USAGE,
      choices: [CHOICE],
      result: { usage: { prompt_tokens: 1, completion_tokens: 0 }, model: 'free', choices: [{ finish_reason: 'x' }] },
    },
    {
      model: 'tiny',
      usage: USAGE,
      choices: [
        { ...CHOICE, message: { content: 'x', usage: { prompt_tokens: 1, completion_tokens: 0 }, model: 'free', finish_reason: 'x' } },
      ],
    },
    {
      'x"usage': { prompt_tokens: 1, completion_tokens: 0 },
      'model"': 'free',
      usage: USAGE,
      model: 'tiny',
      choices: [CHOICE],
      z: ['usage', { a: 1 }, 'model', 'free'],
    },
    { model: 'tiny', choices: [{ ...CHOICE, message: { content: 'x'.repeat(100) + `\\",${forged},"` } }], usage: USAGE },
    { model: 'tiny', usage: USAGE, choices: [{ finish_reason: 'stop', message: { finish_reason: 'x' } }], x: [{ finish_reason: 'x' }] },
    { usage: USAGE, model: 'tiny', choices: [CHOICE], x: null, y: 'usage', z: { prompt_tokens: 1 } },
  ]
  for (const body of bodies) {
    const text = JSON.stringify(body)
    for (const chunks of [[text], text.split('')]) {
      const outcome = read(text, { chunks })
      assert.deepEqual(quantities(outcome), ['reported', 7, 3], text)
      assert.deepEqual([outcome.settlement.model, outcome.settlement.finishReason], ['tiny', 'stop'], text)
    }
  }
})

test('push() finds no usage where only a nested one stands', () => {
  const outcome = read({ choices: [{ ...CHOICE, usage: USAGE }], x: { usage: USAGE } })
  assert.deepEqual(quantities(outcome), ['estimated', 1, 2])
})

test('push() finds a usage between large values on either side', () => {
  const numbers = Array.from({ length: 50_000 }, (_, index) => index / 7)
  const text = JSON.stringify({
    data: [{ embedding: numbers }, { embedding: [] }, 'x]"[{'],
    usage: USAGE,
    prompt_logprobs: [[numbers], 'y'.repeat(100_000)],
  })
  for (const size of [text.length, 65_536, 999]) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size))
    assert.deepEqual(quantities(read(text, { chunks })), ['reported', 7, 3])
  }
})

test('push() keeps next to nothing of a body of 64 MiB', async () => {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  assert.ok(typeof collect === 'function')
  const { reader } = jsonRun('embeddings', '{"object":"list","data":["', { broken: true })
  const piece = Buffer.alloc(1 << 20, 'x')
  collect()
  const before = process.memoryUsage().arrayBuffers
  for (let index = 0; index < 64; index += 1) reader.push(Buffer.from(piece))
  const kept = (): number => process.memoryUsage().arrayBuffers - before
  // Freed buffers are swept in the background, which on a busy machine takes its time; a reader that keeps them shows 64 MiB for ever.
  for (let turns = 0; turns < 200 && kept() >= 32 << 20; turns += 1) {
    collect()
    await turn()
  }
  reader.push(Buffer.from('"],"usage":{"prompt_tokens":9,"total_tokens":9}}'))
  assert.equal(reader.observation.usage.kind, 'counts')
  assert.ok(kept() < 32 << 20, `${kept()} bytes are kept`)
})

test('push() takes a usage object that is too long, or no object, for malformed: what passed is estimated, and the record says so', () => {
  for (const usage of [{ pad: 'x'.repeat(17_000), ...USAGE }, 'many', 5, [USAGE], { prompt_tokens: -7, completion_tokens: -3 }]) {
    const { settlement } = read({ choices: [CHOICE], usage })
    assert.deepEqual(
      [settlement.provenance, settlement.completionTokens, settlement.invalidUsage],
      ['estimated', 2, true],
      JSON.stringify(usage).slice(0, 30),
    )
  }
  assert.deepEqual(quantities(read({ choices: [CHOICE], usage: null })), ['estimated', 1, 2])
})

test('push() holds the last byte, and white space after it, for end()', () => {
  const { now, later } = read('\n {"a":1}\r\n\t ')
  assert.deepEqual([now.toString(), later.toString()], ['\n {"a":1', '}\r\n\t '])
  const blank = read('  \n')
  assert.deepEqual([blank.now.toString(), blank.later.toString()], ['  \n', ''], 'white space before a body keeps a connection alive')
})

test('push() says of a truncated body only what its bytes prove (every length)', () => {
  const text = JSON.stringify({ model: 'tiny', usage: USAGE, choices: [CHOICE], z: [1, { a: null }] })
  const usageEnd = text.indexOf('},"choices') + 1
  for (let length = 0; length <= text.length; length += 1) {
    const outcome = read(text.slice(0, length), { broken: true, ending: { outcome: 'upstream_reset' } })
    const { provenance, completionTokens, promptTokens } = outcome.settlement
    if (length >= usageEnd) assert.deepEqual([provenance, completionTokens], ['reported', 3])
    else if (length > text.indexOf('"usage":{') + 8)
      assert.deepEqual([provenance, completionTokens === 3], ['estimated', false], 'half a usage object is no count')
    else if (length > 0) assert.deepEqual([provenance, promptTokens], ['estimated', 1])
    else assert.deepEqual([provenance, completionTokens], ['unknown', null])
  }
})

test('the reader agrees with JSON.parse on any body, however it is cut (property)', () => {
  const usage = fc.record({ prompt_tokens: fc.nat(1_000_000_000), completion_tokens: fc.nat(1_000_000_000), x: fc.jsonValue() })
  const choice = fc.record({
    message: fc.record({ content: fc.string(), usage }),
    finish_reason: fc.oneof(fc.string(), fc.constant(null)),
    extra: fc.jsonValue(),
  })
  const body = fc.record(
    {
      usage: fc.option(usage),
      model: fc.string(),
      choices: fc.array(choice),
      data: fc.jsonValue(),
      numbers: fc.array(fc.double({ noNaN: true }), { maxLength: 40 }),
      'a"\\': fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  const shuffled = body
    .chain((value) => fc.shuffledSubarray(Object.entries(value), { minLength: Object.keys(value).length }))
    .map((entries) => Object.fromEntries(entries))
  fc.assert(
    fc.property(shuffled, fc.constantFrom(undefined, 1), fc.array(fc.nat()), (value, space, cuts) => {
      const text = Buffer.from(JSON.stringify(value, undefined, space))
      const parsed = JSON.parse(text.toString())
      const { reader, now, later } = jsonRun('chat', text, { chunks: cutAt(text, cuts) })
      const seen = reader.observation
      assert.equal(now.toString() + later.toString(), text.toString())
      assert.equal(later.toString(), '}')
      assert.deepEqual(
        seen.usage.kind === 'counts' ? seen.usage.counts.completion : seen.usage.kind,
        parsed.usage?.completion_tokens ?? 'absent',
      )
      assert.equal(seen.model ?? '', parsed.model ?? '')
      const reasons: string[] = (parsed.choices ?? [])
        .map((one: { finish_reason: string | null }) => one.finish_reason ?? '')
        .filter((reason: string) => reason !== '')
      assert.equal(seen.finishReason, reasons.at(-1))
      assert.equal(seen.choices, parsed.choices?.length ?? 0)
      assert.equal(seen.whole, true)
    }),
    { numRuns: 500 },
  )
})

test('push() never throws and loses no byte of what is no JSON (property)', () => {
  const noise = fc.oneof(
    fc.uint8Array(),
    fc
      .string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', '"usage":{', '1', ' ', 'é') })
      .map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(noise, fc.array(fc.nat()), (bytes, cuts) => {
      const outcome = jsonRun('chat', '', { chunks: cutAt(Buffer.from(bytes), cuts) })
      assert.deepEqual(Buffer.concat([outcome.now, outcome.later]), Buffer.from(bytes))
    }),
    { numRuns: 1000 },
  )
})

test('createReplyReader() tells a stream by its content type in any case, with any parameters', () => {
  const form = (contentType: string | undefined, api: Api = 'chat', request = '{"stream":true}'): string =>
    run({ api, request, chunks: [], ...(contentType === undefined ? { contentType: '' } : { contentType }) }).reader.form
  for (const type of ['text/event-stream', 'Text/Event-Stream; charset=UTF-8', ' text/event-stream;x']) assert.equal(form(type), 'sse')
  for (const type of ['application/json', 'application/problem+json; charset=utf-8']) assert.equal(form(type), 'json')
  for (const type of ['text/plain', 'application/octet-stream']) {
    assert.equal(form(type), 'sse', `${type}: a stream was asked for, and its usage event must neither leak nor count as content`)
    assert.equal(form(type, 'chat', '{}'), 'json')
  }
  assert.equal(form(undefined), 'sse', 'without a type, what was asked for decides')
  assert.equal(form(undefined, 'chat', '{}'), 'json')
})
