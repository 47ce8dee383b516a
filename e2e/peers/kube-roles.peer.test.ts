import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { boundNamespaceRights } from '@ascribe/kinds'
import type { Api } from './kube/api.ts'
import { kube } from './kube/available.ts'
import { applyAll, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { NAMESPACE, binding, cluster, kdc, machine, template } from './kube/policy-objects.ts'
import { assertDone, create, startPolicyWorld } from './kube/policy-world.ts'
import type { PolicyWorld } from './kube/policy-world.ts'
import { until } from './support/until.ts'

// Who may read which Secret, and write what, by the roles that are installed with the controller: RBAC alone refuses.

const { binaries, skip } = await kube()

let world: PolicyWorld
let admin: Api
let tenant: Api
let controller: Api
let backend: Api
let minter: Api

before(async () => {
  if (binaries === undefined) return
  world = await startPolicyWorld(binaries)
  ;({ admin, tenant, controller, backend, minter } = world)
})
after(async () => world?.[Symbol.asyncDispose]())

test(
  'H-19, H-24: the controller gets one Secret by name, the minter the client Secret, and nobody lists or watches any',
  { skip },
  async () => {
    const secret = (namespace: string, name: string): Located => ({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name } })
    const own = ['cloudsigma-impersonation', 'ascribe-controller-key'].map((name) => secret('ascribe-system', name))
    const other = [secret('ascribe-system', 'other'), secret(NAMESPACE, 'bootstrap'), secret('kube-system', 'any')]
    await applyAll(admin, [...own, ...other])
    const statuses = async (api: Api): Promise<readonly number[]> =>
      Promise.all(own.map(async (one) => (await api.get(pathOf(one))).status))
    assert.deepEqual(await statuses(controller), [403, 200])
    assert.deepEqual(await statuses(minter), [200, 403])
    assert.deepEqual(await statuses(backend), [403, 403])
    for (const one of other)
      for (const api of [controller, minter, backend]) assert.equal((await api.get(pathOf(one))).status, 403, pathOf(one))
    for (const path of ['/api/v1/secrets', '/api/v1/namespaces/ascribe-system/secrets', `/api/v1/namespaces/${NAMESPACE}/secrets`]) {
      assert.equal((await controller.get(path)).status, 403)
      assert.equal((await controller.get(`${path}?watch=true`)).status, 403)
      assert.equal((await backend.get(path)).status, 403)
      assert.equal((await minter.get(path)).status, 403)
    }
  },
)

test(
  'a bound namespace: the backend hands out get on Secrets with the binding, nothing else, and it goes with the binding',
  { skip },
  async () => {
    const bound = binding('bound')
    const made = await create(backend, bound)
    assertDone(made)
    const { metadata } = made.body as { readonly metadata: { readonly uid: string } }
    const rights = boundNamespaceRights({ namespace: NAMESPACE, binding: { name: 'bound', uid: metadata.uid } })
    assertDone(await create(backend, rights as Located))
    const secret = `/api/v1/namespaces/${NAMESPACE}/secrets/bootstrap`
    await until(async () => (await controller.get(secret)).status === 200, 'the controller may get Secrets of the namespace')
    assert.equal((await controller.get(`/api/v1/namespaces/${NAMESPACE}/secrets`)).status, 403)
    assert.equal((await backend.get(secret)).status, 403)
    // It cannot hand out what it does not hold, nor to whom it likes another role.
    const more = {
      ...rights,
      metadata: { name: 'more', namespace: NAMESPACE },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    }
    assert.equal((await create(backend, more as Located)).status, 403)
    assertDone(await backend.delete(pathOf(bound)))
    // The collector learns of a new kind at its next discovery, up to 30 s after its definition.
    await until(async () => (await controller.get(secret)).status === 403, 'the right is gone with the binding', { patienceMs: 60_000 })
  },
)

test('the controller neither creates nor deletes machines, and holds the one Lease', { skip }, async () => {
  const one = machine({})
  assert.equal((await create(controller, one)).status, 403)
  assertDone(await create(tenant, one))
  assert.equal((await controller.delete(pathOf(one))).status, 403)
  assertDone(await controller.patch(`${pathOf(one)}/status`, { status: { ready: false } }))
  const lease = (name: string): Located => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'ascribe-system', name },
  })
  assertDone(await create(controller, lease('cloudsigma.cluster.x-k8s.io')))
  assertDone(await controller.patch(pathOf(lease('cloudsigma.cluster.x-k8s.io')), { spec: { holderIdentity: 'a' } }))
  await create(admin, lease('other'))
  assert.equal((await controller.patch(pathOf(lease('other')), { spec: { holderIdentity: 'a' } })).status, 403)
})

test('the bridge creates clusters and templates, and may not touch a KdcCluster', { skip }, async () => {
  assertDone(
    await create(controller, cluster({ annotations: { 'ascribe.dev/template-a': 'x', 'cloudsigma.com/owner-email': 'ada@example.com' } })),
  )
  const one = template({})
  assertDone(await create(controller, one))
  assertDone(await controller.delete(pathOf(one)))
  const owned = kdc({})
  assertDone(await create(tenant, owned))
  assert.equal((await controller.patch(pathOf(owned), { metadata: { labels: { a: 'b' } } })).status, 403)
})
