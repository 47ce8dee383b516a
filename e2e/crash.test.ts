import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEngine } from '@ascribe/sandbox'
import { chat } from './support/client.ts'
import type { Seen } from './support/client.ts'
import { revenant } from './support/fleet.ts'
import type { Revenant } from './support/fleet.ts'
import { ask, askLines, run } from './support/process.ts'
import { nano } from './support/nano.ts'
import { currentMonth, temporaryDir } from './support/product.ts'
import type { Event, Statement } from './support/product.ts'

// kill -9 of gateway, settler and database at random instants under load. What must hold is counted at the upstream and at
// the clients, which live on, and not in the journal.

const KILLS = Number(process.env['CRASH_TEST_KILLS'] ?? '12')
const CLIENTS = 6
const RATES = { input_tokens: 3n, cached_input_tokens: 1n, output_tokens: 7n, reasoning_tokens: 7n } as const
// Nano-units a token, so that the recount below needs no decimals.
const PRICES = `version: 1
base_models:
  sandbox-small:
    prompt: "0.000000003"
    cached: "0.000000001"
    completion: "0.000000007"
`

test(
  `nothing is lost, doubled or billed as zero through ${KILLS} kills of gateway, settler and database`,
  { timeout: 60_000 + KILLS * 5_000 },
  async () => {
    using dir = temporaryDir()
    const data = ['--data', dir.path] as const
    const prices = writePrices(dir.path)
    const organization = await ask<{ id: string }>(['orgs', 'create', '--name', 'Crash', ...data])
    const { key } = await ask<{ key: string }>(['keys', 'create', '--org', organization.id, ...data])
    await ask(['prices', 'apply', prices, '--effective-from', '2020-01-01', ...data])

    await using engine = await startEngine({ seenMax: 100_000, faults: {} })
    const gateways = await Promise.all(
      [0, 1].map(() => revenant(['gateway', '--port', '0', '--metrics-port', '0', '--upstream', engine.url, ...data])),
    )
    const settler = await revenant(['settler', '--metrics-port', '0', ...data])

    const seen: Seen[] = []
    const stop = new AbortController()
    const clients = Array.from({ length: CLIENTS }, () => beClient({ gateways, key, seen, signal: stop.signal }))
    await killAtRandom({ gateways, settler, dir: dir.path })
    stop.abort()
    await Promise.all(clients)
    for (const gateway of gateways) await gateway.stop()
    await settler.stop()

    const events = await askLines<Event>(['events', 'list', ...data])
    const byId = new Map(events.map((event) => [event.event_id, event]))
    assert.equal(byId.size, events.length, 'an event id is listed twice')
    const lost = engine.seen.filter(({ requestId }) => !byId.has(requestId ?? ''))
    assert.deepEqual(
      lost.map(({ requestId }) => requestId),
      [],
      'requests that the upstream saw left no record',
    )
    const whole = seen.filter((each) => each.whole)
    assert.ok(whole.length > KILLS, `only ${whole.length} replies were whole: the test did not test much`)
    for (const { eventId, completionTokens } of whole) {
      const event = byId.get(eventId ?? '')
      assert.equal(event?.outcome, 'completed', `the whole reply ${eventId} has no settlement but ${event?.outcome}`)
      assert.equal(event.completion_tokens, completionTokens, `the record of ${eventId} differs from what its client was told`)
    }
    for (const event of events) {
      if (event.provenance !== 'unknown') continue
      assert.equal(event.completion_tokens, null, `${event.event_id} is unknown and yet has a count`)
    }

    const statement = await ask<Statement>(['statement', '--org', organization.id, '--month', currentMonth(), ...data])
    assert.equal(nano(statement.total), recount(events), 'the statement differs from a recount of the records')
    const unknown = events.filter(({ provenance, outcome }) => provenance === 'unknown' && outcome !== 'upstream_error').length
    assert.deepEqual(statement.held, { unpriced: 0, unattributed: 0, unknown })
    assert.equal((await run(['rate', 'verify', ...data])).code, 0)
    const verified = await run(['journal', 'verify', dir.path, ...data])
    assert.equal(verified.code, 0, verified.stdout)
  },
)

type Fleet = { readonly gateways: readonly Revenant[]; readonly settler: Revenant; readonly dir: string }

async function killAtRandom({ gateways, settler, dir }: Fleet): Promise<void> {
  for (let kill = 0; kill < KILLS; kill += 1) {
    await delay(50 + Math.random() * 400)
    const victim = kill % 4
    if (victim < 2) gateways[victim]?.kill()
    else if (victim === 2) settler.kill()
    else killDatabase(dir)
  }
  // What was killed last comes up again: the load ends against a whole fleet.
  for (const process of [...gateways, settler]) while (process.ready === undefined) await delay(20)
}

function killDatabase(dir: string): void {
  try {
    const [pid = ''] = readFileSync(join(dir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')
    process.kill(Number(pid), 'SIGKILL')
  } catch {
    // It is down already.
  }
}

type ClientOptions = { readonly gateways: readonly Revenant[]; readonly key: string; readonly seen: Seen[]; readonly signal: AbortSignal }

async function beClient({ gateways, key, seen, signal }: ClientOptions): Promise<void> {
  while (!signal.aborted) {
    const gateway = gateways[Math.floor(Math.random() * gateways.length)]?.ready?.['gateway']
    if (gateway === undefined) {
      await delay(10)
      continue
    }
    const stream = Math.random() < 0.5
    const leaves = Math.random() < 0.2
    seen.push(
      await chat({
        gateway,
        key,
        stream,
        maxTokens: 1 + Math.floor(Math.random() * 60),
        ...(leaves && { leaveAfterMs: Math.floor(Math.random() * 30) }),
      }),
    )
    // A breath, so that the load is bounded whatever the machine.
    await delay(5)
  }
}

function writePrices(dir: string): string {
  const path = join(dir, 'prices.yaml')
  writeFileSync(path, PRICES)
  return path
}

/** What the records come to, by other code than the ledger's. Exact at these rates, so that rounding cannot hide a difference. */
function recount(events: readonly Event[]): bigint {
  let total = 0n
  for (const { meters } of events) for (const [meter, rate] of Object.entries(RATES)) total += BigInt(meters[meter] ?? 0) * rate
  return total
}
