import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { after, before, test } from 'node:test'
import {
  applyPriceBook,
  createOrganization,
  grantRoles,
  ingestBatch,
  listQuarantine,
  mapAuthId,
  migrateLedger,
  rateDirtyHours,
  readPosition,
  verifyRating,
} from '@ascribe/ledger'
import type { Delivery, IngestSummary } from '@ascribe/ledger'
import { DatabaseError, openDatabase } from '@ascribe/postgres'
import type { Database, DatabaseOptions } from '@ascribe/postgres'
import { createIdSource } from '@ascribe/units'
import { temporaryDir } from '../support/product.ts'
import { startPostgres } from './postgres/start.ts'
import type { PostgresPeer } from './postgres/start.ts'
import { PeerUnavailable } from './support/unavailable.ts'

// What a database of one's own does in bad hours, on the distribution's PostgreSQL: whatever it is, nothing is acknowledged that is not
// stored, nothing is quarantined that could be, and the same batch goes in when it is over.

const root = temporaryDir()
chmodSync(root.path, 0o755)
const available = await startPostgres(root.path).catch((error: unknown) => {
  if (error instanceof PeerUnavailable) return error.message
  throw error
})
const skip = typeof available === 'string' ? available : false

/** The suite's own; a test that is skipped never asks. */
function server(): PostgresPeer {
  if (typeof available === 'string') throw new Error(available)
  return available
}

const open: Database[] = []

/** A pool on it; `session` are settings that every session begins with. */
function database(session: Readonly<Record<string, string>> = {}, options: Partial<DatabaseOptions> = {}): Database {
  const url = new URL(server().url)
  const words = Object.entries(session).map(([name, value]) => `-c ${name}=${value}`)
  if (words.length > 0) url.searchParams.set('options', words.join(' '))
  const db = openDatabase({ url: url.href, max: 4, ...options })
  open.push(db)
  return db
}

before(async () => {
  if (skip !== false) return
  const db = database()
  await migrateLedger(db)
  await grantRoles(db)
  const { id } = await createOrganization(db, { name: 'Acme' })
  await mapAuthId(db, { authId: 'auth-1', organizationId: id })
  const text = 'version: 1\nbase_models:\n  small: { prompt: "0.000001", cached: "0.0000001", completion: "0.000002" }\n'
  await applyPriceBook(db, { text, file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'test' })
})
after(async () => {
  await Promise.all(open.map((db) => db.close()))
  if (typeof available !== 'string') await available[Symbol.asyncDispose]()
  root[Symbol.dispose]()
})

const nextId = createIdSource(() => Date.now())

function deliveries(count: number): readonly Delivery[] {
  return Array.from({ length: count }, () => {
    const eventId = nextId()
    const startedAt = Date.now()
    const [identity, request] = [
      { authId: 'auth-1', resourceId: 'default', identifiedBy: 'headers' },
      { route: 'default', api: 'chat' },
    ]
    const outcome = { streamed: false, outcome: 'completed', provenance: 'reported', status: 200, model: 'small' }
    const quantities = { promptTokens: 10, cachedTokens: 0, completionTokens: 1, meters: { input_tokens: 10, output_tokens: 1 } }
    const record = { eventId, startedAt, endedAt: startedAt + 5, requestId: eventId, ...identity, ...request, ...outcome, ...quantities }
    return { eventId, payload: JSON.stringify(record) }
  })
}

let offset = 0
const send = (db: Database, writer: string, records: readonly Delivery[]): Promise<IngestSummary> => {
  offset += 1
  return ingestBatch(db, { writer, position: { segment: 1, offset }, records })
}

/** The batch fails for everybody, and nothing of it is there; afterwards all of it goes in. */
async function isRefusedWhole(db: Database, writer: string, records: readonly Delivery[]): Promise<DatabaseError> {
  let refusal: unknown
  await send(db, writer, records).catch((error: unknown) => (refusal = error))
  assert.ok(refusal instanceof DatabaseError, `it was taken, or failed otherwise: ${String(refusal)}`)
  assert.notEqual(refusal.kind, 'data', refusal.message)
  return refusal
}

async function goesIn(writer: string, records: readonly Delivery[]): Promise<void> {
  const db = database()
  assert.equal(await readPosition(db, writer), undefined)
  assert.deepEqual(await listQuarantine(db), [])
  assert.equal((await send(db, writer, records)).inserted, records.length)
  assert.deepEqual(await send(db, writer, records), { inserted: 0, duplicates: records.length, conflicting: 0, quarantined: 0 })
}

test('ingestBatch() loses nothing to a disk that is full', { skip, timeout: 60_000 }, async () => {
  await server().kill()
  // A few MB are below what the catalogue needs, and less than this batch.
  await server().start({ fileBytesMax: 3 << 20 })
  const records = deliveries(20_000)
  const db = database()
  const { message } = await isRefusedWhole(db, 'full', records)
  assert.match(message, /could not extend|could not write|File too large/)
  await server().kill()
  await server().start()
  await goesIn('full', records)
})

test('ingestBatch() loses nothing to a database that is down', { skip, timeout: 60_000 }, async () => {
  const records = deliveries(100)
  const db = database()
  await db.query('select 1')
  await server().kill()
  assert.equal((await isRefusedWhole(db, 'down', records)).kind, 'connection')
  await server().start()
  await goesIn('down', records)
})

test('ingestBatch() loses nothing to a database that is slow', { skip, timeout: 60_000 }, async () => {
  const records = deliveries(100)
  const released = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const holding = database().transaction(async (tx) => {
    await tx.query('lock table writer_position in exclusive mode')
    locked.resolve()
    await released.promise
  })
  await locked.promise
  const refusal = await isRefusedWhole(database({}, { statementTimeoutMs: 200 }), 'slow', records)
  released.resolve()
  await holding
  assert.equal(refusal.sqlstate, '57014')
  await goesIn('slow', records)
})

test('ingestBatch() loses nothing where permission is denied or a table is missing', { skip, timeout: 60_000 }, async () => {
  const records = deliveries(100)
  assert.equal((await isRefusedWhole(database({ role: 'ascribe_gateway' }), 'denied', records)).sqlstate, '42501')
  assert.equal((await isRefusedWhole(database({ search_path: 'elsewhere' }), 'missing', records)).sqlstate?.startsWith('42'), true)
  await goesIn('denied', records)
})

test('ingestBatch() loses nothing to lost races, at any isolation level', { skip, timeout: 60_000 }, async () => {
  const records = deliveries(500)
  const pools = Array.from({ length: 4 }, () => database({ default_transaction_isolation: 'serializable' }))
  const outcomes = await Promise.allSettled(pools.map((db) => send(db, 'race', records)))
  let inserted = 0
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') inserted += outcome.value.inserted
    else assert.equal(outcome.reason instanceof DatabaseError && outcome.reason.kind, 'retry', String(outcome.reason))
  }
  assert.ok(inserted === 0 || inserted === records.length)
  const again = await send(database(), 'race', records)
  assert.equal(again.inserted + inserted, records.length)
  assert.equal(again.conflicting + again.quarantined, 0)
})

test('rateDirtyHours() charges the same whatever the time zone of sessions', { skip, timeout: 60_000 }, async () => {
  const db = database({ timezone: 'Asia/Kathmandu' })
  await database().query("alter database postgres set timezone = 'Pacific/Chatham'")
  await send(db, 'zone', deliveries(10))
  while ((await rateDirtyHours(db)).more);
  assert.equal((await verifyRating(database())).differenceCount, 0)
  const hours = await database().query("select distinct extract(minute from hour at time zone 'UTC') as minute from usage_hour")
  assert.deepEqual(hours.rows, [{ minute: '0' }])
})
