import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DatabaseError, openDatabase } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import {
  createCredential,
  createIdempotency,
  createOrganization,
  createPlatformCredential,
  decideSupportRequest,
  endActing,
  endBudget,
  eraseAudit,
  exportAudit,
  findActing,
  grantRoles,
  isRoleMember,
  ledgerMigrations,
  lookUpOrganizations,
  openSupportWindow,
  pendingLedgerMigrations,
  provePlatformKey,
  readAccessLog,
  revokeCredential,
  revokePlatformCredential,
  rotateCredential,
  setBudget,
  setSupportAccess,
  startActing,
} from '../src/index.ts'
import type { LedgerRole } from '../src/index.ts'
import { ada as actor, openTrail, signer, viewed } from './audit-support.ts'
import { TEN } from './support.ts'

const SECRET = Buffer.alloc(32, 7)
const audit = async (): Promise<void> => {}
const ada = { name: 'ada@example.com', issuer: 'teleport.example', roles: [] }

let db: TestDatabase
let acme: string
const open: Database[] = []

before(async () => {
  db = await testDatabase({ migrations: await ledgerMigrations() })
  await grantRoles(db)
  acme = (await createOrganization(db, { name: 'Acme' })).id
  await createCredential(db, { organizationId: acme, publicId: 'p1', hmac: 'h', scopes: ['inference'] })
})
after(async () => {
  await Promise.all(open.map((database) => database.close()))
  await db[Symbol.asyncDispose]()
})

/** The ledger as a listener opens it. */
function as(role: LedgerRole): Database {
  const database = openDatabase({ ...db.target, max: 4, role })
  open.push(database)
  return database
}

async function isDenied(work: Promise<unknown>, what: string): Promise<void> {
  await assert.rejects(work, (error) => {
    const cause = error instanceof DatabaseError ? error : (error as Error).cause
    assert.ok(cause instanceof DatabaseError, `${what}: ${String(error)}`)
    assert.equal(cause.sqlstate, '42501', `${what}: ${cause.message}`)
    return true
  })
}

/** The SQL that writes to a table in every way. */
const writes = (table: string): readonly string[] => [
  `insert into ${table} default values`,
  `delete from ${table}`,
  `truncate ${table}`,
  `alter table ${table} disable trigger user`,
]

test('ascribe_internal reads the ledger, appends to the trail and to acting sessions', async () => {
  const internal = as('ascribe_internal')
  assert.deepEqual(await pendingLedgerMigrations(internal), [])
  await using trail = openTrail(internal)
  await trail.append([viewed({ chain: acme })])
  const session = {
    operator: ada,
    organizationId: acme,
    reason: 'asked',
    ticket: 'T-1',
    minutes: 5,
    now: TEN,
    audit: (tx: Parameters<typeof trail.appendIn>[0]) => trail.appendIn(tx, [viewed({ chain: acme, kind: 'session' })]),
  }
  assert.equal((await startActing(internal, session)).kind, 'started')
  assert.equal((await findActing(internal, { operator: ada, organizationId: acme, now: TEN })).kind, 'active')
  assert.equal((await endActing(internal, { operator: ada, organizationId: acme, now: TEN, audit })).kind, 'ended')
  await setSupportAccess(db, { organizationId: acme, requireApproval: true, by: 'owner', now: TEN, audit })
  assert.equal((await startActing(internal, session)).kind, 'approval_required')
  await setSupportAccess(db, { organizationId: acme, requireApproval: false, by: 'owner', now: TEN, audit })
  assert.deepEqual((await lookUpOrganizations(internal, { q: 'p1' })).organizations, [{ id: acme, name: 'Acme' }])
  const page = await readAccessLog(internal, { organizationId: acme })
  assert.ok(page !== 'bad_cursor' && page.entries.length > 3)
})

test('ascribe_internal writes to no table but those of acting sessions and requests, and changes none (42501)', async () => {
  const internal = as('ascribe_internal')
  const { rows } = await db.query<{ name: string }>(
    "select relname::text as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition",
  )
  assert.ok(rows.length > 60)
  const appended = new Set(['acting_session', 'acting_session_end', 'support_request'])
  for (const { name } of rows) {
    for (const sql of writes(name)) {
      if (appended.has(name) && sql.startsWith('insert')) continue
      await isDenied(internal.query(sql), sql)
    }
    const { rows: columns } = await db.query<{ column: string }>(
      "select quote_ident(attname::text) as column from pg_attribute where attrelid = $1::regclass and attnum > 0 and attgenerated = '' and attidentity = ''",
      [name],
    )
    for (const { column } of columns) await isDenied(internal.query(`update ${name} set ${column} = ${column}`), `${name}.${column}`)
  }
  await isDenied(internal.query('create table mine (n integer)'), 'create')
  await isDenied(internal.query("select ensure_usage_partition('2034-01-01')"), 'partition')
  await isDenied(internal.query('select map_organization_auth_id(gen_random_uuid())'), 'mapping')
})

test('ascribe_internal reads nothing that proves a key, no keys of platforms, no answers kept for them, and no deliveries set aside (42501)', async () => {
  const internal = as('ascribe_internal')
  const hidden = [
    'select hmac from credential',
    'select * from credential',
    'select hmac from credential_secret',
    'select server_secret_id from credential_secret',
    'select name from platform_credential',
    'select status from idempotent_request',
    'select from usage_quarantine',
    'select url from budget_alert',
  ]
  for (const sql of hidden) await isDenied(internal.query(sql), sql)
  assert.equal((await internal.query('select auth_id, public_id, name, scopes from credential')).rowCount, 1)
})

test('nobody but the owner writes lines or heads past append_audit(), administrators neither (42501)', async () => {
  for (const role of ['ascribe_internal', 'ascribe_api', 'ascribe_admin', 'ascribe_settler', 'ascribe_gateway'] as const) {
    const limited = as(role)
    for (const table of ['audit_line', 'audit_head']) {
      for (const sql of [...writes(table), `update ${table} set sequence = 1`, `update ${table} set hash = hash`])
        await isDenied(limited.query(sql), `${role}: ${sql}`)
    }
    for (const sql of writes('audit_personal')) await isDenied(limited.query(sql), `${role}: ${sql}`)
    if (role !== 'ascribe_admin') await isDenied(limited.query("update audit_personal set fields = '{}'"), role)
  }
  await isDenied(openTrail(as('ascribe_gateway')).append([viewed()]), 'ascribe_gateway')
  // The settler writes what controllers did into the logs of the owners; it reads none of them.
  await openTrail(as('ascribe_settler')).append([viewed()])
})

test('ascribe_admin keeps platform keys and answers, takes out personal fields, and exports the trail', async () => {
  const admin = as('ascribe_admin')
  const made = await createPlatformCredential(admin, SECRET, { name: 'terraform', by: 'cli', now: TEN })
  const proven = await provePlatformKey(admin, SECRET, { key: made.key, now: TEN })
  assert.equal(proven.kind, 'proven')
  const begun = await createIdempotency({ db: admin, serverSecret: SECRET, clock: () => TEN }).begin({
    credentialId: made.id,
    key: 'k',
    requestHash: 'ab'.repeat(32),
  })
  assert.ok(begun.kind === 'fresh')
  await begun.finish({ status: 201, body: '{}' })
  assert.equal(await revokePlatformCredential(admin, { id: made.id, by: 'cli' }), 'revoked')
  await using trail = openTrail(admin)
  await trail.append([viewed({ chain: acme })])
  const by = { ...actor, kind: 'system' as const, id: 'cli' }
  assert.ok((await eraseAudit(admin, { actorId: ada.name }, { trail, by, at: TEN })).fields > 0)
  assert.ok((await Array.fromAsync(exportAudit(admin, { signer, now: TEN }))).length > 3)
  for (const sql of ['delete from acting_session', "update acting_session set expires_at = 'infinity'", 'delete from support_decision'])
    await assert.rejects(admin.query(sql), /SQLSTATE (42501|23001)/, sql)
})

test("ascribe_api makes the customers' own changes: keys, budgets, support access; and no other", async () => {
  const api = as('ascribe_api')
  const created = await createCredential(api, {
    organizationId: acme,
    publicId: 'p2',
    hmac: 'h',
    scopes: ['inference'],
    expiresAt: Date.now() + 86_400_000,
  })
  assert.ok(created.kind === 'created')
  assert.equal((await rotateCredential(api, { authId: created.authId, publicId: 'p3', hmac: 'h', overlapMs: 1000 })).kind, 'rotated')
  assert.equal(await revokeCredential(api, created.authId), 'revoked')
  const rule = { scope: 'organization', subject: acme, unit: 'tokens', period: 'day', limit: 10n, by: 'owner' } as const
  const budget = await setBudget(api, rule, Date.now())
  assert.ok(budget.kind === 'created')
  assert.equal((await setBudget(api, { ...rule, limit: 20n }, Date.now())).kind, 'changed')
  assert.equal(await endBudget(api, { budgetId: budget.budgetId, by: 'owner' }, Date.now()), 'ended')
  assert.equal(await setSupportAccess(api, { organizationId: acme, requireApproval: true, by: 'owner', audit }), 'changed')
  const asked = await startActing(db, { operator: ada, organizationId: acme, reason: 'r', ticket: 't', minutes: 1, audit })
  assert.ok(asked.kind === 'approval_required')
  const decision = { organizationId: acme, requestId: asked.supportRequestId, by: 'owner', audit }
  assert.equal((await decideSupportRequest(api, { ...decision, decision: 'approve' })).kind, 'decided')
  assert.equal((await decideSupportRequest(api, { ...decision, decision: 'revoke' })).kind, 'decided')
  assert.equal(await openSupportWindow(api, { organizationId: acme, until: Date.now() + 1000, by: 'owner', audit }), 'changed')
  await using trail = openTrail(api)
  await trail.append([viewed({ chain: acme, kind: 'write' })])
  const denied = [
    "insert into acting_session (organization_id, operator, issuer, mode, reason, ticket, started_at, expires_at) select organization_id, 'a', 'b', 'required', 'c', 'd', now(), now() + interval '1 minute' from organization",
    'update credential set hmac = hmac',
    "update credential set scopes = '{}'",
    'update budget set subject = subject',
    'delete from support_policy',
    'select from platform_credential',
    'insert into organization_member select from organization_member',
    'update organization set name = name',
    'delete from credential_secret',
    'update auth_mapping set user_id = null',
  ]
  for (const sql of denied) await isDenied(api.query(sql), sql)
})

test('isRoleMember() says whether a login may go on as a role', async () => {
  assert.equal(await isRoleMember(db, 'ascribe_internal'), true)
  assert.equal(await isRoleMember(as('ascribe_gateway'), 'ascribe_internal'), false)
})

test('a caller of a function that runs as the owner cannot put a table of its own in the way', async () => {
  const internal = as('ascribe_internal')
  await internal.withConnection(async (session) => {
    await session.query(`
      create temp table audit_head (chain text, sequence bigint, hash bytea, key_ids text[]);
      create function pg_temp.run_as_owner() returns trigger language plpgsql as $$
        begin execute 'delete from support_policy'; execute 'create table stolen (n integer)'; return new; end $$;
      create trigger run before insert or update on audit_head for each row execute function pg_temp.run_as_owner()`)
    const body = '{"v":1}'
    const { rowCount } = await session.query("select * from append_audit('installation', $1::text, '{}', 'k', $1::text)", [body])
    assert.equal(rowCount, 1)
    assert.equal((await session.query('select from pg_temp.audit_head')).rowCount, 0)
  })
  const { rows } = await db.query<{ config: readonly string[] | null }>(
    "select proconfig as config from pg_proc where pronamespace = 'public'::regnamespace and prosecdef",
  )
  assert.ok(rows.length >= 3)
  for (const { config } of rows) assert.match(config?.join() ?? '', /search_path=public, pg_temp/)
  assert.equal((await db.query("select from pg_class where relname = 'stolen'")).rowCount, 0)
})
