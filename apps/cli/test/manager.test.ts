import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { applyPriceBook, createOrganization, ingestBatch, ledgerMigrations, mapAuthId, rateDirtyHours } from '@ascribe/ledger'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { createIdSource, formatInstant } from '@ascribe/units'
import { pushHours } from '../src/commands/usage-push.ts'
import type { PushHours, PushResult } from '../src/commands/usage-push.ts'
import { installPrices } from '../src/install-prices.ts'
import { fetchPrices, pushHour } from '../src/manager.ts'

const HOUR = 3_600_000
/** 2026-03-01T10:00:00Z */
const TEN = Date.UTC(2026, 2, 1, 10)
const migrations = await ledgerMigrations()

/** A manager as the reference has it: a post is the whole hour, and what it lacks is deleted. */
type TestManager = AsyncDisposable & {
  readonly url: string
  readonly rows: Map<string, Record<string, unknown>>
  readonly posts: string[]
  /** Statuses of the next replies; then it works. */
  readonly failures: number[]
  prices: { readonly status: number; readonly version?: string; readonly body: string }
}

async function openManager(): Promise<TestManager> {
  const manager: Omit<TestManager, 'url' | typeof Symbol.asyncDispose> = {
    rows: new Map(),
    posts: [],
    failures: [],
    prices: { status: 200, version: 'v7', body: '' },
  }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const failure = manager.failures.shift()
      if (request.headers.authorization !== 'token secret') return void response.writeHead(401).end()
      if (failure !== undefined) return void response.writeHead(failure).end()
      if (request.url === '/customer/token-prices') {
        const { status, version, body: text } = manager.prices
        return void response.writeHead(status, version === undefined ? {} : { 'X-Saturn-Price-Version': version }).end(text)
      }
      if (request.method !== 'POST' || request.url !== '/customer/token-usage') return void response.writeHead(404).end()
      manager.posts.push(body)
      // What the test itself wrote.
      const { window_start: start, rollups } = JSON.parse(body) as { window_start: string; rollups: Record<string, unknown>[] }
      if (!/^\d{4}-\d\d-\d\dT\d\d:00:00\+00:00$/.test(start)) return void response.writeHead(400).end('malformed snapshot')
      for (const key of manager.rows.keys()) if (key.startsWith(`${start} `)) manager.rows.delete(key)
      for (const row of rollups) manager.rows.set(`${start} ${String(row['rated_usage_id'])}`, row)
      return void response.writeHead(200).end('{}')
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(manager, {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

let db: TestDatabase
let organizationId: string

before(async () => {
  db = await testDatabase({ migrations })
  const { id } = await createOrganization(db, { name: 'Acme' })
  organizationId = id
})
after(() => db[Symbol.asyncDispose]())

let offset = 0
async function use(startedAt: number, authId: string, model = 'small'): Promise<void> {
  const eventId = createIdSource(() => startedAt)()
  const record = {
    eventId,
    startedAt,
    endedAt: startedAt,
    requestId: eventId,
    authId,
    resourceId: 'deployment',
    identifiedBy: 'headers',
    route: 'default',
    api: 'chat',
    modelAsked: model,
    streamed: false,
    outcome: 'completed',
    provenance: 'reported',
    status: 200,
    model,
    promptTokens: 100,
    cachedTokens: 40,
    completionTokens: 10,
    meters: { input_tokens: 60, cached_input_tokens: 40, output_tokens: 7, reasoning_tokens: 3 },
  }
  offset += 1
  await ingestBatch(db, { writer: 'w', position: { segment: 1, offset }, records: [{ eventId, payload: JSON.stringify(record) }] })
}

async function rate(): Promise<void> {
  while ((await rateDirtyHours(db)).more);
}

const BOOK = 'version: 1\nbase_models:\n  small: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }\n'
const waits: number[] = []
const wait = async (ms: number): Promise<void> => void waits.push(ms)

async function push(
  manager: TestManager,
  options: Partial<PushHours['options']> & { readonly hours?: number } = {},
): Promise<readonly PushResult[]> {
  const { hours = 1, ...rest } = options
  return pushHours(db, {
    manager: { url: manager.url, authorization: 'token secret' },
    since: TEN,
    until: TEN + hours * HOUR,
    options: { settle: 0, currency: 'USD', ...rest },
    wait,
  })
}

test('pushHours() tells whole hours on the wire of the reference, and withholds those that are not', async () => {
  await using manager = await openManager()
  await assert.rejects(push(manager), { code: 'PUSH_NOTHING_CHARGED' })
  await mapAuthId(db, { authId: 'auth-1', organizationId })
  await applyPriceBook(db, { text: BOOK, file: 'p', effectiveFrom: 'beginning', appliedBy: 'test' })
  await use(TEN, 'auth-1')
  await use(TEN + HOUR, 'auth-1')
  await rate()
  await use(TEN + HOUR + 1, 'auth-2')
  assert.deepEqual(await push(manager, { hours: 3 }), [
    { hour: formatInstant(TEN), outcome: 'pushed', rollups: 1 },
    { hour: formatInstant(TEN + HOUR), outcome: 'withheld', reason: 'dirty' },
    { hour: formatInstant(TEN + 2 * HOUR), outcome: 'pushed', rollups: 0 },
  ])
  const [row] = manager.rows.values()
  assert.deepEqual(
    { ...row, rated_usage_id: '' },
    {
      rated_usage_id: '',
      rev: 0,
      org_id: organizationId,
      resource_id: 'deployment',
      model_id: 'small',
      cost: '0.000084',
      applied_prompt_rate: '0.000001',
      applied_cached_rate: '0.0000001',
      applied_completion_rate: '0.000002',
      prompt_tokens: 100,
      cached_tokens: 40,
      completion_tokens: 10,
      billable_prompt_tokens: 60,
    },
  )
  assert.match(String(row?.['rated_usage_id']), /^[0-9a-f]{32}$/)
  assert.match(manager.posts[1] ?? '', /"rollups":\[\]/)
  // Rated, but somebody's in it is unknown: the whole hour waits, and keeps what the manager has.
  await rate()
  assert.deepEqual(
    (await push(manager, { hours: 2 })).map(({ outcome, reason }) => reason ?? outcome),
    ['pushed', 'unattributed'],
  )
  await mapAuthId(db, { authId: 'auth-2', organizationId })
  await rate()
  assert.deepEqual(
    (await push(manager, { hours: 2 })).map(({ rollups }) => rollups),
    [1, 2],
  )
  assert.equal(manager.rows.size, 3)
})

test('pushHours() sends the same rows again, however often, and never fewer unless it is told to', async () => {
  await using manager = await openManager()
  await push(manager, { hours: 2 })
  const first = [...manager.rows]
  await push(manager, { hours: 2 })
  assert.deepEqual([...manager.rows], first)
  // The ledger has lost an hour, as one that was restored in part.
  await db.query('delete from charge where hour = $1::timestamptz', [formatInstant(TEN)])
  assert.deepEqual(await push(manager), [{ hour: formatInstant(TEN), outcome: 'withheld', reason: 'would_remove' }])
  assert.deepEqual([...manager.rows], first)
  assert.deepEqual(await push(manager, { allowRemoval: true }), [{ hour: formatInstant(TEN), outcome: 'pushed', rollups: 0 }])
  assert.equal(manager.rows.size, first.length - 1)
  await db.query('insert into dirty_hour (hour) values ($1::timestamptz)', [formatInstant(TEN)])
  await rate()
  await push(manager)
  assert.deepEqual(new Map(manager.rows), new Map(first))
})

test('pushHours() withholds an hour that the total of the month prices, and one that is not over', async () => {
  await using manager = await openManager()
  const text = BOOK.replace('completion: "0.000002"', 'completion: { price: "0.000002", included: 5 }').replace('small', 'tiered')
  await applyPriceBook(db, { text, file: 'p', effectiveFrom: TEN + 5 * HOUR, appliedBy: 'test' })
  await use(TEN + 5 * HOUR, 'auth-1', 'tiered')
  await rate()
  const at = async (since: number, settle: number): Promise<unknown> => {
    const authorization = 'token secret'
    const [result] = await pushHours(db, {
      manager: { url: manager.url, authorization },
      since,
      until: since + HOUR,
      options: { settle, currency: 'USD' },
      wait,
    })
    return result?.reason
  }
  assert.equal(await at(TEN + 5 * HOUR, 0), 'priced_by_month')
  const lastHour = Math.floor(Date.now() / HOUR) * HOUR - HOUR
  assert.equal(await at(lastHour, 2 * HOUR), 'running')
  assert.equal(manager.posts.length, 0)
})

test('pushHour() tries again what may work a moment later, and gives up after three attempts', async () => {
  await using manager = await openManager()
  const to = { url: manager.url, authorization: 'token secret' }
  waits.length = 0
  manager.failures.push(503, 429)
  await pushHour(to, TEN, [], wait)
  assert.deepEqual([manager.posts.length, waits], [1, [1000, 2000]])
  manager.failures.push(503, 503, 503)
  await assert.rejects(pushHour(to, TEN, [], wait), { code: 'MANAGER_REFUSED', message: /answers 503/ })
  manager.failures.push(400)
  await assert.rejects(pushHour(to, TEN, [], wait), { message: /answers 400/ })
  assert.equal(manager.posts.length, 1)
  await assert.rejects(pushHour({ ...to, authorization: 'token other' }, TEN, [], wait), { message: /answers 401/ })
})

test('fetchPrices() wants a version with every reply', async () => {
  await using manager = await openManager()
  const from = { url: manager.url, authorization: 'token secret' }
  manager.prices = { status: 200, version: 'v8', body: BOOK }
  assert.deepEqual(await fetchPrices(from, wait), { text: BOOK, version: 'v8' })
  manager.prices = { status: 200, body: BOOK }
  await assert.rejects(fetchPrices(from, wait), { message: /X-Saturn-Price-Version/ })
  manager.prices = { status: 304, body: '' }
  await assert.rejects(fetchPrices(from, wait), { code: 'MANAGER_REFUSED' })
})

test('installPrices() writes the book first and its version second, and is a no-op only if both are the same', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-prices-'))
  try {
    const file = join(dir, 'prices.yaml')
    assert.equal(installPrices(file, { text: BOOK, version: 'v1' }), true)
    assert.equal(installPrices(file, { text: BOOK, version: 'v1' }), false)
    writeFileSync(file, 'edited')
    assert.equal(installPrices(file, { text: BOOK, version: 'v1' }), true)
    assert.equal(readFileSync(file, 'utf8'), BOOK)
    assert.equal(installPrices(file, { text: BOOK, version: 'v2' }), true)
    assert.equal(readFileSync(`${file}.version`, 'utf8'), 'v2\n')
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
