import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { silentLogger, silentMeters, systemClock } from '@ascribe/kit'
import { rotateWebhookSecret, setBudget } from '@ascribe/ledger'
import { deliverAlerts } from '../src/alerts.ts'
import type { AlertDeps } from '../src/alerts.ts'
import { createSettlerMeters } from '../src/settler-meters.ts'
import { createCustomer, openBench, serve, until, usageRecord } from './support.ts'
import type { Bench } from './support.ts'

const SECRET = Buffer.alloc(32, 9)

type Received = { readonly headers: IncomingHttpHeaders; readonly body: string }
type Receiver = { readonly url: string; readonly received: readonly Received[] }

/** A receiver that answers as it is told, request by request; the last answer goes on. */
async function receiver(t: TestContext, ...answers: readonly ((reply: ServerResponse) => void)[]): Promise<Receiver> {
  const received: Received[] = []
  const server: Server = createServer((request, reply) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      received.push({ headers: request.headers, body })
      answers[Math.min(received.length, answers.length) - 1]?.(reply)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received }
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (reply: ServerResponse): void =>
    void reply.writeHead(code, headers).end()

/** A budget of 200 tokens of which 110 are spent, and its webhook. */
async function spend(bench: Bench, url: string, by = 'test'): Promise<void> {
  const subject = await createCustomer(bench.db)
  const now = Date.now()
  const budget = { scope: 'organization', subject, unit: 'tokens', period: 'day', name: 'team', limit: 200n, by } as const
  await setBudget(bench.db, { ...budget, thresholds: [50, 100], webhookUrl: url }, now)
  await serve(await bench.writer(), [usageRecord({ startedAt: now, endedAt: now })])
  await bench.settler().pass()
  await bench.settler().pass()
}

function delivering(t: TestContext, bench: Bench, options: Partial<AlertDeps> = {}): void {
  const stop = new AbortController()
  const meters = createSettlerMeters(silentMeters)
  const deps = { db: bench.db, clock: systemClock, logger: silentLogger, meters, webhookSecrets: () => [SECRET] }
  const running = deliverAlerts({ ...deps, ...options }, stop.signal)
  t.after(async () => {
    stop.abort()
    await running
  })
}

const outbox = async (
  bench: Bench,
): Promise<readonly { delivered: boolean; given_up: boolean; attempts: number; last_error: string | null }[]> =>
  (
    await bench.db.query<{ delivered: boolean; given_up: boolean; attempts: number; last_error: string | null }>(
      'select delivered_at is not null as delivered, given_up_at is not null as given_up, attempts, last_error from budget_alert',
    )
  ).rows

test('deliverAlerts() sends each threshold once, signed, with what was spent', async (t) => {
  await using bench = await openBench({ fresh: true })
  const hook = await receiver(t, status(204))
  await spend(bench, hook.url)
  delivering(t, bench)
  await until('it was delivered', async () => (await outbox(bench)).every(({ delivered }) => delivered))
  const [alert, ...more] = hook.received
  assert.deepEqual(more, [], 'the other threshold was not passed')
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = alert?.headers ?? {}
  const expected = createHmac('sha256', SECRET)
    .update(`${String(id)}.${String(at)}.${alert?.body}`)
    .digest('base64')
  assert.equal(signature, `v1,${expected}`)
  assert(Math.abs(Number(at) * 1000 - Date.now()) < 60_000)
  const body = JSON.parse(alert?.body ?? '') as { type: string; data: Record<string, unknown> }
  assert.equal(body.type, 'budget.threshold_reached')
  assert.deepEqual(
    ['budget_name', 'scope', 'threshold_percent', 'unit', 'limit', 'spent'].map((name) => body.data[name]),
    ['team', 'organization', 50, 'tokens', '200', '110'],
  )
})

test('deliverAlerts() repeats what a receiver refused, hung on or redirected, under the same id, until it takes it', async (t) => {
  await using bench = await openBench({ fresh: true })
  const hang = (): void => {}
  const hook = await receiver(t, status(500), hang, status(302, { location: 'http://127.0.0.1:9/' }), status(429), status(200))
  await spend(bench, hook.url)
  delivering(t, bench, { retryMs: [1, 1, 1, 1, 1], timeoutMs: 200 })
  await until('it was delivered', async () => (await outbox(bench)).every(({ delivered }) => delivered))
  assert.equal(hook.received.length, 5)
  assert.equal(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size, 1)
  assert.equal(new Set(hook.received.map(({ body }) => body)).size, 1)
  assert.deepEqual(
    (await outbox(bench)).map(({ attempts, last_error: error }) => [attempts, error]),
    [[5, null]],
  )
})

test('deliverAlerts() gives up after the last attempt, and at once where the receiver says that it is gone', async (t) => {
  for (const [code, attempts] of [
    [503, 3],
    [410, 1],
  ] as const) {
    await using bench = await openBench({ fresh: true })
    const hook = await receiver(t, status(code))
    await spend(bench, hook.url)
    delivering(t, bench, { retryMs: [1, 1] })
    await until('it was given up', async () => (await outbox(bench)).every(({ given_up: isGivenUp }) => isGivenUp))
    const [row] = await outbox(bench)
    assert.deepEqual([row?.attempts, row?.last_error], [attempts, `the receiver answered ${code}`])
  }
})

test('deliverAlerts() keeps nobody waiting for a dead receiver', async (t) => {
  await using bench = await openBench({ fresh: true })
  const [dead, fine] = [await receiver(t, () => {}), await receiver(t, status(200))]
  await spend(bench, dead.url)
  // The same alert for another receiver, which came later.
  await bench.db.query(
    `insert into budget_alert (budget_id, subject, window_start, threshold, limit_amount, spent, url)
     select budget_id, subject, window_start, 99, limit_amount, spent, $1::text from budget_alert`,
    [fine.url],
  )
  delivering(t, bench, { timeoutMs: 5000 })
  await until('the living one was told', () => fine.received.length === 1)
  await until('the dead one was asked', () => dead.received.length === 1)
})

test('an alert that nobody could send is sent by the next settler', async (t) => {
  await using bench = await openBench({ fresh: true })
  const hook = await receiver(t, status(200))
  await spend(bench, hook.url)
  assert.deepEqual(
    (await outbox(bench)).map(({ attempts }) => attempts),
    [0],
  )
  delivering(t, bench)
  await until('it was delivered', () => hook.received.length === 1)
})

test('deliverAlerts() never reaches for a customer what only we can reach', async (t) => {
  await using bench = await openBench({ fresh: true })
  const hook = await receiver(t, status(204))
  await spend(bench, hook.url, 'user:mallory')
  delivering(t, bench, { retryMs: [] })
  await until('it is given up', async () => (await outbox(bench)).every((alert) => alert.given_up))
  assert.match((await outbox(bench))[0]?.last_error ?? '', /it is not https/)
  assert.deepEqual(hook.received, [])
})

test('deliverAlerts() asks for the secrets of a budget by its salts, the newest first, and no longer for one that has ended', async (t) => {
  await using bench = await openBench({ fresh: true })
  const hook = await receiver(t, status(204))
  await spend(bench, hook.url)
  const { rows } = await bench.db.query<{ budget_id: string }>('select budget_id from budget')
  const budgetId = rows[0]?.budget_id ?? ''
  for (const [salt, overlapMs] of [
    ['a', 0],
    ['b', 0],
    ['c', 60_000],
  ] as const)
    await rotateWebhookSecret(bench.db, { budgetId, salt: salt.repeat(32), overlapMs, by: 'user:ada' })
  const asked: (readonly string[])[] = []
  delivering(t, bench, {
    webhookSecrets: ({ budgetId: id, salts }) => {
      assert.equal(id, budgetId)
      asked.push(salts.map(([letter = '']) => letter))
      return salts.map((salt) => Buffer.from(salt, 'hex'))
    },
  })
  await until('it was delivered', () => hook.received.length === 1)
  assert.deepEqual(asked, [['c', 'b']])
  assert.equal(String(hook.received[0]?.headers['webhook-signature']).split(' ').length, 2)
})
