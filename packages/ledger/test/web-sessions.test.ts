import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { testDatabase } from '@ascribe/postgres/testing'
import { createOrganization, endOrganization, ledgerMigrations, syncDirectory } from '../src/index.ts'
import {
  chooseOrganization,
  claimRefresh,
  createWebSession,
  endWebSession,
  endWebSessionsOf,
  findWebSession,
  postponeRefresh,
  readUserOrganizations,
  storeRefreshed,
  touchWebSession,
} from '../src/sessions.ts'
import type { DirectoryDocument } from '../src/index.ts'

const db = await testDatabase({ migrations: await ledgerMigrations() })
after(() => db[Symbol.asyncDispose]())

const NOW = Date.parse('2026-11-22T12:00:00Z')
const HOUR_MS = 3_600_000
const at = (now: number): { now: number; idleMs: number } => ({ now, idleMs: HOUR_MS })
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

async function newSession(more: { issuer?: string; subject?: string; issuerSession?: string; refreshAt?: number } = {}): Promise<Buffer> {
  const hash = hashOf(randomBytes(8).toString('hex'))
  const session = { hash, issuer: 'https://id', subject: 'ann', sealed: Buffer.from('sealed'), endsAt: NOW + 8 * HOUR_MS, ...more }
  await createWebSession(db, session, at(NOW))
  return hash
}

test('findWebSession() gives a session until it has been idle, or until its end', async () => {
  const hash = await newSession({ refreshAt: NOW + 1000 })
  assert.deepEqual(await findWebSession(db, hash, at(NOW)), {
    issuer: 'https://id',
    subject: 'ann',
    sealed: Buffer.from('sealed'),
    version: 0,
    seenAt: NOW,
    endsAt: NOW + 8 * HOUR_MS,
    refreshAt: NOW + 1000,
  })
  assert.equal(await findWebSession(db, hash, at(NOW + HOUR_MS)), undefined)
  for (let hour = 1; hour < 9; hour += 1) await touchWebSession(db, hash, NOW + hour * HOUR_MS - 1)
  assert.equal((await findWebSession(db, hash, at(NOW + 8 * HOUR_MS - 1)))?.seenAt, NOW + 8 * HOUR_MS - 1)
  assert.equal(await findWebSession(db, hash, at(NOW + 8 * HOUR_MS)), undefined)
  assert.equal(await findWebSession(db, hashOf('another'), at(NOW)), undefined)
})

test('createWebSession() clears away what is over', async () => {
  await newSession()
  const later = NOW + 9 * HOUR_MS
  const hash = hashOf('later')
  await createWebSession(db, { hash, issuer: 'i', subject: 's', sealed: Buffer.alloc(1), endsAt: later + HOUR_MS }, at(later))
  const { rows } = await db.query<{ n: number }>('select count(*)::integer as n from web_session')
  assert.equal(rows[0]?.n, 1)
  await endWebSession(db, hash)
})

test('endWebSession() ends one session, and endWebSessionsOf() what its issuer names', async () => {
  const [one, other, elsewhere, stranger] = [
    await newSession({ issuerSession: 's1' }),
    await newSession({ issuerSession: 's2' }),
    await newSession({ issuer: 'https://other', issuerSession: 's1' }),
    await newSession({ subject: 'bob' }),
  ]
  const alive = async (): Promise<readonly boolean[]> =>
    Promise.all([one, other, elsewhere, stranger].map(async (hash) => (await findWebSession(db, hash, at(NOW))) !== undefined))
  assert.equal(await endWebSessionsOf(db, { issuer: 'https://id', subject: 'ann', issuerSession: 's1' }), 1)
  assert.deepEqual(await alive(), [false, true, true, true])
  assert.equal(await endWebSessionsOf(db, { issuer: 'https://id', subject: 'ann' }), 1)
  assert.deepEqual(await alive(), [false, false, true, true])
  assert.equal(await endWebSessionsOf(db, { issuer: 'https://id' }), 0)
  assert.equal(await endWebSession(db, stranger), true)
  assert.equal(await endWebSession(db, stranger), false)
  await endWebSession(db, elsewhere)
})

test('claimRefresh() lets one of many refresh a version, once', async () => {
  const hash = await newSession()
  const claim = { hash, version: 0, now: NOW, untilMs: 15_000 }
  const claimed = await Promise.all(Array.from({ length: 8 }, () => claimRefresh(db, claim)))
  assert.equal(claimed.filter(Boolean).length, 1)
  assert.equal(await storeRefreshed(db, { hash, version: 0, sealed: Buffer.from('new'), refreshAt: undefined }), true)
  const session = await findWebSession(db, hash, at(NOW))
  assert.deepEqual([session?.version, session?.sealed.toString(), session?.refreshAt], [1, 'new', undefined])
  // Who was slow neither refreshes again nor puts old tokens back.
  assert.equal(await claimRefresh(db, { ...claim, now: NOW + 60_000 }), false)
  assert.equal(await storeRefreshed(db, { hash, version: 0, sealed: Buffer.from('old'), refreshAt: undefined }), false)
  await endWebSession(db, hash)
})

test('claimRefresh() passes on when who had claimed died, and postponeRefresh() makes all wait', async () => {
  const hash = await newSession()
  assert.ok(await claimRefresh(db, { hash, version: 0, now: NOW, untilMs: 15_000 }))
  assert.equal(await claimRefresh(db, { hash, version: 0, now: NOW + 14_999, untilMs: 15_000 }), false)
  assert.ok(await claimRefresh(db, { hash, version: 0, now: NOW + 15_000, untilMs: 15_000 }))
  await postponeRefresh(db, { hash, version: 0, until: NOW + 60_000 })
  assert.equal(await claimRefresh(db, { hash, version: 0, now: NOW + 59_999, untilMs: 1 }), false)
  assert.ok(await claimRefresh(db, { hash, version: 0, now: NOW + 60_000, untilMs: 1 }))
  await endWebSession(db, hash)
})

const sync = async (document: DirectoryDocument, deleteMissing = false): Promise<void> => {
  const outcome = await syncDirectory(db, document, { source: 'test', deleteMissing, force: true })
  assert.equal(outcome.kind, 'synced')
}

test('readUserOrganizations() gives memberships with roles, and drops what has ended', async () => {
  const [acme, beta] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Beta' })]
  await sync({ users: [{ id: 'ann', organizations: [acme.id], role: 'admin' }] })
  await sync({ users: [{ id: 'ann', organizations: [beta.id] }] })
  const of = (userId: string, ids?: readonly string[]): ReturnType<typeof readUserOrganizations> =>
    readUserOrganizations(db, { userId, ...(ids && { ids }) })
  assert.deepEqual(await of('ann'), [
    { id: acme.id, name: 'Acme', role: 'admin' },
    { id: beta.id, name: 'Beta' },
  ])
  assert.deepEqual(await of('bob'), [])
  // A token vouches for the organization; the directory still knows the role there.
  assert.deepEqual(await of('bob', [beta.id]), [{ id: beta.id, name: 'Beta' }])
  assert.deepEqual(await of('ann', [acme.id, 'ffffffff-ffff-4fff-bfff-ffffffffffff']), [{ id: acme.id, name: 'Acme', role: 'admin' }])
  await chooseOrganization(db, hashOf('nobody'), acme.id)
  await endOrganization(db, { id: beta.id })
  assert.deepEqual(await of('ann'), [{ id: acme.id, name: 'Acme', role: 'admin' }])
  assert.deepEqual(await of('ann', [beta.id]), [])
})

test('syncDirectory() changes a role alone, leaves one that is not said, and does not give it back to who was away', async () => {
  const { id } = await createOrganization(db, { name: 'Gamma' })
  const role = async (): Promise<string | undefined> => (await readUserOrganizations(db, { userId: 'cy' }))[0]?.role
  await sync({ users: [{ id: 'cy', organizations: [id], role: 'admin' }] })
  assert.equal(await role(), 'admin')
  await sync({ users: [{ id: 'cy', organizations: [id] }] })
  assert.equal(await role(), 'admin')
  await sync({ users: [{ id: 'cy', organizations: [id], role: 'viewer' }] })
  assert.equal(await role(), 'viewer')
  await sync({ users: [{ id: 'cy', organizations: [id], role: 'admin' }] })
  await sync({ users: [{ id: 'cy', organizations: [] }] }, true)
  assert.deepEqual(await readUserOrganizations(db, { userId: 'cy' }), [])
  await sync({ users: [{ id: 'cy', organizations: [id] }] })
  assert.equal(await role(), undefined)
})
