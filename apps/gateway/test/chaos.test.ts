import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEngine } from '@ascribe/sandbox'
import type { Faults, SeenRequest } from '@ascribe/sandbox'
import type { Intent, UsageRecord } from '@ascribe/usage'
import fc from 'fast-check'
import { IDENTITY, startTestGateway, until } from './support.ts'
import type { TestGateway } from './support.ts'

const BUDGET_MS = 4_000
const RUNS_MAX = 60

/** What one client asks for, and how it behaves. */
type Visit = {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  /** Leaves after so many pieces of the reply, or when so many milliseconds are over; stays if both are absent. */
  readonly leaveAfterPieces?: number | undefined
  readonly leaveAfterMs?: number | undefined
}

/** What a client knows at its end. */
type Seen = { readonly eventId: string | undefined; readonly whole: boolean }

const PLACES = ['before-head', 'before-content', 'before-finish', 'after-finish', 'before-usage', 'before-done'] as const

/** Nothing here makes the engine lie about its counts: what it reports is compared with what it made. */
const faults: fc.Arbitrary<Faults> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  fc.record({ splitRandom: fc.integer({ min: 1, max: 60 }), lineEnd: fc.constantFrom('\n' as const, '\r' as const, '\r\n' as const) }),
  fc.record({ tokenDelayMs: fc.integer({ min: 0, max: 3 }), headDelayMs: fc.integer({ min: 0, max: 5 }) }),
  fc.record({
    resetAt: fc.oneof(fc.constantFrom(...PLACES), fc.integer({ min: 0, max: 2_000 })),
    resetWith: fc.constantFrom('rst', 'fin'),
  }),
  fc.record({ encoding: fc.constantFrom('gzip' as const, 'br' as const), splitRandom: fc.integer({ min: 1, max: 90 }) }),
  fc.record({ status: fc.constantFrom(400, 429, 500, 503) }),
  fc.record({ done: fc.boolean(), comments: fc.boolean(), spaceAfterColon: fc.boolean() }),
  fc.record({
    usage: fc.constantFrom('none' as const, 'last-chunk' as const, 'twice' as const, 'null-elsewhere' as const, 'continuous' as const),
  }),
  fc.record({ emptyStream: fc.constant(true) }),
  fc.record({ padBytes: fc.integer({ min: 0, max: 100_000 }) }),
) as fc.Arbitrary<Faults>

const question = fc.oneof(
  fc.record({ path: fc.constant('/v1/chat/completions'), asked: fc.record({ messages: fc.constant([{ role: 'user', content: 'why' }]) }) }),
  fc.record({ path: fc.constant('/v1/completions'), asked: fc.record({ prompt: fc.string({ maxLength: 40 }) }) }),
  fc.record({ path: fc.constant('/v1/embeddings'), asked: fc.record({ input: fc.array(fc.string(), { minLength: 1, maxLength: 3 }) }) }),
)

const visit: fc.Arbitrary<Visit> = fc
  .record({
    question,
    stream: fc.boolean(),
    maxTokens: fc.integer({ min: 1, max: 25 }),
    sandbox: faults,
    leave: fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      fc.record({ leaveAfterPieces: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ leaveAfterMs: fc.integer({ min: 0, max: 12 }) }),
    ),
  })
  .map(({ question: { path, asked }, stream, maxTokens, sandbox, leave }) => {
    const isEmbedding = path.endsWith('embeddings')
    const options = isEmbedding ? {} : { stream, max_tokens: maxTokens }
    return { path, body: { model: isEmbedding ? 'sandbox-embed' : 'sandbox-small', ...asked, ...options, sandbox }, ...leave }
  })

test('every request that the upstream saw has an intent, every whole reply a settlement, every intent one, whatever happens', async (t) => {
  const runs: { readonly visits: number; readonly outcomes: ReadonlySet<string> }[] = []
  const deadline = performance.now() + BUDGET_MS
  const property = fc.asyncProperty(fc.array(visit, { minLength: 10, maxLength: 30 }), async (visits) => {
    // Not fast-check's own time limit: it takes a run that it interrupts, one that waits in vain too, for a good one.
    if (performance.now() > deadline) return
    await using engine = await startEngine()
    const world = await startTestGateway(t, { upstream: engine.url, drain: { ms: 60, bytes: 50_000 } })
    const seen = await Promise.all(visits.map((each) => make(world, each)))
    await until('everything is settled', async () => {
      const { settlements, intents } = await counts(world)
      return settlements === intents
    })
    await until('the engine is done', () => engine.seen.every((each) => each.ending !== 'open'))
    for (const [at, plan] of visits.entries()) assert.ok(seen[at]?.whole === true || mayBreak(plan), JSON.stringify(plan))
    const records = await assertRecorded(world, engine.seen, seen)
    runs.push({ visits: visits.length, outcomes: new Set(records.map((record) => `${record.outcome} ${record.provenance}`)) })
    await world.gateway.close({ graceMs: 0 })
  })
  await fc.assert(property, { numRuns: RUNS_MAX, endOnFailure: true })
  const outcomes = new Set(runs.flatMap((run) => [...run.outcomes]))
  for (const one of ['completed reported', 'aborted reported', 'upstream_error unknown']) {
    assert.ok(outcomes.has(one), `nothing was ${one}: ${[...outcomes].join(', ')}`)
  }
})

/** Whether somebody breaks the reply off: otherwise it arrives whole. */
function mayBreak({ body, leaveAfterPieces, leaveAfterMs }: Visit): boolean {
  return 'resetAt' in (body['sandbox'] as Faults) || leaveAfterPieces !== undefined || leaveAfterMs !== undefined
}

async function counts(world: TestGateway): Promise<{ intents: number; settlements: number }> {
  const entries = await world.entries()
  const settlements = entries.filter((entry) => entry.kind === 'settlement').length
  return { settlements, intents: entries.length - settlements }
}

async function assertRecorded(world: TestGateway, upstream: readonly SeenRequest[], clients: readonly Seen[]): Promise<UsageRecord[]> {
  const open = new Set<string>()
  const records = new Map<string, UsageRecord>()
  const intents = new Map<string, Intent>()
  for (const { kind, eventId, payload } of await world.entries()) {
    if (kind === 'intent') {
      assert.ok(!intents.has(eventId), 'two intents')
      intents.set(eventId, JSON.parse(payload) as Intent)
      open.add(eventId)
    } else {
      assert.ok(open.delete(eventId), 'a settlement without an open intent')
      records.set(eventId, JSON.parse(payload) as UsageRecord)
    }
  }
  for (const { requestId = '' } of upstream) assert.ok(intents.has(requestId), `the upstream saw ${requestId}, which has no intent`)
  for (const client of clients) {
    if (!client.whole || client.eventId === undefined) continue
    assert.ok(records.has(client.eventId), `a client got all of ${client.eventId}, which has no settlement`)
  }
  assertCounts(records, upstream)
  return [...records.values()]
}

/** What was reported is what the engine made, one by one and in all; what was delivered is never nothing. */
function assertCounts(records: ReadonlyMap<string, UsageRecord>, upstream: readonly SeenRequest[]): void {
  const made = { prompt: 0, completion: 0 }
  const billed = { prompt: 0, completion: 0 }
  for (const { requestId = '', promptTokens, completionTokens } of upstream) {
    const record = records.get(requestId)
    assert.ok(record !== undefined)
    if (record.provenance !== 'reported') continue
    assert.deepEqual([record.promptTokens, record.completionTokens], [promptTokens, completionTokens], JSON.stringify(record))
    if (record.outcome !== 'completed') continue
    made.prompt += promptTokens
    made.completion += completionTokens
    billed.prompt += record.promptTokens ?? 0
    billed.completion += record.completionTokens ?? 0
  }
  assert.deepEqual(billed, made)
  for (const record of records.values()) {
    const sum = Object.values(record.meters).reduce((total, each) => total + each, 0)
    assert.equal(sum, (record.promptTokens ?? 0) + (record.completionTokens ?? 0))
    if (record.finishReason !== undefined) assert.notEqual(record.completionTokens, null, JSON.stringify(record))
  }
}

async function make(world: TestGateway, plan: Visit): Promise<Seen> {
  const payload = JSON.stringify(plan.body)
  const { hostname, port } = new URL(world.url)
  const headers = { ...IDENTITY, 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
  const outgoing = request({ hostname, port, method: 'POST', path: plan.path, agent: false, headers })
  outgoing.on('error', () => {
    // 'close' follows.
  })
  outgoing.end(payload)
  if (plan.leaveAfterMs !== undefined) void delay(plan.leaveAfterMs).then(() => outgoing.destroy())
  const response = await headOf(outgoing)
  if (response === undefined) return { eventId: undefined, whole: false }
  const { 'x-request-id': id } = response.headers
  let pieces = 0
  response.on('error', () => {
    // `complete` says it.
  })
  response.on('data', () => {
    pieces += 1
    if (pieces === plan.leaveAfterPieces) outgoing.destroy()
  })
  await new Promise((resolve) => response.once('close', resolve))
  return { eventId: typeof id === 'string' ? id : undefined, whole: response.complete }
}

async function headOf(outgoing: ClientRequest): Promise<IncomingMessage | undefined> {
  const head = once(outgoing, 'response').then(
    ([message]) => message as IncomingMessage,
    () => undefined,
  )
  return Promise.race([head, once(outgoing, 'close').then(() => undefined)])
}
