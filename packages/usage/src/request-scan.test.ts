import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanRequest } from './request-scan.ts'
import type { RequestFacts, RequestScan } from './request-scan.ts'
import type { Api } from './record.ts'

const scan = (text: string | Buffer, api: Api = 'chat'): RequestScan => scanRequest(Buffer.from(text), api)

function factsOf(text: string | Buffer, api: Api = 'chat'): RequestFacts {
  const facts = scan(text, api)
  if (facts.kind === 'invalid') return assert.fail(facts.message)
  return facts
}

test('scanRequest() reads the facts of a request with escapes, a byte order mark and white space', () => {
  const text =
    '\uFEFF \n{"mod\\u0065l" : "a\\"b\\u00e9", "stream":true,"n":2,"stream_options":{"include_usage":true},"max_tokens":7}\r\n\t '
  const facts = factsOf(text)
  assert.equal(facts.model, 'a"bé')
  assert.deepEqual([facts.stream, facts.streams, facts.includeUsage, facts.choices, facts.maxTokens], ['true', true, true, 2, 7])
})

test('scanRequest() tells apart what stream may be', () => {
  const streams: [string, RequestFacts['stream'], boolean][] = [
    ['{"model":"m"}', 'absent', false],
    ['{"stream":null}', 'null', false],
    ['{"stream":false}', 'false', false],
    ['{"stream":true}', 'true', true],
    ['{"stream":1}', 'other', true],
    ['{"stream":"true"}', 'other', true],
    ['{"stream":{"a":[1]}}', 'other', true],
  ]
  for (const [text, stream, may] of streams) assert.deepEqual([factsOf(text).stream, factsOf(text).streams], [stream, may], text)
})

test('scanRequest() counts prompts by API', () => {
  const counts: [string, Api, number][] = [
    ['{"prompt":"a"}', 'completions', 1],
    ['{"prompt":["a","b"]}', 'completions', 2],
    ['{"prompt":[1,2,3]}', 'completions', 1],
    ['{"prompt":[[1,2],[3]]}', 'completions', 2],
    ['{"prompt":[]}', 'completions', 1],
    ['{"prompt":["a","b"]}', 'embeddings', 1],
    ['{"input":["a","b","c"]}', 'embeddings', 3],
    ['{"messages":[{"content":"a"},{"content":"b"}],"prompt":["a","b"]}', 'chat', 1],
  ]
  for (const [text, api, prompts] of counts) assert.equal(factsOf(text, api).prompts, prompts, text)
})

test('scanRequest() counts the bytes of text that go in, and neither roles nor images', () => {
  const messages =
    '[{"role":"user","content":"hello"},{"role":"user","content":[{"type":"text","text":"abc"},{"image_url":{"url":"data:xxxxxxxx"}}]}]'
  assert.equal(factsOf(`{"messages":${messages}}`).promptBytes, 8)
  assert.equal(factsOf('{"prompt":["abc","de"]}', 'completions').promptBytes, 5)
  assert.equal(factsOf('{"prompt":[1,2,3]}', 'completions').promptBytes, 12, 'a token id counts as four bytes')
  assert.equal(factsOf('{"input":"é"}', 'embeddings').promptBytes, 2)
})

test('scanRequest() takes the larger limit of two, and none that is no count', () => {
  assert.equal(factsOf('{"max_tokens":5,"max_completion_tokens":3}').maxTokens, 5)
  assert.equal(factsOf('{"max_tokens":3,"max_completion_tokens":5}').maxTokens, 5)
  assert.equal(factsOf('{"max_completion_tokens":null,"max_tokens":5}').maxTokens, 5)
  for (const limit of ['-1', '1.5', '"5"', 'null', '{}', '1e400']) assert.equal(factsOf(`{"max_tokens":${limit}}`).maxTokens, undefined)
})

test('a request never hides how much it may generate: whatever an engine could take for more is named', () => {
  const open: [string, string][] = [
    ['{"max_tokens":0}', 'max_tokens'],
    ['{"max_tokens":-1,"max_completion_tokens":1}', 'max_tokens'],
    ['{"max_completion_tokens":0,"max_tokens":9}', 'max_completion_tokens'],
    ['{"max_tokens":"100000"}', 'max_tokens'],
    ['{"max_tokens":1.5}', 'max_tokens'],
    ['{"Max_Tokens":100000}', 'max_tokens'],
    ['{"max_tokens":1,"N":50}', 'n'],
    ['{"max_tokens":1,"n_predict":-1}', 'n_predict'],
    ['{"max_tokens":1,"n_cmpl":9}', 'n_cmpl'],
    ['{"max_tokens":1,"best_\\u006ff":20}', 'best_of'],
  ]
  for (const [text, member] of open) assert.equal(factsOf(text).unboundedBy, member, text)
  for (const text of ['{"max_tokens":5,"n":2}', '{"max_tokens":null,"best_of":null,"n_predict":null}', '{"a":{"n_predict":-1}}', '{}'])
    assert.equal(factsOf(text).unboundedBy, undefined, text)
})

test('scanRequest() refuses a model that is no string and an n that is no count', () => {
  for (const model of ['1', 'null', '["m"]', '{}']) {
    const invalid = scan(`{"model":${model}}`)
    assert.equal(invalid.kind === 'invalid' && invalid.param, 'model', model)
  }
  for (const n of ['0', '-1', '1.5', '"2"', 'true', '[]', '1e30']) {
    const invalid = scan(`{"n":${n}}`)
    assert.equal(invalid.kind === 'invalid' && invalid.param, 'n', n)
  }
  assert.equal(factsOf('{"n":2.0}').choices, 2)
  assert.equal(factsOf('{"n":null}').choices, 1)
  assert.equal(factsOf('{"n":"many"}', 'embeddings').choices, 1)
})

test('scanRequest() refuses a member that a bill depends on when it stands there twice, whatever its spelling', () => {
  const twice: [string, string][] = [
    ['{"model":"a","model":"b"}', 'model'],
    ['{"model":"a","mod\\u0065l":"a"}', 'model'],
    ['{"model":"a","Model":"b"}', 'model'],
    ['{"stream":false,"stream":true}', 'stream'],
    ['{"STREAM":true,"stream":false}', 'stream'],
    ['{"n":1,"n":1}', 'n'],
    ['{"max_tokens":1,"max_to\u212Aens":9}', 'max_tokens'],
    ['{"me\\u017Fsage\u017F":[],"messages":[]}', 'messages'],
    ['{"messages":[],"messages":[]}', 'messages'],
    ['{"max_tokens":1,"max_tokens":2}', 'max_tokens'],
    ['{"stream_options":{},"stream_options":null}', 'stream_options'],
    ['{"stream_options":{"include_usage":true,"include_usage":false}}', 'stream_options'],
    ['{"stream_options":{"Include_Usage":true,"include_usage":false}}', 'stream_options'],
  ]
  for (const [text, param] of twice) {
    const invalid = scan(text)
    assert.equal(invalid.kind === 'invalid' && invalid.param, param, text)
    assert.match(invalid.kind === 'invalid' ? invalid.message : '', /more than once/)
  }
  assert.equal(scan('{"temperature":1,"temperature":1,"a":{"model":1,"model":2}}').kind, 'request', 'others are no concern of a bill')
})

test('scanRequest() says what is wrong and where when the body is no JSON object', () => {
  const wrong: [string, RegExp][] = [
    ['', /ends where an object/],
    ['[]', /"\[" stands at offset 0 where an object/],
    ['{"a":1', /ends where "," or "}"/],
    ['{"a":1}x', /"x" stands at offset 7 where the end/],
    ['{"a":1,}', /"}" stands at offset 7 where a key in quotes/],
    ['{"a":"b', /ends where the rest of a string/],
    ['{"a":"\n"}', /byte 0x0a stands at offset 6/],
    ['{"a":"\\x"}', /a valid escape/],
    ['{"a":"\\u12g4"}', /four hexadecimal digits/],
    ['{"a":01}', /"1" stands at offset 6/],
    ['{"a":tru}', /"}" stands at offset 8 where "true"/],
    [`{"a":${'['.repeat(600)}${']'.repeat(600)}}`, /deeper than 512/],
  ]
  for (const [text, message] of wrong) {
    const invalid = scan(text)
    assert.match(invalid.kind === 'invalid' ? invalid.message : 'valid', message, text.slice(0, 40))
  }
})

test('scanRequest() lets bytes that are no UTF-8 and lone surrogates through', () => {
  const facts = factsOf(Buffer.from([...Buffer.from('{"model":"a'), 0xff, 0xc3, ...Buffer.from('\\ud800"}')]))
  assert.equal(facts.model, 'a\uFFFD\uFFFD\uD800')
})

test("several choices by llama-server's own name are never taken for one", () => {
  assert.equal(factsOf('{"n_cmpl":3}').choices, 3)
  assert.equal(factsOf('{"n_cmpl":3,"n":1}').choices, 3)
  assert.equal(factsOf('{"n":4,"n_cmpl":null}').choices, 4)
  for (const api of ['responses', 'messages'] as const) {
    const scan = scanRequest(Buffer.from('{"n_cmpl":3}'), api)
    assert.deepEqual(scan.kind === 'invalid' && scan.param, 'n_cmpl', api)
  }
})

test('what goes in as tools, or after what is generated, is never left out of an estimate', () => {
  const tools = '[{"type":"function","function":{"name":"f"}}]'
  for (const api of ['chat', 'responses', 'messages'] as const) {
    const scan = scanRequest(Buffer.from(`{"tools": ${tools}}`), api)
    assert.equal(scan.kind === 'request' && scan.promptBytes, tools.length, api)
  }
  assert.equal(factsOf('{"functions":[{"name":"f"}]}').promptBytes, 14)
  assert.equal(factsOf('{"prompt":"ab","suffix":"cd"}', 'completions').promptBytes, 4)
})

const MEMBERS = fc.record(
  {
    model: fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
    stream: fc.constantFrom(true, false, null, 1, 'true'),
    stream_options: fc.oneof(fc.constant(null), fc.dictionary(fc.string(), fc.jsonValue()), fc.record({ include_usage: fc.jsonValue() })),
    n: fc.integer({ min: 1, max: 99 }),
    messages: fc.array(fc.record({ role: fc.string(), content: fc.string() })),
    max_tokens: fc.nat(),
    temperature: fc.double(),
    tools: fc.jsonValue(),
    'a"b\\c': fc.jsonValue(),
  },
  { requiredKeys: [] },
)

test('scanRequest() agrees with JSON.parse on the facts of any request (property)', () => {
  fc.assert(
    fc.property(MEMBERS, fc.constantFrom(undefined, 1, '\t'), (members, space) => {
      const text = JSON.stringify(members, undefined, space)
      const parsed = JSON.parse(text)
      const facts = factsOf(text)
      assert.equal(facts.model, parsed.model)
      assert.equal(facts.choices, parsed.n ?? 1)
      assert.equal(facts.maxTokens, parsed.max_tokens)
      assert.equal(facts.includeUsage, parsed.stream_options?.include_usage === true)
      assert.equal(facts.streams, parsed.stream !== undefined && parsed.stream !== false && parsed.stream !== null)
      const contents = (parsed.messages ?? []).map((message: { content: string }) => JSON.stringify(message.content).slice(1, -1))
      const tools = parsed.tools === undefined ? '' : JSON.stringify(parsed.tools)
      if (space === undefined || tools === '') assert.equal(facts.promptBytes, Buffer.byteLength(contents.join('') + tools))
    }),
    { numRuns: 300 },
  )
})

test('scanRequest() accepts an object exactly when JSON.parse does, and never throws (property)', () => {
  // Mutations of valid texts stay close to the border, where parsers differ.
  const mutated = fc
    .tuple(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:\\u0-1.eE+tfn \n\u0000é'.split('')))),
      fc.nat(),
    )
    .map(([value, changes, cut]) => {
      let text = JSON.stringify(value)
      for (const [at, character] of changes.slice(0, 3)) {
        const offset = at % (text.length + 1)
        text = text.slice(0, offset) + character + text.slice(offset + (at % 2))
      }
      return cut % 4 === 0 ? text.slice(0, cut % (text.length + 1)) : text
    })
  fc.assert(
    fc.property(mutated, (text) => {
      const result = scan(text)
      // Where a member is named, its meaning was refused before the rest of the text was looked at.
      if (result.kind === 'invalid' && result.param !== undefined) return
      assert.equal(result.kind === 'request', isObject(text), text)
    }),
    { numRuns: 1500 },
  )
  fc.assert(fc.property(fc.uint8Array(), (bytes) => ['invalid', 'request'].includes(scan(Buffer.from(bytes)).kind)))
})

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
