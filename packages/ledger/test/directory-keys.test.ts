import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import {
  advancePolicy,
  applyPriceBook,
  bumpPolicy,
  createCredential,
  createOrganization,
  endOrganization,
  findCredentialByPublicId,
  findOrganization,
  ledgerMigrations,
  listCredentials,
  mapAuthId,
  migrateLedger,
  readHistory,
  readPolicySnapshot,
  readPolicyVersion,
  readStatement,
  revokeCredential,
  revokeSecret,
  rotateCredential,
  syncDirectory,
} from '../src/index.ts'
import type { NewCredential, Rotation } from '../src/index.ts'
import { MONTH, TEN, deliver, openLedger, priceBook, rateAll, until, usageRecord } from './support.ts'

const HOUR = 3_600_000

async function setUp(db: Database, fields: Partial<NewCredential> = {}): Promise<{ organizationId: string; authId: string }> {
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  const created = await createCredential(db, { organizationId, publicId: 'p1', hmac: 'h1', scopes: ['inference'], ...fields })
  assert(created.kind === 'created')
  return { organizationId, authId: created.authId }
}

const rotation = (authId: string, publicId: string, fields: Partial<Rotation> = {}): Rotation => ({
  authId,
  publicId,
  hmac: `hmac of ${publicId}`,
  overlapMs: HOUR,
  ...fields,
})

async function published(db: Database): Promise<Record<string, number | undefined>> {
  const { keys } = await readPolicySnapshot(db)
  return Object.fromEntries(keys.map(({ publicId, expiresAt }) => [publicId, expiresAt]))
}

test('rotateCredential() leaves old and new valid together until the stated time, for one auth id', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db)
  const before = Date.now()
  const outcome = await rotateCredential(db, rotation(authId, 'p2'))
  assert(outcome.kind === 'rotated' && outcome.oldEndsAt !== undefined)
  assert.ok(outcome.oldEndsAt >= before + HOUR - 1000 && outcome.oldEndsAt <= Date.now() + HOUR + 1000)
  assert.deepEqual(await published(db), { p1: outcome.oldEndsAt, p2: undefined })
  const { keys } = await readPolicySnapshot(db)
  assert.deepEqual(new Set(keys.map((key) => key.authId)), new Set([authId]))
  const [credential] = await listCredentials(db)
  assert.deepEqual(
    credential?.secrets.map(({ publicId, endCause }) => [publicId, endCause]),
    [
      ['p2', undefined],
      ['p1', 'rotation'],
    ],
  )
  assert.equal(credential?.state, 'active')
  assert.equal((await findCredentialByPublicId(db, 'p1'))?.state, 'active')
})

test('rotateCredential() without an overlap ends the old secret at once', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db)
  assert.equal((await rotateCredential(db, rotation(authId, 'p2', { overlapMs: 0 }))).kind, 'rotated')
  assert.deepEqual(Object.keys(await published(db)), ['p2'])
  assert.deepEqual(
    [(await findCredentialByPublicId(db, 'p1'))?.state, (await findCredentialByPublicId(db, 'p2'))?.state],
    ['expired', 'active'],
  )
})

test('rotateCredential() twice at once: both new secrets work, one has no end, and no old one lives longer than said', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db)
  const outcomes = await Promise.all(['p2', 'p3', 'p4', 'p5'].map((publicId) => rotateCredential(db, rotation(authId, publicId))))
  assert.ok(outcomes.every(({ kind }) => kind === 'rotated'))
  const ends = await published(db)
  assert.deepEqual(Object.keys(ends).toSorted(), ['p1', 'p2', 'p3', 'p4', 'p5'])
  assert.equal(Object.values(ends).filter((end) => end === undefined).length, 1)
  assert.ok(Object.values(ends).every((end) => end === undefined || end <= Date.now() + HOUR + 1000))
})

test('rotateCredential() never lets an end be put off: the earliest word counts', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db)
  const soon = await rotateCredential(db, rotation(authId, 'p2', { overlapMs: 1000 }))
  assert(soon.kind === 'rotated')
  await rotateCredential(db, rotation(authId, 'p3', { overlapMs: 24 * HOUR }))
  assert.equal((await published(db))['p1'], soon.oldEndsAt)
})

test('rotateCredential() gives the new secret the lifetime that the old one was meant to have, unless told', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db, { expiresAt: Date.now() + 90 * HOUR })
  const inherited = await rotateCredential(db, rotation(authId, 'p2', { overlapMs: 10 }))
  assert(inherited.kind === 'rotated' && inherited.expiresAt !== undefined)
  assert.ok(Math.abs(inherited.expiresAt - (Date.now() + 90 * HOUR)) < 10_000)
  const endless = await rotateCredential(db, rotation(authId, 'p3', { expiresAt: 'never' }))
  assert(endless.kind === 'rotated')
  assert.equal(endless.expiresAt, undefined)
})

test('rotateCredential() brings back an expired credential, and never a revoked one', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db, { expiresAt: Date.now() - 1 })
  assert.equal((await listCredentials(db))[0]?.state, 'expired')
  assert.deepEqual(await published(db), {})
  assert.equal((await rotateCredential(db, rotation(authId, 'p2', { expiresAt: 'never' }))).kind, 'rotated')
  assert.deepEqual(Object.keys(await published(db)), ['p2'])
  await db.query('update credential set revoked_at = now()')
  assert.equal((await rotateCredential(db, rotation(authId, 'p3'))).kind, 'revoked')
  assert.equal((await rotateCredential(db, rotation('nobody', 'p3'))).kind, 'unknown')
  assert.equal((await rotateCredential(db, rotation('a\0b', 'p3'))).kind, 'unknown')
})

test('revokeSecret() ends the one that leaked, and leaves the others', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db)
  await rotateCredential(db, rotation(authId, 'p2'))
  assert.equal(await revokeSecret(db, { authId, publicId: 'p1' }), 'revoked')
  assert.equal(await revokeSecret(db, { authId, publicId: 'p1' }), 'already_ended')
  assert.equal(await revokeSecret(db, { authId: 'other', publicId: 'p2' }), 'unknown')
  assert.deepEqual(Object.keys(await published(db)), ['p2'])
})

test('a public id is taken once, by first and by later secrets', async () => {
  await using db = await openLedger()
  const { organizationId, authId } = await setUp(db)
  await rotateCredential(db, rotation(authId, 'p2'))
  const input = { organizationId, hmac: 'h', scopes: [] }
  for (const publicId of ['p1', 'p2']) {
    assert.equal((await createCredential(db, { ...input, publicId })).kind, 'public_id_taken')
    assert.equal((await rotateCredential(db, rotation(authId, publicId))).kind, 'public_id_taken')
  }
})

test('what a program of the version before makes is a key: the schema gives it its secret', async () => {
  await using db = await openLedger()
  const { organizationId } = await setUp(db)
  await db.query("insert into credential (auth_id, public_id, hmac, scopes) values ('old', 'p9', 'h9', '{inference}')")
  await db.query("insert into auth_mapping (auth_id, valid_from, organization_id) values ('old', '-infinity', $1)", [organizationId])
  assert.equal((await findCredentialByPublicId(db, 'p9'))?.authId, 'old')
  assert.ok('p9' in (await published(db)))
})

test('listCredentials() tells the last use from rated records: nothing is written for it', async () => {
  await using db = await openLedger()
  await applyPriceBook(db, priceBook())
  const { authId } = await setUp(db)
  assert.equal((await listCredentials(db))[0]?.lastUsedAt, undefined)
  await deliver(db, [
    usageRecord({ authId, startedAt: TEN + 5000 }),
    usageRecord({ authId, startedAt: TEN + 2 * HOUR + 7 }),
    usageRecord({ authId, startedAt: TEN + HOUR }),
  ])
  await rateAll(db)
  assert.equal((await listCredentials(db))[0]?.lastUsedAt, TEN + 2 * HOUR + 7)
})

test('a key that nobody owns, or whose organization has ended, lets nobody in', async () => {
  await using db = await openLedger()
  const { organizationId, authId } = await setUp(db)
  const document = { organizations: [{ id: organizationId, name: 'Acme' }] }
  await syncDirectory(db, document, { source: 's' })
  await syncDirectory(db, { organizations: [] }, { source: 's', deleteMissing: true, force: true })
  assert.deepEqual(await published(db), {})
  await syncDirectory(db, document, { source: 's' })
  assert.deepEqual(Object.keys(await published(db)), ['p1'], 'back again')
  await syncDirectory(db, { mappings: [{ auth_id: authId, organization: null }] }, { source: 's' })
  assert.deepEqual(await published(db), {})
  assert.equal((await listCredentials(db))[0]?.organizationId, undefined)
  assert.equal((await findCredentialByPublicId(db, 'p1'))?.organizationId, undefined)
})

test('endOrganization() keeps its keys out until it is undone, and leaves its usage as it was', async () => {
  await using db = await openLedger()
  const { organizationId: id, authId } = await setUp(db)
  await deliver(db, [usageRecord({ authId })])
  await rateAll(db)
  assert.equal(await endOrganization(db, { id, recordedBy: 'ann' }), 'ended')
  assert.deepEqual(await published(db), {})
  assert.equal(await endOrganization(db, { id }), 'unchanged')
  assert.equal(((await findOrganization(db, id)) as { readonly ended?: true }).ended, true)
  const statement = await readStatement(db, { organizationId: id, month: MONTH, scope: 'customer' })
  assert.ok(statement !== undefined)
  assert.equal(await endOrganization(db, { id, undo: true }), 'there_again')
  assert.deepEqual(Object.keys(await published(db)), ['p1'])
  assert.deepEqual(await readStatement(db, { organizationId: id, month: MONTH, scope: 'customer' }), statement)
  assert.equal(await endOrganization(db, { id: '00000000-0000-4000-8000-000000000000' }), 'unknown')
  assert.deepEqual(
    (await readHistory(db, 'organization', id)).filter(({ kind }) => kind === 'organization').map(({ says }) => says['ended']),
    [false, true, false],
  )
})

test('advancePolicy() makes one version when what was planned has begun, however many settlers ask', async () => {
  await using db = await openLedger()
  const { authId } = await setUp(db)
  const later = await createOrganization(db, { name: 'Later' })
  const from = Date.now() + 700
  await mapAuthId(db, { authId, organizationId: later.id, from })
  const { version, isDue } = await readPolicyVersion(db)
  assert.equal(isDue, false)
  assert.equal(await advancePolicy(db), false)
  assert.notEqual((await readPolicySnapshot(db)).keys[0]?.organizationId, later.id)
  await until(db, 'select from policy_due where at <= clock_timestamp()')
  assert.notEqual((await readPolicySnapshot(db)).keys[0]?.organizationId, later.id, 'one version has one content, whenever it is read')
  const advanced = await Promise.all([advancePolicy(db), advancePolicy(db), advancePolicy(db)])
  assert.deepEqual(advanced.toSorted(), [false, false, true])
  const snapshot = await readPolicySnapshot(db)
  assert.deepEqual([snapshot.version, snapshot.keysVersion, snapshot.keys[0]?.organizationId], [version + 1, version + 1, later.id])
})

test('readPolicySnapshot() with an earlier one equals reading everything, after any run of changes', async () => {
  await using db = await openLedger()
  const { organizationId, authId } = await setUp(db)
  const beta = await createOrganization(db, { name: 'Beta' })
  const authIds = [authId]
  let [known, serial] = [await readPolicySnapshot(db), 1]
  const create = async (): Promise<void> => {
    serial += 1
    const made = await createCredential(db, { organizationId, publicId: `q${serial}`, hmac: 'h', scopes: ['inference'] })
    assert(made.kind === 'created')
    authIds.push(made.authId)
  }
  const any = (): string => authIds[(serial * 7) % authIds.length] ?? authId
  const acts: readonly (() => Promise<unknown>)[] = [
    create,
    () => rotateCredential(db, rotation(any(), `r${(serial += 1)}`, { overlapMs: serial % 2 === 0 ? 0 : HOUR })),
    () => mapAuthId(db, { authId: any(), organizationId: beta.id }),
    () => revokeCredential(db, any()),
    () => db.transaction((tx) => bumpPolicy(tx, { keys: 'none' })),
    () => syncDirectory(db, { organizations: [{ id: beta.id, name: `Beta ${serial}` }] }, {}),
    () => syncDirectory(db, { mappings: [{ auth_id: any(), organization: organizationId }] }, {}),
  ]
  for (let round = 0; round < 40; round += 1) {
    await create()
    await acts[(round * 5) % acts.length]?.()
    if (round % 3 === 0) await acts[(round * 3 + 1) % acts.length]?.()
    known = await readPolicySnapshot(db, { known })
    assert.deepEqual(known, await readPolicySnapshot(db))
  }
  assert.ok(known.keys.length > 10)
})

test('a database of the version before keeps its keys, mappings and names, and what was planned takes effect', async () => {
  const all = await ledgerMigrations()
  await using db = await testDatabase({ migrations: all.filter(({ id }) => id <= 3) })
  const { rows } = await db.query<{ organization_id: string }>("insert into organization (name) values ('Acme') returning organization_id")
  const organizationId = rows[0]?.organization_id ?? ''
  await db.query("insert into credential (auth_id, public_id, hmac, scopes) values ('key-1', 'p1', 'h1', '{inference}')")
  await db.query("insert into auth_mapping (auth_id, valid_from, organization_id) values ('key-1', '-infinity', $1)", [organizationId])
  await db.query("insert into auth_mapping (auth_id, valid_from, organization_id, user_id) values ('key-1', '2100-01-01', $1, 'ann')", [
    organizationId,
  ])
  await migrateLedger(db)
  assert.deepEqual((await readPolicySnapshot(db)).keys, [
    { authId: 'key-1', publicId: 'p1', hmac: 'h1', organizationId, scopes: ['inference'] },
  ])
  assert.equal((await rotateCredential(db, rotation('key-1', 'p2'))).kind, 'rotated')
  assert.deepEqual((await listCredentials(db))[0]?.secrets.length, 2)
  assert.deepEqual(
    (await readHistory(db, 'organization', organizationId)).map(({ says }) => says['name']),
    ['Acme'],
  )
  assert.equal((await db.query("select from policy_due where at = '2100-01-01'")).rowCount, 1)
})
