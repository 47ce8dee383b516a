import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSandboxKube } from '@ascribe/sandbox/kube'
import { KubeError, createKubeClient, createKubeConnection, isKubeError } from '../src/index.ts'
import type { KubeClient } from '../src/index.ts'
import { THINGS, thing, thingKey } from './things.ts'

async function world(): Promise<{ kube: Awaited<ReturnType<typeof startSandboxKube>>; client: KubeClient } & AsyncDisposable> {
  const kube = await startSandboxKube({ namespaces: ['a', 'b'] })
  const connection = await createKubeConnection({ kubeconfig: kube.kubeconfig })
  return {
    kube,
    client: createKubeClient(connection),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]()
      await kube[Symbol.asyncDispose]()
    },
  }
}

test('create() makes an object, get() reads it, and a second create() is AlreadyExists', async () => {
  await using it = await world()
  const made = await it.client.create(THINGS, thing('a', 'one', { size: 1 }))
  assert.equal(made.kind, 'Thing')
  assert.equal(made.metadata.generation, 1)
  assert.deepEqual(await it.client.get(THINGS, thingKey('a', 'one')), made)
  await assert.rejects(
    it.client.create(THINGS, thing('a', 'one', {})),
    (error) => isKubeError(error, 'AlreadyExists') && error.status === 409,
  )
  await assert.rejects(it.client.create(THINGS, thing('nowhere', 'one', {})), (error) => isKubeError(error, 'NotFound'))
})

test('tryGet() gives undefined for NotFound alone, not for a kind that is not served', async () => {
  await using it = await world()
  assert.equal(await it.client.tryGet(THINGS, thingKey('a', 'none')), undefined)
  it.kube.setServed('things', false)
  await assert.rejects(it.client.tryGet(THINGS, thingKey('a', 'none')), (error) => isKubeError(error, 'NotServed') && error.retryable)
  it.kube.setServed('things', true)
  using _fault = it.kube.fault({ effect: { kind: 'status', status: 403, reason: 'Forbidden' } })
  await assert.rejects(it.client.tryGet(THINGS, thingKey('a', 'none')), (error) => isKubeError(error, 'Forbidden') && !error.retryable)
})

test('list() reads all pages of one instant, and begins again without pages when one has expired', async () => {
  await using it = await world()
  for (let index = 0; index < 7; index += 1) await it.client.create(THINGS, thing(index % 2 === 0 ? 'a' : 'b', `t${index}`, {}))
  const all = await it.client.list(THINGS, { pageSize: 3 })
  assert.equal(all.items.length, 7)
  assert.deepEqual(new Set(all.items.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`)), new Set(['test.ascribe.dev/v1 Thing']))
  assert.equal((await it.client.list(THINGS, { namespace: 'a' })).items.length, 4)
  assert.equal(it.kube.log.filter(({ verb, query }) => verb === 'list' && query['continue'] !== undefined).length, 2)

  it.kube.clearLog()
  using _expiry = it.kube.fault({
    match: { verb: 'list' },
    effect: { kind: 'delay', ms: 0 },
  })
  // The continuation expires between the first page and the second.
  const listing = it.client.list(THINGS, { pageSize: 3 })
  while (it.kube.log.length === 0) await new Promise(setImmediate)
  it.kube.compact()
  assert.equal((await listing).items.length, 7)
})

test('apply() owns what it applies, refuses what others own, takes it with force, and removes what it leaves out', async () => {
  await using it = await world()
  const { client } = it
  await client.apply(THINGS, thing('a', 'one', { size: 1, colour: 'red' }), { fieldManager: 'one' })
  const stranger = client.apply(THINGS, thing('a', 'one', { size: 2 }), { fieldManager: 'two' })
  await assert.rejects(stranger, (error) => isKubeError(error, 'Conflict') && error.fields.includes('.spec.size'))
  const forced = await client.apply(THINGS, thing('a', 'one', { size: 2 }), { fieldManager: 'two', force: true })
  assert.deepEqual(forced.spec, { size: 2, colour: 'red' })
  assert.equal(forced.metadata.generation, 2)
  const less = await client.apply(THINGS, thing('a', 'one', {}), { fieldManager: 'one' })
  assert.deepEqual(less.spec, { size: 2 })
})

test('applyStatus() and patchStatus() write the status alone, and the generation stays', async () => {
  await using it = await world()
  const { client } = it
  const made = await client.create(THINGS, { ...thing('a', 'one', { size: 1 }), status: { phase: 'Wrong' } })
  assert.equal(made.status, undefined)
  const conditions = [{ type: 'Ready', status: 'False' }]
  const first = await client.applyStatus(
    THINGS,
    { metadata: { namespace: 'a', name: 'one' }, status: { phase: 'New', conditions } },
    { fieldManager: 'one' },
  )
  assert.deepEqual(first.status, { phase: 'New', conditions })
  const more = [{ type: 'Pretty', status: 'True' }]
  const second = await client.applyStatus(
    THINGS,
    { metadata: { namespace: 'a', name: 'one' }, status: { conditions: more } },
    { fieldManager: 'two' },
  )
  assert.deepEqual(second.status, { phase: 'New', conditions: [...conditions, ...more] })
  assert.equal(second.metadata.generation, 1)
  const body = { status: { phase: 'Old' }, spec: { size: 9 } }
  const third = await client.patchStatus(THINGS, thingKey('a', 'one'), { patch: { type: 'merge', body } })
  assert.equal(third.status?.phase, 'Old')
  assert.deepEqual(third.spec, { size: 1 })
})

test('addFinalizer() and removeFinalizer() test what they read, and a deletion ends with the last one', async () => {
  await using it = await world()
  const { client } = it
  const made = await client.create(THINGS, thing('a', 'one', {}))
  const held = await client.addFinalizer(THINGS, made, { finalizer: 'x.test/one' })
  assert.equal(await client.addFinalizer(THINGS, held, { finalizer: 'x.test/one' }), held)
  // `made` is old by now: its finalizers were none.
  await assert.rejects(client.addFinalizer(THINGS, made, { finalizer: 'x.test/two' }), (error) => isKubeError(error, 'Conflict'))
  assert.equal(await client.delete(THINGS, thingKey('a', 'one')), 'deleting')
  const marked = await client.get(THINGS, thingKey('a', 'one'))
  assert.notEqual(marked.metadata.deletionTimestamp, undefined)
  await assert.rejects(client.addFinalizer(THINGS, marked, { finalizer: 'x.test/two' }), (error) => isKubeError(error, 'Invalid'))
  await client.removeFinalizer(THINGS, marked, { finalizer: 'x.test/one' })
  assert.equal(await client.tryGet(THINGS, thingKey('a', 'one')), undefined)
  assert.equal(await client.removeFinalizer(THINGS, marked, { finalizer: 'x.test/one' }), undefined)
  assert.equal(await client.delete(THINGS, thingKey('a', 'one')), 'gone')
})

test('delete() with preconditions does not touch an object that took the name', async () => {
  await using it = await world()
  const { client } = it
  const first = await client.create(THINGS, thing('a', 'one', {}))
  const { uid = '' } = first.metadata
  await client.delete(THINGS, thingKey('a', 'one'), { preconditions: { uid } })
  await client.create(THINGS, thing('a', 'one', {}))
  await assert.rejects(client.delete(THINGS, thingKey('a', 'one'), { preconditions: { uid } }), (error) => isKubeError(error, 'Conflict'))
})

test('dryRun keeps nothing', async () => {
  await using it = await world()
  await it.client.create(THINGS, thing('a', 'one', {}), { dryRun: true })
  assert.equal(await it.client.tryGet(THINGS, thingKey('a', 'one')), undefined)
})

test('replace() with an old version is a Conflict', async () => {
  await using it = await world()
  const first = await it.client.create(THINGS, thing('a', 'one', { size: 1 }))
  await it.client.replace(THINGS, { ...first, spec: { size: 2 } })
  await assert.rejects(
    it.client.replace(THINGS, { ...first, spec: { size: 3 } }),
    (error) => isKubeError(error, 'Conflict') && error.retryable,
  )
})

test('a call that is not answered within its deadline is a Deadline, one whose connection breaks is Network', async () => {
  await using it = await world()
  const { kube, client } = it
  kube.fault({ match: { verb: 'get' }, effect: { kind: 'hang' }, times: 1 })
  await assert.rejects(client.get(THINGS, thingKey('a', 'one'), { deadlineMs: 30 }), (error) => isKubeError(error, 'Deadline'))
  kube.fault({ match: { verb: 'get' }, effect: { kind: 'reset' }, times: 1 })
  await assert.rejects(client.get(THINGS, thingKey('a', 'one')), (error) => isKubeError(error, 'Network') && error.status === undefined)
  kube.fault({ match: { verb: 'create' }, effect: { kind: 'resetAfter' }, times: 1 })
  await assert.rejects(client.create(THINGS, thing('a', 'one', {})), (error) => isKubeError(error, 'Network'))
  assert.notEqual(kube.get('things', 'a/one'), undefined)
})

test('an abort of the caller is thrown as it is', async () => {
  await using it = await world()
  it.kube.fault({ match: { verb: 'get' }, effect: { kind: 'hang' } })
  const caller = new AbortController()
  const reading = it.client.get(THINGS, thingKey('a', 'one'), { signal: caller.signal })
  const why = new Error('enough')
  caller.abort(why)
  await assert.rejects(reading, (error) => error === why)
})

test('KubeError carries status, reason, fields and Retry-After', async () => {
  await using it = await world()
  it.kube.fault({ effect: { kind: 'status', status: 429, reason: 'TooManyRequests', retryAfterS: 3 }, times: 1 })
  await assert.rejects(it.client.list(THINGS), (error) => error instanceof KubeError && error.retryAfterMs === 3000 && error.retryable)
  await assert.rejects(
    it.client.create(THINGS, thing('a', 'No_Name', {})),
    (error) => isKubeError(error, 'Invalid') && error.fields[0] === 'metadata.name' && !error.retryable,
  )
})

test('reviewToken() accepts a token for one of our audiences only, reviewAccess() says what somebody may do', async () => {
  await using it = await world()
  const { client, kube } = it
  const name = 'system:serviceaccount:a:ccm'
  const extra = { 'authentication.kubernetes.io/pod-name': ['ccm-1'] }
  const token = kube.token({ name, groups: ['system:serviceaccounts'], audiences: ['broker'], extra })
  const review = await client.reviewToken(token, { audiences: ['broker'] })
  assert.ok(review.authenticated)
  assert.equal(review.user.username, name)
  assert.deepEqual(review.user.extra, extra)
  assert.equal((await client.reviewToken(token, { audiences: ['other'] })).authenticated, false)
  assert.equal((await client.reviewToken('nonsense', { audiences: ['broker'] })).authenticated, false)
  // A token for the API server itself is not one for the broker.
  assert.equal((await client.reviewToken(kube.token({ name }), { audiences: ['broker'] })).authenticated, false)
  const resourceAttributes = { verb: 'get', resource: 'secrets' }
  assert.equal((await client.reviewAccess({ user: 'x', groups: ['system:masters'], resourceAttributes })).allowed, true)
  assert.equal((await client.reviewAccess({ user: 'x', groups: [], resourceAttributes })).allowed, false)
})

test('objectPath() refuses names that would name something else', async () => {
  await using it = await world()
  for (const name of ['', '.', '..', 'a/b', '%2e'])
    await assert.rejects(async () => it.client.delete(THINGS, { namespace: 'a', name }), /is no name/)
  await assert.rejects(async () => it.client.get(THINGS, { name: 'x' }), /lives in a namespace/)
  assert.deepEqual(it.kube.log, [])
})
