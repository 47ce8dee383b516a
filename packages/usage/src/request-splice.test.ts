import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanRequest } from './request-scan.ts'
import { spliceIncludeUsage } from './request-splice.ts'
import type { Splice } from './request-splice.ts'
import type { Api } from './record.ts'

function splice(text: string, api: Api = 'chat'): Splice & { readonly text: string; readonly body: Buffer } {
  const body = Buffer.from(text)
  const facts = scanRequest(body, api)
  if (facts.kind === 'invalid') return assert.fail(facts.message)
  const result = spliceIncludeUsage(body, facts)
  return { ...result, text: Buffer.concat(result.parts).toString(), body }
}

test('spliceIncludeUsage() changes only what it must', () => {
  const cases: [string, string][] = [
    ['{"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
    [' { "stream" : 1 }', ' {"stream_options":{"include_usage":true}, "stream" : 1 }'],
    ['{"stream":true,"stream_options":{}}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['{"stream":true,"stream_options":{ "a" :1}}', '{"stream":true,"stream_options":{"include_usage":true, "a" :1}}'],
    ['{"stream":true,"stream_options":{"a":1,"include_usage": false }}', '{"stream":true,"stream_options":{"a":1,"include_usage": true }}'],
    ['{"stream":"true","stream_options":{"include_usage":[1]}}', '{"stream":"true","stream_options":{"include_usage":true}}'],
    ['{"stream":true,"stream_options": null ,"a":1}', '{"stream":true,"stream_options": {"include_usage":true} ,"a":1}'],
    ['{"stream_options":[{"include_usage":false}],"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
  ]
  for (const [text, expected] of cases) {
    const result = splice(text)
    assert.equal(result.text, expected)
    assert.equal(result.injected, true)
  }
})

test('spliceIncludeUsage() leaves the very buffer alone when there is nothing to wish for', () => {
  const untouched: [string, Api][] = [
    ['{"model":"m"}', 'chat'],
    ['{"stream":false}', 'chat'],
    ['{"stream":null,"stream_options":null}', 'chat'],
    ['{"stream":true,"stream_options":{"include_usage":true}}', 'completions'],
    ['{"stream":true}', 'embeddings'],
  ]
  for (const [text, api] of untouched) {
    const result = splice(text, api)
    assert.equal(result.injected, false)
    assert.equal(result.parts.length, 1)
    assert.equal(result.parts[0], result.body)
  }
})

test('spliceIncludeUsage() keeps integers above 2^53 and every other byte', () => {
  const text = '{ "seed": 9007199254740993, "stream":true, "x": "<&>\\u00e9é", "stop":null }'
  const { text: spliced, parts, body } = splice(text)
  assert.equal(spliced.replace('"stream_options":{"include_usage":true},', ''), text)
  const [before, , after] = parts
  assert.equal(before?.byteOffset, body.byteOffset, 'a view, not a copy')
  assert.equal((after?.byteOffset ?? 0) + (after?.length ?? 0), body.byteOffset + body.length, 'a view, not a copy')
})

test('spliceIncludeUsage() equals setting the option in the parsed body (property)', () => {
  const members = fc.record(
    {
      a: fc.jsonValue(),
      stream: fc.constantFrom(true, 1, 'yes', {}),
      stream_options: fc.oneof(
        fc.constantFrom(null, 1, 'x', [], {}),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.record({ include_usage: fc.jsonValue(), b: fc.string() }),
      ),
      z: fc.jsonValue(),
    },
    { requiredKeys: ['stream'] },
  )
  fc.assert(
    fc.property(members, fc.constantFrom(undefined, 2), (value, space) => {
      const text = JSON.stringify(value, undefined, space)
      const expected = JSON.parse(text)
      const options = expected.stream_options
      const isObject = typeof options === 'object' && options !== null && !Array.isArray(options)
      expected.stream_options = { ...(isObject ? options : {}), include_usage: true }
      const result = splice(text)
      assert.deepEqual(JSON.parse(result.text), expected)
      assert.equal(result.injected, !(isObject && options.include_usage === true))
    }),
    { numRuns: 300 },
  )
})
