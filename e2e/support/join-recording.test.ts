import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinRecording } from './join-recording.ts'
import type { Look } from './join-recording.ts'
import type { TeleportEvent } from './teleport-control.ts'

const at = (second: number): string => new Date(Date.UTC(2026, 10, 22, 12, 0, second)).toISOString()
const line = (second: number, more: Partial<Look> = {}): Look => ({
  user: 'olga',
  method: 'GET',
  path: '/api/credits',
  query: '',
  status: 200,
  at: at(second),
  ...more,
})
const event = (second: number, more: Readonly<Record<string, unknown>> = {}): TeleportEvent => ({
  event: 'app.session.request',
  time: at(second),
  method: 'GET',
  path: '/api/credits',
  raw_query: '',
  status_code: 200,
  ...more,
})
const chunk = (...requests: readonly TeleportEvent[]) => [{ user: 'olga', chunkId: 'c', requests }]

test('joinRecording() pairs each line with the nearest request that fits, each used once', () => {
  const { pairs, unrecorded } = joinRecording([line(1), line(5)], chunk(event(5), event(1), event(9)))
  assert.deepEqual(
    pairs.map(({ line: ours, event: theirs }) => [ours.at, theirs.time]),
    [
      [at(1), at(1)],
      [at(5), at(5)],
    ],
  )
  assert.deepEqual(unrecorded, [])
})

test('joinRecording() says which lines nothing was recorded of', () => {
  const others = [
    event(1, { path: '/api/invoices' }),
    event(1, { raw_query: 'a=1' }),
    event(1, { status_code: 403 }),
    event(1, { method: 'POST' }),
    event(30),
  ]
  for (const other of others) assert.equal(joinRecording([line(1)], chunk(other)).unrecorded.length, 1)
  assert.equal(joinRecording([line(1, { user: 'otto' })], chunk(event(1))).unrecorded.length, 1)
  assert.equal(joinRecording([line(1), line(1)], chunk(event(1))).unrecorded.length, 1)
})
