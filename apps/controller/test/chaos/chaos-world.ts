import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import { assert } from '@ascribe/kit'
import { CLUSTERS, IMPERSONATORS, MACHINES, OWNER_BINDINGS, boundNamespaceRights } from '@ascribe/kinds'
import { NAMESPACES, SECRETS, createKubeClient, createKubeConnection } from '@ascribe/kube'
import type { Draft, KubeClient, Resource } from '@ascribe/kube'
import { startSandboxCloud } from '@ascribe/sandbox/cloud'
import type { SandboxCloud } from '@ascribe/sandbox/cloud'
import type { SandboxKube } from '@ascribe/sandbox/kube'
import { capiResources } from '../../src/machine/capi.ts'
import { startScriptedKube } from './chaos-kube.ts'
import type { ChaosKube, StartChaosKube } from './chaos-kube.ts'
import { scaledNow } from './scaled-clocks.ts'
import type { Scale } from './scaled-clocks.ts'

export const REGION = 'zrh'
const CAPI = capiResources()
const CLIENT = { 'client-id': 'kubernetes_cluster_service', 'client-secret': 'kcs-secret' }
const GIB = 1_073_741_824
const TICK_MS = 10

export type Owner = {
  readonly index: number
  readonly email: string
  readonly uuid: string
  readonly namespace: string
  readonly binding: string
  readonly eyes: CloudSigma
}

/** An API server, a cloud, and owners with a cluster each; time goes faster than ours. */
export type ChaosWorld = AsyncDisposable & {
  readonly scale: Scale
  readonly dir: string
  readonly kube: ChaosKube
  readonly cloud: SandboxCloud
  /** As the administrator: never met by faults. */
  readonly client: KubeClient
  /** Of the controllers. */
  readonly kubeconfig: string
  readonly owners: readonly Owner[]
  bind(owner: Owner): Promise<void>
  /** Takes away the binding that stands. Says whether one did. */
  revoke(owner: Owner): Promise<boolean>
  addMachine(owner: Owner, name: string): Promise<void>
  deleteMachine(owner: Owner, name: string): Promise<void>
  /** What Cluster API's core manager does: it sees the node of a machine that was provisioned, and removes Machines. */
  core(): Promise<void>
}

/** The scripted API server of a world that has one. */
export function scriptedOf({ kube }: Pick<ChaosWorld, 'kube'>): SandboxKube {
  assert(kube.scripted !== undefined, 'the API server is the scripted one')
  return kube.scripted
}

/** What no log, object, event or record may hold. */
export const SECRETS_OF_WORLD: readonly string[] = [CLIENT['client-secret'], 'eyJ', 'join-token-of-']

export type ChaosWorldOptions = {
  readonly owners: number
  readonly factor: number
  readonly seed: number
  readonly knobs?: Parameters<SandboxCloud['setKnobs']>[0]
  /** Default: the scripted one. */
  readonly startKube?: StartChaosKube
}

export async function startChaosWorld({
  owners: count,
  factor,
  seed,
  knobs,
  startKube = startScriptedKube,
}: ChaosWorldOptions): Promise<ChaosWorld> {
  await using stack = new AsyncDisposableStack()
  const scale: Scale = { factor, startedAt: Date.now() }
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-chaos-'))
  stack.defer(() => rmSync(dir, { recursive: true, force: true }))
  const kube = stack.use(await startKube({ now: () => new Date(scaledNow(scale)), scale }))
  const users = Array.from({ length: count }, (_, index) => ({ email: `owner-${index}@example.com`, paid: 10_000_000 }))
  const cloud = stack.use(
    await startSandboxCloud({
      seed,
      users: [...users, { email: 'platform@example.com', isPlatform: true }],
      startAt: scale.startedAt,
      addresses: false,
      knobs: { listLagMs: 20_000, impTtlS: 300, ...knobs },
    }),
  )
  const ticking = setInterval(() => cloud.clock.advance(Math.max(0, scaledNow(scale) - cloud.clock.now())), TICK_MS)
  stack.defer(() => clearInterval(ticking))
  const connection = stack.use(await createKubeConnection({ kubeconfig: kube.kubeconfig }))
  const client = createKubeClient(connection)
  const owners = users.map(({ email }, index) => stack.use(ownerOf(cloud, { email, index })))
  const world: Omit<ChaosWorld, typeof Symbol.asyncDispose> = {
    scale,
    dir,
    kube,
    cloud,
    client,
    kubeconfig: kube.controllerKubeconfig,
    owners,
    ...writers(client, kube),
  }
  await seedWorld(world)
  const held = stack.move()
  return { ...world, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

function ownerOf(cloud: SandboxCloud, { email, index }: { readonly email: string; readonly index: number }): Owner & AsyncDisposable {
  const user = cloud.users.find((each) => each.email === email)
  const api = new URL(cloud.regions[REGION]?.api ?? '')
  assert(user !== undefined, `the cloud has ${email}`)
  const eyes = createCloudSigma({
    endpoint: { region: REGION, apiUrl: api, origin: api.origin },
    authenticator: createBasicAuthenticator({ username: email, password: user.password }),
  })
  return {
    index,
    email,
    uuid: user.uuid,
    namespace: `team-${index}`,
    binding: `owner-${index}`,
    eyes,
    [Symbol.asyncDispose]: () => eyes[Symbol.asyncDispose](),
  }
}

function writers(client: KubeClient, kube: ChaosKube): Pick<ChaosWorld, 'bind' | 'revoke' | 'addMachine' | 'deleteMachine' | 'core'> {
  /** A revoked one may stand while machines need it, so that the next has another name. */
  const bound = new Map<string, string>()
  let made = 0
  return {
    async bind({ namespace, binding, uuid, email }) {
      const name = kube.revoke === undefined ? `${binding}-${(made += 1)}` : binding
      const { uid = '' } = (await client.get(NAMESPACES, { name: namespace })).metadata
      const spec = {
        namespaceRef: { name: namespace, uid },
        subject: { userUUID: uuid, emailAtBinding: email },
        impersonatorRef: { name: 'prod' },
        evidence: { type: 'AdminAssertion' },
      }
      const { metadata } = await client.create(OWNER_BINDINGS, { metadata: { name }, spec })
      bound.set(namespace, name)
      if (kube.hasRoles)
        await client.create(
          ROLE_BINDINGS,
          boundNamespaceRights({ namespace, binding: { name, uid: metadata.uid ?? '' } }) as unknown as Draft,
        )
    },
    async revoke({ namespace }) {
      const name = bound.get(namespace)
      if (name === undefined) return false
      bound.delete(namespace)
      if (kube.revoke === undefined) await client.delete(OWNER_BINDINGS, { name })
      else kube.revoke(name)
      return true
    },
    async addMachine({ namespace }, name) {
      await client.create(SECRETS, {
        metadata: { namespace, name: `${name}-bootstrap` },
        data: { value: Buffer.from(`join-token-of-${name}`).toString('base64') },
      })
      const labels = { 'cluster.x-k8s.io/cluster-name': 'demo', 'cluster.x-k8s.io/deployment-name': 'workers' }
      const infrastructureRef = { apiGroup: MACHINES.group, kind: 'CloudSigmaMachine', name }
      const machine = await client.create(CAPI.machines, {
        metadata: { namespace, name, labels },
        spec: { clusterName: 'demo', bootstrap: { dataSecretName: `${name}-bootstrap` }, infrastructureRef },
      })
      const ownerReferences = [
        {
          apiVersion: 'cluster.x-k8s.io/v1beta2',
          kind: 'Machine',
          name,
          uid: machine.metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ]
      const disks = [{ uuid: await imageOf(client, namespace), device: 'virtio', boot_order: 1, size: 20 * GIB }]
      await client.create(MACHINES, { metadata: { namespace, name, labels, ownerReferences }, spec: { cpu: 2000, memory: 2048, disks } })
    },
    async deleteMachine({ namespace }, name) {
      await client.delete(MACHINES, { namespace, name })
    },
    async core() {
      const [ours, cores] = await Promise.all([client.list(MACHINES), client.list(CAPI.machines)])
      const bare = new Map(cores.items.filter(({ status }) => status === undefined).map(({ metadata }) => [keyOf(metadata), metadata]))
      for (const { metadata, status } of ours.items) {
        if (status?.initialization?.provisioned !== true || !bare.has(keyOf(metadata))) continue
        const body = { status: { nodeRef: { name: metadata.name } } }
        await client.patchStatus(CAPI.machines, metadata, { patch: { type: 'merge', body } })
      }
    },
  }
}

const keyOf = ({ namespace = '', name = '' }: { readonly namespace?: string; readonly name?: string }): string => `${namespace}/${name}`
const ROLE_BINDINGS: Resource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
}

/** The image that every machine is cloned from stands on the cluster, where the harness put it. */
async function imageOf(client: KubeClient, namespace: string): Promise<string> {
  const { metadata } = await client.get(CLUSTERS, { namespace, name: 'demo' })
  return metadata.annotations?.['chaos/image'] ?? ''
}

async function seedWorld({ client, cloud, owners, bind }: Pick<ChaosWorld, 'client' | 'cloud' | 'owners' | 'bind'>): Promise<void> {
  const data = Object.fromEntries(Object.entries(CLIENT).map(([name, text]) => [name, Buffer.from(text).toString('base64')]))
  await client.create(SECRETS, { metadata: { namespace: 'ascribe-system', name: 'cloudsigma-impersonation' }, data })
  const host = cloud.apiUrl.replace('{region}', REGION)
  await client.create(IMPERSONATORS, {
    metadata: { name: 'prod' },
    spec: { issuer: cloud.issuer, regions: [{ name: REGION, apiHost: host, impersonateHost: host }], allowedNamespaces: { mode: 'All' } },
  })
  for (const owner of owners) {
    const { namespace, email, eyes } = owner
    await client.create(NAMESPACES, { metadata: { name: namespace } })
    await bind(owner)
    const [image] = await eyes.libdrives.list()
    const [vlan] = await eyes.vlans.list()
    const key = { namespace, name: 'demo' }
    await client.create(CAPI.clusters, {
      metadata: key,
      spec: { infrastructureRef: { apiGroup: CLUSTERS.group, kind: 'CloudSigmaCluster', name: 'demo' } },
    })
    await client.patchStatus(CAPI.clusters, key, {
      patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: true } } } },
    })
    const annotations = { 'chaos/image': image?.uuid ?? '' }
    await client.create(CLUSTERS, {
      metadata: { ...key, annotations },
      spec: { region: REGION, userEmail: email, ...(vlan !== undefined && { vlan: { uuid: vlan.uuid } }) },
    })
  }
}
