import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type SandboxEngine, startEngine } from '../src/engine.ts'
import type { Style } from '../src/faults.ts'
import { type RawReply, eventsOf, parseReply, rawPost } from './raw-http.ts'

// The bytes in recorded/ are replies of llama-server (llama.cpp) and of llama-cpp-python's server, recorded from real runs.

let engine: SandboxEngine
before(async () => {
  engine = await startEngine()
})
after(() => engine.close())

type Recording = { readonly path: string; readonly request: Record<string, unknown>; readonly reply: RawReply }

async function recording(name: string): Promise<Recording> {
  const bytes = await readFile(join(import.meta.dirname, 'recorded', `${name}.txt`))
  const [line = '', body = ''] = bytes.toString('latin1').split('\n', 2)
  const reply = parseReply(bytes.subarray(bytes.indexOf('HTTP/1.1')))
  assert(reply)
  return { path: line.split(' ')[2] ?? '', request: JSON.parse(body.slice(2)) as Record<string, unknown>, reply }
}

/** What of a value is shape: its keys in order and the kinds of its values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([name, each]) => [name, shapeOf(each)])
  return value === null ? 'null' : typeof value
}

/** Besides the keys, how JSON is spaced: Python puts a space after colons and commas. */
function eventShape(data: string): unknown {
  if (data === '[DONE]') return data
  return [data.startsWith('{"id": ') || data.startsWith('{"choices": ') ? 'spaced' : 'tight', shapeOf(JSON.parse(data))]
}

async function replay(name: string, style: Style): Promise<{ real: RawReply; ours: RawReply }> {
  const { path, request, reply } = await recording(name)
  const ours = await rawPost(engine.url, path, { ...request, sandbox: { style } })
  assert(ours)
  assert.equal(ours.status, reply.status)
  return { real: reply, ours }
}

for (const [name, style] of [
  ['llama-chat-stream-usage', 'llama'],
  ['llama-text-stream-usage', 'llama'],
  ['python-chat-stream', 'python'],
] as const) {
  test(`startEngine() streams as ${style} does: ${name}, event by event and write by write`, async () => {
    const { real, ours } = await replay(name, style)
    assert.deepEqual(eventsOf(ours.body).map(eventShape), eventsOf(real.body).map(eventShape))
    assert.deepEqual(
      ours.frames.map((frame) => eventsOf(frame).length),
      real.frames.map((frame) => eventsOf(frame).length),
    )
    assert(ours.isWhole && real.isWhole)
    assert.equal(ours.headers['content-type']?.split(';')[0], real.headers['content-type']?.split(';')[0])
  })
}

test('startEngine() streams two choices as llama does: the same events, a usage chunk for each choice', async () => {
  const { real, ours } = await replay('llama-chat-n2-stream-usage', 'llama')
  const sorted = (reply: RawReply): string[] =>
    eventsOf(reply.body)
      .map((data) => JSON.stringify(eventShape(data)))
      .toSorted()
  assert.deepEqual(sorted(ours), sorted(real))
  assert.equal(sorted(ours).filter((shape) => shape.includes('"usage"')).length, 2)
})

for (const [name, style] of [
  ['llama-chat', 'llama'],
  ['llama-text-list', 'llama'],
  ['llama-embeddings', 'llama'],
  ['python-chat', 'python'],
] as const) {
  test(`startEngine() replies as ${style} does: ${name}`, async () => {
    const { real, ours } = await replay(name, style)
    assert.deepEqual(shapeOf(JSON.parse(ours.body.toString())), shapeOf(JSON.parse(real.body.toString())))
    assert.equal(ours.headers['content-type'], real.headers['content-type'])
    assert(ours.isWhole)
  })
}

test('startEngine() under-reports as llama does: a list of prompts counts as its first', async () => {
  const { real, ours } = await replay('llama-text-list', 'llama')
  for (const reply of [real, ours]) {
    const { usage, choices } = JSON.parse(reply.body.toString()) as { usage: { completion_tokens: number }; choices: unknown[] }
    assert.equal(choices.length, 2)
    assert.equal(usage.completion_tokens, 3)
  }
})
