import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertUnserved, startWithEngine } from './engine-world.ts'
import { IDENTITY, ask } from './support.ts'

// The id by which a client may ask about a request, and ours.

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('an X-Request-Id that is valid is echoed and recorded, and the upstream gets our event id', async (t) => {
  const world = await startWithEngine(t)
  const id = `!~${'x'.repeat(198)}`
  const answer = await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': id } })
  assert.equal(answer.headers['x-request-id'], id)
  const record = await world.record()
  assert.equal(record.requestId, id)
  assert.match(record.eventId, UUID)
  assert.equal(world.engine.seen[0]?.requestId, record.eventId)
})

test("the client's X-Request-Id goes up where the route says so", async (t) => {
  const world = await startWithEngine(t, { route: { forwardRequestId: true } })
  await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': 'mine' } })
  await ask(world.url)
  const [, second] = await world.records(2)
  assert.deepEqual(
    world.engine.seen.map((seen) => seen.requestId),
    ['mine', second?.eventId],
  )
})

test('without an X-Request-Id, or with a blank one, it is our event id', async (t) => {
  const world = await startWithEngine(t)
  const answers = [await ask(world.url), await ask(world.url, { headers: { ...IDENTITY, 'X-Request-Id': '  ' } })]
  for (const [at, record] of (await world.records(2)).entries()) {
    assert.equal(record.requestId, record.eventId)
    assert.equal(answers[at]?.headers['x-request-id'], record.eventId)
  }
})

for (const [what, headers] of [
  ['is longer than 200 characters', [['X-Request-Id', 'x'.repeat(201)]]],
  ['has a space', [['X-Request-Id', 'a b']]],
  ['has a character beyond ASCII', [['X-Request-Id', 'a\u00e9']]],
  [
    'comes twice',
    [
      ['X-Request-Id', 'a'],
      ['x-request-id', 'a'],
    ],
  ],
] as const) {
  test(`an X-Request-Id that ${what} is 400, without a record`, async (t) => {
    const world = await startWithEngine(t)
    const answer = await ask(world.url, { headers: [...Object.entries(IDENTITY), ...headers] })
    assert.equal(answer.status, 400)
    assert.equal(answer.text, 'invalid X-Request-Id: must be at most 200 printable ASCII (no spaces) characters\n')
    await assertUnserved(world)
  })
}
