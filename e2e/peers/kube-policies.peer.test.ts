import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ANNOTATIONS, API_VERSION, FINALIZERS, boundNamespaceRights, platformWriters } from '@ascribe/kinds'
import { kube } from './kube/available.ts'
import { applyAll, collectionOf, installKinds, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'
import type { Answer, Api } from './kube/api.ts'
import { KDC_CLUSTERS_DEFINITION } from './kube/kdc-kind.ts'
import { until } from './support/until.ts'

// Who may write what, as a real kube-apiserver with RBAC and our policies sees it: every policy by a refused and an accepted write.

const { binaries, skip } = await kube()

const NAMESPACE = 'tenant-a'
const UUID = 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10'

let plane: ControlPlane
/** May do everything with our kinds, in the cluster: RBAC is not what refuses. */
let tenant: Api
/** Two people of the group `ascribe:platform`. */
let paula: Api
let pete: Api
let admin: Api
let controller: Api
let backend: Api
let minter: Api

before(async () => {
  if (binaries === undefined) return
  const users = [{ name: 'tenant' }, { name: 'paula', groups: ['ascribe:platform'] }, { name: 'pete', groups: ['ascribe:platform'] }]
  plane = await startControlPlane({ binaries, users, controllerManager: true })
  await installKinds(plane)
  ;({ admin } = plane)
  ;[tenant, paula, pete] = ['tenant', 'paula', 'pete'].map((name) => plane.as(name)) as [Api, Api, Api]
  await applyAll(admin, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    KDC_CLUSTERS_DEFINITION,
    allRights('tenant', { kind: 'User', name: 'tenant' }),
    role('tenant'),
    // The platform's role does not speak of kube-dc's kind.
    allRights('platform-kdc', { kind: 'Group', name: 'ascribe:platform' }),
  ] as readonly Located[])
  controller = (await plane.asServiceAccount('ascribe-system', 'ascribe-controller')).api
  backend = (await plane.asServiceAccount('ascribe-system', 'ascribe-api')).api
  minter = (await plane.asServiceAccount('ascribe-system', 'ascribe-minter')).api
  await until(async () => (await tenant.get(collectionOf(kdc({})))).status === 200, 'the tenant has rights, and KdcCluster is served')
})
after(async () => plane?.[Symbol.asyncDispose]())

function role(name: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules: [{ apiGroups: ['infrastructure.cluster.x-k8s.io', 'k8s.kube-dc.com'], resources: ['*'], verbs: ['*'] }],
  }
}

function allRights(name: string, subject: { readonly kind: string; readonly name: string }): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'tenant' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', ...subject }],
  }
}

type Parts = {
  readonly name?: string
  readonly annotations?: Record<string, string>
  readonly finalizers?: readonly string[]
  readonly spec?: object
}

let made = 0
function object(kind: string, { name, spec, ...metadata }: Parts, base: object): Located & { readonly spec: object } {
  made += 1
  return {
    apiVersion: API_VERSION,
    kind,
    metadata: { name: name ?? `object-${made}`, namespace: NAMESPACE, ...metadata },
    spec: { ...base, ...spec },
  }
}
const machine = (parts: Parts): Located & { readonly spec: object } => object('CloudSigmaMachine', parts, { cpu: 4000, memory: 4096 })
const cluster = (parts: Parts): Located & { readonly spec: object } => object('CloudSigmaCluster', parts, { region: 'zrh' })
const kdc = (parts: Parts): Located & { readonly spec: object } => ({
  ...object('KdcCluster', parts, { workers: [] }),
  apiVersion: 'k8s.kube-dc.com/v1alpha1',
})
const template = (parts: Parts): Located & { readonly spec: object } => ({
  ...object('CloudSigmaMachineTemplate', {}, {}),
  spec: { template: { spec: { cpu: 4000, memory: 4096, ...parts.spec } } },
})
const binding = (name: string, spec: object = {}): Located & { readonly spec: object } => ({
  apiVersion: API_VERSION,
  kind: 'CloudSigmaOwnerBinding',
  metadata: { name },
  spec: {
    namespaceRef: { name: NAMESPACE, uid: UUID },
    subject: { userUUID: UUID, emailAtBinding: 'Ada@example.com' },
    impersonatorRef: { name: 'cloudsigma' },
    evidence: { type: 'AdminAssertion' },
    ...spec,
  },
})

const create = (api: Api, one: Located): Promise<Answer> => api.post(collectionOf(one), one)
const annotate = (
  api: Api,
  { on, annotations }: { readonly on: Located; readonly annotations: Record<string, string | null> },
): Promise<Answer> => api.patch(pathOf(on), { metadata: { annotations } })

function assertDone({ status, text }: Answer): void {
  assert.ok(status === 200 || status === 201, text)
}

function assertRefused({ status, text }: Answer, words: RegExp): void {
  assert.ok(status === 403 || status === 422, `${status}: ${text}`)
  assert.match(text, words)
}

test(
  'H-1: an owner annotation is set, changed and removed by platform writers only, on both kinds and by both names',
  { skip },
  async () => {
    for (const kind of [kdc, cluster])
      for (const name of ['cloudsigma.com/owner-email', 'kube-dc.com/owner-email']) {
        const words = /owner annotations .* are set by the platform only/s
        assertRefused(await create(tenant, kind({ annotations: { [name]: 'victim@example.com' } })), words)
        const own = kind({})
        assertDone(await create(tenant, own))
        assertRefused(await annotate(tenant, { on: own, annotations: { [name]: 'victim@example.com' } }), words)
        assertDone(await annotate(paula, { on: own, annotations: { [name]: 'ada@example.com' } }))
        assertRefused(await annotate(tenant, { on: own, annotations: { [name]: 'victim@example.com' } }), words)
        assertRefused(await annotate(tenant, { on: own, annotations: { [name]: null } }), words)
        // What leaves it alone is no matter.
        assertDone(await annotate(tenant, { on: own, annotations: { other: 'x' } }))
        assertDone(await annotate(admin, { on: own, annotations: { [name]: 'eve@example.com' } }))
      }
  },
)

test("H-5: nobody but the platform puts a cluster into the platform's account", { skip }, async () => {
  const annotations = { [ANNOTATIONS.fallback]: 'PlatformAccount' }
  assertRefused(await create(tenant, kdc({ annotations })), /set by the platform only/)
  assertRefused(await create(tenant, cluster({ annotations })), /platform/)
  assertDone(await create(paula, kdc({ annotations })))
  assertDone(await create(paula, cluster({ annotations })))
})

test('the backend creates a KdcCluster with its owner', { skip }, async () => {
  assertDone(await create(backend, kdc({ annotations: { 'cloudsigma.com/owner-email': 'ada@example.com', other: 'x' } })))
})

test('annotations of ours are written by the controller and by platform writers only', { skip }, async () => {
  const words = /Annotations ascribe.dev\/\* are written by the controller only|ascribe.dev\/fallback, are set by the platform only/
  for (const name of [ANNOTATIONS.account, ANNOTATIONS.createToken, ANNOTATIONS.fallback, 'ascribe.dev/anything']) {
    for (const kind of [machine, cluster]) {
      assertRefused(await create(tenant, kind({ annotations: { [name]: 'x' } })), words)
      const own = kind({})
      assertDone(await create(tenant, own))
      assertRefused(await annotate(tenant, { on: own, annotations: { [name]: 'x' } }), words)
      assertDone(await annotate(controller, { on: own, annotations: { [name]: 'y' } }))
      assertRefused(await annotate(tenant, { on: own, annotations: { [name]: 'x' } }), words)
      assertRefused(await annotate(tenant, { on: own, annotations: { [name]: null } }), words)
      assertDone(await annotate(tenant, { on: own, annotations: { other: 'x' } }))
      assertDone(await annotate(paula, { on: own, annotations: { [name]: 'z' } }))
    }
  }
})

test(
  'H-12: a finalizer of ours is removed by the controller, by system:masters, and by the platform while clusterctl moves',
  { skip },
  async () => {
    const words = /finalizer goes when nothing stands any more/
    const finalizers = [FINALIZERS.machine, 'example.com/other']
    const without = (api: Api, one: Located, left: readonly string[] = ['example.com/other']): Promise<Answer> =>
      api.patch(pathOf(one), { metadata: { finalizers: left } })
    const held = async (): Promise<Located> => {
      const one = machine({ finalizers })
      assertDone(await create(tenant, one))
      return one
    }
    const one = await held()
    assertRefused(await without(tenant, one), words)
    assertRefused(await without(paula, one), words)
    assertDone(await without(tenant, one, [FINALIZERS.machine]))
    assertDone(await without(controller, one))
    assertDone(await without(admin, await held()))
    const moved = await held()
    assertDone(await annotate(paula, { on: moved, annotations: { 'clusterctl.cluster.x-k8s.io/delete-for-move': '' } }))
    assertRefused(await without(tenant, moved), words)
    assertDone(await without(paula, moved))
  },
)

test('R-15: nobody but the controller says which server is a machine’s, neither in spec nor in status', { skip }, async () => {
  const providerID = `cloudsigma://${UUID}`
  const words = /providerID is written by the controller only/
  assertRefused(await create(tenant, machine({ spec: { providerID } })), words)
  const one = machine({})
  assertDone(await create(tenant, one))
  assertDone(await annotate(controller, { on: one, annotations: { [ANNOTATIONS.createToken]: UUID } }))
  assertRefused(await tenant.patch(pathOf(one), { spec: { providerID } }), words)
  const status = (api: Api, body: object): Promise<Answer> => api.patch(`${pathOf(one)}/status`, { status: body })
  for (const body of [{ instanceID: UUID }, { ready: true }, { account: null }])
    assertRefused(await status(tenant, body), /status of a CloudSigmaMachine is written by the controller only/)
  assertDone(await controller.patch(pathOf(one), { spec: { providerID } }))
  assertDone(await status(controller, { instanceID: UUID }))
  // What leaves it alone is no matter; and clusterctl move, by a platform writer, takes it along.
  assertDone(await annotate(tenant, { on: one, annotations: { other: 'x' } }))
  assertDone(await create(paula, machine({ spec: { providerID } })))
  // The earlier provider goes on with its own until they are taken over: they have no token.
  const theirs = machine({})
  assertDone(await create(tenant, theirs))
  assertDone(await tenant.patch(pathOf(theirs), { spec: { providerID } }))
  assertDone(await tenant.patch(`${pathOf(theirs)}/status`, { status: { instanceID: UUID } }))
})

test('5.7: abandon takes two people, each with their own name', { skip }, async () => {
  const { abandon, abandonApproved, abandonReason } = ANNOTATIONS
  const one = machine({})
  assertDone(await create(tenant, one))
  assertRefused(await annotate(tenant, { on: one, annotations: { [abandon]: 'tenant' } }), /written by the controller only/)
  assertRefused(
    await annotate(controller, { on: one, annotations: { [abandon]: platformWriters().users[0] ?? '' } }),
    /not service accounts/,
  )
  assertRefused(await annotate(paula, { on: one, annotations: { [abandon]: 'pete' } }), /name of the user who asks/)
  assertRefused(await annotate(paula, { on: one, annotations: { [abandon]: 'paula', [abandonApproved]: 'paula' } }), /second user/)
  assertRefused(await annotate(pete, { on: one, annotations: { [abandonApproved]: 'pete' } }), /comes after/)
  assertDone(await annotate(paula, { on: one, annotations: { [abandon]: 'paula', [abandonReason]: 'the account is gone' } }))
  assertRefused(await annotate(paula, { on: one, annotations: { [abandonApproved]: 'paula' } }), /second user/)
  assertRefused(await annotate(paula, { on: one, annotations: { [abandonApproved]: 'pete' } }), /second user/)
  assertDone(await annotate(pete, { on: one, annotations: { [abandonApproved]: 'pete' } }))
  assertRefused(await annotate(paula, { on: one, annotations: { [abandonReason]: 'something else' } }), /stays as it was/)
  assertDone(await annotate(controller, { on: one, annotations: { [ANNOTATIONS.server]: UUID } }))
  assertDone(await annotate(paula, { on: one, annotations: { [abandon]: null, [abandonApproved]: null, [abandonReason]: null } }))
  // One person who writes the whole object at once is one person.
  assertRefused(await create(admin, machine({ annotations: { [abandon]: 'admin', [abandonApproved]: 'pete' } })), /second user/)
})

test('C-41: a template changes in a dry run of the topology controller only', { skip }, async () => {
  for (const one of [template({}), { ...object('CloudSigmaClusterTemplate', {}, {}), spec: { template: { spec: { region: 'zrh' } } } }]) {
    assertDone(await create(tenant, one))
    const change = { spec: { template: { spec: { userEmail: 'eve@example.com' } } } }
    const dry = { metadata: { annotations: { 'topology.cluster.x-k8s.io/dry-run': '' } } }
    for (const api of [tenant, paula, admin]) {
      assertRefused(await api.patch(pathOf(one), change), /A template is not changed/)
      assertRefused(await api.patch(pathOf(one), { ...change, ...dry }), /A template is not changed/)
      assertRefused(await api.patch(`${pathOf(one)}?dryRun=All`, change), /A template is not changed/)
      assertDone(await api.patch(`${pathOf(one)}?dryRun=All`, { ...change, ...dry }))
    }
    assertDone(await tenant.patch(pathOf(one), { metadata: { labels: { a: 'b' } } }))
  }
})

test('a template cannot hand our annotations to its machines', { skip }, async () => {
  const one = {
    ...template({}),
    spec: { template: { metadata: { annotations: { [ANNOTATIONS.account]: '{}' } }, spec: { cpu: 4000, memory: 4096 } } },
  }
  assertRefused(await create(admin, one), /written by the controller only/)
})

test('5.3: impersonators and bindings are written and deleted by platform writers only', { skip }, async () => {
  const words = /written by the platform only/
  const impersonator = {
    apiVersion: API_VERSION,
    kind: 'CloudSigmaImpersonator',
    metadata: { name: 'cloudsigma' },
    spec: { issuer: 'https://oauth.example.com', regions: [{ name: 'zrh', apiHost: 'a.example', impersonateHost: 'a.example' }] },
  }
  assertRefused(await create(tenant, impersonator), words)
  assertDone(await create(paula, impersonator))
  assertRefused(await tenant.patch(pathOf(impersonator), { spec: { allowedNamespaces: { mode: 'All' } } }), words)
  assertRefused(await tenant.delete(pathOf(impersonator)), words)
  const bound = binding('ada')
  assertRefused(await create(tenant, bound), words)
  assertDone(await create(backend, bound))
  assertRefused(await tenant.patch(pathOf(bound), { spec: { limits: { maxServers: 1000 } } }), words)
  assertRefused(await tenant.delete(pathOf(bound)), words)
  assertDone(await controller.patch(pathOf(bound), { metadata: { finalizers: [FINALIZERS.ownerBinding] } }))
  assertDone(await controller.patch(`${pathOf(bound)}/status`, { status: { profileUUID: UUID } }))
  assertDone(await controller.patch(pathOf(bound), { metadata: { finalizers: [] } }))
  assertDone(await backend.delete(pathOf(bound)))
  assertDone(await paula.delete(pathOf(impersonator)))
})

test('H-4: userRef stays in its own namespace', { skip }, async () => {
  for (const kind of [machine, cluster, template]) {
    assertRefused(await create(admin, kind({ spec: { userRef: { name: 'owner', namespace: 'kube-system' } } })), /own namespace/)
    assertDone(await create(tenant, kind({ spec: { userRef: { name: 'owner', namespace: NAMESPACE } } })))
    assertDone(await create(tenant, kind({ spec: { userRef: { name: 'owner' } } })))
  }
})

test('H-13: what exceeds the limits of the binding that it names is refused when written', { skip }, async () => {
  const limited = binding('limited', { limits: { maxCPU: 8000, maxMemory: 8192, maxDrives: 1, regions: ['zrh'] } })
  assertDone(await create(paula, limited))
  const disks = [1, 2].map((order) => ({ uuid: UUID, device: 'virtio', boot_order: order, size: 1 }))
  const over = machine({ spec: { cpu: 8001, userEmail: 'ada@EXAMPLE.com' } })
  await until(async () => (await admin.post(`${collectionOf(over)}?dryRun=All`, over)).status === 403, 'the new binding is known')
  for (const owner of [{ userEmail: 'ada@EXAMPLE.com' }, { ownerBindingRef: { name: 'limited' } }]) {
    for (const kind of [machine, template]) {
      assertRefused(await create(admin, kind({ spec: { cpu: 8001, ...owner } })), /More MHz than the owner agreed to/)
      assertRefused(await create(tenant, kind({ spec: { memory: 8193, ...owner } })), /More MiB/)
      assertRefused(await create(tenant, kind({ spec: { disks, ...owner } })), /More drives/)
      assertDone(await create(tenant, kind({ spec: { cpu: 8000, memory: 8192, disks: disks.slice(0, 1), ...owner } })))
    }
    assertRefused(await create(tenant, cluster({ spec: { region: 'sjc', ...owner } })), /did not agree to this region/)
    assertDone(await create(tenant, cluster({ spec: owner })))
  }
  // Another owner, another namespace: not this binding.
  assertDone(await create(tenant, machine({ spec: { cpu: 9000, userEmail: 'eve@example.com' } })))
  assertDone(await paula.delete(pathOf(limited)))
})

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
