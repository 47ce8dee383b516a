import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scanRequest } from './request-scan.ts'

/** What a request for Responses refers to. */
function referredBy(body: string): readonly [storedBy: string | undefined, unboundedBy: string | undefined] {
  const facts = scanRequest(Buffer.from(body), 'responses')
  return facts.kind === 'invalid' ? assert.fail(`${facts.message}: ${body}`) : [facts.storedBy, facts.unboundedBy]
}

const MESSAGE = '{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]}'

test('a request never has an item that the engine keeps go in unseen, however it is written', () => {
  for (const item of [
    '{"type":"item_reference","id":"msg_1"}',
    '{"id":"msg_1","type":"item_reference"}',
    '{ "id" : "msg_1" ,\n "type" : "item_reference" }',
    '{"id":"msg_1","type":"item\\u005freference"}',
    '{"t\\u0079pe":"item_reference","id":"msg_1"}',
    '{"Type":"item_reference","ID":"msg_1"}',
    '{"type":"message","type":"item_reference","role":"user"}',
    '{"type":"item_reference","type":"message","role":"user"}',
    // The type may be left out, and is then a reference's.
    '{"id":"msg_1"}',
    '{"id":"msg_1","type":null}',
    '{"id":"msg_1","type":"message","type":null}',
    '{"id":"msg_1","role":"user","role":null}',
    '{"id":"msg_1","Role":"user"}',
  ]) {
    for (const body of [
      `{"input":[${item}]}`,
      `{"input":[${MESSAGE},${item},${MESSAGE}]}`,
      `{"input":${item}}`,
      `{"Input":[${item}],"model":"m"}`,
    ])
      assert.deepEqual(referredBy(body), ['item_reference', 'item_reference'], body)
  }
})

test('a request never has a stored file, store or container go in unseen, and one that is fetched has no bound', () => {
  const part = (text: string): string => `{"input":[{"role":"user","content":[{"type":"input_text","text":"a"},${text}]}]}`
  for (const [body, storedBy, unboundedBy] of [
    [part('{"type":"input_file","file_id":"file_1"}'), 'file_id', 'file_id'],
    [part('{"file_id":"file_1","type":"input_image","detail":"auto"}'), 'file_id', 'file_id'],
    [part('{"type":"input_image","File_Id":"file_1"}'), 'file_id', 'file_id'],
    [part('{"type":"input_file","file_url":"https://a.example/b.pdf"}'), undefined, 'file_url'],
    ['{"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"f"}]}]}', 'file_id', 'file_id'],
    ['{"input":[{"type":"computer_call_output","output":{"type":"computer_screenshot","file_id":"f"}}]}', 'file_id', 'file_id'],
    ['{"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}', 'vector_store_ids', 'vector_store_ids'],
    ['{"tools":[{"vector_store_ids":["vs_1"]}]}', 'vector_store_ids', 'vector_store_ids'],
    ['{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}', 'container', 'container'],
    ['{"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["f"]}}]}', 'file_ids', 'file_ids'],
    ['{"tools":[{"type":"shell","environment":{"type":"container_reference","container_id":"c"}}]}', 'container_id', 'container_id'],
    ['{"tools":[{"type":"shell","environment":{"skills":[{"type":"skill_reference","skill_id":"s"}]}}]}', 'skill_id', 'skill_id'],
    ['{"tools":[{"type":"image_generation","input_image_mask":{"file_id":"f"}}]}', 'file_id', 'file_id'],
    ['{"Tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}', 'vector_store_ids', 'vector_store_ids'],
    // Nothing is stored, and more goes in all the same.
    ['{"tools":[{"type":"web_search"}]}', undefined, 'tools'],
    ['{"tools":[{"type":"function","name":"f"},{"type":"mcp","server_url":"https://a.example"}]}', undefined, 'tools'],
    ['{"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":[]}}]}', undefined, 'tools'],
    ['{"tools":[{"type":"shell","environment":{"type":"container_auto","skills":[{"type":"inline","name":"n"}]}}]}', undefined, 'tools'],
  ] as const)
    assert.deepEqual(referredBy(body), [storedBy, unboundedBy], body)
})

test('a request that merely has such words in it is never taken for one that refers to something', () => {
  for (const body of [
    '{"input":"{\\"type\\":\\"item_reference\\",\\"id\\":\\"a\\"}"}',
    '{"input":"item_reference file_id vector_store_ids container"}',
    '{"input":["item_reference"],"instructions":"file_id"}',
    '{"input":[{"role":"user","content":"\\"type\\":\\"item_reference\\""}]}',
    '{"input":[{"role":"item_reference","content":"a"}]}',
    '{"input":[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[{"type":"file_citation","file_id":"f"}]}]}]}',
    '{"input":[{"type":"file_search_call","id":"fs_1","queries":["q"],"results":[{"file_id":"f","text":"t"}]}]}',
    '{"input":[{"type":"code_interpreter_call","id":"ci_1","container_id":"c","code":"x"}]}',
    '{"input":[{"type":"function_call","id":"fc_1","call_id":"c","name":"item_reference","arguments":"{\\"file_id\\":\\"f\\"}"}]}',
    '{"input":[{"type":"function_call_output","call_id":"c","output":"{\\"type\\":\\"item_reference\\"}"}]}',
    '{"input":[{"id":null,"type":null}]}',
    '{"input":[{"role":"user","content":[{"type":"input_file","file_id":null,"filename":"file_id","file_data":"item_reference"}]}]}',
    '{"input":"a","metadata":{"type":"item_reference","id":"a","file_id":"f"}}',
    '{"input":"a","tools":[{"type":"function","name":"file_search","description":"vector_store_ids","parameters":{"properties":{"vector_store_ids":{},"container":{"type":"string","file_ids":["a"]}}}}]}',
    '{"input":"a","tools":[{"type":"custom","name":"container"}],"tool_choice":{"type":"web_search"}}',
    '{"input":"a","tools":null}',
  ])
    assert.deepEqual(referredBy(body), [undefined, undefined], body)
})

const WORDS = ['type', 'item_reference', 'id', 'file_id', '"', '\\', '{', '}', ':', ',', '[', ']', 'vector_store_ids', 'container']
const wordy = fc.array(fc.oneof(fc.constantFrom(...WORDS), fc.string()), { maxLength: 12 }).map((parts) => parts.join(''))

test('property: no text makes a reference, and none hides one', () => {
  fc.assert(
    fc.property(fc.array(wordy, { maxLength: 4 }), fc.boolean(), fc.nat(4), (texts, refers, at) => {
      const items: unknown[] = texts.map((text) => ({
        type: 'message',
        role: 'user',
        content: [{ type: 'input_text', text }],
        status: text,
      }))
      if (refers) items.splice(at, 0, { type: 'item_reference', id: 'msg_1' })
      const expected = refers ? 'item_reference' : undefined
      assert.deepEqual(referredBy(JSON.stringify({ instructions: texts.join(''), input: items })), [expected, expected])
    }),
  )
})

test('property: what is looked for changes nothing of what a request is: text is counted, and nonsense refused, as everywhere', () => {
  const any = fc.oneof(
    fc.jsonValue({ noUnicodeString: false }),
    fc.json().map((text) => JSON.parse(text) as unknown),
  )
  const names = fc.constantFrom('type', 'role', 'id', 'content', 'output', 'text', 'arguments', 'file_id', 'file_url', 'Content', 'other')
  const item = fc.dictionary(names, fc.oneof(any, wordy, fc.array(fc.dictionary(names, fc.oneof(any, wordy)), { maxLength: 3 })))
  fc.assert(
    fc.property(fc.oneof(any, item, fc.array(fc.oneof(item, any), { maxLength: 4 })), fc.nat(), (input, cut) => {
      const whole = JSON.stringify({ input, tools: input })
      for (const text of [whole, whole.slice(0, cut % whole.length)]) {
        const [ours, plain] = (['responses', 'chat'] as const).map((api) => scanRequest(Buffer.from(text), api))
        assert.equal(ours?.kind, plain?.kind, text)
        if (ours?.kind === 'invalid') assert.deepEqual(ours, plain)
      }
      // Lists of texts are read in the old way there.
      const bytesOf = (api: 'responses' | 'embeddings'): number => {
        const facts = scanRequest(Buffer.from(JSON.stringify({ input })), api)
        return facts.kind === 'request' ? facts.promptBytes : assert.fail(facts.message)
      }
      assert.equal(bytesOf('responses'), bytesOf('embeddings'))
    }),
  )
})
