import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import { openWired } from '@ascribe/postgres/testing'
import {
  TrailDownError,
  alsoAbout,
  parseAuditSigner,
  readAccessLog,
  readInstallationLog,
  streamEnd,
  verifyAudit,
  writeEnd,
} from '../src/index.ts'
import type { AuditEntry, SignedHead } from '../src/index.ts'
import {
  KEY_PEM,
  ORG,
  OTHER,
  ada,
  exported,
  kindsOf,
  listeningLogger,
  newKeyPem,
  openTrail,
  publicKeys,
  signer,
  verified,
  viewed,
} from './audit-support.ts'
import { TEN, openLedger } from './support.ts'

test('append() chains lines of each organization apart, in order, and a check of the export finds nothing (R18)', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const [first] = await trail.append([viewed()])
  // The first line of a chain names the key that its heads are signed with.
  assert.equal(first?.sequence, 2)
  const more = await trail.append([viewed({ chain: OTHER }), viewed(), viewed({ chain: 'installation', kind: 'admin' })])
  assert.deepEqual(
    more.map(({ chain, sequence }) => [chain, sequence]),
    [
      [OTHER, 2],
      [ORG, 3],
      ['installation', 2],
    ],
  )
  const report = await verified(db)
  assert.deepEqual(report.problems, [])
  assert.deepEqual(
    report.chains.map(({ chain, lines, coveredUntil }) => [chain, lines, coveredUntil]),
    [
      [ORG, 3, 3],
      [OTHER, 2, 2],
      ['installation', 2, 2],
    ],
  )
})

test('osprey-838, nextcloud-impersonate-131: readAccessLog() says who acted, when, why, through which door, and what was opened (R28)', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  await trail.append([viewed({ requestId: 'a' }), viewed({ requestId: 'b', chain: OTHER }), viewed({ requestId: 'c' })])
  const page = await readAccessLog(db, { organizationId: ORG })
  assert.ok(page !== 'bad_cursor')
  const [newest] = page.entries
  assert.deepEqual(
    page.entries.map(({ requestId, kind }) => requestId ?? kind),
    ['c', 'a', 'key'],
  )
  assert.deepEqual(
    { ...newest, hash: '' },
    {
      sequence: 3,
      at: '2026-03-01T10:00:00Z',
      kind: 'read',
      actor: {
        kind: 'operator',
        id: 'ada@example.com',
        issuer: 'teleport.example',
        name: 'Ada',
        roles: ['billing-viewer'],
        via: 'teleport',
      },
      act: {
        sessionId: '33333333-3333-4333-8333-333333333333',
        reason: 'asked about March',
        ticket: 'T-1',
        expiresAt: '2026-03-01T10:01:00Z',
      },
      method: 'GET',
      path: '/api/costs/daily',
      query: 'startDate=2026-03-01&endDate=2026-03-31',
      status: 200,
      requestId: 'c',
      hash: '',
      erased: [],
    },
  )
})

test('nopcommerce-1224: what an operator did on behalf of a customer is told from what the customer did', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const own = { kind: 'user', id: 'user-1', name: 'Carol', roles: ['admin'], via: 'cookie' } as const
  await trail.append([viewed(), { chain: ORG, kind: 'write', at: TEN, actor: own, method: 'POST', path: '/v1/keys', requestId: 'w' }])
  const page = await readAccessLog(db, { organizationId: ORG, limit: 2 })
  assert.ok(page !== 'bad_cursor')
  assert.deepEqual(
    page.entries.map(({ actor, act }) => [actor.kind, actor.name, actor.via, act?.ticket]),
    [
      ['user', 'Carol', 'cookie', undefined],
      ['operator', 'Ada', 'teleport', 'T-1'],
    ],
  )
})

test('readAccessLog() pages through everything once, and takes no cursor of another organization (never-list 6)', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  await trail.append(Array.from({ length: 7 }, (_, n) => viewed({ requestId: `r${n}` })))
  await trail.append([viewed({ chain: OTHER }), viewed({ chain: OTHER })])
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await readAccessLog(db, { organizationId: ORG, limit: 3, ...(cursor !== undefined && { cursor }) })
    assert.ok(page !== 'bad_cursor')
    seen.push(...page.entries.map(({ requestId = 'key' }) => requestId))
    cursor = page.nextCursor
    if (cursor !== undefined) assert.equal(await readAccessLog(db, { organizationId: OTHER, cursor }), 'bad_cursor')
  } while (cursor !== undefined)
  assert.deepEqual(seen, ['r6', 'r5', 'r4', 'r3', 'r2', 'r1', 'r0', 'key'])
  for (const bad of ['', 'x', 'AAAA', '💥', 'a'.repeat(10_000)])
    assert.equal(await readAccessLog(db, { organizationId: ORG, cursor: bad }), 'bad_cursor')
  assert.deepEqual(await readAccessLog(db, { organizationId: 'installation' }), { entries: [] })
  assert.deepEqual(await readInstallationLog(db), { entries: [] })
})

test('append() serves any number of callers at once with few commits, and tells each its own place', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const receipts = await Promise.all(Array.from({ length: 300 }, (_, n) => trail.append([viewed({ requestId: `r${n}` })])))
  assert.deepEqual(
    receipts.map(([receipt]) => receipt?.sequence),
    Array.from({ length: 300 }, (_, n) => n + 2),
  )
  assert.ok((await commits(db)) < 30)
  assert.deepEqual((await verified(db)).problems, [])
})

test('two processes append to one chain at once: no line is lost, none is twice, and the chain holds', async () => {
  await using db = await openLedger()
  await using left = openTrail(db)
  const second = openDatabase({ ...db.target, max: 2 })
  await using right = openTrail(second)
  const writes = Array.from({ length: 60 }, (_, n) =>
    Promise.all([
      left.append([viewed({ requestId: `l${n}` }), viewed({ chain: OTHER })]),
      right.append([viewed({ chain: OTHER }), viewed({ requestId: `r${n}` })]),
    ]),
  )
  await Promise.all(writes)
  await second.close()
  const report = await verified(db)
  assert.deepEqual(report.problems, [])
  assert.deepEqual(
    report.chains.map(({ lines }) => lines),
    [121, 121],
  )
})

test('append() throws TrailDownError while the database is away, and goes on when it is back (no data without a line)', async () => {
  await using db = await openLedger()
  await using wired = await openWired(db.target)
  await using trail = openTrail(wired.db)
  await trail.append([viewed()])
  await wired.cut()
  await assert.rejects(
    trail.append([viewed()]),
    (error) => error instanceof TrailDownError && error.retryable && error.code === 'AUDIT_TRAIL_DOWN',
  )
  await wired.mend()
  const [receipt] = await trail.append([viewed()])
  assert.equal(receipt?.sequence, 3)
  assert.deepEqual((await verified(db)).problems, [])
})

test('append() gives up on a database that does not answer, and whoever waited behind it left no line', async () => {
  await using db = await openLedger()
  await using patient = openTrail(db)
  await patient.append([viewed()])
  const trail = openTrail(db, { timeoutMs: 50 })
  const held = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<void>()
  const holding = db.transaction(async (tx) => {
    await tx.query('select from audit_head for update')
    taken.resolve()
    await held.promise
  })
  await taken.promise
  const first = trail.append([viewed({ requestId: 'on its way' })])
  await assert.rejects(first, TrailDownError)
  await assert.rejects(trail.append([viewed({ requestId: 'behind it' })]), TrailDownError)
  held.resolve()
  await holding
  // When it has written everything that it would.
  await trail[Symbol.asyncDispose]()
  const page = await readAccessLog(db, { organizationId: ORG })
  assert.ok(page !== 'bad_cursor')
  assert.deepEqual(
    page.entries.map(({ requestId }) => requestId).filter((id) => id === 'behind it'),
    [],
  )
})

test('append() with a fault asked for writes nothing and throws TrailDownError', async () => {
  await using db = await openLedger()
  let down = true
  await using trail = openTrail(db, { fault: () => down })
  await assert.rejects(trail.append([viewed()]), TrailDownError)
  await assert.rejects(
    db.transaction((tx) => trail.appendIn(tx, [viewed()])),
    TrailDownError,
  )
  assert.equal((await db.query('select from audit_line')).rowCount, 0)
  down = false
  await trail.append([viewed()])
})

test('append() fails alone for a line that cannot be one, and takes those beside it', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const bad = trail.append([viewed({ detail: { amount: 0.1 } })])
  const good = trail.append([viewed({ path: '/a\nb\u0000c\ud800', query: '\u0000\n\ud800', actor: { ...ada, id: 'x\ny\u2028' } })])
  await assert.rejects(bad, RangeError)
  await good
  assert.deepEqual((await verified(db)).problems, [])
})

test('appendIn() commits its line with the change, or neither', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  await assert.rejects(
    db.transaction(async (tx) => {
      await trail.appendIn(tx, [viewed()])
      throw new Error('the change failed')
    }),
    /the change failed/,
  )
  assert.equal((await db.query('select from audit_line')).rowCount, 0)
  await db.transaction((tx) => trail.appendIn(tx, [viewed()]))
  assert.equal((await db.query('select from audit_line')).rowCount, 2)
})

test('alsoAbout() leaves a line in the log of each child, and streamEnd() a second one in each under the same request id', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const begun = alsoAbout(viewed({ requestId: 'r' }), [OTHER, ORG, OTHER])
  await trail.append(begun)
  await trail.append(streamEnd(begun, { at: TEN + 5, outcome: 'aborted', rows: 12, bytes: 345, sha256: 'ab'.repeat(32) }))
  const page = await readAccessLog(db, { organizationId: OTHER })
  assert.ok(page !== 'bad_cursor')
  const [end, begin, key] = page.entries
  assert.deepEqual(
    [key?.kind, page.entries.length, begin?.aboutOrganizationId, begin?.requestId, end?.requestId],
    ['key', 3, ORG, 'r', 'r'],
  )
  assert.deepEqual([end?.kind, end?.detail], ['stream_end', { outcome: 'aborted', rows: 12, bytes: 345, sha256: 'ab'.repeat(32) }])
  assert.equal(end?.actor.id, 'ada@example.com')
  const [written] = writeEnd([viewed({ kind: 'write' })], { at: TEN, status: 201, detail: { id: 'x' } })
  assert.deepEqual([written?.kind, written?.status, written?.detail], ['write_end', 201, { id: 'x' }])
})

test('a line holds nothing personal in what is hashed, only commitments with salts of their own', async () => {
  await using db = await openLedger()
  await using trail = openTrail(db)
  const entry: AuditEntry = viewed({
    path: '/v1/users/bob%40example.com',
    personal: { recipient: 'carol@example.com' },
    actor: { ...ada, email: 'ada@example.com' },
  })
  await trail.append([entry, entry])
  const { rows } = await db.query<{ body: string }>('select body from audit_line where body like \'%"read"%\' order by sequence')
  for (const { body } of rows)
    for (const secret of ['ada@', 'Ada', '10.0.0.7', 'asked about', 'T-1', 'startDate', 'bob', 'carol'])
      assert.ok(!body.includes(secret), secret)
  assert.equal(rows.length, 2)
  assert.notEqual(rows[0]?.body, rows[1]?.body)
  const page = await readAccessLog(db, { organizationId: ORG, limit: 1 })
  assert.ok(page !== 'bad_cursor')
  assert.deepEqual([page.entries[0]?.path, page.entries[0]?.personal], ['/v1/users/bob%40example.com', { recipient: 'carol@example.com' }])
})

test('createTrail() writes signed heads of chains that grew to the log, which a later export is checked against', async () => {
  await using db = await openLedger()
  const logger = listeningLogger()
  const trail = openTrail(db, { logger, headEveryMs: 3_600_000 })
  await trail.append([viewed(), viewed({ chain: OTHER })])
  await trail[Symbol.asyncDispose]()
  const heads = logger.lines.filter(({ message }) => message === 'audit head').map(({ fields }) => fields as SignedHead)
  assert.deepEqual(
    heads.map(({ chain, sequence, keyId }) => [chain, sequence, keyId]),
    [
      [ORG, 2, signer.keyId],
      [OTHER, 2, signer.keyId],
    ],
  )
  assert.deepEqual((await verified(db, heads)).problems, [])
  assert.deepEqual(await trail.signedHead(db, ORG), heads[0])
  assert.equal(await trail.signedHead(db, 'installation'), undefined)
})

test('a new key is named in the chain and vouched for by the one before it, so that who trusts the old one goes on', async () => {
  await using db = await openLedger()
  await using before = openTrail(db)
  await before.append([viewed()])
  const next = parseAuditSigner(`${newKeyPem()}\n${KEY_PEM}`, 'the test')
  await using after = openTrail(db, { signer: next })
  await after.append([viewed()])
  // A process that has the old key still adds lines, and names nothing twice.
  await before.append([viewed()])
  const page = await readAccessLog(db, { organizationId: ORG })
  assert.ok(page !== 'bad_cursor')
  assert.deepEqual(
    page.entries.map(({ kind }) => kind),
    ['read', 'read', 'key', 'read', 'key'],
  )
  const file = await exported(db, undefined, next)
  assert.deepEqual((await verifyAudit(file, { keys: publicKeys })).problems, [])
  const alone = parseAuditSigner(newKeyPem(), 'the test')
  await using stranger = openTrail(db, { signer: alone })
  await stranger.append([viewed()])
  assert.deepEqual(kindsOf(await verifyAudit(await exported(db, undefined, alone), { keys: publicKeys })), ['head_of_unknown_key'])
})

/** Transactions that wrote lines. */
async function commits(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ n: number }>('select count(distinct xmin::text)::integer as n from audit_line')
  return rows[0]?.n ?? 0
}
