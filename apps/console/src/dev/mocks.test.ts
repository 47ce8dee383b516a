import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_ROUTES, isJsonReply } from '@ascribe/contract'
import { MOCKS } from './mocks.ts'
import type { MockInput } from './mocks.ts'
import { ORGANIZATION } from './sample.ts'
import { DEV_STATES } from './states.ts'

const NOW = Date.parse('2026-11-22T14:05:00Z')
const QUERIES = [
  'from=2026-11-01&to=2026-11-22&groupBy=model&grain=day&compare=previous',
  'from=2026-10-01&to=2026-10-31&grain=total',
  'month=2026-11',
]

test('R12: every mock answers what the schema of its operation says, in every state', () => {
  for (const [name, mock] of Object.entries(MOCKS)) {
    const route = API_ROUTES.find(({ operationId }) => operationId === name)
    assert.ok(route !== undefined && isJsonReply(route.reply), name)
    for (const { id: state } of DEV_STATES) {
      for (const query of QUERIES) {
        const input: MockInput = { state, params: { id: ORGANIZATION, dimension: 'model' }, query: new URLSearchParams(query), now: NOW }
        const parsed: { success: boolean; error?: Error } = route.reply.safeParse((mock as (asked: MockInput) => unknown)(input))
        assert.ok(parsed.success, `${name}, ${state}, ${query}: ${parsed.error?.message ?? ''}`)
      }
    }
  }
})

test('R12: rows of the mocked report add up to its total, whichever way it is grouped', () => {
  for (const groupBy of ['model', 'apiKey', 'region']) {
    const query = new URLSearchParams({ from: '2026-11-01', to: '2026-11-22', groupBy, grain: 'day' })
    const report = MOCKS.getCosts?.({ state: 'normal', params: { id: ORGANIZATION }, query, now: NOW })
    const nano = (text: string): bigint => {
      const [whole = '0', fraction = ''] = text.split('.')
      return BigInt(`${whole}${fraction.padEnd(9, '0')}`)
    }
    const sum = (report?.data ?? []).reduce((total, { amount }) => total + nano(amount), 0n)
    assert.equal(sum, nano(report?.totals[0]?.amount ?? ''))
  }
})
