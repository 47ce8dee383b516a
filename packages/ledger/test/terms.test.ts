import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  LedgerInputError,
  createCredential,
  createOrganization,
  endTerms,
  mapAuthId,
  readHistory,
  readPolicySnapshot,
  readTerms,
  revokeCredential,
  setTerms,
} from '../src/index.ts'
import type { NewTerms } from '../src/index.ts'
import { openLedger } from './support.ts'

const edge = { scope: 'credential', subject: 'edge-1', allowUnknown: true } as const

test('setTerms() says what is said and leaves the rest, and everything that was ever said can be read', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  const created = await createCredential(db, { organizationId, publicId: 'p1', hmac: 'h1', scopes: ['inference'] })
  assert(created.kind === 'created')
  const of = { scope: 'credential', subject: created.authId, recordedBy: 'ann' } as const
  assert.equal(await setTerms(db, { ...of, change: { abort: 'cancel', maxConcurrent: 3 } }), 'set')
  assert.equal(await setTerms(db, { ...of, change: { abort: 'cancel' } }), 'unchanged')
  assert.equal(await setTerms(db, { ...of, change: { abort: 'drain', drainMs: 0, drainBytes: 5, drainTokens: 7 } }), 'changed')
  const all = { abort: 'drain', drainMs: 0, drainBytes: 5, drainTokens: 7, maxConcurrent: 3 }
  assert.deepEqual(await readTerms(db), [{ scope: 'credential', subject: created.authId, ...all }])
  assert.equal(await setTerms(db, { ...of, change: { drainTokens: null, maxConcurrent: null } }), 'changed')
  assert.equal(await endTerms(db, of), 'ended')
  assert.equal(await endTerms(db, of), 'unknown_terms')
  assert.deepEqual(await readTerms(db), [])
  assert.equal(await setTerms(db, { ...of, change: { maxConcurrent: 9 } }), 'set')
  assert.deepEqual(await readTerms(db), [{ scope: 'credential', subject: created.authId, maxConcurrent: 9 }], 'what had ended is not back')
  const said = (await readHistory(db, 'auth-id', created.authId)).filter(({ kind }) => kind === 'terms')
  assert.deepEqual(
    said.map(({ recordedBy, says }) => [recordedBy, says['abort'], says['max_concurrent'], says['ended']]),
    [
      ['ann', 'cancel', 3n, false],
      ['ann', 'drain', 3n, false],
      ['ann', 'drain', null, false],
      ['ann', null, null, true],
      ['ann', null, 9n, false],
    ],
  )
  await assert.rejects(db.query('delete from credential_terms'), /23001/)
})

test('setTerms() refuses what is nobody, and what no gateway could follow', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  for (const [scope, subject] of [
    ['credential', 'nobody'],
    ['group', 'nobody'],
    ['organization', 'Acme'],
    ['organization', '00000000-0000-4000-8000-000000000000'],
  ] as const)
    assert.equal(await setTerms(db, { scope, subject, change: { abort: 'cancel' } }), 'unknown_subject')
  for (const wrong of [
    { ...edge, change: {} },
    { ...edge, change: { maxConcurrent: 0 } },
    { ...edge, change: { drainMs: 1.5 } },
    { ...edge, change: { abort: 'haggle' } },
    { ...edge, subject: 'a\0b', change: { abort: 'cancel' } },
    { ...edge, scope: 'planet', change: { abort: 'cancel' } },
  ])
    await assert.rejects(setTerms(db, wrong as NewTerms), LedgerInputError)
  const audit = async (): Promise<never> => Promise.reject(new Error('no trail'))
  await assert.rejects(setTerms(db, { scope: 'organization', subject: id, change: { abort: 'cancel' }, audit }), /no trail/)
  assert.deepEqual(await readTerms(db), [], 'what leaves no trail was not done')
})

test('setTerms() is told whose log a change belongs to', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  await mapAuthId(db, { authId: 'edge-1', organizationId: id })
  const told: unknown[] = []
  const audit = async (_tx: unknown, outcome: string, organizationId: string | undefined): Promise<void> =>
    void told.push([outcome, organizationId])
  await setTerms(db, { scope: 'credential', subject: 'edge-1', change: { abort: 'cancel' }, audit })
  await setTerms(db, { scope: 'credential', subject: 'edge-2', change: { abort: 'cancel' }, audit })
  await endTerms(db, { scope: 'organization', subject: id, audit })
  assert.deepEqual(told, [
    ['set', id],
    ['unknown_subject', undefined],
    ['unknown_terms', id],
  ])
})

test('readPolicySnapshot() carries terms in a version of their own, without the keys being read again', async () => {
  await using db = await openLedger()
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  const created = await createCredential(db, { organizationId, publicId: 'p1', hmac: 'h1', scopes: ['inference'] })
  assert(created.kind === 'created')
  const before = await readPolicySnapshot(db)
  assert.equal('terms' in before, false, 'who has no terms pays nothing for them')
  await setTerms(db, { ...edge, change: { abort: 'cancel' } })
  const after = await readPolicySnapshot(db, { known: before })
  assert.deepEqual(after.terms, { entries: [{ scope: 'credential', subject: 'edge-1', abort: 'cancel' }], owners: {} })
  assert.deepEqual([after.version, after.keysVersion, after.keys === before.keys], [before.version + 1, before.keysVersion, true])
  assert.deepEqual(after, await readPolicySnapshot(db))
  await endTerms(db, edge)
  assert.equal('terms' in (await readPolicySnapshot(db, { known: after })), false)
})

test('readPolicySnapshot() says whose the auth ids of an edge are where an organization or a group has terms', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Other' })]
  await mapAuthId(db, { authId: 'edge-1', organizationId: acme.id, groupId: 'g1' })
  await mapAuthId(db, { authId: 'edge-2', organizationId: other.id, groupId: 'g2' })
  const created = await createCredential(db, { organizationId: acme.id, publicId: 'p1', hmac: 'h1', scopes: ['inference'] })
  assert(created.kind === 'created')
  await setTerms(db, { ...edge, subject: 'elsewhere', change: { abort: 'cancel' } })
  assert.deepEqual((await readPolicySnapshot(db)).terms?.owners, {}, 'nobody needs them')
  await setTerms(db, { scope: 'organization', subject: acme.id, change: { abort: 'cancel' } })
  assert.deepEqual(
    (await readPolicySnapshot(db)).terms?.owners,
    { 'edge-1': { organizationId: acme.id, groupId: 'g1' } },
    'a key says itself whose it is',
  )
  await setTerms(db, { scope: 'group', subject: 'g2', allowUnknown: true, change: { maxConcurrent: 2 } })
  await revokeCredential(db, created.authId)
  assert.deepEqual(
    Object.keys((await readPolicySnapshot(db)).terms?.owners ?? {}).toSorted(),
    ['edge-1', 'edge-2', created.authId].toSorted(),
  )
})
