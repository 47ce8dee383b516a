import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import OpenAI from 'openai'
import { askChat, startGateways } from './support/gateways.ts'
import type { Gateways } from './support/gateways.ts'
import { nano } from './support/nano.ts'
import { askLines } from './support/process.ts'
import type { Event } from './support/product.ts'

// Several gateways of their own processes, a settler, and one budget: what the published stress tests of others overshoot.

/** Of every choice, and what every request asks for at most. */
const TOKENS = 100
let fleet: Gateways

before(async () => {
  fleet = await startGateways(3, { tokens: TOKENS })
})
after(() => fleet[Symbol.asyncDispose]())

/** With a thousand at once on a busy machine each waits for many turns. */
const PATIENCE_MS = 150_000

/** Asks until it is served or told that the budget is exhausted; who is told to come back does so. */
async function insist(url: string, body: object = {}, key = fleet.key): Promise<{ status: number; refused: number }> {
  const end = performance.now() + PATIENCE_MS
  for (let refused = 0; performance.now() < end; refused += 1) {
    const { status, headers } = await askChat(url, { key, body })
    if (status !== 429) return { status, refused }
    await delay(Number(headers.get('retry-after-ms')))
  }
  return { status: 429, refused: -1 }
}

const gatewayOf = (index: number): string => fleet.urls[index % fleet.urls.length] ?? ''

test(
  'litellm-34238, litellm-26672, litellm-23714, discussion-50438: 1,000 parallel requests over three gateways never pass one budget, not by a cent',
  { timeout: 300_000 },
  async () => {
    const limit = '0.006'
    const { budget_id: budget } = await fleet.cli<{ budget_id: string }>(
      'budgets',
      'set',
      '--org',
      'Acme',
      '--limit',
      limit,
      '--per',
      'day',
    )
    const before = fleet.engine.totals.requests
    const outcomes = await Promise.all(Array.from({ length: 1000 }, (_, index) => insist(gatewayOf(index))))
    const served = outcomes.filter(({ status }) => status === 200).length
    const exhausted = outcomes.filter(({ status }) => status === 402).length
    assert.equal(served + exhausted, 1000, 'somebody got another answer')
    assert(exhausted > 0 && served > 0)
    assert.equal(fleet.engine.totals.requests - before, served, 'what was refused never reached the engine')
    const { total } = await fleet.statement()
    const standing = await settled(total)
    assert(nano(total) <= nano(limit), `${total} was spent`)
    assert.equal(standing.spent, total, 'litellm-28283: enforced spend equals ledger spend')
    // What is left is less than one request may cost: nothing lies idle in a gateway.
    assert(nano(standing.left) < nano('0.00013'), `${standing.left} is left`)
    assert.equal((await events()).length, served, 'a refusal leaves no record')
    // litellm-23714: it stays refused, by every gateway.
    for (const url of fleet.urls) assert.equal((await askChat(url, { key: fleet.key })).status, 402)
    await fleet.cli('budgets', 'end', budget)
  },
)

test(
  'a prepaid budget that was used up lets requests through again once it is topped up, by whatever gateway',
  { timeout: 60_000 },
  async () => {
    const { key, auth_id: id } = await fleet.cli<{ key: string; auth_id: string }>('keys', 'create', '--org', 'Acme')
    const { budget_id: budget } = await fleet.cli<{ budget_id: string }>(
      'budgets',
      'set',
      '--key',
      id,
      '--unit',
      'tokens',
      '--limit',
      '100',
      '--per',
      'prepaid',
    )
    await untilStatus(402, key)
    await fleet.cli('budgets', 'top-up', budget, '--amount', '2000')
    await untilStatus(200, key)
    for (const url of fleet.urls) assert.equal((await insist(url, {}, key)).status, 200, 'no lease is stranded in another gateway')
    await fleet.cli('budgets', 'end', budget)
  },
)

test(
  'a gateway that is killed keeps its slice until its journal was read, and what it had not spent comes back',
  { timeout: 60_000 },
  async () => {
    const { key, auth_id: id } = await fleet.cli<{ key: string; auth_id: string }>('keys', 'create', '--org', 'Acme')
    const victim = await fleet.add()
    await fleet.cli('budgets', 'set', '--key', id, '--unit', 'tokens', '--limit', '5000', '--per', 'month')
    // Three streams that never end, and hold most of it.
    const holding = { stream: true, max_tokens: 900, sandbox: { tokens: 900, hangAt: 'before-finish' } }
    await untilStatus(200, key)
    const streams = Array.from({ length: 3 }, () => openStream(fleet.urls[victim] ?? '', key, holding))
    await Promise.all(streams)
    const large = { max_tokens: 3000, sandbox: { tokens: 1 } }
    assert.equal((await askChat(gatewayOf(0), { key, body: large })).status, 429, 'enough is left, but it is reserved')
    await fleet.kill(victim)
    assert.equal((await askChat(gatewayOf(0), { key, body: large })).status, 429, 'a dead gateway holds what it held')
    const { status } = await insist(gatewayOf(0), large, key)
    assert.equal(status, 200)
    const unknown = (await events()).filter(({ auth_id: authId, provenance }) => authId === id && provenance === 'unknown')
    assert.equal(unknown.length, 3, 'the killed streams are unknown, never zero and never lost')
  },
)

test('the official client waits as long as it is told by a rate limit, and is served', { timeout: 60_000 }, async () => {
  await fleet.cli('orgs', 'create', '--name', 'Limited')
  const { key } = await fleet.cli<{ key: string }>('keys', 'create', '--org', 'Limited')
  const perMinute = 240 * fleet.urls.length
  await fleet.cli('limits', 'set', '--org', 'Limited', '--rpm', String(perMinute), '--tpm', '1000000')
  const client = new OpenAI({ baseURL: `${gatewayOf(0)}/v1`, apiKey: key, maxRetries: 8 })
  const ask = (): ReturnType<typeof chat.withResponse> => chat.withResponse()
  const chat = {
    withResponse: () =>
      client.chat.completions
        .create({ model: 'sandbox-small', messages: [{ role: 'user', content: 'hello' }], max_tokens: TOKENS })
        .withResponse(),
  }
  let headers: Headers
  do
    ({
      response: { headers },
    } = await ask())
  while (headers.get('x-ratelimit-limit-requests') === null)
  assert.equal(headers.get('x-ratelimit-limit-requests'), String(perMinute))
  assert.equal(headers.get('x-ratelimit-limit-tokens'), '1000000')
  assert.match(headers.get('x-ratelimit-remaining-requests') ?? '', /^\d+$/)
  assert.match(headers.get('x-ratelimit-reset-requests') ?? '', /^(\d+m)?[\d.]+(ms|s)$/)
  // More than a minute's worth of this gateway's share, at once.
  const replies = await Promise.all(Array.from({ length: 255 }, ask))
  assert.equal(replies.length, 255)
})

async function untilStatus(wanted: number, key: string): Promise<void> {
  const end = performance.now() + 15_000
  let status: number
  do ({ status } = await askChat(gatewayOf(0), { key }))
  while (status !== wanted && performance.now() < end)
  assert.equal(status, wanted)
}

/** Waits until the head of a stream is there; a refusal that says so is asked again. */
async function openStream(url: string, key: string, body: object): Promise<void> {
  for (;;) {
    const reply = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'sandbox-small', messages: [{ role: 'user', content: 'go on' }], ...body }),
    })
    if (reply.status === 200) return
    await reply.body?.cancel()
    assert.equal(reply.status, 429)
    await delay(100)
  }
}

/** Where the budget stands once the settler has counted everything. */
async function settled(total: string): Promise<Awaited<ReturnType<Gateways['standing']>>> {
  const end = performance.now() + 15_000
  for (;;) {
    const standing = await fleet.standing()
    if (standing.spent === total || performance.now() > end) return standing
  }
}

function events(): Promise<Event[]> {
  return askLines<Event>(['events', 'list', '--data', fleet.dir])
}
