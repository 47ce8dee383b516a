import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { API_ERRORS, API_ROUTES, ApiErrorSchema, isJsonReply } from '@ascribe/contract'
import { createApiKey } from '@ascribe/identity'
import type { Scope } from '@ascribe/identity'
import { silentLogger, silentMeters } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { applyPriceBook, createCredential, createOrganization, ingestBatch, ledgerMigrations, rateDirtyHours } from '@ascribe/ledger'
import type { LedgerRecord } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { createIdSource } from '@ascribe/units'
import { startApi } from '../src/index.ts'

/** 2026-03-01T10:00:00Z: in a month of its own, far from now. */
export const TEN: number = Date.UTC(2026, 2, 1, 10)
export const HOUR = 3_600_000
export const MONTH = '2026-03'

const BOOK = `version: 1
base_models:
  small: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }
  large: { prompt: "0.00001", cached: "0.000001", completion: "0.00002" }
`

export type UsageRecord = LedgerRecord['record']

export const serverSecret: Buffer = randomBytes(32)
const sources = new Map<number, () => string>()
/** An id of that instant: ids and instants belong together. */
const idAt = (at: number): string => sources.getOrInsertComputed(at, () => createIdSource(() => at))()

export type Key = { readonly key: string; readonly authId: string; readonly publicId: string }
export type Customer = { readonly id: string; readonly billing: Key; readonly inference: Key }

export async function createKey(db: Database, organizationId: string, scopes: readonly Scope[]): Promise<Key> {
  const { key, publicId, hmac } = createApiKey(serverSecret)
  const created = await createCredential(db, { organizationId, publicId, hmac, scopes })
  assert(created.kind === 'created')
  return { key, authId: created.authId, publicId }
}

/** An organization with a key that reads bills, and one that does not. */
export async function createCustomer(db: Database, name: string): Promise<Customer> {
  const { id } = await createOrganization(db, { name })
  return { id, billing: await createKey(db, id, ['inference', 'billing:read']), inference: await createKey(db, id, ['inference']) }
}

/** A ledger of its own, with prices since ever. */
export async function openLedger(): Promise<TestDatabase> {
  const db = await testDatabase({ migrations: await ledgerMigrations() })
  await applyPriceBook(db, { text: BOOK, file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'test' })
  return db
}

export function usageRecord(fields: Partial<UsageRecord> & { readonly authId: string }): UsageRecord {
  const startedAt = fields.startedAt ?? TEN
  const eventId = idAt(startedAt)
  return {
    eventId,
    startedAt,
    requestId: eventId,
    resourceId: 'default',
    identifiedBy: 'key',
    route: 'default',
    api: 'chat',
    modelAsked: 'small',
    streamed: true,
    endedAt: startedAt + 500,
    outcome: 'completed',
    provenance: 'reported',
    status: 200,
    model: 'small',
    finishReason: 'stop',
    promptTokens: 100,
    cachedTokens: 40,
    completionTokens: 10,
    meters: { input_tokens: 60, cached_input_tokens: 40, output_tokens: 10 },
    firstByteMs: 12.5,
    ...fields,
  }
}

/** What recovery makes of an intent whose process died. */
export function unknownRecord(authId: string): UsageRecord {
  const settlement = new Set(['status', 'model', 'finishReason', 'firstByteMs'])
  return {
    // Its fields but those four, which are optional.
    ...(Object.fromEntries(Object.entries(usageRecord({ authId })).filter(([name]) => !settlement.has(name))) as UsageRecord),
    outcome: 'unknown',
    provenance: 'unknown',
    promptTokens: null,
    cachedTokens: null,
    completionTokens: null,
    meters: {},
  }
}

let offset = 0

/** Ingests and rates. */
export async function settle(db: Database, records: readonly UsageRecord[]): Promise<void> {
  offset += 1
  const deliveries = records.map((record) => ({ eventId: record.eventId, payload: JSON.stringify(record) }))
  const { inserted } = await ingestBatch(db, { writer: 'gateway-1', position: { segment: 1, offset }, records: deliveries })
  assert.equal(inserted, records.length)
  while ((await rateDirtyHours(db)).more);
}

export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly body: unknown
}

export type TestApi = AsyncDisposable & {
  readonly url: string
  /** Asks, and checks that the reply is one of the contract and that nobody may cache it. */
  get(path: string, key?: string): Promise<Reply>
  /** The same with any request. */
  ask(path: string, init?: RequestInit): Promise<Reply>
}

export async function openApi(db: Database, logger: Logger = silentLogger): Promise<TestApi> {
  const api = await startApi({ host: '127.0.0.1', port: 0 }, { db, serverSecret, logger, meters: silentMeters })
  const ask = async (path: string, init: RequestInit = {}): Promise<Reply> => {
    const response = await fetch(api.url + path, init)
    const text = await response.text()
    const reply = { status: response.status, headers: Object.fromEntries(response.headers), text, body: JSON.parse(text) as unknown }
    assertContract(path, reply)
    return reply
  }
  return {
    url: api.url,
    ask,
    get: (path, key) => ask(path, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

function assertContract(path: string, { status, headers, text, body }: Reply): void {
  assert.equal(headers['cache-control'], 'private, no-store')
  assert.match(headers['vary'] ?? '', /Accept, .*Authorization/)
  assert.equal(headers['content-type'], 'application/json; charset=utf-8')
  if (status === 200) {
    const route = API_ROUTES.find((each) => path.split('?')[0]?.endsWith(each.path.slice(each.path.lastIndexOf('/'))))
    assert(route !== undefined && isJsonReply(route.reply), `no operation has the path ${path}`)
    const parsed = route.reply.safeParse(body)
    assert(parsed.success, `${path} breaks the contract: ${parsed.error?.message ?? ''}\n${text}`)
    return
  }
  const error = ApiErrorSchema.safeParse(body)
  assert(error.success, text)
  const { code, reason, requestId } = error.data
  assert.deepEqual({ status, reason }, API_ERRORS[code], text)
  assert.equal(headers['x-request-id'], requestId)
}

export const codeOf = ({ body }: Reply): unknown => (body as { code?: unknown }).code

/** Everything of a reply that does not vary from one request to the next. */
export function timeless({ status, headers, text }: Reply): unknown {
  const { date: _date, 'x-request-id': requestId = '', ...rest } = headers
  return { status, headers: rest, text: text.replaceAll(requestId, 'REQUEST') }
}
