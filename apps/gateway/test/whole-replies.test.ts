import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Faults } from '@ascribe/sandbox'
import { startWithEngine } from './engine-world.ts'
import { CHAT, IDENTITY, LAST_CHUNK, STREAM, ask } from './support.ts'
import { HEAD, gist, startScripted, sum, theRecord } from './ways-out.ts'

// A reply that came whole, with whatever counts: what is charged.

test('a reply that came whole is completed, with the counts that the engine reported', async (t) => {
  const world = await startWithEngine(t)
  const before = Date.now()
  await ask(world.url, { body: STREAM })
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['completed', 'reported', 5])
  assert.deepEqual(
    [record.status, record.model, record.finishReason, record.api, record.streamed],
    [200, 'sandbox-small', 'length', 'chat', true],
  )
  assert.equal(sum(record), (record.promptTokens ?? 0) + 5)
  assert.ok(record.startedAt >= before && record.endedAt >= record.startedAt && (record.firstByteMs ?? -1) >= 0)
})

test('a stream that ends at once with 200 is completed, with unknown quantities', async (t) => {
  const world = await startScripted(t)
  const reply = ask(world.url, { body: STREAM })
  ;(await world.upstream.asked()).socket.write(HEAD + LAST_CHUNK)
  assert.equal((await reply).whole, true)
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['completed', 'unknown', null])
  assert.deepEqual(record.meters, {})
})

const ABSURD: readonly Faults[] = [
  { counts: { completion_tokens: -1 } },
  { counts: { prompt_tokens: -5 } },
  { counts: { completion_tokens: 1e30 } },
  { counts: { completion_tokens: 1.5 } },
  { counts: { completion_tokens: '7' } },
]
for (const faults of ABSURD) {
  test(`${JSON.stringify(faults.counts)} is flagged and gives no credit, in JSON and in a stream`, async (t) => {
    const world = await startWithEngine(t)
    for (const body of [CHAT, STREAM]) assert.equal((await ask(world.url, { body: { ...body, sandbox: faults } })).whole, true)
    for (const record of await world.records(2)) {
      assert.deepEqual([record.outcome, record.invalidUsage], ['completed', true])
      assert.ok(record.provenance === 'unknown' || record.provenance === 'estimated', record.provenance)
      // Not known, or counted from what passed; never zero, and never what the engine said.
      for (const tokens of [record.promptTokens, record.completionTokens])
        assert.ok(tokens === null || (tokens > 0 && tokens < 1_000), `${tokens}`)
    }
  })
}

test('more cached tokens than there are in the prompt give no credit', async (t) => {
  const world = await startWithEngine(t)
  await ask(world.url, { body: { ...CHAT, sandbox: { counts: { prompt_tokens: 10, cached_tokens: 99 } } } })
  const record = await theRecord(world)
  assert.deepEqual([record.promptTokens, record.cachedTokens, record.invalidUsage], [10, 10, true])
  for (const [meter, quantity] of Object.entries(record.meters)) assert.ok(quantity >= 0, meter)
})

test('two usage events count once', async (t) => {
  const world = await startWithEngine(t)
  await ask(world.url, { body: { ...STREAM, sandbox: { usage: 'twice' } } })
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 5])
})

test('a stream without usage is estimated from what passed, never zero', async (t) => {
  const world = await startWithEngine(t)
  await ask(world.url, { body: { ...STREAM, sandbox: { style: 'python' } } })
  const record = await theRecord(world)
  assert.deepEqual(gist(record), ['completed', 'estimated', 5])
  assert.ok((record.promptTokens ?? 0) > 0)
})

test('a JSON reply without usage is estimated, never zero', async (t) => {
  const world = await startWithEngine(t)
  await ask(world.url, { body: { ...CHAT, sandbox: { usage: 'none' } } })
  const record = await theRecord(world)
  assert.deepEqual([record.outcome, record.provenance], ['completed', 'estimated'])
  assert.ok((record.completionTokens ?? 0) > 0 && (record.promptTokens ?? 0) > 0)
})

test('usage that is reported as zero stays zero', async (t) => {
  const world = await startWithEngine(t)
  await ask(world.url, {
    body: { ...CHAT, sandbox: { counts: { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0, total_tokens: 0 } } },
  })
  assert.deepEqual(gist(await theRecord(world)), ['completed', 'reported', 0])
})

test('a clock that is set back never makes a request end before it began', async (t) => {
  let now = Date.now()
  const clock = (): number => (now -= 1_000)
  const world = await startWithEngine(t, { clock })
  await ask(world.url)
  const record = await theRecord(world)
  assert.equal(record.endedAt, record.startedAt)
  assert.equal(record.firstByteMs, 0)
})

test('a request id that a client sends again is billed each time', async (t) => {
  const world = await startWithEngine(t)
  const headers = { ...IDENTITY, 'X-Request-Id': 'the-same' }
  for (let times = 0; times < 3; times += 1) assert.equal((await ask(world.url, { headers })).status, 200)
  const records = await world.records(3)
  assert.equal(new Set(records.map((record) => record.eventId)).size, 3)
  for (const record of records) assert.deepEqual([record.requestId, ...gist(record)], ['the-same', 'completed', 'reported', 5])
})
