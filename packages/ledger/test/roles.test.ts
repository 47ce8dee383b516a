import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DatabaseError, openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import {
  advancePolicy,
  applyPriceBook,
  backupLedger,
  bumpPolicy,
  closeMonth,
  createBudgetRounds,
  createCredential,
  createOrganization,
  findCredentialByPublicId,
  grantRoles,
  ingestCloudEvents,
  ledgerMigrations,
  listQuarantine,
  mapAuthId,
  pendingLedgerMigrations,
  readPolicySnapshot,
  readStatement,
  recordPush,
  setBudget,
  setRateLimit,
  streamEvents,
  verifyRating,
} from '../src/index.ts'
import type { LedgerRole } from '../src/index.ts'
import { TABLE_RIGHTS } from '../src/role-tables.ts'
import { ingestForeignEvents } from '../src/foreign-events.ts'
import { DEAR_BOOK, MONTH, TEN, createCustomer, deliver, priceBook, rateAll, usageRecord } from './support.ts'

let db: TestDatabase
const open: Database[] = []

before(async () => {
  db = await testDatabase({ migrations: await ledgerMigrations() })
  await grantRoles(db)
})
after(async () => {
  await Promise.all(open.map((database) => database.close()))
  await db[Symbol.asyncDispose]()
})

/** The ledger as a member of a role sees it: every session begins as the role. */
function as(role: LedgerRole): Database {
  const url = new URL(db.url.replace('@/', '@localhost/'))
  url.searchParams.set('options', `-c role=${role}`)
  const database = openDatabase({ url: url.href.replace('@localhost/', '@/'), max: 4 })
  open.push(database)
  return database
}

async function isDenied(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof DatabaseError, String(error))
    assert.equal(error.sqlstate, '42501', error.message)
    return true
  })
}

test('grantRoles() gives administrators every row, and no table', async () => {
  const admin = as('ascribe_admin')
  assert.deepEqual(await pendingLedgerMigrations(admin), [])
  const { id } = await createCustomer(admin)
  await applyPriceBook(admin, priceBook())
  await createCredential(admin, { organizationId: id, publicId: 'p1', hmac: 'h', scopes: ['inference'] })
  await deliver(admin, [usageRecord()], 'admin')
  await rateAll(admin)
  assert.equal((await readStatement(admin, { organizationId: id, month: MONTH, scope: 'customer' }))?.lines.length, 2)
  assert.ok((await backupLedger(admin, { now: TEN, write: (chunks) => Array.fromAsync(chunks) })).length > 0)
  await isDenied(admin.query('alter table usage_record disable trigger user'))
  await isDenied(admin.query('drop table charge'))
  await isDenied(admin.query('truncate usage_hour'))
  await isDenied(admin.query('delete from schema_migration'))
  await assert.rejects(admin.query('delete from usage_record'), /23001/)
})

test('grantRoles() lets settlers take in, rate and publish, and write neither directory nor prices nor bills', async () => {
  const settler = as('ascribe_settler')
  assert.deepEqual(await pendingLedgerMigrations(settler), [])
  // A month that has no partition yet: the function makes it, the role could not.
  const far = usageRecord({ startedAt: Date.UTC(2033, 5, 1) })
  const nonsense = { ...usageRecord(), outcome: 'nonsense' as 'completed' }
  assert.deepEqual(await deliver(settler, [usageRecord(), far, nonsense], 'settler'), {
    inserted: 2,
    duplicates: 0,
    conflicting: 0,
    quarantined: 1,
  })
  assert.equal((await listQuarantine(settler)).length, 1)
  await rateAll(settler)
  assert.equal((await verifyRating(settler)).differenceCount, 0)
  assert.ok((await readPolicySnapshot(settler)).keys.length >= 1)
  await isDenied(createOrganization(settler, { name: 'Mine' }))
  const organization = (await db.query<{ id: string }>('select organization_id as id from organization')).rows[0]
  await isDenied(mapAuthId(settler, { authId: 'auth-9', organizationId: organization?.id ?? '' }))
  await isDenied(applyPriceBook(settler, priceBook({ text: DEAR_BOOK, effectiveFrom: Date.UTC(2040, 0) })))
  await isDenied(settler.query("insert into billing_period (month, closed_by) values ('2020-01-01', 'me')"))
  for (const table of ['invoice', 'credit_block', 'credential', 'organization', 'price_version']) {
    await isDenied(settler.query(`delete from ${table}`))
  }
  await isDenied(settler.query('create table mine (n int)'))
})

test('grantRoles() lets the API read and take reports of usage, and write no charge', async () => {
  const api = as('ascribe_api')
  assert.deepEqual(await pendingLedgerMigrations(api), [])
  assert.ok((await findCredentialByPublicId(api, 'p1')) !== undefined)
  assert.ok((await Array.fromAsync(streamEvents(api))).length > 0)
  const { startedAt, ...rest } = usageRecord()
  const { eventId: _id, requestId: _request, ...record } = { ...rest, startedAt }
  const event = { source: 's', id: '1', type: 't', digest: new Uint8Array(32), text: '{}', record }
  const [outcome] = await ingestForeignEvents(api, { realm: 'r', writer: 'api', events: [event] })
  assert.equal(outcome?.kind, 'accepted')
  for (const table of [
    'charge',
    'usage_hour',
    'adjustment',
    'invoice',
    'credit_entry',
    'organization',
    'credential',
    'budget',
    'usage_record',
  ]) {
    await isDenied(api.query(`delete from ${table}`))
  }
  await isDenied(rateAll(api))
  await isDenied(createOrganization(api, { name: 'Mine' }))
})

test('grantRoles() gives gateways nothing of billing', async () => {
  const gateway = as('ascribe_gateway')
  const { rows } = await db.query<{ name: string }>(
    "select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v')",
  )
  assert.ok(rows.length > 20)
  for (const { name } of rows) await isDenied(gateway.query(`select from ${name} limit 1`))
  await isDenied(gateway.query("select ensure_usage_partition('2034-01-01')"))
  await isDenied(gateway.query('select map_organization_auth_id(gen_random_uuid())'))
})

test('a function with the rights of its owner is never open to everybody', async () => {
  const { rows } = await db.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p
     where p.pronamespace = 'public'::regnamespace and p.prosecdef and has_function_privilege('ascribe_gateway', p.oid, 'execute')`,
  )
  assert.deepEqual(rows, [])
})

test('grantRoles() makes nothing twice, and takes back what was granted by hand', async () => {
  await db.query('grant all on charge to ascribe_api')
  assert.deepEqual((await grantRoles(db)).created, [])
  await isDenied(as('ascribe_api').query('delete from charge'))
})

test('grantRoles() lets the API take events of an organization that no auth id stands for yet, and set conflicts aside', async () => {
  const api = as('ascribe_api')
  const { id } = await createOrganization(db, { name: 'Events' })
  const rules = [{ type: 't', resourceId: 'r', model: 'small', subject: 'auth_id' as const, meters: { input_tokens: { path: '$.n' } } }]
  const event = { specversion: '1.0', id: '1', source: 's', type: 't', subject: id, time: '2026-03-01T10:00:00Z' }
  const values = [
    { ...event, data: { n: 1 } },
    { ...event, data: { n: 2 } },
  ]
  const result = await ingestCloudEvents(api, { sender: { kind: 'installation', name: 'api' }, values, rules, now: TEN })
  assert.deepEqual(result.kind === 'stored' && result.outcomes.map(({ kind }) => kind), ['accepted', 'conflicting'])
  assert.ok((await listQuarantine(db)).some(({ writer }) => writer === 'events:installation:api'))
  await rateAll(db)
  assert.equal((await readStatement(db, { organizationId: id, month: MONTH, scope: 'customer' }))?.held.unattributed, 0)
})

test('TABLE_RIGHTS names every table and view, and nothing else', async () => {
  const { rows } = await db.query<{ name: string }>(
    `select relname::text as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition`,
  )
  const missing = rows.map(({ name }) => name).filter((name) => !(name in TABLE_RIGHTS))
  assert.deepEqual(missing, [], 'say in role-tables.ts who may write to it')
  const there = new Set(rows.map(({ name }) => name))
  assert.deepEqual(
    Object.keys(TABLE_RIGHTS).filter((name) => !there.has(name)),
    [],
  )
})

test('grantRoles() gives settlers and the API nothing of a table that nobody has named, and administrators its rows', async () => {
  await db.query('create table unnamed (n integer)')
  await grantRoles(db)
  await as('ascribe_admin').query('insert into unnamed values (1)')
  for (const role of ['ascribe_settler', 'ascribe_api', 'ascribe_gateway'] as const) await isDenied(as(role).query('select from unnamed'))
  await db.query('drop table unnamed')
})

test('grantRoles() lets settlers publish what was planned, count budgets and push hours, and make no rule', async () => {
  const settler = as('ascribe_settler')
  const { id } = await createOrganization(db, { name: 'Planned' })
  await db.transaction((tx) => bumpPolicy(tx, { keys: ['auth-1'] }))
  // Due: another settler has not come to it.
  await db.query("insert into policy_due (at) values (clock_timestamp() - interval '1 second')")
  assert.equal(await advancePolicy(settler), true)
  const rule = { scope: 'organization', subject: id, unit: 'tokens', period: 'day', limit: 10n, by: 'test' } as const
  assert.equal((await setBudget(db, rule, TEN)).kind, 'created')
  const round = await createBudgetRounds(settler).next({ reports: [], gone: [], now: TEN })
  assert.equal(round.snapshot?.budgets.length, 1)
  const { rows } = await db.query<{ counted: boolean }>('select counted from budget')
  assert.deepEqual(rows, [{ counted: true }])
  for (const manager of ['a', 'a']) await recordPush(settler, { manager, hour: TEN, rollups: [] })
  await isDenied(setBudget(settler, { ...rule, limit: 20n }, TEN))
  await isDenied(settler.query('update budget set effective_until = now()'))
  await isDenied(
    settler.query("insert into budget_limit (budget_id, effective_from, amount, created_by) select budget_id, now(), 99, 'me' from budget"),
  )
  await isDenied(setRateLimit(settler, { scope: 'organization', subject: id, requestsPerMinute: 1, by: 'me' }))
  await isDenied(settler.query('delete from adjustment'))
  await isDenied(settler.query('delete from usage_push'))
})

test('grantRoles() lets administrators close a month, and neither settlers nor the API', async () => {
  await rateAll(db)
  const close = { month: MONTH, closedBy: 'test', force: true }
  await isDenied(closeMonth(as('ascribe_settler'), close))
  await isDenied(closeMonth(as('ascribe_api'), close))
  await isDenied(recordPush(as('ascribe_api'), { manager: 'a', hour: TEN, rollups: [] }))
  assert.equal((await closeMonth(as('ascribe_admin'), close)).kind, 'closed')
  // What comes late is adjusted by a settler, and the bill of the closed month stays.
  await deliver(as('ascribe_settler'), [usageRecord()], 'late')
  await rateAll(as('ascribe_settler'))
  const { rows } = await db.query<{ n: number }>('select count(*)::integer as n from adjustment')
  assert.ok((rows[0]?.n ?? 0) > 0)
})
