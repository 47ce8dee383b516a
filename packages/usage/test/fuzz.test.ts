import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanRequest, spliceIncludeUsage } from '@ascribe/usage'
import type { Api, Settlement } from '@ascribe/usage'
import fc from 'fast-check'
import { cutAt, readRecorded, recordedNames, run } from './replies.ts'

// What engines really sent, damaged. `npm run fuzz` runs these for as long as one likes.

const RUNS = 300

/** What a reader of streams or of JSON might take for something else. */
const PIECES = [
  '\r',
  '\n',
  '\r\n\r\n',
  '\0',
  '\ufeff',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  'null',
  '-1',
  '300.0',
  '1e999',
  '9007199254740993',
  'data:',
  'data: [DONE]\n\n',
  'event: message_stop\n',
  ':comment\n',
  '"usage":{"prompt_tokens":1,"completion_tokens":2}',
  '"usage":null',
  '"choices":[]',
  '\u00ff',
]

type Change = { readonly at: number; readonly put: string; readonly over: number }

const changes = fc.array(
  fc.record({ at: fc.nat(), put: fc.oneof(fc.constantFrom('', ...PIECES), fc.string({ maxLength: 4 })), over: fc.nat(24) }),
  { maxLength: 4 },
)

function damaged(bytes: Buffer, list: readonly Change[]): Buffer {
  return list.reduce((before, { at, put, over }) => {
    const from = before.length === 0 ? 0 : at % before.length
    return Buffer.concat([before.subarray(0, from), Buffer.from(put), before.subarray(from + over)])
  }, bytes)
}

function assertSane(settlement: Settlement): void {
  const { promptTokens, completionTokens, meters } = settlement
  for (const [meter, quantity] of Object.entries(meters))
    assert.ok(Number.isSafeInteger(quantity) && quantity >= 0, `${meter}: ${quantity}`)
  if (promptTokens !== null && completionTokens !== null)
    assert.equal(
      Object.values(meters).reduce((sum, quantity) => sum + BigInt(quantity), 0n),
      BigInt(promptTokens) + BigInt(completionTokens),
      JSON.stringify(settlement),
    )
  assert.ok(Buffer.byteLength(JSON.stringify(settlement)) < 3072)
}

test('a damaged reply never makes a reader throw, change a byte, or say another thing when it is cut', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...recordedNames()),
      changes,
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      (name, list, cuts, injected, broken) => {
        const { api, request, contentType = '', body } = readRecorded(name)
        const bytes = damaged(body, list)
        const how = { api, request, contentType, injected, broken } as const
        const whole = run({ ...how, chunks: [bytes] })
        const cut = run({ ...how, chunks: cutAt(bytes, cuts) })
        const given = Buffer.concat([whole.now, whole.later])
        assert.deepEqual(Buffer.concat([cut.now, cut.later]), given)
        assert.deepEqual(cut.settlement, whole.settlement)
        if (!injected) assert.deepEqual(given, bytes)
        assert.ok(given.length <= bytes.length)
        assertSane(whole.settlement)
      },
    ),
    { numRuns: RUNS },
  )
})

const APIS: readonly Api[] = ['chat', 'completions', 'embeddings', 'responses', 'messages']
const REQUESTS = [
  '{"model":"m","messages":[{"role":"user","content":"a\\u00e9\\"b"}],"stream":true,"stream_options":{"include_usage":false,"x":[1,{"y":2}]},"seed":9007199254740993}',
  '{"stream":1,"model":"m","prompt":["a",["b"]],"n":3,"max_tokens":7}',
  ' {"stream_options":null,"stream":true,"model":"m","input":[[1,2],[3]]} ',
  '{"model":"m","max_tokens":1024,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"t"}]}],"stream":true}',
  '{"model":"m","instructions":"i","input":"x","max_output_tokens":9,"store":false,"stream":true}',
]

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

test('a damaged request is refused, or is understood as JSON.parse does and keeps every byte but the wish for usage', () => {
  fc.assert(
    fc.property(fc.constantFrom(...REQUESTS), changes, fc.constantFrom(...APIS), (text, list, api) => {
      const bytes = damaged(Buffer.from(text), list)
      const facts = scanRequest(bytes, api)
      if (facts.kind === 'invalid') return
      const spliced = spliceIncludeUsage(bytes, facts)
      const sent = Buffer.concat(spliced.parts)
      if (!spliced.injected) assert.deepEqual(sent, bytes)
      const before = parsed(bytes)
      // Bytes that are no UTF-8 are the engine's to refuse.
      if (before === undefined) return
      const members = before as Readonly<Record<string, unknown>>
      if (facts.model !== undefined) assert.equal(facts.model, members['model'])
      if (!spliced.injected) return
      const { stream_options: options, ...others } = parsed(sent) as Readonly<Record<string, unknown>>
      const { stream_options: _before, ...same } = members
      assert.deepEqual(others, same)
      assert.equal((options as { readonly include_usage?: unknown }).include_usage, true)
    }),
    { numRuns: RUNS * 3 },
  )
})
