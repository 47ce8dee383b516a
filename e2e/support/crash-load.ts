import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SandboxEngine } from '@ascribe/sandbox'
import { chat } from './client.ts'
import type { Seen } from './client.ts'
import { nano } from './nano.ts'
import { ask, askLines, run } from './process.ts'
import { currentMonth } from './product.ts'
import type { Event, Statement } from './product.ts'

const RATES = { input_tokens: 3n, cached_input_tokens: 1n, output_tokens: 7n, reasoning_tokens: 7n } as const
// Nano-units a token, so that the recount below needs no decimals.
const PRICES = `version: 1
base_models:
  sandbox-small:
    prompt: "0.000000003"
    cached: "0.000000001"
    completion: "0.000000007"
`

export type Survivors = {
  readonly data: readonly string[]
  readonly dir: string
  readonly organizationId: string
  readonly engine: SandboxEngine
  /** By the clients. */
  readonly seen: readonly Seen[]
  /** So many replies at least must have been whole, or the test did not test much. */
  readonly wholeMin: number
}

/** What must hold after any kills, counted at the upstream and at the clients, which live on, and not in the journal. */
export async function assertNothingLost({ data, dir, organizationId, engine, seen, wholeMin }: Survivors): Promise<void> {
  // Of thousands of kills there are hundreds of thousands of records.
  const patient = { patienceMs: 60_000 + seen.length * 5 }
  const events = await askLines<Event>(['events', 'list', ...data], patient)
  const byId = new Map(events.map((event) => [event.event_id, event]))
  assert.equal(byId.size, events.length, 'an event id is listed twice')
  const lost = engine.seen.filter(({ requestId }) => !byId.has(requestId ?? ''))
  assert.deepEqual(
    lost.map(({ requestId }) => requestId),
    [],
    'requests that the upstream saw left no record',
  )
  const whole = seen.filter((each) => each.whole)
  assert.ok(whole.length > wholeMin, `only ${whole.length} replies were whole: the test did not test much`)
  for (const { eventId, completionTokens } of whole) {
    const event = byId.get(eventId ?? '')
    assert.equal(event?.outcome, 'completed', `the whole reply ${eventId} has no settlement but ${event?.outcome}`)
    assert.equal(event.completion_tokens, completionTokens, `the record of ${eventId} differs from what its client was told`)
  }
  for (const event of events) {
    if (event.provenance !== 'unknown') continue
    assert.equal(event.completion_tokens, null, `${event.event_id} is unknown and yet has a count`)
  }

  const statement = await ask<Statement>(['statement', '--org', organizationId, '--month', currentMonth(), ...data], patient)
  assert.equal(nano(statement.total), recount(events), 'the statement differs from a recount of the records')
  const unknown = events.filter(({ provenance, outcome }) => provenance === 'unknown' && outcome !== 'upstream_error').length
  assert.deepEqual(statement.held, { unpriced: 0, unattributed: 0, unknown })
  assert.equal((await run(['rate', 'verify', ...data], patient)).code, 0)
  const verified = await run(['journal', 'verify', dir, ...data], patient)
  assert.equal(verified.code, 0, verified.stdout)
}

export type ClientOptions = {
  /** Of gateways; `undefined`: it is down just now. */
  readonly addresses: () => readonly (string | undefined)[]
  readonly key: string
  readonly seen: Seen[]
  readonly signal: AbortSignal
}

/** Asks one gateway after the other, leaves now and then, and writes down what it saw. */
export async function beClient({ addresses, key, seen, signal }: ClientOptions): Promise<void> {
  while (!signal.aborted) {
    const all = addresses()
    const gateway = all[Math.floor(Math.random() * all.length)]
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

/** A price book at which nothing is rounded. */
export function writePrices(dir: string): string {
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
