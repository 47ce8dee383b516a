import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { ANNOTATIONS, API_VERSION, PROVIDER_NAME } from '@ascribe/kinds'
import { temporaryDir } from '../support/product.ts'
import { clusterApi, kube } from './kube/available.ts'
import { OWNER, REGION, openCloudWorld, startKubelets } from './kube/cloud-world.ts'
import type { CloudWorld } from './kube/cloud-world.ts'
import { startClusterApi } from './kube/cluster-api.ts'
import { VERSION, openClusterctl, prepareForClusterctl } from './kube/clusterctl.ts'
import type { Clusterctl } from './kube/clusterctl.ts'
import { applyAll, collectionOf, pathOf } from './kube/install-kinds.ts'
import type { Located } from './kube/install-kinds.ts'
import { startControlPlane } from './kube/start.ts'
import type { ControlPlane } from './kube/start.ts'
import { until } from './support/until.ts'

// Two management clusters, each with the real Cluster API and our controller, one cloud, and the real `clusterctl move` between them.

const planeAvailable = await kube()
const coreAvailable = await clusterApi()
const skip = planeAvailable.skip === false ? coreAvailable.skip : planeAvailable.skip
const NAMESPACE = 'tenant-a'
const CLUSTER = 'demo'
const CORE = 'cluster.x-k8s.io/v1beta2'

const dir = temporaryDir()
let source: CloudWorld
let target: CloudWorld
let clusterctl: Clusterctl
let dispose: (() => Promise<void>) | undefined

before(async () => {
  const { binaries } = planeAvailable
  const core = coreAvailable.clusterApi
  if (binaries === undefined || core === undefined) return
  await using stack = new AsyncDisposableStack()
  clusterctl = openClusterctl({ binary: core.clusterctl, dir: dir.path })
  const open = async (cloud?: CloudWorld['cloud']): Promise<CloudWorld> => {
    const plane = stack.use(await startControlPlane({ binaries, controllerManager: true }))
    stack.use(await startClusterApi(plane, { binaries: core }))
    const world = stack.use(await openCloudWorld(plane, cloud === undefined ? {} : { cloud }))
    await prepareForClusterctl(plane)
    const args = ['--bootstrap', '-', '--control-plane', '-', '--kubeconfig', plane.kubeconfig]
    await clusterctl(['init', '--infrastructure', `${PROVIDER_NAME}:${VERSION}`, ...args])
    await applyAll(plane.admin, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }])
    await world.bind(NAMESPACE)
    return world
  }
  source = await open()
  target = await open(source.cloud)
  // The workload cluster is the source's API server, before the move and after it.
  stack.use(startKubelets(source.plane))
  stack.use(startKubelets(target.plane, source.plane))
  const held = stack.move()
  dispose = () => held.disposeAsync()
})
after(async () => {
  await dispose?.()
  dir[Symbol.dispose]()
})

type Thing = Located & {
  readonly metadata: { readonly uid?: string; readonly annotations?: Record<string, string> }
  readonly status?: { readonly phase?: string; readonly readyReplicas?: number; readonly conditions?: readonly object[] }
}

const at = (apiVersion: string, kind: string, name: string): Located => ({ apiVersion, kind, metadata: { name, namespace: NAMESPACE } })
const reference = (kind: string, name: string): object => ({ apiGroup: 'infrastructure.cluster.x-k8s.io', kind, name })

async function list(
  { admin }: ControlPlane,
  { kind, apiVersion }: { readonly kind: string; readonly apiVersion: string },
): Promise<readonly Thing[]> {
  const { body } = await admin.get(collectionOf(at(apiVersion, kind, '')))
  return (body as { readonly items?: readonly Thing[] }).items ?? []
}
const machines = (plane: ControlPlane): Promise<readonly Thing[]> => list(plane, { kind: 'CloudSigmaMachine', apiVersion: API_VERSION })
const serverIds = async (): Promise<readonly string[]> => (await source.asOwner('servers/detail')).map(({ uuid }) => uuid).toSorted()

async function eventually(world: CloudWorld, holds: () => Promise<boolean>, { what }: { readonly what: string }): Promise<void> {
  await until(holds, what, { patienceMs: 120_000 }).catch(async (error: unknown) => {
    const ours = (await machines(world.plane)).map(({ metadata, status }) => `${metadata.name}: ${JSON.stringify(status?.conditions)}`)
    throw new Error(`${String(error)}\n${ours.join('\n').slice(0, 4_000)}\n${world.controller.stderr().slice(-3_000)}`)
  })
}
const areRunning = async ({ plane }: CloudWorld, count: number): Promise<boolean> => {
  const core = await list(plane, { kind: 'Machine', apiVersion: CORE })
  return core.length === count && core.every(({ status }) => status?.phase === 'Running')
}

function objects(world: CloudWorld): readonly Located[] {
  const { port } = new URL(world.plane.url)
  const { image, vlan } = world.owner
  const spec = {
    cpu: 2000,
    memory: 2048,
    disks: [{ uuid: image, device: 'virtio', boot_order: 1, size: 32 * 1024 ** 3 }],
    nics: [{ vlan }],
  }
  const labels = { 'cluster.x-k8s.io/cluster-name': CLUSTER }
  const common = { clusterName: CLUSTER, version: 'v1.36.4', bootstrap: { dataSecretName: `${CLUSTER}-bootstrap` } }
  const secret = (name: string, stringData: object): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'cluster.x-k8s.io/secret',
    metadata: { name, namespace: NAMESPACE, labels },
    stringData,
  })
  return [
    secret(`${CLUSTER}-kubeconfig`, { value: readFileSync(world.plane.kubeconfig, 'utf8') }),
    // What a bootstrap provider makes belongs to its objects and is moved with them; this one is labelled to be.
    {
      ...secret(`${CLUSTER}-bootstrap`, { value: '#cloud-config', format: 'cloud-config' }),
      metadata: { name: `${CLUSTER}-bootstrap`, namespace: NAMESPACE, labels: { ...labels, 'clusterctl.cluster.x-k8s.io/move': '' } },
    },
    {
      ...at(API_VERSION, 'CloudSigmaCluster', CLUSTER),
      spec: { region: REGION, userEmail: OWNER, controlPlaneEndpoint: { host: '127.0.0.1', port: Number(port) } },
    },
    { ...at(CORE, 'Cluster', CLUSTER), spec: { infrastructureRef: reference('CloudSigmaCluster', CLUSTER) } },
    { ...at(API_VERSION, 'CloudSigmaMachine', `${CLUSTER}-0`), spec },
    {
      apiVersion: CORE,
      kind: 'Machine',
      metadata: { name: `${CLUSTER}-0`, namespace: NAMESPACE, labels: { 'cluster.x-k8s.io/control-plane': '' } },
      spec: { ...common, infrastructureRef: reference('CloudSigmaMachine', `${CLUSTER}-0`) },
    },
    { ...at(API_VERSION, 'CloudSigmaMachineTemplate', 'workers'), spec: { template: { spec } } },
    {
      ...at(CORE, 'MachineDeployment', 'workers'),
      spec: {
        clusterName: CLUSTER,
        replicas: 2,
        selector: { matchLabels: { pool: 'workers' } },
        template: {
          metadata: { labels: { pool: 'workers' } },
          spec: { ...common, infrastructureRef: reference('CloudSigmaMachineTemplate', 'workers') },
        },
      },
    },
  ] as readonly Located[]
}

test(
  'C-52, R-21: clusterctl move takes machines to another management cluster, and no server is made or lost',
  { skip, timeout: 400_000 },
  async () => {
    await applyAll(source.plane.admin, objects(source))
    await eventually(source, () => areRunning(source, 3), { what: 'three machines run' })
    const before = await serverIds()
    assert.equal(before.length, 3)
    const tokensOf = async ({ plane }: CloudWorld): Promise<readonly string[]> =>
      (await machines(plane)).map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.createToken] ?? '').toSorted()
    const tokens = await tokensOf(source)
    assert.ok(tokens.every((token) => token !== ''))

    await clusterctl([
      'move',
      '--kubeconfig',
      source.plane.kubeconfig,
      '--to-kubeconfig',
      target.plane.kubeconfig,
      '--namespace',
      NAMESPACE,
    ])

    assert.deepEqual(await machines(source.plane), [], 'nothing stays behind')
    await eventually(target, () => areRunning(target, 3), { what: 'the machines run on the target' })
    assert.deepEqual(await tokensOf(target), tokens)
    assert.deepEqual(await serverIds(), before)
  },
)

test('what was moved is worked on: it scales up, and goes without a rest', { skip, timeout: 300_000 }, async () => {
  const { admin } = target.plane
  await admin.patch(pathOf(at(CORE, 'MachineDeployment', 'workers')), { spec: { replicas: 3 } })
  await eventually(target, () => areRunning(target, 4), { what: 'a fourth machine runs' })
  assert.equal((await serverIds()).length, 4)
  await admin.delete(pathOf(at(CORE, 'Cluster', CLUSTER)))
  const cores = (): Promise<readonly Thing[]> => list(target.plane, { kind: 'Cluster', apiVersion: CORE })
  await eventually(target, async () => (await cores()).length === 0, { what: 'the cluster is gone' })
  assert.deepEqual(await serverIds(), [])
  assert.deepEqual(await source.asOwner('drives/detail'), [])
})
