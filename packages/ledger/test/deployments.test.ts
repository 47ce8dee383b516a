import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  LedgerInputError,
  createCredential,
  createOrganization,
  listDeployments,
  readPolicySnapshot,
  retireDeployment,
  setDeployment,
} from '../src/index.ts'
import type { Queryable } from '@ascribe/postgres'
import { openLedger } from './support.ts'

const LLAMA = {
  resourceId: 'dep-llama',
  models: ['llama-70b'],
  settings: { upstream: 'http://a.internal:8000' },
  recordedBy: 'ann',
} as const

test('setDeployment() says where a resource is served, and every change of it makes a new version of the policy', async () => {
  await using db = await openLedger()
  assert.equal((await readPolicySnapshot(db)).deployments, undefined, 'of which nobody has ever said anything')
  assert.deepEqual(await setDeployment(db, LLAMA), { kind: 'set' })
  const first = await readPolicySnapshot(db)
  assert.deepEqual(first.deployments?.entries, [{ upstream: 'http://a.internal:8000', resource_id: 'dep-llama', models: ['llama-70b'] }])
  assert.deepEqual(await setDeployment(db, LLAMA), { kind: 'unchanged' })
  assert.equal((await readPolicySnapshot(db)).version, first.version)
  assert.deepEqual(await setDeployment(db, { ...LLAMA, settings: { upstream: 'http://b.internal:8000' } }), { kind: 'changed' })
  const second = await readPolicySnapshot(db, { known: first })
  assert.ok(second.version > first.version && (second.deployments?.version ?? 0) > (first.deployments?.version ?? 0))
  assert.equal(second.deployments?.entries[0]?.['upstream'], 'http://b.internal:8000')
})

test('a key that is made changes no deployment, and their version stays', async () => {
  await using db = await openLedger()
  await setDeployment(db, LLAMA)
  const known = await readPolicySnapshot(db)
  const { id: organizationId } = await createOrganization(db, { name: 'Acme' })
  await createCredential(db, { organizationId, publicId: 'p1', hmac: 'h1', scopes: ['inference'] })
  const after = await readPolicySnapshot(db, { known })
  assert.ok(after.version > known.version)
  assert.equal(after.deployments, known.deployments)
  assert.equal(after.keys.length, 1)
})

test('retireDeployment() keeps what a resource was, so that it is gone and not unknown, and it can serve again', async () => {
  await using db = await openLedger()
  await setDeployment(db, LLAMA)
  assert.equal(await retireDeployment(db, { resourceId: 'dep-llama', recordedBy: 'bob' }), 'retired')
  assert.equal(await retireDeployment(db, { resourceId: 'dep-llama' }), 'unchanged')
  assert.equal(await retireDeployment(db, { resourceId: 'dep-other' }), 'unknown_deployment')
  const [entry] = (await readPolicySnapshot(db)).deployments?.entries ?? []
  assert.deepEqual([entry?.['resource_id'], entry?.['models'], entry?.['retired']], ['dep-llama', ['llama-70b'], true])
  // Its model may be served by another one now, and then not by it.
  assert.deepEqual(await setDeployment(db, { ...LLAMA, resourceId: 'dep-new' }), { kind: 'set' })
  assert.deepEqual(await setDeployment(db, LLAMA), { kind: 'model_taken', model: 'llama-70b', resourceId: 'dep-new' })
  assert.deepEqual(await setDeployment(db, { ...LLAMA, models: [] }), { kind: 'changed' })
  assert.deepEqual(
    (await listDeployments(db)).map(({ resourceId, state, revision, recordedBy }) => [resourceId, state, revision, recordedBy]),
    [
      ['dep-llama', 'active', 3, 'ann'],
      ['dep-new', 'active', 1, 'ann'],
    ],
  )
  await assert.rejects(db.query('delete from deployment_version'), /23001/)
  await assert.rejects(db.query("update deployment_version set state = 'active'"), /23001/)
})

test('setDeployment() never lets two active deployments serve one model, however many say so at once', async () => {
  await using db = await openLedger()
  const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => setDeployment(db, { ...LLAMA, resourceId: `dep-${i}` })))
  assert.equal(outcomes.filter(({ kind }) => kind === 'set').length, 1)
  assert.equal(outcomes.filter(({ kind }) => kind === 'model_taken').length, 7)
})

test('a change of a deployment never happens without its line of the trail, which says what was said before and after', async () => {
  await using db = await openLedger()
  const lines: unknown[] = []
  const audit = async (tx: Queryable, change: object): Promise<void> => {
    const { rows } = await tx.query<{ versions: bigint }>('select count(*) as versions from deployment_version')
    lines.push({ ...change, versions: Number(rows[0]?.versions) })
  }
  const settings = { upstream: 'http://b.internal:8000' }
  await setDeployment(db, { ...LLAMA, audit })
  await setDeployment(db, { ...LLAMA, settings, audit })
  await setDeployment(db, { ...LLAMA, settings, audit })
  await setDeployment(db, { ...LLAMA, resourceId: 'dep-other', audit })
  await retireDeployment(db, { resourceId: 'dep-llama', audit })
  await retireDeployment(db, { resourceId: 'nobody', audit })
  const version = (state: string, revision: number, more: object): object => ({
    state,
    revision,
    models: LLAMA.models,
    settings: LLAMA.settings,
    ...more,
  })
  const [first, second, last] = [version('active', 1, {}), version('active', 2, { settings }), version('retired', 3, { settings })]
  const shown = lines.map(
    (line) =>
      JSON.parse(JSON.stringify(line, (key, value) => (/^(resourceId|recorded)/.test(key) ? undefined : (value as unknown)))) as unknown,
  )
  assert.deepEqual(shown, [
    { outcome: 'set', after: first, versions: 1 },
    { outcome: 'changed', before: first, after: second, versions: 2 },
    { outcome: 'unchanged', before: second, after: second, versions: 2 },
    { outcome: 'model_taken', versions: 2 },
    { outcome: 'retired', before: second, after: last, versions: 3 },
    { outcome: 'unknown_deployment', versions: 3 },
  ])
  const noTrail = async (): Promise<never> => Promise.reject(new Error('no trail'))
  await assert.rejects(setDeployment(db, { ...LLAMA, audit: noTrail }), /no trail/)
  assert.deepEqual(
    (await listDeployments(db)).map(({ state, revision }) => [state, revision]),
    [['retired', 3]],
  )
})

test('setDeployment() refuses what no gateway could follow', async () => {
  await using db = await openLedger()
  for (const wrong of [
    { resourceId: '' },
    { resourceId: 'a\0b' },
    { resourceId: 'é'.repeat(513) },
    { models: ['a', 'a'] },
    { models: [''] },
    { models: Array.from({ length: 101 }, (_, i) => `m${i}`) },
    { settings: { models: ['x'] } },
    { settings: { retired: true } },
    { settings: { upstream: 'x'.repeat(70_000) } },
  ])
    await assert.rejects(setDeployment(db, { ...LLAMA, ...wrong }), LedgerInputError)
  assert.deepEqual(await listDeployments(db), [])
})
