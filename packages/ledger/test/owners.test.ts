import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  LedgerInputError,
  createCredential,
  createOrganization,
  lookUpOrganizations,
  mapOwner,
  readHistory,
  readOwner,
  streamOwners,
} from '../src/index.ts'
import { HOUR, TEN, openLedger } from './support.ts'

const USER = '44444444-4444-4444-8444-444444444444'

test('mapOwner() says whose a user of the cloud is from an instant on, and forgets nothing', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Other' })]
  assert.equal(await readOwner(db, USER), undefined)
  assert.equal(await mapOwner(db, { userId: USER, organizationId: acme.id, from: 'beginning', recordedBy: 'api' }), 'mapped')
  assert.equal(await mapOwner(db, { userId: USER, organizationId: acme.id }), 'unchanged')
  assert.equal(await mapOwner(db, { userId: USER, organizationId: other.id, from: TEN }), 'mapped')
  assert.equal(await mapOwner(db, { userId: USER, organizationId: null, from: TEN + HOUR }), 'mapped')
  const at = async (instant: number): Promise<string | undefined> => (await readOwner(db, USER, instant))?.organizationId
  assert.deepEqual([await at(0), await at(TEN - 1), await at(TEN), await at(TEN + HOUR)], [acme.id, acme.id, other.id, undefined])
  assert.deepEqual(await readOwner(db, USER, 0), { userId: USER, organizationId: acme.id, since: -Infinity })
  // A correction of the past: both stay to be read.
  assert.equal(await mapOwner(db, { userId: USER, organizationId: acme.id, from: TEN }), 'mapped')
  assert.equal(await at(TEN), acme.id)
  const history = await readHistory(db, 'owner', USER)
  assert.deepEqual(
    history.map(({ validFrom, revision, says }) => [validFrom, revision, says['organization_id'], says['ended']]),
    [
      [-Infinity, 0, acme.id, false],
      [TEN, 0, other.id, false],
      [TEN, 1, acme.id, false],
      [TEN + HOUR, 0, other.id, true],
    ],
  )
  assert.deepEqual(await readHistory(db, 'owner', 'nonsense'), [])
  await assert.rejects(db.query('delete from cloud_owner'), /23001/)
})

test('mapOwner() refuses what is no user, an organization that is not there, and an instant to come', async () => {
  await using db = await openLedger()
  const { id } = await createOrganization(db, { name: 'Acme' })
  await assert.rejects(mapOwner(db, { userId: 'ada', organizationId: id }), LedgerInputError)
  await assert.rejects(mapOwner(db, { userId: USER, organizationId: id, from: Date.now() + HOUR }), LedgerInputError)
  for (const organizationId of ['ada', '00000000-0000-4000-8000-000000000000'])
    assert.equal(await mapOwner(db, { userId: USER, organizationId }), 'unknown_organization')
  const audit = async (): Promise<never> => Promise.reject(new Error('no trail'))
  await assert.rejects(mapOwner(db, { userId: USER, organizationId: id, audit }), /no trail/)
  assert.equal(await readOwner(db, USER), undefined)
})

test('streamOwners() lists who is whose now', async () => {
  await using db = await openLedger()
  const [acme, other] = [await createOrganization(db, { name: 'Acme' }), await createOrganization(db, { name: 'Other' })]
  const users = Array.from({ length: 4 }, (_, n) => `5000000${n}-0000-4000-8000-000000000000`)
  for (const userId of users) await mapOwner(db, { userId, organizationId: acme.id, from: TEN })
  await mapOwner(db, { userId: users[1] ?? '', organizationId: other.id, from: TEN + HOUR })
  await mapOwner(db, { userId: users[2] ?? '', organizationId: null, from: TEN + HOUR })
  const listed = async (organizationId?: string): Promise<readonly string[]> =>
    (await Array.fromAsync(streamOwners(db, organizationId === undefined ? {} : { organizationId }))).map(({ userId }) => userId)
  assert.deepEqual(await listed(), [users[0], users[1], users[3]])
  assert.deepEqual(await listed(acme.id), [users[0], users[3]])
  assert.deepEqual(await listed(other.id), [users[1]])
})

test('lookUpOrganizations() finds by a part of the name, an id or its beginning, a key id or an auth id, and says id and name only', async () => {
  await using db = await openLedger()
  const names = ['Acme', 'Acme Labs', 'The Acme', '100% Wool', 'Zeta']
  const ids = new Map<string, string>()
  for (const name of names) ids.set(name, (await createOrganization(db, { name })).id)
  const zeta = ids.get('Zeta') ?? ''
  const made = await createCredential(db, { organizationId: zeta, publicId: 'abc123def456', hmac: 'h', scopes: [] })
  const found = async (q: string, fields: object = {}): Promise<readonly string[]> =>
    (await lookUpOrganizations(db, { q, ...fields })).organizations.map(({ name }) => name)
  assert.deepEqual(await found('acme'), ['Acme', 'Acme Labs', 'The Acme'])
  assert.deepEqual(await found(zeta), ['Zeta'])
  assert.deepEqual(await found(zeta.toUpperCase().slice(0, 13)), ['Zeta'])
  assert.deepEqual(await found('abc123def456'), ['Zeta'])
  assert.deepEqual(await found(made.kind === 'created' ? made.authId : ''), ['Zeta'])
  assert.deepEqual(await found('0% '), ['100% Wool'])
  assert.deepEqual(await found('__'), [])
  assert.deepEqual(Object.keys((await lookUpOrganizations(db, { q: 'zeta' })).organizations[0] ?? {}), ['id', 'name'])
  const page = await lookUpOrganizations(db, { q: 'acme', limit: 2 })
  assert.deepEqual([page.organizations.length, page.more], [2, true])
  for (const q of ['', 'a', 'x'.repeat(201), 'a\0b', 'ask_abc123def456_secret', 'asp_abc_x'])
    await assert.rejects(found(q), LedgerInputError, q)
})

test('lookUpOrganizations() shows an operator nothing beyond what the operator may view', async () => {
  await using db = await openLedger()
  const top = await createOrganization(db, { name: 'Acme Top' })
  const child = await createOrganization(db, { name: 'Acme Child', parentId: top.id })
  await createOrganization(db, { name: 'Acme Grandchild', parentId: child.id })
  await createOrganization(db, { name: 'Acme Stranger' })
  const found = async (organizations: readonly string[], childrenOf: readonly string[]): Promise<readonly string[]> =>
    (await lookUpOrganizations(db, { q: 'acme', within: { organizations, childrenOf } })).organizations.map(({ name }) => name)
  assert.deepEqual(await found([], []), [])
  assert.deepEqual(await found([top.id], []), ['Acme Top'])
  assert.deepEqual(await found([], [top.id]), ['Acme Child', 'Acme Grandchild'])
  assert.deepEqual(await found([top.id], [child.id, 'nonsense']), ['Acme Grandchild', 'Acme Top'])
})
