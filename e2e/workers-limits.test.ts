import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { askChat, startGateways } from './support/gateways.ts'
import type { Gateways } from './support/gateways.ts'
import { nano } from './support/nano.ts'

// One gateway of several workers, which know nothing of each other but what the settler says.

const TOKENS = 100
let fleet: Gateways

before(async () => {
  fleet = await startGateways(1, { tokens: TOKENS }, { workers: 3 })
})
after(() => fleet[Symbol.asyncDispose]())

/** Asks until it is served or told that the budget is exhausted; who is told to come back does so. */
async function insist(url: string): Promise<number> {
  const end = performance.now() + 60_000
  while (performance.now() < end) {
    const { status, headers } = await askChat(url, { key: fleet.key, body: {} })
    if (status !== 429) return status
    await delay(Number(headers.get('retry-after-ms')))
  }
  return 429
}

test('the workers of one gateway never let more requests through together than a rate limit allows', { timeout: 120_000 }, async () => {
  const [url = ''] = fleet.urls
  const perMinute = 30
  await fleet.cli('limits', 'set', '--key', fleet.authId, '--rpm', String(perMinute))
  const until = performance.now() + 30_000
  let limited = false
  while (!limited && performance.now() < until)
    limited = (await askChat(url, { key: fleet.key, body: {} })).headers.has('x-ratelimit-limit-requests')
  assert.ok(limited, 'the limit is in force')
  const startedAt = performance.now()
  const before = fleet.engine.totals.requests
  const statuses = await Promise.all(Array.from({ length: 300 }, async () => (await askChat(url, { key: fleet.key, body: {} })).status))
  const minutes = (performance.now() - startedAt) / 60_000
  const served = statuses.filter((status) => status === 200).length
  // All buckets together start with a minute's worth, and fill by as much in a minute; one whole request is let through wherever a part of it is left.
  const most = perMinute * (1 + minutes) + 3
  assert.ok(served <= most, `${served} were served, and ${most} may be`)
  assert.ok(served > 0)
  assert.equal(fleet.engine.totals.requests - before, served)
  await fleet.cli('limits', 'remove', '--key', fleet.authId)
})

test('the workers of one gateway never pass a budget together, not by a cent', { timeout: 180_000 }, async () => {
  const [url = ''] = fleet.urls
  const limit = '0.004'
  await fleet.cli('budgets', 'set', '--org', 'Acme', '--limit', limit, '--per', 'day')
  const statuses = await Promise.all(Array.from({ length: 600 }, () => insist(url)))
  const exhausted = statuses.filter((status) => status === 402).length
  const served = statuses.filter((status) => status === 200).length
  assert.equal(served + exhausted, 600, 'somebody got another answer')
  assert.ok(exhausted > 0 && served > 0, `${served} served, ${exhausted} refused`)
  const { total } = await fleet.statement()
  assert.ok(nano(total) <= nano(limit), `${total} was spent`)
})
