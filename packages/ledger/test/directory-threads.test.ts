import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  applyPriceBook,
  createCredential,
  createOrganization,
  listCredentials,
  mapAuthId,
  parseDirectory,
  readPolicySnapshot,
  readStatement,
  revokeCredential,
  syncDirectory,
} from '../src/index.ts'
import { HOUR, MONTH, TEN, deliver, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

// What people complained about elsewhere, each under the name of its thread.

test('freehire-1386: no application needs a master credential: every user has a key, and one that is lost is ended alone', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  for (const userId of ['ann', 'bob']) {
    await createCredential(db, { organizationId, publicId: userId, hmac: 'h', scopes: ['inference'], userId })
  }
  const { keys } = await readPolicySnapshot(db)
  assert.deepEqual(
    keys.map(({ userId }) => userId).toSorted((a = '', b = '') => a.localeCompare(b)),
    ['ann', 'bob'],
  )
  assert.equal(new Set(keys.map(({ authId }) => authId)).size, 2)
  await revokeCredential(db, keys.find(({ userId }) => userId === 'ann')?.authId ?? '')
  assert.deepEqual(
    (await readPolicySnapshot(db)).keys.map(({ userId }) => userId),
    ['bob'],
  )
})

test('aihub-core-1772: what a runtime calls for a user is that user’s, group’s and organization’s, though its requests name none of them', async () => {
  await using db = await openLedger()
  await applyPriceBook(db, priceBook())
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  await mapAuthId(db, { authId: 'runtime-7', organizationId, userId: 'ann', groupId: 'research' })
  await deliver(db, [usageRecord({ authId: 'runtime-7' })])
  await rateAll(db)
  const { rows } = await db.query('select organization_id, user_id, group_id, state from usage_hour')
  assert.deepEqual(rows, [{ organization_id: organizationId, user_id: 'ann', group_id: 'research', state: 'charged' }])
})

test('a user who changes group within an hour is in each group for just the records of its time', async () => {
  await using db = await openLedger()
  await applyPriceBook(db, priceBook())
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  const ann = { authId: 'runtime-7', organizationId, userId: 'ann' }
  await mapAuthId(db, { ...ann, groupId: 'research' })
  await deliver(
    db,
    [0, 10, 20, 30].map((minute) => usageRecord({ authId: 'runtime-7', startedAt: TEN + minute * 60_000 })),
  )
  await rateAll(db)
  assert.deepEqual(await mapAuthId(db, { ...ann, groupId: 'sales', from: TEN + 15 * 60_000 }), {
    kind: 'mapped',
    from: TEN + 15 * 60_000,
    hours: 1,
  })
  await rateAll(db)
  const { rows } = await db.query('select group_id, record_count::text as records from usage_hour order by group_id')
  assert.deepEqual(rows, [
    { group_id: 'research', records: '2' },
    { group_id: 'sales', records: '2' },
  ])
})

test('agentgateway-policy-overlap: two words on whose an auth id is at one time conflict loudly, in a file too', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  const beta = await createOrganization(db, { name: 'Beta' })
  await mapAuthId(db, { authId: 't', organizationId: acme.id, from: TEN })
  const outcome = await mapAuthId(db, { authId: 't', organizationId: beta.id, from: TEN - HOUR, to: TEN + HOUR })
  assert.equal(outcome.kind, 'conflict')
  const { problems } = parseDirectory(`mappings:
  - { auth_id: t, organization: ${acme.id}, from: 2026-03-01T00:00:00Z, to: 2026-03-03T00:00:00Z }
  - { auth_id: t, organization: ${beta.id}, from: 2026-03-02T00:00:00Z }
`)
  assert.deepEqual(
    problems.map(({ line, message }) => [line, message]),
    [[2, 'this mapping and entry 2 of the same auth id overlap']],
  )
})

test('portkey-115: as many keys as one likes, each with a name, a scope, an end and a line of its own on the statement', async () => {
  await using db = await openLedger()
  await applyPriceBook(db, priceBook())
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  for (let index = 0; index < 5; index += 1) {
    const key = { organizationId, publicId: `p${index}`, hmac: 'h', name: `team ${index}`, scopes: ['inference'] as const }
    await createCredential(db, { ...key, expiresAt: Date.now() + (index + 1) * HOUR })
  }
  const credentials = await listCredentials(db, { organizationId })
  assert.deepEqual(
    credentials.map(({ name }) => name),
    ['team 0', 'team 1', 'team 2', 'team 3', 'team 4'],
  )
  await deliver(
    db,
    credentials.map(({ authId }) => usageRecord({ authId })),
  )
  await rateAll(db)
  const statement = await readStatement(db, { organizationId, month: MONTH, scope: 'operator' })
  assert.deepEqual(new Set(statement?.lines.map((line) => line.auth_id)), new Set(credentials.map(({ authId }) => authId)))
})

test('reference defect 24: a source that is empty or cut off ends nothing', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  const users = Array.from({ length: 10 }, (_, index) => ({ id: `u${index}`, organizations: [id] }))
  await syncDirectory(db, { users }, { source: 'idp' })
  for (const text of ['', '{}', 'users:', 'users: []']) {
    const { document, problems } = parseDirectory(text)
    assert.deepEqual(problems, [], text)
    const outcome = await syncDirectory(db, document, { source: 'idp', deleteMissing: true })
    assert.ok(outcome.kind === 'too_many_missing' || (outcome.kind === 'synced' && outcome.changes.length === 0), text)
  }
  const whole = JSON.stringify({ users }, null, 1)
  for (const cut of [0.3, 0.9]) assert.ok(parseDirectory(whole.slice(0, whole.length * cut)).problems.length > 0)
})
