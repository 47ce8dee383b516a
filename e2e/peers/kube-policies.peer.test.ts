import { after, before, test } from 'node:test'
import { ANNOTATIONS, API_VERSION, FINALIZERS, platformWriters } from '@ascribe/kinds'
import type { Answer, Api } from './kube/api.ts'
import { kube } from './kube/available.ts'
import { collectionOf, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { NAMESPACE, UUID, binding, cluster, kdc, machine, object, template } from './kube/policy-objects.ts'
import { annotate, assertDone, assertRefused, create, startPolicyWorld } from './kube/policy-world.ts'
import type { PolicyWorld } from './kube/policy-world.ts'
import { until } from './support/until.ts'

// Who may write what, as a real kube-apiserver with our policies sees it: every policy by a refused and an accepted write.

const { binaries, skip } = await kube()

let world: PolicyWorld
let admin: Api
let tenant: Api
let paula: Api
let pete: Api
let controller: Api
let backend: Api

before(async () => {
  if (binaries === undefined) return
  world = await startPolicyWorld(binaries)
  ;({ admin, tenant, paula, pete, controller, backend } = world)
})
after(async () => world?.[Symbol.asyncDispose]())

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
