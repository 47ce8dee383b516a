import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { API_VERSION } from '@ascribe/kinds'
import { clusterApi, kube } from './kube/available.ts'
import { OWNER, REGION, openCloudWorld, startKubelets } from './kube/cloud-world.ts'
import type { CloudWorld } from './kube/cloud-world.ts'
import { startClusterApi } from './kube/cluster-api.ts'
import { applyAll, collectionOf, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import { until } from './support/until.ts'

// The real Cluster API core manager, a real API server, our controller as a process with its own rights, and the sandbox cloud.
// The tests play the user and the kubelets.

const planeAvailable = await kube()
const coreAvailable = await clusterApi()
const skip = planeAvailable.skip === false ? coreAvailable.skip : planeAvailable.skip
const NAMESPACE = 'tenant-a'
const CLUSTER = 'demo'
const PATIENCE = { patienceMs: 90_000 }
const CORE = 'cluster.x-k8s.io/v1beta2'

let world: CloudWorld
let dispose: (() => Promise<void>) | undefined

before(async () => {
  if (planeAvailable.binaries === undefined || coreAvailable.clusterApi === undefined) return
  await using stack = new AsyncDisposableStack()
  const plane = stack.use(await startControlPlane({ binaries: planeAvailable.binaries, controllerManager: true }))
  stack.use(await startClusterApi(plane, { binaries: coreAvailable.clusterApi }))
  world = stack.use(await openCloudWorld(plane))
  stack.use(startKubelets(plane))
  await applyAll(plane.admin, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }])
  await world.bind(NAMESPACE)
  const held = stack.move()
  dispose = () => held.disposeAsync()
})
after(async () => dispose?.())

type Thing = Located & {
  readonly metadata: {
    readonly labels?: Record<string, string>
    readonly annotations?: Record<string, string>
    readonly deletionTimestamp?: string
  }
  readonly spec?: { readonly providerID?: string; readonly cpu?: number }
  readonly status?: {
    readonly phase?: string
    readonly ready?: boolean
    readonly initialization?: { readonly provisioned?: boolean }
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[]
    readonly nodeRef?: { readonly name: string }
    readonly readyReplicas?: number
    readonly upToDateReplicas?: number
  }
}

const at = (apiVersion: string, kind: string, name: string): Located => ({ apiVersion, kind, metadata: { name, namespace: NAMESPACE } })
const reference = (kind: string, name: string): object => ({ apiGroup: 'infrastructure.cluster.x-k8s.io', kind, name })

async function get(one: Located): Promise<Thing | undefined> {
  const { status, body } = await world.plane.admin.get(pathOf(one))
  return status === 200 ? (body as Thing) : undefined
}

async function list(kind: string, apiVersion: string = API_VERSION): Promise<readonly Thing[]> {
  const { body } = await world.plane.admin.get(collectionOf(at(apiVersion, kind, '')))
  return (body as { readonly items?: readonly Thing[] }).items ?? []
}

/** Waits, and when it never comes says what our side thinks of it. */
async function eventually(holds: () => Promise<boolean>, what: string): Promise<void> {
  await until(holds, what, PATIENCE).catch(async (error: unknown) => {
    const ours = [...(await list('CloudSigmaMachine')), ...(await list('CloudSigmaCluster'))].map(
      ({ metadata, status }) => `${metadata.name}: ${JSON.stringify(status?.conditions)}`,
    )
    const core = (await list('Machine', CORE)).map(
      ({ metadata, status }) => `${metadata.name}: ${status?.phase} ${JSON.stringify(status?.conditions)}`,
    )
    throw new Error(`${String(error)}\n${[...ours, ...core].join('\n').slice(0, 6_000)}\n${world.controller.stderr().slice(-3_000)}`)
  })
}

const servers = (): ReturnType<CloudWorld['asOwner']> => world.asOwner('servers/detail')

const machineSpec = (): object => ({
  cpu: 2000,
  cpuCores: 1,
  memory: 2048,
  disks: [{ uuid: world.owner.image, device: 'virtio', boot_order: 1, size: 32 * 1024 ** 3 }],
  nics: [{ vlan: world.owner.vlan }],
})

test('a Cluster with a CloudSigmaCluster becomes provisioned', { skip, timeout: 120_000 }, async () => {
  const { port } = new URL(world.plane.url)
  await applyAll(world.plane.admin, [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'cluster.x-k8s.io/secret',
      // Core reads the workload cluster through it; it sees only Secrets with the label.
      metadata: { name: `${CLUSTER}-kubeconfig`, namespace: NAMESPACE, labels: { 'cluster.x-k8s.io/cluster-name': CLUSTER } },
      stringData: { value: readFileSync(world.plane.kubeconfig, 'utf8') },
    } as Located,
    {
      ...at(API_VERSION, 'CloudSigmaCluster', CLUSTER),
      spec: { region: REGION, userEmail: OWNER, controlPlaneEndpoint: { host: '127.0.0.1', port: Number(port) } },
    } as Located,
    { ...at(CORE, 'Cluster', CLUSTER), spec: { infrastructureRef: reference('CloudSigmaCluster', CLUSTER) } } as Located,
  ])
  await eventually(async () => (await get(at(CORE, 'Cluster', CLUSTER)))?.status?.phase === 'Provisioned', 'the Cluster is provisioned')
})

test('a Machine goes to Running: server, providerID, addresses, Node, Ready', { skip, timeout: 180_000 }, async () => {
  const name = `${CLUSTER}-0`
  await applyAll(world.plane.admin, [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'cluster.x-k8s.io/secret',
      metadata: { name: `${CLUSTER}-bootstrap`, namespace: NAMESPACE, labels: { 'cluster.x-k8s.io/cluster-name': CLUSTER } },
      stringData: { value: '#cloud-config', format: 'cloud-config' },
    } as Located,
    { ...at(API_VERSION, 'CloudSigmaMachine', name), spec: machineSpec() } as Located,
    {
      apiVersion: CORE,
      kind: 'Machine',
      metadata: { name, namespace: NAMESPACE, labels: { 'cluster.x-k8s.io/control-plane': '' } },
      spec: {
        clusterName: CLUSTER,
        version: 'v1.36.4',
        bootstrap: { dataSecretName: `${CLUSTER}-bootstrap` },
        infrastructureRef: reference('CloudSigmaMachine', name),
      },
    } as Located,
  ])
  const machine = at(CORE, 'Machine', name)
  await eventually(async () => (await get(machine))?.status?.phase === 'Running', 'the Machine runs')
  await eventually(
    async () => (await get(machine))?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True',
    'the Machine is Ready',
  )
  const infra = await get(at(API_VERSION, 'CloudSigmaMachine', name))
  const [server, ...others] = await servers()
  assert.equal(others.length, 0)
  assert.equal(infra?.spec?.providerID, `cloudsigma://${server?.uuid}`)
  assert.equal(server?.status, 'running')
  assert.equal(server.owner?.uuid, world.owner.uuid)
  assert.equal(infra.status?.ready, true)
  assert.equal(infra.status.initialization?.provisioned, true)
  assert.ok((await get(machine))?.status?.nodeRef?.name)
})

test('a MachineDeployment scales up: one server for each replica, in the account of the owner', { skip, timeout: 240_000 }, async () => {
  const workers = `${CLUSTER}-workers`
  await applyAll(world.plane.admin, [
    { ...at(API_VERSION, 'CloudSigmaMachineTemplate', 'workers-a'), spec: { template: { spec: machineSpec() } } } as Located,
    {
      ...at(CORE, 'MachineDeployment', workers),
      spec: {
        clusterName: CLUSTER,
        replicas: 1,
        selector: { matchLabels: { pool: 'workers' } },
        template: {
          metadata: { labels: { pool: 'workers' } },
          spec: {
            clusterName: CLUSTER,
            version: 'v1.36.4',
            bootstrap: { dataSecretName: `${CLUSTER}-bootstrap` },
            infrastructureRef: reference('CloudSigmaMachineTemplate', 'workers-a'),
          },
        },
      },
    } as Located,
  ])
  const deployment = at(CORE, 'MachineDeployment', workers)
  await eventually(async () => (await get(deployment))?.status?.readyReplicas === 1, 'one replica is ready')
  await world.plane.admin.patch(pathOf(deployment), { spec: { replicas: 3 } })
  await eventually(async () => (await get(deployment))?.status?.readyReplicas === 3, 'three replicas are ready')
  assert.equal((await servers()).length, 4)
  const template = await get(at(API_VERSION, 'CloudSigmaMachineTemplate', 'workers-a'))
  assert.deepEqual((template?.status as { capacity?: object } | undefined)?.capacity, {
    cpu: '1',
    memory: '2048Mi',
    'ephemeral-storage': String(32 * 1024 ** 3),
  })
})

test('a rolling update replaces every machine, and nothing of the old ones stands', { skip, timeout: 300_000 }, async () => {
  const before = new Set((await servers()).map(({ uuid }) => uuid))
  const deployment = at(CORE, 'MachineDeployment', `${CLUSTER}-workers`)
  await applyAll(world.plane.admin, [
    {
      ...at(API_VERSION, 'CloudSigmaMachineTemplate', 'workers-b'),
      spec: { template: { spec: { ...machineSpec(), cpu: 3000 } } },
    } as Located,
  ])
  await world.plane.admin.patch(pathOf(deployment), {
    spec: { template: { spec: { infrastructureRef: reference('CloudSigmaMachineTemplate', 'workers-b') } } },
  })
  await eventually(async () => {
    const { status } = (await get(deployment)) ?? {}
    const machines = await list('CloudSigmaMachine')
    const isNew = machines.filter(({ metadata }) => metadata.annotations?.['cluster.x-k8s.io/cloned-from-name'] === 'workers-b')
    return status?.readyReplicas === 3 && status.upToDateReplicas === 3 && isNew.length === 3 && machines.length === 4
  }, 'three new machines and no old one')
  const now = await servers()
  assert.equal(now.length, 4)
  assert.equal(now.filter(({ uuid }) => before.has(uuid)).length, 1, 'only the control plane is the same')
})

test('back to nothing: machines, servers, drives, cluster', { skip, timeout: 240_000 }, async () => {
  const { admin } = world.plane
  await admin.delete(pathOf(at(CORE, 'MachineDeployment', `${CLUSTER}-workers`)))
  await eventually(async () => (await list('CloudSigmaMachine')).length === 1, 'the workers are gone')
  await admin.delete(pathOf(at(CORE, 'Machine', `${CLUSTER}-0`)))
  await eventually(
    async () => (await list('Machine', CORE)).length === 0 && (await list('CloudSigmaMachine')).length === 0,
    'all machines are gone',
  )
  assert.deepEqual(await servers(), [])
  assert.deepEqual(await world.asOwner('drives/detail'), [])
  await admin.delete(pathOf(at(CORE, 'Cluster', CLUSTER)))
  await eventually(
    async () => (await get(at(CORE, 'Cluster', CLUSTER))) === undefined && (await list('CloudSigmaCluster')).length === 0,
    'the cluster is gone',
  )
})
