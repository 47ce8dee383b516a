import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createReplyReader } from './reply-reader.ts'
import { ReplyText, promptTexts } from './reply-text.ts'
import { scanRequest } from './request-scan.ts'

function read(events: readonly unknown[], text: ReplyText, cut = Infinity): void {
  const asked = scanRequest(Buffer.from('{"model":"m","messages":[],"stream":true}'), 'chat')
  assert.ok(asked.kind === 'request')
  const reader = createReplyReader({ api: 'chat', asked, streamedRequest: true, injected: true, contentType: 'text/event-stream', text })
  const bytes = Buffer.from(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`)
  for (let at = 0; at < bytes.length; at += cut) reader.push(bytes.subarray(at, at + cut))
  reader.end()
}

const delta = (index: number, part: object): object => ({ model: 'm', choices: [{ index, delta: part, finish_reason: null }] })

test('ReplyText keeps all that was generated, choice by choice, however the stream is cut', () => {
  const piece = fc.record({ index: fc.nat(3), text: fc.string() })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.integer({ min: 1, max: 200 }), (pieces, cut) => {
      const text = new ReplyText(() => true)
      const events = pieces.map((each) => delta(each.index, { content: each.text }))
      read(events, text, cut)
      const expected = new Map<number, string>()
      for (const each of pieces) if (each.text !== '') expected.set(each.index, (expected.get(each.index) ?? '') + each.text)
      assert.deepEqual(text.texts, [...expected.values()])
    }),
  )
})

test('ReplyText keeps reasoning once, calls of tools, and no names of roles', () => {
  const text = new ReplyText(() => true)
  const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'sum', arguments: '{"a":1}' } }
  read(
    [
      delta(0, { role: 'assistant', content: '' }),
      delta(0, { reasoning: 'hm', reasoning_content: 'hm' }),
      delta(0, { tool_calls: [call] }),
    ],
    text,
  )
  assert.deepEqual(text.texts, ['hmsum{"a":1}'])
})

test('ReplyText: a text of which a part is missing is none', () => {
  let left = 10
  const bounded = new ReplyText((bytes) => (left -= bytes) >= 0)
  read([delta(0, { content: 'eight by' }), delta(0, { content: 'tes more' }), delta(0, { content: '!' })], bounded)
  assert.equal(bounded.texts, undefined)
  const long = new ReplyText(() => true)
  read([delta(0, { content: 'x'.repeat(3 * 1024 * 1024) })], long, 64 * 1024)
  assert.equal(long.texts, undefined)
  const many = new ReplyText(() => true)
  read(
    Array.from({ length: 9 }, (_, index) => delta(index, { content: 'a' })),
    many,
  )
  assert.equal(many.texts, undefined)
})

test('promptTexts() gives the text that goes in, and nothing where there is more than text', () => {
  const texts = (body: unknown, api: 'chat' | 'completions' = 'chat'): readonly string[] | undefined =>
    promptTexts(Buffer.from(JSON.stringify(body)), api)
  assert.deepEqual(texts({ prompt: 'one' }, 'completions'), ['one'])
  assert.deepEqual(texts({ prompt: ['one', 'two'], suffix: 'three' }, 'completions'), ['one', 'two', 'three'])
  assert.deepEqual(
    texts({
      messages: [
        { role: 'system', content: 'a' },
        { role: 'user', content: [{ type: 'text', text: 'b' }] },
      ],
    }),
    ['a\nb'],
  )
  assert.equal(texts({ prompt: [[1, 2]] }, 'completions'), undefined)
  assert.equal(texts({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }), undefined)
  assert.equal(promptTexts(Buffer.from('{'), 'chat'), undefined)
})

test('a prompt that an engine passes over never stands for the messages that it reads, nor messages for tools and calls', () => {
  const texts = (body: unknown): readonly string[] | undefined => promptTexts(Buffer.from(JSON.stringify(body)), 'chat')
  assert.deepEqual(texts({ prompt: 'x', messages: [{ role: 'user', content: 'long' }] }), ['long'])
  assert.equal(texts({ prompt: 'x' }), undefined)
  const calls = [{ id: '1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }]
  assert.deepEqual(texts({ messages: [{ role: 'assistant', tool_calls: calls, reasoning_content: 'why' }] }), ['f{"a":1}\nwhy'])
  assert.deepEqual(texts({ messages: [{ role: 'user', content: 'a' }], tools: [{ name: 'f' }] }), ['a\n[{"name":"f"}]'])
})
