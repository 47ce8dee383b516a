import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Text } from '@ascribe/journal'
import { unknownSettlement } from '@ascribe/usage'
import type { Intent } from '@ascribe/usage'
import { openRecord } from './usage-journal.ts'
import type { JournalPort } from './usage-journal.ts'

const INTENT: Intent = {
  eventId: '018f0000-0000-7000-8000-000000000000',
  startedAt: 1,
  requestId: 'r',
  authId: 'a"',
  resourceId: 'x',
  identifiedBy: 'headers',
  route: 'default',
  api: 'chat',
  streamed: false,
}
const SETTLEMENT = unknownSettlement(2)

/** A journal that waits for space: the test says when there is some. */
function createJournal(): JournalPort & {
  readonly calls: string[]
  readonly space: PromiseWithResolvers<void>
  readonly payloads: string[]
} {
  const calls: string[] = []
  const payloads: string[] = []
  const space = Promise.withResolvers<void>()
  const keep = (call: string, payload: Text): void => {
    calls.push(call)
    payloads.push(typeof payload === 'string' ? payload : payload.join(''))
  }
  return {
    calls,
    payloads,
    space,
    admit(eventId, payload) {
      let isPlaced = false
      return {
        eventId,
        settlementBound: 1000,
        get isPlaced() {
          return isPlaced
        },
        written: space.promise.then(() => {
          isPlaced = true
          keep('intend', payload)
        }),
        async settle(text) {
          keep('settle', text)
        },
      }
    },
  }
}

test('openRecord() writes the intent, then the whole record as one flat object', async () => {
  const journal = createJournal()
  const record = openRecord(journal, INTENT)
  journal.space.resolve()
  await record.admitted
  await record.settle(SETTLEMENT)
  assert.deepEqual(
    journal.payloads.map((payload) => JSON.parse(payload) as unknown),
    [INTENT, { ...INTENT, ...SETTLEMENT }],
  )
})

test('a request that is given up while its intent waits for space never settles before its intent', async () => {
  const journal = createJournal()
  const record = openRecord(journal, INTENT)
  const settled = record.settle(SETTLEMENT)
  assert.deepEqual(journal.calls, [])
  journal.space.resolve()
  await settled
  assert.deepEqual(journal.calls, ['intend', 'settle'])
})

test('a request that is given up, and whose intent is then refused, settles nothing', async () => {
  const journal = createJournal()
  const record = openRecord(journal, INTENT)
  const settled = record.settle(SETTLEMENT)
  journal.space.reject(new Error('full'))
  await settled
  await assert.rejects(record.admitted, /full/)
  assert.deepEqual(journal.calls, [])
})
