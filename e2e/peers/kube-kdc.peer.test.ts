import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { API_VERSION } from '@ascribe/kinds'
import { clusterApi, kube } from './kube/available.ts'
import type { Api } from './kube/api.ts'
import { OWNER, REGION, openCloudWorld, startKubelets } from './kube/cloud-world.ts'
import type { CloudWorld } from './kube/cloud-world.ts'
import { startClusterApi } from './kube/cluster-api.ts'
import { applyAll, collectionOf, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import { KDC_CLUSTERS_DEFINITION } from './kube/kdc-kind.ts'
import { until } from './support/until.ts'

// What the issue ends with: a KdcCluster with an owner becomes machines in the owner's account, on a real API server with the real Cluster API.
// The tests play the backend, a tenant, the kubelets, and kube-dc's manager.

const planeAvailable = await kube()
const coreAvailable = await clusterApi()
const skip = planeAvailable.skip === false ? coreAvailable.skip : planeAvailable.skip
const NAMESPACE = 'user-project'
const CLUSTER = 'my-cluster'
const CORE = 'cluster.x-k8s.io/v1beta2'
const KDC = 'k8s.kube-dc.com/v1alpha1'

let world: CloudWorld
let backend: Api
let tenant: Api
let dispose: (() => Promise<void>) | undefined

before(async () => {
  const { binaries } = planeAvailable
  const core = coreAvailable.clusterApi
  if (binaries === undefined || core === undefined) return
  await using stack = new AsyncDisposableStack()
  const plane = stack.use(await startControlPlane({ binaries, users: [{ name: 'tenant' }], controllerManager: true }))
  stack.use(await startClusterApi(plane, { binaries: core }))
  await applyAll(plane.admin, [
    KDC_CLUSTERS_DEFINITION,
    ...TENANT_RIGHTS,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
  ])
  world = stack.use(await openCloudWorld(plane, { kdcBridge: true }))
  stack.use(startKubelets(plane))
  backend = (await plane.asServiceAccount('ascribe-system', 'ascribe-api')).api
  tenant = plane.as('tenant')
  const held = stack.move()
  dispose = () => held.disposeAsync()
})
after(async () => dispose?.())

/** kube-dc's chart gives create, update and patch on KdcClusters to project administrators and developers (H-1). */
const TENANT_RIGHTS: readonly Located[] = [
  Object.assign(
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'developer' } },
    { rules: [{ apiGroups: ['k8s.kube-dc.com'], resources: ['kdcclusters'], verbs: ['*'] }] },
  ),
  Object.assign(
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'developer' } },
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'developer' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'tenant' }],
    },
  ),
]

type Thing = Located & {
  readonly metadata: { readonly annotations?: Record<string, string>; readonly labels?: Record<string, string> }
  readonly spec: { readonly userEmail?: string; readonly cpu?: number }
  readonly status?: {
    readonly phase?: string
    readonly readyReplicas?: number
    readonly upToDateReplicas?: number
    readonly conditions?: readonly object[]
  }
}

const at = (apiVersion: string, kind: string, name: string): Located => ({ apiVersion, kind, metadata: { name, namespace: NAMESPACE } })
const reference = (kind: string, name: string): object => ({ apiGroup: 'infrastructure.cluster.x-k8s.io', kind, name })
const BRIDGED = at(API_VERSION, 'CloudSigmaCluster', CLUSTER)
const KDC_CLUSTER = at(KDC, 'KdcCluster', CLUSTER)

async function get(one: Located): Promise<Thing | undefined> {
  const { status, body } = await world.plane.admin.get(pathOf(one))
  return status === 200 ? (body as Thing) : undefined
}

async function list(kind: string, apiVersion: string = API_VERSION): Promise<readonly Thing[]> {
  const { body } = await world.plane.admin.get(collectionOf(at(apiVersion, kind, '')))
  return (body as { readonly items?: readonly Thing[] }).items ?? []
}

async function eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
  await until(holds, what, { patienceMs: 90_000 }).catch(async (error: unknown) => {
    const ours = [...(await list('CloudSigmaMachine')), ...(await list('CloudSigmaCluster'))].map(
      ({ metadata, status }) => `${metadata.name}: ${JSON.stringify(status?.conditions)}`,
    )
    throw new Error(`${String(error)}\n${ours.join('\n').slice(0, 4_000)}\n${world.controller.stderr().slice(-3_000)}`)
  })
}

const currentTemplate = async (): Promise<string | undefined> =>
  (await get(BRIDGED))?.metadata.annotations?.['ascribe.dev/template-workers']

const kdcCluster = (annotations: object): Located =>
  ({
    ...KDC_CLUSTER,
    metadata: { ...KDC_CLUSTER.metadata, annotations },
    spec: { version: 'v1.36.4', workers: [pool(2000)] },
  }) as Located

function pool(cpuMHz: number): object {
  const { image, vlan } = world.owner
  return {
    name: 'workers',
    replicas: 2,
    infrastructureProvider: 'cloudsigma',
    cpuCores: 1,
    memory: '2Gi',
    cloudsigma: { imageUUID: image, cpuMHz, diskSizeGB: 32, region: REGION, nics: [{ vlan }] },
  }
}

/** kube-dc's manager: Cluster, control plane, and a MachineDeployment that uses the template which the annotation names. */
async function playManager(template: string): Promise<void> {
  const { admin, kubeconfig, url } = world.plane
  const labels = { 'cluster.x-k8s.io/cluster-name': CLUSTER }
  const secret = (name: string, stringData: object): Located =>
    ({
      ...at('v1', 'Secret', name),
      type: 'cluster.x-k8s.io/secret',
      metadata: { name, namespace: NAMESPACE, labels },
      stringData,
    }) as Located
  const common = { clusterName: CLUSTER, version: 'v1.36.4', bootstrap: { dataSecretName: `${CLUSTER}-bootstrap` } }
  await admin.patch(pathOf(BRIDGED), { spec: { controlPlaneEndpoint: { host: '127.0.0.1', port: Number(new URL(url).port) } } })
  const spec = (await get(at(API_VERSION, 'CloudSigmaMachineTemplate', template)))?.spec as unknown as {
    readonly template: { readonly spec: object }
  }
  await applyAll(admin, [
    secret(`${CLUSTER}-kubeconfig`, { value: readFileSync(kubeconfig, 'utf8') }),
    secret(`${CLUSTER}-bootstrap`, { value: '#cloud-config', format: 'cloud-config' }),
    { ...at(CORE, 'Cluster', CLUSTER), spec: { infrastructureRef: reference('CloudSigmaCluster', CLUSTER) } } as Located,
    { ...at(API_VERSION, 'CloudSigmaMachine', `${CLUSTER}-0`), spec: spec.template.spec } as Located,
    {
      apiVersion: CORE,
      kind: 'Machine',
      metadata: { name: `${CLUSTER}-0`, namespace: NAMESPACE, labels: { 'cluster.x-k8s.io/control-plane': '' } },
      spec: { ...common, infrastructureRef: reference('CloudSigmaMachine', `${CLUSTER}-0`) },
    } as Located,
    {
      ...at(CORE, 'MachineDeployment', `${CLUSTER}-workers`),
      spec: {
        clusterName: CLUSTER,
        replicas: 2,
        selector: { matchLabels: { pool: 'workers' } },
        template: {
          metadata: { labels: { pool: 'workers' } },
          spec: { ...common, infrastructureRef: reference('CloudSigmaMachineTemplate', template) },
        },
      },
    } as Located,
  ])
}

test('H-1: a tenant cannot say who owns a KdcCluster; the backend can', { skip, timeout: 60_000 }, async () => {
  const annotations = { 'cloudsigma.com/owner-email': 'victim@example.com' }
  const refused = await tenant.post(collectionOf(KDC_CLUSTER), kdcCluster(annotations))
  assert.equal(refused.status, 403, refused.text)
  assert.match(refused.text, /set by the platform only/)
  const made = await backend.post(collectionOf(KDC_CLUSTER), kdcCluster({ 'cloudsigma.com/owner-email': OWNER, other: 'annotation' }))
  assert.equal(made.status, 201, made.text)
  const changed = await tenant.patch(pathOf(KDC_CLUSTER), { metadata: { annotations } })
  assert.equal(changed.status, 403, changed.text)
})

test(
  'H-1: it becomes a CloudSigmaCluster in the name of the owner, which authorizes nothing before the binding',
  { skip, timeout: 120_000 },
  async () => {
    await eventually(async () => (await currentTemplate()) !== undefined, 'the bridge has made cluster and template')
    assert.equal((await get(BRIDGED))?.spec.userEmail, OWNER)
    await playManager((await currentTemplate()) ?? '')
    const reason = async (): Promise<string> => JSON.stringify((await get(BRIDGED))?.status?.conditions ?? [])
    await eventually(async () => (await reason()).includes('OwnerNotAuthorized'), 'nobody is bound')
    assert.deepEqual(
      world.cloud.calls().filter(({ path }) => path.includes('impersonate')),
      [],
    )
  },
)

test("with the binding, machines run in the owner's account and nobody else's", { skip, timeout: 240_000 }, async () => {
  await world.bind(NAMESPACE)
  const deployment = at(CORE, 'MachineDeployment', `${CLUSTER}-workers`)
  await eventually(async () => (await get(deployment))?.status?.readyReplicas === 2, 'both workers are ready')
  const servers = await world.asOwner('servers/detail')
  assert.equal(servers.length, 3)
  for (const { owner } of servers) assert.equal(owner?.uuid, world.owner.uuid)
  assert.equal(world.cloud.servers().length, 3, 'no server of anybody else')
})

test('another pool is another template, and kube-dc rolls to it', { skip, timeout: 240_000 }, async () => {
  const before = (await currentTemplate()) ?? ''
  const changed = await tenant.patch(pathOf(KDC_CLUSTER), { spec: { workers: [pool(3000)] } })
  assert.equal(changed.status, 200, changed.text)
  await eventually(async () => (await currentTemplate()) !== before, 'the annotation names another template')
  const template = (await currentTemplate()) ?? ''
  const deployment = at(CORE, 'MachineDeployment', `${CLUSTER}-workers`)
  await world.plane.admin.patch(pathOf(deployment), {
    spec: { template: { spec: { infrastructureRef: reference('CloudSigmaMachineTemplate', template) } } },
  })
  await eventually(async () => {
    const workers = (await list('CloudSigmaMachine')).filter(({ metadata }) => metadata.labels?.['pool'] === 'workers')
    return (await get(deployment))?.status?.readyReplicas === 2 && workers.length === 2 && workers.every(({ spec }) => spec.cpu === 3000)
  }, 'both workers are of the new template')
  assert.equal((await world.asOwner('servers/detail')).length, 3)
})

test('when the KdcCluster goes, everything goes: servers, drives, cluster, templates', { skip, timeout: 240_000 }, async () => {
  const { admin } = world.plane
  await admin.delete(pathOf(at(CORE, 'Cluster', CLUSTER)))
  await admin.delete(pathOf(KDC_CLUSTER))
  await eventually(async () => (await list('CloudSigmaMachine')).length === 0, 'all machines are gone')
  await eventually(async () => (await list('CloudSigmaCluster')).length === 0, 'the cluster is gone')
  // The collector learns of a new kind at its next discovery, up to 30 s after its definition.
  await eventually(async () => (await list('CloudSigmaMachineTemplate')).length === 0, 'the templates are gone')
  assert.deepEqual(await world.asOwner('servers/detail'), [])
  assert.deepEqual(await world.asOwner('drives/detail'), [])
})
