import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MemberReader } from './member-reader.ts'

const KEPT = new Set(['usage', 'model'])
const MEASURED = new Set(['data'])

function read(text: string | Buffer, sizes: readonly number[] = []): MemberReader {
  const reader = new MemberReader({ kept: KEPT, measured: MEASURED })
  let rest = Buffer.from(text)
  for (const size of sizes) {
    reader.push(rest.subarray(0, size))
    rest = rest.subarray(size)
  }
  reader.push(rest)
  return reader
}

const seen = (reader: MemberReader): unknown => [
  reader.closed,
  reader.broken,
  reader.value('usage'),
  reader.value('model'),
  reader.members.get('data')?.elements,
]

test('MemberReader keeps what is asked for, and counts the elements of what is measured', () => {
  const reader = read('{"created":1,"data":[{"b64":"a,b"},{"b64":"]}"}],"usage":{"n":[1,2]},"model":"m\\u0041"}')
  assert.deepEqual(seen(reader), [true, false, { n: [1, 2] }, 'mA', 2])
  assert.equal(reader.members.get('data')?.text, '')
})

test('MemberReader takes nothing for a member that stands in a string or deeper', () => {
  const reader = read('{"x":{"usage":{"n":1}},"y":"\\"usage\\":{\\"n\\":2}","z":[{"model":"deep"}]}')
  assert.deepEqual(seen(reader), [true, false, undefined, undefined, undefined])
})

test('MemberReader takes nothing for a member that stands under a key without a colon', () => {
  assert.equal(read('{"usage"{"x":{"n":1}}}').value('usage'), undefined)
})

test('MemberReader knows a key by what it stands for', () => {
  assert.deepEqual(read('{"us\\u0061ge":{"n":1}}').value('usage'), { n: 1 })
})

for (const [text, elements] of [
  ['[]', 0],
  ['[ ]', 0],
  ['[1]', 1],
  ['[1,2,3]', 3],
  ['[[1,2],[3]]', 2],
  ['["a,b"]', 1],
  ['[{},{}]', 2],
  ['"a,b"', 0],
  ['null', 0],
] as const) {
  test(`MemberReader finds ${elements} elements in ${text}`, () => {
    assert.equal(read(`{"data":${text}}`).members.get('data')?.elements, elements)
  })
}

for (const text of ['RIFF', '[1]', 'null', '"x"', '{"a":1]', '{"a":[1}', '1\n00:00:00,000 --> 00:00:01,000\n', `{"a":${'['.repeat(600)}`]) {
  test(`MemberReader gives up ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.equal(read(text).broken, true)
  })
}

test('MemberReader keeps no value that is too long, and knows how long it was', () => {
  const reader = read(`{"usage":"${'x'.repeat(20_000)}","model":"m"}`, [7, 9000, 9000])
  assert.equal(reader.value('usage'), undefined)
  assert.equal(reader.members.get('usage')?.bytes, 20_002)
  assert.equal(reader.value('model'), 'm')
})

test('MemberReader sees the same members as JSON.parse, however the bytes are cut', () => {
  const value = fc.record(
    {
      usage: fc.jsonValue(),
      model: fc.string({ unit: 'binary' }),
      data: fc.array(fc.jsonValue(), { maxLength: 5 }),
      other: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(value, fc.boolean(), fc.array(fc.nat(9), { maxLength: 200 }), (object, pretty, sizes) => {
      const text = JSON.stringify(object, null, pretty ? 2 : 0)
      const parsed = JSON.parse(text) as { readonly usage?: unknown; readonly model?: string; readonly data?: readonly unknown[] }
      assert.deepEqual(seen(read(text, sizes)), [true, false, parsed.usage, parsed.model, parsed.data?.length])
    }),
  )
})

test('MemberReader never throws, and reads any bytes the same however they are cut', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.string({ unit: fc.constantFrom(...Array.from('{}[]":,\\ud8\n usage')), maxLength: 60 }).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(4), { maxLength: 40 }), (raw, sizes) => {
      assert.deepEqual(seen(read(Buffer.from(raw), sizes)), seen(read(Buffer.from(raw))))
    }),
    { numRuns: 2000 },
  )
})
