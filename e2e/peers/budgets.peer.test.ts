import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { askChat } from '../support/gateways.ts'
import { broker, spreadFleet } from './support/spread-fleet.ts'
import type { SpreadFleet } from './support/spread-fleet.ts'
import { until } from './support/until.ts'

// Gateways and settlers of their own data directories, which share nothing but a broker and a database: leases travel over the broker.

const available = await broker()
const { skip } = available
const binary = available.binary ?? ''

async function insist(fleet: SpreadFleet, url: string): Promise<number> {
  const end = performance.now() + 60_000
  for (;;) {
    const { status, headers } = await askChat(url, { key: fleet.key })
    if (status !== 429 || performance.now() > end) return status
    await delay(Number(headers.get('retry-after-ms')))
  }
}

test('one budget holds over gateways that share no disk, and all of it can be spent', { skip, timeout: 150_000 }, async () => {
  await using fleet = await spreadFleet({ binary, gateways: 2, settlers: 2 })
  const urls = (): string[] => fleet.gateways.flatMap(({ ready }) => ready?.['gateway'] ?? [])
  const limit = 3000
  await fleet.cli('budgets', 'set', '--org', fleet.organizationId, '--unit', 'tokens', '--limit', String(limit))
  // It is known once an absurd request is told that it can never be served.
  const absurd = { max_tokens: 1_000_000 }
  for (const url of urls()) {
    await until(async () => (await askChat(url, { key: fleet.key, body: absurd })).status === 402, 'the budget is known')
  }
  const statuses = await Promise.all(Array.from({ length: 200 }, (_, index) => insist(fleet, urls()[index % 2] ?? '')))
  const served = statuses.filter((status) => status === 200).length
  assert.deepEqual(new Set(statuses), new Set([200, 402]))
  assert(served > 0)
  await until(async () => (await fleet.events()).length >= served, 'all is in the ledger')
  await until(async () => {
    const [budget] = await fleet.cli<{ standings: { spent: string; left: string }[] }[]>('budgets', 'list')
    const spent = Number(budget?.standings[0]?.spent)
    assert(spent <= limit, `${spent} was spent`)
    return Number(budget?.standings[0]?.left) < 500
  }, 'no more is left than one request may cost')
})
