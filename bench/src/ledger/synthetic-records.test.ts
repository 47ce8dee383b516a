import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MONTH_START, ORGANIZATIONS, authIdsOf, recordSource } from './synthetic-records.ts'

test('recordSource() spreads its records in order over the hours, among all organizations, each with an id of its own time', () => {
  const source = recordSource({ count: 10_000, hours: 10, startHour: 5 })
  const records = Array.from({ length: 10_000 }, () => source.next())
  const instants = records.map(({ startedAt }) => startedAt)
  assert.deepEqual(
    instants,
    instants.toSorted((a, b) => a - b),
  )
  assert.deepEqual([instants[0], instants.at(-1)], [MONTH_START + 5 * 3_600_000, MONTH_START + 15 * 3_600_000 - 3600])
  assert.equal(new Set(records.map(({ eventId }) => eventId)).size, records.length)
  const keys = new Set(records.map(({ authId }) => authId))
  assert.equal(keys.size, Array.from({ length: ORGANIZATIONS }, (_, number) => authIdsOf(number)).flat().length)
  for (const { promptTokens, meters, eventId, startedAt } of records) {
    assert.equal((meters['input_tokens'] ?? 0) + (meters['cached_input_tokens'] ?? 0), promptTokens)
    assert.equal(Number.parseInt(eventId.replace('-', '').slice(0, 12), 16), startedAt)
  }
})
