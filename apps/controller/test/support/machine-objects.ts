import { CLUSTERS, MACHINES, crds } from '@ascribe/kinds'
import type { MachineSpec } from '@ascribe/kinds'
import { NAMESPACES, SECRETS, isKubeError } from '@ascribe/kube'
import type { Draft, KubeClient, KubeObject, Resource } from '@ascribe/kube'
import { ipamResources } from '../../src/machine/capi.ts'
import { coreDefinitions } from './core-definitions.ts'
import { CAPI, NAMESPACE, REGION } from './machine-types.ts'
import type { MachineWorldUnderTest } from './machine-types.ts'
import { until } from './until.ts'

const DEFINITIONS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}

/** IPAM with any fields, beside the stand-ins of Cluster and Machine. */
function ipamDefinitions(): readonly object[] {
  const [cluster] = coreDefinitions()
  const text = JSON.stringify(cluster)
  return [
    ['ipaddressclaims', 'ipaddressclaim', 'IPAddressClaim'],
    ['ipaddresses', 'ipaddress', 'IPAddress'],
  ].map(([plural = '', singular = '', kind = '']) =>
    JSON.parse(
      text
        .replaceAll('cluster.x-k8s.io', 'ipam.cluster.x-k8s.io')
        .replaceAll('"clusters', `"${plural}`)
        .replaceAll('"cluster"', `"${singular}"`)
        .replaceAll('"Cluster', `"${kind}`),
    ),
  )
}

async function ensure(kube: KubeClient, resource: Resource<KubeObject>, object: object): Promise<void> {
  try {
    await kube.create(resource, object as Draft)
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
  }
}

/** What the suites need of a server; a scripted one takes any kind, and a real one that was used before is emptied. */
async function install(kube: KubeClient): Promise<void> {
  for (const definition of [...crds(), ...coreDefinitions(), ...ipamDefinitions()]) await ensure(kube, DEFINITIONS, definition)
  const { claims, addresses } = ipamResources()
  const kinds: readonly Resource<KubeObject>[] = [MACHINES, CLUSTERS, CAPI.machines, CAPI.clusters, claims, addresses]
  // Served a moment after they were defined.
  for (const kind of kinds) await until(async () => kube.list(kind).catch(() => undefined))
  for (const name of [NAMESPACE, 'ascribe-system']) await ensure(kube, NAMESPACES, { metadata: { name } })
  for (const kind of [...kinds, SECRETS]) {
    for (const { metadata } of (await kube.list(kind, { namespace: NAMESPACE })).items) {
      const key = { namespace: NAMESPACE, name: metadata.name ?? '' }
      if (metadata.finalizers !== undefined)
        await kube.patch(kind, key, { patch: { type: 'merge', body: { metadata: { finalizers: null } } } }).catch(() => undefined)
      await kube.delete(kind, key)
    }
  }
}

/** The definitions, the namespaces, and a cluster that is ready. */
export async function addSurroundings(world: MachineWorldUnderTest): Promise<void> {
  const { kube } = world
  await install(kube)
  const key = { namespace: NAMESPACE, name: 'demo' }
  await kube.create(CAPI.clusters, {
    metadata: key,
    spec: { infrastructureRef: { apiGroup: 'infrastructure.cluster.x-k8s.io', kind: 'CloudSigmaCluster', name: 'demo' } },
  })
  await kube.patchStatus(CAPI.clusters, key, {
    patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: true } } } },
  })
  await kube.create(CLUSTERS, { metadata: key, spec: { region: REGION, userEmail: world.owner.email, vlan: { uuid: world.vlan } } })
}

const GIB = 1_073_741_824

/** Machine, bootstrap Secret and CloudSigmaMachine, as Cluster API makes them. */
export async function addMachine(world: MachineWorldUnderTest, name: string, spec: Partial<MachineSpec> = {}): Promise<void> {
  const { kube } = world
  const secret = `${name}-bootstrap`
  await kube.create(SECRETS, {
    metadata: { namespace: NAMESPACE, name: secret },
    data: { value: Buffer.from(`#cloud-config of ${name}`).toString('base64') },
  })
  const labels = { 'cluster.x-k8s.io/cluster-name': 'demo', 'cluster.x-k8s.io/deployment-name': 'workers' }
  const machine = await kube.create(CAPI.machines, {
    metadata: { namespace: NAMESPACE, name, labels },
    spec: {
      clusterName: 'demo',
      bootstrap: { dataSecretName: secret },
      infrastructureRef: { apiGroup: 'infrastructure.cluster.x-k8s.io', kind: 'CloudSigmaMachine', name },
    },
  })
  await kube.create(MACHINES, {
    metadata: {
      namespace: NAMESPACE,
      name,
      labels,
      ownerReferences: [
        {
          apiVersion: 'cluster.x-k8s.io/v1beta2',
          kind: 'Machine',
          name,
          uid: machine.metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: { cpu: 2000, memory: 2048, disks: [{ uuid: world.image, device: 'virtio', boot_order: 1, size: 20 * GIB }], ...spec },
  })
}

/** Core saw the Node. */
export async function joinNode(world: MachineWorldUnderTest, name: string): Promise<void> {
  await world.kube.patchStatus(
    CAPI.machines,
    { namespace: NAMESPACE, name },
    { patch: { type: 'merge', body: { status: { nodeRef: { name } } } } },
  )
}
