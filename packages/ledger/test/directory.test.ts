import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import {
  POLICY_CHANNEL,
  createCredential,
  createOrganization,
  findCredentialByPublicId,
  findOrganization,
  listCredentials,
  listOrganizations,
  mapAuthId,
  readPolicySnapshot,
  revokeCredential,
} from '../src/index.ts'
import type { NewCredential } from '../src/index.ts'
import { HOUR, openLedger } from './support.ts'

const NOWHERE = '00000000-0000-7000-8000-000000000000'

async function createKey(db: Database, input: Omit<NewCredential, 'hmac' | 'scopes'> & Partial<NewCredential>): Promise<string> {
  const created = await createCredential(db, { hmac: `hmac of ${input.publicId}`, scopes: ['inference'], ...input })
  assert(created.kind === 'created')
  return created.authId
}

test('createOrganization() makes organizations in USD unless told, and keeps names as they are', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme 🦊' })
  const euro = await createOrganization(db, { name: 'Euro', currency: 'EUR' })
  assert.deepEqual([acme.currency, euro.currency], ['USD', 'EUR'])
  assert.deepEqual(await listOrganizations(db), [acme, euro])
  await assert.rejects(createOrganization(db, { name: ' ' }), { code: 'LEDGER_INPUT' })
  await assert.rejects(createOrganization(db, { name: 'x', currency: 'euro' }), { code: 'LEDGER_INPUT' })
})

test('findOrganization() finds by id in any case and by exact name, and says when a name is not enough', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  assert.deepEqual(await findOrganization(db, acme.id.toUpperCase()), acme)
  assert.deepEqual(await findOrganization(db, 'Acme'), acme)
  assert.equal(await findOrganization(db, 'acme'), undefined)
  assert.equal(await findOrganization(db, NOWHERE), undefined)
  assert.equal(await findOrganization(db, 'a\0b'), undefined)
  await createOrganization(db, { name: 'Acme' })
  assert.equal(await findOrganization(db, 'Acme'), 'ambiguous')
})

test('createCredential() belongs to its organization from the beginning, and says what is in the way', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  const other = await createOrganization(db, { name: 'Other' })
  const authId = await createKey(db, { organizationId: acme.id, publicId: 'p1', name: 'laptop', scopes: ['inference', 'billing:read'] })
  await createKey(db, { organizationId: other.id, publicId: 'p2' })
  const input = { publicId: 'p1', hmac: 'h', scopes: [] }
  assert.deepEqual(await createCredential(db, { ...input, organizationId: acme.id }), { kind: 'public_id_taken' })
  assert.deepEqual(await createCredential(db, { ...input, publicId: 'p3', organizationId: NOWHERE }), { kind: 'unknown_organization' })
  assert.deepEqual(await createCredential(db, { ...input, publicId: 'p3', organizationId: 'Acme' }), { kind: 'unknown_organization' })
  const [credential, ...more] = await listCredentials(db, { organizationId: acme.id })
  assert(credential !== undefined)
  assert.deepEqual(more, [])
  const { createdAt, secrets, ...rest } = credential
  assert.deepEqual(rest, {
    authId,
    publicId: 'p1',
    name: 'laptop',
    scopes: ['inference', 'billing:read'],
    organizationId: acme.id,
    state: 'active',
  })
  assert.deepEqual(
    secrets.map(({ publicId }) => publicId),
    ['p1'],
  )
  assert.ok(Math.abs(createdAt - Date.now()) < HOUR)
  assert.equal((await listCredentials(db)).length, 2)
  const proof = { authId, scopes: ['inference', 'billing:read'], organizationId: acme.id, state: 'active', hmac: 'hmac of p1' }
  assert.deepEqual(await findCredentialByPublicId(db, 'p1'), proof)
  assert.equal(await findCredentialByPublicId(db, 'p9'), undefined)
  const { rows } = await db.query('select valid_from from auth_mapping where auth_id = $1', [authId])
  assert.deepEqual(rows, [{ valid_from: -Infinity }])
})

test('revokeCredential() ends a credential once, keeps it in the list, and takes it out of the policy', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  const authId = await createKey(db, { organizationId: acme.id, publicId: 'p1' })
  assert.equal((await readPolicySnapshot(db)).keys.length, 1)
  assert.equal(await revokeCredential(db, authId), 'revoked')
  assert.equal(await revokeCredential(db, authId), 'already_revoked')
  assert.equal(await revokeCredential(db, 'nobody'), 'unknown')
  const [credential] = await listCredentials(db)
  assert.ok(credential?.revokedAt !== undefined)
  assert.deepEqual((await readPolicySnapshot(db)).keys, [])
})

test('readPolicySnapshot() has the keys in force, and a version that rises with every change that matters', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  const other = await createOrganization(db, { name: 'Other' })
  const versions = [(await readPolicySnapshot(db)).version]
  const authId = await createKey(db, { organizationId: acme.id, publicId: 'p1' })
  const snapshot = await readPolicySnapshot(db)
  const key = { authId, publicId: 'p1', hmac: 'hmac of p1', organizationId: acme.id, scopes: ['inference'] }
  assert.deepEqual(snapshot.keys, [key])
  versions.push(snapshot.version)
  await mapAuthId(db, { authId, organizationId: other.id })
  const moved = await readPolicySnapshot(db)
  assert.deepEqual(moved.keys, [{ ...key, organizationId: other.id }])
  versions.push(moved.version)
  await revokeCredential(db, authId)
  versions.push((await readPolicySnapshot(db)).version)
  assert.deepEqual(
    versions.toSorted((a, b) => a - b),
    versions,
  )
  assert.equal(new Set(versions).size, 4)
  await revokeCredential(db, authId)
  await mapAuthId(db, { authId, organizationId: other.id })
  assert.equal((await readPolicySnapshot(db)).version, versions.at(-1), 'what changes nothing is no new version')
})

test('a change of keys notifies the channel with its version', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  const connected = Promise.withResolvers<void>()
  const notified = Promise.withResolvers<string>()
  await using _ = db.listen(POLICY_CHANNEL, (notice) =>
    notice.kind === 'connected' ? connected.resolve() : notified.resolve(notice.payload),
  )
  await connected.promise
  await createKey(db, { organizationId: acme.id, publicId: 'p1' })
  assert.equal(await notified.promise, String((await readPolicySnapshot(db)).version))
})

test('mapAuthId() begins at the beginning for a new auth id, and now for one that is mapped', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  const other = await createOrganization(db, { name: 'Other' })
  const authId = 'token-7'
  assert.deepEqual(await mapAuthId(db, { authId, organizationId: acme.id }), { kind: 'mapped', from: 'beginning', hours: 0 })
  assert.equal((await mapAuthId(db, { authId, organizationId: acme.id })).kind, 'unchanged')
  assert.deepEqual(await mapAuthId(db, { authId, organizationId: other.id, from: 'beginning' }), {
    kind: 'conflict',
    from: 'beginning',
    organizationId: acme.id,
  })
  const before = Date.now()
  const moved = await mapAuthId(db, { authId, organizationId: other.id })
  assert(moved.kind === 'mapped' && typeof moved.from === 'number')
  assert.ok(moved.from >= before - 1000 && moved.from <= Date.now() + 1000)
  const user = await mapAuthId(db, { authId, organizationId: other.id, userId: 'ann', from: moved.from + 5 })
  assert.equal(user.kind, 'mapped', 'a user is part of a mapping')
})

test('mapAuthId() refuses what it cannot hold, and an organization that is not there', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  for (const authId of ['', 'a\0b', 'é'.repeat(513)]) {
    await assert.rejects(mapAuthId(db, { authId, organizationId }), { code: 'LEDGER_INPUT' })
  }
  assert.equal((await mapAuthId(db, { authId: 'é'.repeat(512), organizationId })).kind, 'mapped')
  assert.deepEqual(await mapAuthId(db, { authId: 'a', organizationId: NOWHERE }), { kind: 'unknown_organization' })
})
