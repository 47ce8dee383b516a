import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { createIdSource } from '@ascribe/units'
import {
  LedgerInputError,
  applyPriceBook,
  archivePartition,
  closeMonth,
  listPartitions,
  listQuarantine,
  mapAuthId,
  markRatedHours,
} from '../src/index.ts'
import {
  createBudgetRounds,
  createOrganization,
  dryRun,
  listBudgets,
  purge,
  readStatement,
  replayQuarantine,
  setBudget,
  streamEvents,
  verifyRating,
} from '../src/index.ts'
import type { ArchiveWriter } from '../src/index.ts'
import { voidIn } from '../src/record-acts.ts'
import { HOUR, MONTH, TEN, createCustomer, deliver, dumpDerived, openLedger, priceBook, rateAll, until, usageRecord } from './support.ts'

const MARCH = 'usage_record_2026_03'

type Kept = { readonly write: ArchiveWriter; readonly files: Map<string, string> }

function keepInMemory(): Kept {
  const files = new Map<string, string>()
  return {
    files,
    async write(partition, chunks) {
      const text = Buffer.concat(await Array.fromAsync(chunks)).toString()
      files.set(partition, text)
      return { file: `${partition}.csv`, sha256: createHash('sha256').update(text).digest('hex') }
    },
  }
}

/** A rated month of three records, whose last one came an hour before its end. */
async function openMonth(): ReturnType<typeof openLedger> {
  const db = await openLedger({ fresh: true })
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await deliver(db, [usageRecord(), usageRecord({ startedAt: TEN + HOUR }), usageRecord({ startedAt: Date.UTC(2026, 3, 1) - HOUR })])
  await rateAll(db)
  return db
}

async function closeMarch(db: Database): Promise<void> {
  assert.equal((await closeMonth(db, { month: MONTH, closedBy: 'test' })).kind, 'closed')
}

const archive = (db: Database, write: ArchiveWriter): ReturnType<typeof archivePartition> =>
  archivePartition(db, { partition: MARCH, write, archivedBy: 'test' })

test('litellm-16582: archivePartition() copies a closed month and drops its partition; bill and statement stay', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  const before = await dumpDerived(db)
  const kept = keepInMemory()
  const outcome = await archive(db, kept.write)
  assert.equal(outcome.records, 3)
  assert.equal(kept.files.get(MARCH)?.trim().split('\n').length, 4)
  assert.match(kept.files.get(MARCH) ?? '', /^event_id,instant,/)
  const [march] = await listPartitions(db)
  assert.deepEqual([march?.name, march?.state, march?.records, march?.bytes, march?.file], [MARCH, 'archived', 3, 0, `${MARCH}.csv`])
  assert.equal((await db.query('select to_regclass($1) as relation', [MARCH])).rows[0]?.['relation'], null)
  assert.deepEqual(await Array.fromAsync(streamEvents(db)), [])
  assert.equal(await dumpDerived(db), before)
  assert.equal((await verifyRating(db)).differenceCount, 0)
  await assert.rejects(archive(db, kept.write), /has been archived/)
})

test('archivePartition() refuses a month that is open or dirty, and everything stays as it was', async () => {
  await using db = await openMonth()
  const kept = keepInMemory()
  await assert.rejects(
    archive(db, kept.write),
    (error) => error instanceof LedgerInputError && /2026-03, is not closed/.test(error.message),
  )
  await closeMarch(db)
  await markRatedHours(db)
  await assert.rejects(archive(db, kept.write), /waits to be rated/)
  assert.equal(kept.files.size, 0)
  assert.equal((await listPartitions(db)).find(({ name }) => name === MARCH)?.state, 'open')
  assert.equal((await deliver(db, [usageRecord()])).inserted, 1)
  await rateAll(db)
  assert.equal((await archive(db, kept.write)).records, 4)
})

test('archivePartition() keeps the hours of an archived month from being rated again: what is absent is not unused', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  await archive(db, keepInMemory().write)
  const before = await dumpDerived(db)
  assert.equal(await markRatedHours(db), 0)
  const other = await createCustomer(db, { authId: 'auth-2', name: 'Other' })
  await mapAuthId(db, { authId: 'auth-1', organizationId: other.id, from: TEN })
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  assert.equal((await db.query('select from adjustment')).rowCount, 0)
})

test('ingestBatch() quarantines what comes for an archived month, and says why', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  await archive(db, keepInMemory().write)
  const summary = await deliver(db, [usageRecord(), usageRecord({ startedAt: Date.UTC(2026, 4, 1) })])
  assert.deepEqual(summary, { inserted: 1, duplicates: 0, conflicting: 0, quarantined: 1 })
  assert.match((await listQuarantine(db))[0]?.reason ?? '', /in an archive/)
  assert.deepEqual(await replayQuarantine(db), { replayed: 0, refused: 1 })
})

test('ingestBatch() that knew the partition before meets its closing, and loses nothing', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  const failing: ArchiveWriter = async () => {
    throw new Error('the disk is full')
  }
  await assert.rejects(archive(db, failing), /the disk is full/)
  // It is closed and not gone: readable, not written.
  assert.equal((await Array.fromAsync(streamEvents(db))).length, 3)
  assert.deepEqual(await deliver(db, [usageRecord()]), { inserted: 0, duplicates: 0, conflicting: 0, quarantined: 1 })
  assert.equal((await archive(db, keepInMemory().write)).records, 3)
})

test('archivePartition() goes on where it was cut off, with the file that was written', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  const kept = keepInMemory()
  const cut: Database = {
    ...db,
    query: (sql, values) => (sql.includes('concurrently') ? Promise.reject(new Error('cut off')) : db.query(sql, values)),
  }
  await assert.rejects(archive(cut, kept.write), /cut off/)
  const again = keepInMemory()
  assert.equal((await archive(db, again.write)).records, 3)
  assert.equal(again.files.size, 0)
  assert.equal((await listPartitions(db)).find(({ name }) => name === MARCH)?.state, 'archived')
})

const NOTHING = { usage_quarantine: 0, writer_position: 0, budget_lease: 0, budget_account: 0, budget_alert: 0, gateway_writer: 0 }

test('commonly-468: purge() deletes only what has served its purpose', async () => {
  await using db = await openMonth()
  await deliver(db, [{ ...usageRecord(), outcome: 'nonsense' as 'completed' }])
  assert.deepEqual(await purge(db, TEN), NOTHING)
  assert.deepEqual(await purge(db, Date.now() + HOUR), { ...NOTHING, writer_position: 1 })
  await db.query('update usage_quarantine set replayed_at = now()')
  assert.deepEqual(await purge(db, Date.now() + HOUR), { ...NOTHING, usage_quarantine: 1 })
  const organization = (await db.query<{ id: string }>('select organization_id as id from organization limit 1')).rows[0]
  assert.ok(await readStatement(db, { organizationId: organization?.id ?? '', month: MONTH, scope: 'customer' }))
})

test('purge() deletes leases of windows that are over and gateways that are gone, and nothing that a budget stands on', async () => {
  await using db = await openMonth()
  const { id: subject } = await createOrganization(db, { name: 'Budgeted' })
  const now = Date.now()
  for (const period of ['day', 'prepaid'] as const)
    await setBudget(db, { scope: 'organization', subject, unit: 'tokens', period, limit: 1000n, by: 'test' }, now)
  await mapAuthId(db, { authId: 'spender', organizationId: subject })
  const rounds = createBudgetRounds(db)
  const round = (live: readonly string[], gone: readonly string[]): ReturnType<typeof rounds.next> =>
    rounds.next({ reports: live.map((writer) => ({ writer, accounts: [] })), gone, now })
  await round(['idle', 'spender', 'alive'], [])
  await deliver(db, [usageRecord({ authId: 'spender', startedAt: now, eventId: createIdSource(() => now)() })], 'spender')
  await round(['alive'], ['idle', 'spender'])
  // What has been committed since must have been counted, too.
  const budgets = (await round(['alive'], [])).snapshot?.accounts
  const { rows } = await db.query('select writer from gateway_writer where ended order by writer')
  assert.deepEqual(rows, [{ writer: 'idle' }, { writer: 'spender' }])
  await db.query(
    "insert into budget_lease (budget_id, subject, window_start, writer, consumed) select budget_id, 'x', now() - interval '70 days', 'old', 5 from budget limit 1",
  )
  const before = now + HOUR
  const purged = await purge(db, before)
  // One that is over, and the idle one's of the prepaid budget.
  assert.deepEqual(purged, { ...NOTHING, writer_position: 2, budget_lease: 2, gateway_writer: 2 })
  assert.deepEqual((await round(['alive'], [])).snapshot?.accounts, budgets)
  assert.equal(
    (await listBudgets(db, now)).every(({ standings }) => standings[0]?.spent === 110n),
    true,
  )
  assert.deepEqual(await purge(db, before), NOTHING)
})

test('a mark that commits while its hour is archived never takes back what is not there any more', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  await archive(db, keepInMemory().write)
  const before = await dumpDerived(db)
  // As it was made before the hour was frozen.
  await db.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica')
    await tx.query('insert into dirty_hour (hour) values ($1::timestamptz)', [new Date(TEN).toISOString()])
  })
  await rateAll(db)
  assert.equal(await dumpDerived(db), before)
  assert.equal((await db.query('select from adjustment')).rowCount, 0)
  assert.equal((await db.query('select from dirty_hour')).rowCount, 0)
})

test('archivePartition() waits for an act upon its records, and then refuses until the act is rated', async () => {
  await using db = await openLedger({ fresh: true })
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const record = usageRecord()
  await deliver(db, [record])
  await rateAll(db)
  await closeMarch(db)
  const acting = Promise.withResolvers<void>()
  const archived = Promise.withResolvers<unknown>()
  const act = db.transaction(async (tx) => {
    await voidIn(tx, { eventIds: [record.eventId], actor: 'ann', reason: 'twice' })
    acting.resolve()
    await until(db, `select from pg_locks where locktype = 'advisory' and not granted`)
  })
  await acting.promise
  archive(db, keepInMemory().write).then(archived.resolve, archived.resolve)
  await act
  assert.match(String(await archived.promise), /waits to be rated/)
  await rateAll(db)
  assert.equal((await readStatement(db, { organizationId: id, month: '2026-04', scope: 'operator' }))?.total, '-0.00012')
})

test('dryRun() refuses a month whose records are in an archive', async () => {
  await using db = await openMonth()
  await closeMarch(db)
  await archive(db, keepInMemory().write)
  await assert.rejects(dryRun(db, { ...priceBook(), month: MONTH }), /its records are in an archive/)
})

test('a prepaid budget never gets back what was spent of it because the records were archived', async () => {
  await using db = await openMonth()
  const budget = { scope: 'credential', subject: 'auth-1', unit: 'tokens', period: 'prepaid', from: TEN, limit: 1000n, by: 'test' } as const
  assert.equal((await setBudget(db, budget, TEN)).kind, 'created')
  const now = Date.UTC(2026, 4, 1)
  const spent = async (): Promise<string | undefined> => {
    const { snapshot } = await createBudgetRounds(db).next({ reports: [], gone: [], now })
    return snapshot?.accounts[0]?.spent
  }
  assert.equal(await spent(), '330')
  await closeMarch(db)
  await archive(db, keepInMemory().write)
  // A mapping that comes late makes everything be counted anew.
  const { rows } = await db.query<{ id: string }>('select organization_id as id from organization')
  await mapAuthId(db, { authId: 'late', organizationId: rows[0]?.id ?? '' })
  await deliver(db, [usageRecord({ startedAt: Date.UTC(2026, 3, 15) })])
  assert.equal(await spent(), '440')
})
