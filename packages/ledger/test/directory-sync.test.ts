import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import {
  createCredential,
  createOrganization,
  findCredentialByPublicId,
  listOrganizations,
  readHistory,
  readPolicyVersion,
  streamGroups,
  streamResources,
  streamUsers,
  syncDirectory,
} from '../src/index.ts'
import type { DirectoryDocument, SyncOptions, SyncOutcome } from '../src/index.ts'
import { openLedger } from './support.ts'

const ACME = '11111111-1111-7111-8111-111111111111'
const BETA = '22222222-2222-7222-8222-222222222222'
const OPTIONS: SyncOptions = { source: 'hr', recordedBy: 'sync' }

const DOCUMENT: DirectoryDocument = {
  organizations: [
    { id: ACME, name: 'Acme' },
    { id: BETA, name: 'Beta', currency: 'EUR', parent: ACME },
  ],
  groups: [{ id: 'research', organization: ACME, name: 'Research' }],
  users: [
    { id: 'ann', name: 'Ann', email: 'ann@example.com', organizations: [ACME, BETA], groups: ['research'] },
    { id: 'bob', organizations: [BETA] },
  ],
  resources: [{ id: 'llama', type: 'deployment', organization: ACME }],
  mappings: [{ auth_id: 'tok-1', organization: ACME, user: 'ann', group: 'research' }],
}

async function dump(db: Database): Promise<string> {
  const tables = ['organization', 'organization_version', 'organization_parent', 'user_version', 'group_version', 'resource_version']
  const more = [
    'organization_member',
    'group_member',
    'auth_mapping',
    'credential',
    'credential_secret',
    'directory_source',
    'policy_version',
  ]
  const lines: string[] = []
  for (const table of [...tables, ...more]) {
    const { rows } = await db.query<{ line: string }>(`select t::text as line from ${table} t order by 1`)
    lines.push(...rows.map(({ line }) => `${table} ${line}`))
  }
  return lines.join('\n')
}

const byText = (a: string, b: string): number => (a < b ? -1 : 1)

function changesOf(outcome: SyncOutcome): string[] {
  assert.ok(outcome.kind === 'synced' || outcome.kind === 'planned', JSON.stringify(outcome))
  return outcome.changes.map(({ kind, change, id }) => `${change} ${kind} ${id.join(' ')}`).toSorted(byText)
}

test('syncDirectory() makes everything of a source, and nothing the second time', async () => {
  await using db = await openLedger()
  assert.deepEqual(changesOf(await syncDirectory(db, DOCUMENT, OPTIONS)), [
    'create group research',
    'create group_member ann research',
    'create mapping tok-1',
    `create organization ${ACME}`,
    `create organization ${BETA}`,
    `create organization_member ann ${ACME}`,
    `create organization_member ann ${BETA}`,
    `create organization_member bob ${BETA}`,
    'create resource llama',
    'create user ann',
    'create user bob',
  ])
  const before = await dump(db)
  assert.deepEqual(changesOf(await syncDirectory(db, DOCUMENT, OPTIONS)), [])
  assert.equal(await dump(db), before, 'not a row, not a version')
  assert.deepEqual(
    (await listOrganizations(db))
      .toSorted((a, b) => byText(a.name, b.name))
      .map(({ name, currency, parentId }) => [name, currency, parentId]),
    [
      ['Acme', 'USD', undefined],
      ['Beta', 'EUR', ACME],
    ],
  )
  const users = await Array.fromAsync(streamUsers(db))
  assert.deepEqual(users[0], { id: 'ann', name: 'Ann', email: 'ann@example.com', organizationIds: [ACME, BETA], groupIds: ['research'] })
  assert.deepEqual(
    (await Array.fromAsync(streamUsers(db, { organizationId: ACME }))).map(({ id }) => id),
    ['ann'],
  )
  assert.deepEqual(
    (await Array.fromAsync(streamUsers(db, { groupId: 'research' }))).map(({ id }) => id),
    ['ann'],
  )
  assert.deepEqual(await Array.fromAsync(streamGroups(db)), [{ id: 'research', organizationId: ACME, name: 'Research', members: 1 }])
  assert.deepEqual(await Array.fromAsync(streamResources(db)), [{ id: 'llama', type: 'deployment', organizationId: ACME }])
})

test('syncDirectory() in a dry run gives the plan, and leaves nothing', async () => {
  await using db = await openLedger()
  const before = await dump(db)
  const planned = await syncDirectory(db, DOCUMENT, { ...OPTIONS, dryRun: true })
  assert.equal(planned.kind, 'planned')
  assert.equal(await dump(db), before)
  assert.deepEqual(changesOf(await syncDirectory(db, DOCUMENT, OPTIONS)), changesOf(planned))
})

test('syncDirectory() leaves alone what an entry does not say, and takes away what is null', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  assert.deepEqual(changesOf(await syncDirectory(db, { users: [{ id: 'ann' }] }, OPTIONS)), [])
  assert.deepEqual(changesOf(await syncDirectory(db, { users: [{ id: 'ann', email: null }] }, OPTIONS)), ['update user ann'])
  const [ann] = await Array.fromAsync(streamUsers(db, { id: 'ann' }))
  assert.deepEqual([ann?.name, ann?.email, ann?.groupIds], ['Ann', undefined, ['research']])
  assert.deepEqual(changesOf(await syncDirectory(db, { organizations: [{ id: BETA, name: 'Beta', parent: null }] }, OPTIONS)), [
    `update organization ${BETA}`,
  ])
})

test('syncDirectory() never ends by absence unless told, and then by a row: the history stays', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const smaller: DirectoryDocument = { users: [{ id: 'ann', organizations: [ACME], groups: ['research'] }] }
  assert.deepEqual(changesOf(await syncDirectory(db, smaller, OPTIONS)), [])
  assert.deepEqual(changesOf(await syncDirectory(db, smaller, { ...OPTIONS, deleteMissing: true })), [
    `end organization_member ann ${BETA}`,
    `end organization_member bob ${BETA}`,
    'end user bob',
  ])
  assert.deepEqual(
    (await Array.fromAsync(streamUsers(db))).map(({ id }) => id),
    ['ann'],
  )
  // Sorted: what one transaction says may bear the same millisecond.
  assert.deepEqual((await readHistory(db, 'user', 'bob')).map(({ kind, says }) => `${kind} ${String(says['ended'])}`).toSorted(), [
    'organization_member false',
    'organization_member true',
    'user false',
    'user true',
  ])
  assert.deepEqual(changesOf(await syncDirectory(db, smaller, { ...OPTIONS, deleteMissing: true })), [], 'ended once')
  assert.deepEqual(changesOf(await syncDirectory(db, { users: [{ id: 'bob' }] }, OPTIONS)), ['create user bob'], 'and back')
  assert.deepEqual((await Array.fromAsync(streamGroups(db))).length, 1, 'sections that are absent say nothing')
})

test('syncDirectory() ends only what its own source delivered: never what people or other sources made', async () => {
  await using db = await openLedger()
  const mine = await createOrganization(db, { name: 'By hand' })
  await syncDirectory(db, { users: [{ id: 'typed' }] }, {})
  await syncDirectory(db, { users: [{ id: 'x' }, { id: 'y' }] }, { source: 'other' })
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const none = { organizations: [], groups: [], users: [], resources: [], mappings: [] }
  await syncDirectory(db, none, { ...OPTIONS, deleteMissing: true, force: true })
  assert.deepEqual(
    (await Array.fromAsync(streamUsers(db))).map(({ id }) => id),
    ['typed', 'x', 'y'],
  )
  const living = (await listOrganizations(db)).filter(({ ended }) => ended !== true)
  assert.deepEqual(living, [mine])
})

test('syncDirectory() refuses to end more than half of a source unless forced: such a source is not whole', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const before = await dump(db)
  const emptied = { users: [] }
  assert.deepEqual(await syncDirectory(db, emptied, { ...OPTIONS, deleteMissing: true }), {
    kind: 'too_many_missing',
    missing: 6,
    known: 6,
  })
  assert.equal(await dump(db), before)
})

test('syncDirectory() is all or nothing, and says which entry contradicts the ledger', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const before = await dump(db)
  const wrong: DirectoryDocument = {
    organizations: [
      { id: ACME, name: 'Renamed', currency: 'EUR' },
      { id: BETA, name: 'B' },
    ],
    groups: [{ id: 'ops', organization: '33333333-3333-7333-8333-333333333333' }],
    users: [{ id: 'cy', groups: ['research', 'nowhere'] }],
    mappings: [{ auth_id: 't', organization: BETA, group: 'research' }],
  }
  const outcome = await syncDirectory(db, wrong, OPTIONS)
  assert(outcome.kind === 'refused')
  assert.deepEqual(
    outcome.problems.map(({ place: { section, index, field } }) => [section, index, field]),
    [
      ['organizations', 0, 'currency'],
      ['groups', 0, 'organization'],
      ['users', 0, 'groups'],
      ['mappings', 0, 'group'],
    ],
  )
  assert.equal(await dump(db), before)
  const circle = await syncDirectory(db, { organizations: [{ id: ACME, name: 'Acme', parent: BETA }] }, OPTIONS)
  assert(circle.kind === 'refused')
  assert.match(circle.problems[0]?.message ?? '', /under itself/)
  assert.equal(await dump(db), before)
})

test('syncDirectory() may turn a chain of organizations around in one go', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const turned = {
    organizations: [
      { id: ACME, name: 'Acme', parent: BETA },
      { id: BETA, name: 'Beta', parent: null },
    ],
  }
  assert.equal(changesOf(await syncDirectory(db, turned, OPTIONS)).length, 2)
})

test('syncDirectory() takes several mappings of one auth id with their periods, corrects, and is done the second time', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const day = (number: number): number => Date.UTC(2026, 5, number)
  const mappings = [
    { auth_id: 'tok-2', organization: BETA, from: day(20) },
    { auth_id: 'tok-2', organization: ACME, from: day(1), to: day(10) },
    { auth_id: 'tok-2', organization: BETA, from: day(10), to: day(15) },
    { auth_id: 'tok-1', organization: BETA, from: day(1) },
  ]
  assert.deepEqual(
    new Set(changesOf(await syncDirectory(db, { mappings }, OPTIONS))),
    new Set(['create mapping tok-2', 'update mapping tok-1']),
  )
  assert.deepEqual(changesOf(await syncDirectory(db, { mappings }, OPTIONS)), [])
  const owners = (await readHistory(db, 'auth-id', 'tok-2')).map(({ validFrom, says }) => [validFrom, says['organization_id']])
  assert.deepEqual(
    owners.filter(([at]) => at === day(15)),
    [[day(15), null]],
    "between two periods it is nobody's",
  )
  const corrected = mappings.map((mapping) => (mapping.from === day(20) ? { ...mapping, organization: ACME } : mapping))
  assert.deepEqual(changesOf(await syncDirectory(db, { mappings: corrected }, OPTIONS)), ['update mapping tok-2'])
})

test('syncDirectory() imports keys by their HMAC, once, and never changes or ends them', async () => {
  await using db = await openLedger()
  await syncDirectory(db, DOCUMENT, OPTIONS)
  const key = { auth_id: 'key-1', organization: ACME, public_id: 'abcdefghijkl', hmac: 'x'.repeat(43), scopes: ['inference'] }
  const expires = { ...key, auth_id: 'key-2', public_id: 'mnopqrstuvwx', expires_at: Date.now() + 60_000 }
  assert.deepEqual(changesOf(await syncDirectory(db, { keys: [key, expires] }, OPTIONS)), [
    'create key key-1',
    'create key key-2',
    'create mapping key-1',
    'create mapping key-2',
  ])
  assert.deepEqual(await findCredentialByPublicId(db, key.public_id), {
    authId: 'key-1',
    hmac: key.hmac,
    scopes: ['inference'],
    organizationId: ACME,
    state: 'active',
  })
  const { version } = await readPolicyVersion(db)
  assert.deepEqual(changesOf(await syncDirectory(db, { keys: [{ ...key, hmac: 'y'.repeat(43), organization: BETA }] }, OPTIONS)), [])
  assert.deepEqual(changesOf(await syncDirectory(db, { keys: [] }, { ...OPTIONS, deleteMissing: true, force: true })), [])
  assert.equal((await readPolicyVersion(db)).version, version)
  const stolen = await syncDirectory(db, { keys: [{ ...key, auth_id: 'key-3' }] }, OPTIONS)
  assert.equal(stolen.kind, 'refused')
  const created = await createCredential(db, { organizationId: ACME, publicId: key.public_id, hmac: 'h', scopes: [] })
  assert.equal(created.kind, 'public_id_taken')
})

test('syncDirectory() twice at once: one makes it, the other finds it so', async () => {
  await using db = await openLedger()
  const outcomes = await Promise.all([1, 2, 3].map(() => syncDirectory(db, DOCUMENT, OPTIONS)))
  assert.deepEqual(
    outcomes.map((outcome) => changesOf(outcome).length).toSorted((a, b) => a - b),
    [0, 0, 11],
  )
})

test('syncDirectory() writes thousands of entries in a few statements', async () => {
  await using db = await openLedger()
  let statements = 0
  const counted: Database = {
    ...db,
    transaction: (fn, options) =>
      db.transaction(
        (tx) =>
          fn({
            ...tx,
            query(text, values) {
              statements += 1
              return tx.query(text, values)
            },
          }),
        options,
      ),
  }
  const users = Array.from({ length: 3000 }, (_, index) => ({
    id: `user-${index}`,
    name: `N${index}`,
    organizations: [ACME],
    groups: ['research'],
  }))
  const mappings = Array.from({ length: 3000 }, (_, index) => ({ auth_id: `tok-${index + 10}`, organization: ACME, user: `user-${index}` }))
  const document = { ...DOCUMENT, users, mappings }
  assert.equal(changesOf(await syncDirectory(counted, document, OPTIONS)).length, 2 + 1 + 9000 + 1 + 3000)
  assert.ok(statements < 60, `${statements} statements`)
})
