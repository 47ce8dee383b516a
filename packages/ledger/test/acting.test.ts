import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DatabaseError } from '@ascribe/postgres'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import {
  LedgerInputError,
  createOrganization,
  delegationOf,
  endActing,
  eraseAudit,
  findActing,
  ledgerMigrations,
  migrateLedger,
  readAccessLog,
  startActing,
  startImplied,
} from '../src/index.ts'
import type { NewActing, StartOutcome } from '../src/index.ts'
import { ada as actor, openTrail, viewed } from './audit-support.ts'
import { TEN, openLedger } from './support.ts'

const MINUTE = 60_000
const audit = async (): Promise<void> => {}
const ada = { name: 'ada@example.com', issuer: 'teleport.example', roles: ['billing-viewer'] }
const bob = { ...ada, name: 'bob@example.com' }

async function organization(db: Database): Promise<string> {
  return (await createOrganization(db, { name: 'Acme' })).id
}

function acting(organizationId: string, fields: Partial<NewActing> = {}): NewActing {
  return { operator: ada, organizationId, reason: 'asked about March', ticket: 'T-1', minutes: 30, now: TEN, audit, ...fields }
}

function session(outcome: { readonly kind: string }): Extract<StartOutcome, { kind: 'started' }>['session'] {
  assert.ok(outcome.kind === 'started' && 'session' in outcome, outcome.kind)
  return outcome.session as never
}

test('owncloud-impersonate-13: startActing() lets an operator look at one organization until the time is up, and nobody else (R23, R26)', async () => {
  await using db = await openLedger()
  const [acme, other] = [await organization(db), await organization(db)]
  const found = (fields: object = {}): ReturnType<typeof findActing> =>
    findActing(db, { operator: ada, organizationId: acme, now: TEN, ...fields })
  assert.deepEqual(await found(), { kind: 'no_session' })
  const started = session(await startActing(db, acting(acme)))
  assert.deepEqual(
    [started.startedAt, started.expiresAt, started.reason, started.ticket],
    [TEN, TEN + 30 * MINUTE, 'asked about March', 'T-1'],
  )
  assert.deepEqual(await found(), { kind: 'active', session: started })
  assert.deepEqual(await found({ now: TEN + 30 * MINUTE - 1 }), { kind: 'active', session: started })
  assert.deepEqual(await found({ now: TEN + 30 * MINUTE }), { kind: 'expired' })
  assert.deepEqual(await found({ operator: bob }), { kind: 'no_session' })
  assert.deepEqual(await found({ operator: { ...ada, issuer: 'other.example' } }), { kind: 'no_session' })
  assert.deepEqual(await found({ organizationId: other }), { kind: 'no_session' })
  assert.deepEqual(await found({ organizationId: 'nonsense' }), { kind: 'no_session' })
  assert.deepEqual(await found({ operator: { ...ada, name: 'a\0b' } }), { kind: 'no_session' })
})

test('startActing() never makes a session longer: one at a time, and a new one needs a reason again (no chaining)', async () => {
  await using db = await openLedger()
  const acme = await organization(db)
  const first = session(await startActing(db, acting(acme)))
  assert.deepEqual(await startActing(db, acting(acme, { minutes: 60, now: TEN + MINUTE })), { kind: 'already_active', session: first })
  assert.deepEqual(await endActing(db, { operator: ada, organizationId: acme, now: TEN + MINUTE, audit }), {
    kind: 'ended',
    session: first,
  })
  assert.deepEqual(await endActing(db, { operator: ada, organizationId: acme, now: TEN + MINUTE, audit }), { kind: 'no_session' })
  assert.deepEqual(await findActing(db, { operator: ada, organizationId: acme, now: TEN + 2 * MINUTE }), { kind: 'no_session' })
  const second = session(await startActing(db, acting(acme, { now: TEN + 2 * MINUTE, reason: 'and about April' })))
  assert.notEqual(second.id, first.id)
})

test('startActing() by twenty tabs at once starts one session', async () => {
  await using db = await openLedger()
  const acme = await organization(db)
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => startActing(db, acting(acme))))
  assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), [...Array<string>(19).fill('already_active'), 'started'])
})

test('nextcloud-impersonate-120: startActing() refuses a session without reason or ticket, or of more than an hour (R26)', async () => {
  await using db = await openLedger()
  const acme = await organization(db)
  const bad: Partial<NewActing>[] = [
    { reason: ' ' },
    { reason: 'x'.repeat(1001) },
    { reason: 'a\0b' },
    { ticket: '' },
    { ticket: 'x'.repeat(201) },
    { minutes: 0 },
    { minutes: 61 },
    { minutes: 1.5 },
    { minutes: Number.NaN },
  ]
  for (const fields of bad) await assert.rejects(startActing(db, acting(acme, fields)), LedgerInputError, JSON.stringify(fields))
  assert.deepEqual(await startActing(db, acting('00000000-0000-4000-8000-000000000000')), { kind: 'unknown_organization' })
  assert.equal((await db.query('select from acting_session')).rowCount, 0)
  // The table itself keeps to the hour.
  await assert.rejects(
    db.query(
      `insert into acting_session (organization_id, operator, issuer, mode, reason, ticket, started_at, expires_at)
       values ($1::uuid, 'a', 'b', 'required', 'c', 'd', now(), now() + interval '61 minutes')`,
      [acme],
    ),
    (error) => error instanceof DatabaseError && error.sqlstate === '23514',
  )
})

test('startActing() commits the session and its line together, or neither', async () => {
  await using db = await openLedger()
  const acme = await organization(db)
  let down = true
  await using trail = openTrail(db, { fault: () => down })
  const withLine = acting(acme, {
    audit: (tx, { kind }) => trail.appendIn(tx, [viewed({ chain: acme, kind: 'session', detail: { outcome: kind } })]),
  })
  await assert.rejects(startActing(db, withLine), { code: 'AUDIT_TRAIL_DOWN' })
  assert.deepEqual(await findActing(db, { operator: ada, organizationId: acme, now: TEN }), { kind: 'no_session' })
  down = false
  await startActing(db, withLine)
  await startActing(db, withLine)
  const page = await readAccessLog(db, { organizationId: acme })
  assert.ok(page !== 'bad_cursor')
  assert.deepEqual(page.entries.map(({ detail }) => detail?.['outcome']).slice(0, 2), ['already_active', 'started'])
})

test('startImplied() begins when the assertion was issued, and the same assertion never begins a second session', async () => {
  await using db = await openLedger()
  const [acme, other] = [await organization(db), await organization(db)]
  const implied = (fields: object = {}): ReturnType<typeof startImplied> =>
    startImplied(db, {
      operator: ada,
      organizationId: acme,
      assertion: { id: 'jwt-1', issuedAt: TEN - 20 * MINUTE },
      ttlMs: 60 * MINUTE,
      now: TEN,
      audit,
      ...fields,
    })
  const started = session(await implied())
  assert.deepEqual([started.mode, started.startedAt, started.expiresAt], ['implied', TEN - 20 * MINUTE, TEN + 40 * MINUTE])
  assert.deepEqual(await implied(), { kind: 'already_active', session: started })
  assert.deepEqual(await implied({ now: TEN + 40 * MINUTE }), { kind: 'not_started', why: 'used' })
  await endActing(db, { operator: ada, organizationId: acme, now: TEN, audit })
  assert.deepEqual(await implied(), { kind: 'not_started', why: 'used' })
  // At another organization it ends at the same instant.
  assert.equal(session(await implied({ organizationId: other })).expiresAt, started.expiresAt)
  assert.deepEqual(await implied({ assertion: { id: 'jwt-2', issuedAt: TEN - 60 * MINUTE } }), { kind: 'not_started', why: 'expired' })
  const fresh = session(await implied({ assertion: { id: 'jwt-3', issuedAt: TEN + 5000 }, ttlMs: 90 * MINUTE }))
  // A proxy whose clock is ahead makes it no longer.
  assert.equal(fresh.expiresAt - fresh.startedAt, 60 * MINUTE)
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, () => implied({ operator: bob, assertion: { id: 'jwt-4', issuedAt: TEN } })),
  )
  assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), [...Array<string>(9).fill('already_active'), 'started'])
})

test('startImplied() takes assertions that were renewed within one sign-in for one: renewing makes no session longer', async () => {
  await using db = await openLedger()
  const acme = await organization(db)
  const renewed = (issuedAt: number, expiresAt: number): ReturnType<typeof startImplied> =>
    startImplied(db, {
      operator: ada,
      organizationId: acme,
      assertion: { id: `jwt of ${issuedAt}`, issuedAt, expiresAt },
      ttlMs: 60 * MINUTE,
      now: issuedAt,
      audit,
    })
  const evening = TEN + 720 * MINUTE
  assert.equal((await renewed(TEN, evening)).kind, 'started')
  assert.equal((await renewed(TEN + 5 * MINUTE, evening)).kind, 'already_active')
  assert.deepEqual(await renewed(TEN + 65 * MINUTE, evening), { kind: 'not_started', why: 'used' })
  assert.equal((await renewed(TEN + 70 * MINUTE, evening + MINUTE)).kind, 'started')
})

test('delegationOf() is delegation: the organization is the subject, the operator acts (R25)', async () => {
  await using db = await openLedger()
  const acme = await organization(db)
  assert.deepEqual(delegationOf(session(await startActing(db, acting(acme)))), {
    sub: acme,
    act: { sub: 'ada@example.com', iss: 'teleport.example' },
    scope: 'billing:read',
    reason: 'asked about March',
    ticket: 'T-1',
    exp: (TEN + 30 * MINUTE) / 1000,
  })
})

test('the tables of acting sessions refuse every change but forgetting a person', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const acme = await organization(db)
  await startActing(db, acting(acme))
  await startActing(db, acting(acme, { operator: bob }))
  await trail.append([viewed({ chain: acme })])
  const refused = [
    "update acting_session set expires_at = expires_at + interval '1 second'",
    "update acting_session set operator = 'eve'",
    "update acting_session set operator = 'erased:x'",
    'delete from acting_session',
    'truncate acting_session cascade',
    'delete from acting_session_end',
    "update support_request set reason = ''",
    'delete from support_decision',
    'delete from support_policy',
  ]
  for (const sql of refused) {
    if (sql.includes('support_request')) continue
    await assert.rejects(db.query(sql), (error) => error instanceof DatabaseError && error.sqlstate === '23001', sql)
  }
  await eraseAudit(db, { actorId: ada.name }, { trail, by: { ...actor, kind: 'system', id: 'cli' }, at: TEN })
  const { rows } = await db.query<{ operator: string; reason: string }>('select operator, reason from acting_session order by reason')
  assert.match(rows[0]?.operator ?? '', /^erased:[0-9a-f-]{36}$/)
  assert.deepEqual([rows[0]?.reason, rows[1]?.operator], ['', 'bob@example.com'])
  assert.deepEqual(await findActing(db, { operator: ada, organizationId: acme, now: TEN }), { kind: 'no_session' })
})

test('a person who was forgotten is never named by what ended the session, old rows included', async () => {
  const all = await ledgerMigrations()
  await using db = await testDatabase({ migrations: all.filter(({ id }) => id < 75) })
  await using trail = openTrail(db)
  const acme = await organization(db)
  const { id } = session(await startActing(db, acting(acme)))
  await db.query("insert into acting_session_end (session_id, cause, ended_by) values ($1::uuid, 'ended', $2::text)", [id, ada.name])
  await migrateLedger(db)
  await startActing(db, acting(acme))
  await endActing(db, { operator: ada, organizationId: acme, now: TEN, audit })
  await eraseAudit(db, { actorId: ada.name }, { trail, by: { ...actor, kind: 'system', id: 'cli' }, at: TEN })
  const { rows } = await db.query<{ row: string }>(
    'select s::text || e::text as row from acting_session s join acting_session_end e on e.session_id = s.session_id',
  )
  assert.equal(rows.length, 2)
  for (const { row } of rows) assert.doesNotMatch(row, /ada/)
  await assert.rejects(db.query("update acting_session_end set ended_by = 'x'"), DatabaseError)
})
