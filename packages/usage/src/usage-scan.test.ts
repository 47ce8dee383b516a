import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readUsage } from './usage-block.ts'
import { scanUsage } from './usage-scan.ts'

const scan = (text: string): unknown => {
  const bytes = Buffer.from(`,${text}}`)
  return scanUsage(bytes, { start: 1, end: bytes.length - 1, api: 'chat' })
}

test('scanUsage() reads the usage objects that engines send', () => {
  const objects = [
    '{"prompt_tokens":57,"completion_tokens":231,"total_tokens":288,"prompt_tokens_details":{"cached_tokens":16}}',
    '{"prompt_tokens": 0, "total_tokens": 9, "completion_tokens": 9, "prompt_tokens_details": null}',
    '{ "prompt_tokens":1,"prompt_cache_hit_tokens":1,"prompt_cache_miss_tokens":0,"completion_tokens_details":{} }',
    '{}',
  ]
  for (const text of objects) assert.deepEqual(scan(text), JSON.parse(text), text)
})

test('scanUsage() leaves to JSON.parse what is not plain', () => {
  const others = [
    '{"prompt_tokens":1.0}',
    '{"prompt_tokens":-1}',
    '{"prompt_tokens":01}',
    '{"prompt_tokens":1e3}',
    '{"prompt_tokens":1234567890123456}',
    '{"prompt_token\\u0073":1}',
    '{"prompt_tokens":"1"}',
    '{"x":[1]}',
    '{"prompt_tokens_details":{"cached_tokens":{}}}',
    '{"prompt_tokens":1,}',
    '{"prompt_tokens":1 2}',
    '{"prompt_tokens":1}}',
    '{"prompt_tokens":nul}',
    '{"a\nb":1}',
  ]
  for (const text of others) assert.equal(scan(text), undefined, text)
})

const NAMES = ['prompt_tokens', 'completion_tokens', 'total_tokens', 'prompt_cache_hit_tokens', 'prompt_cache_miss_tokens', 'Total_Tokens']
const PARTS = ['cached_tokens', 'audio_tokens', 'reasoning_tokens', 'accepted_prediction_tokens']
const count = fc.oneof(
  { weight: 6, arbitrary: fc.nat(9).map(String) },
  fc.constantFrom('null', 'true', 'false', '1.5', '-0', '12e1', '"7"', '[]', '00'),
)
const space = fc.constantFrom('', '', '', ' ', '\n\t')
const members = (name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(name, space, space, value, space), { maxLength: 6 })
    .map((all) => `{${all.map(([key, before, after, text, end]) => `"${key}"${before}:${after}${text}${end}`).join(',')}}`)
const details = members(fc.constantFrom(...PARTS), count)
const usage = fc.oneof(
  members(fc.constantFrom(...NAMES), count),
  members(fc.constantFrom(...NAMES, 'prompt_tokens_details', 'completion_tokens_details'), fc.oneof(count, details)),
)

test('scanUsage() and JSON.parse give the same usage, repeated members included (property)', () => {
  let scanned = 0
  fc.assert(
    fc.property(usage, fc.nat(), fc.constantFrom('', '', '', '"', '}', ',', '0', '\\'), (text, at, character) => {
      const changed = text.slice(0, at % text.length) + character + text.slice(at % text.length)
      const found = scan(changed)
      if (found === undefined) return
      scanned += 1
      for (const api of ['chat', 'embeddings'] as const)
        assert.deepEqual(readUsage(found, api), readUsage(JSON.parse(changed), api), changed)
    }),
    { numRuns: 3000 },
  )
  assert.ok(scanned > 500, `${scanned} were plain`)
})
