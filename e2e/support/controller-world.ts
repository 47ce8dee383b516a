import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createBasicAuthenticator, createCloudSigma } from '@ascribe/cloudsigma'
import type { CloudSigma } from '@ascribe/cloudsigma'
import { CLUSTERS, IMPERSONATORS, MACHINES, OWNER_BINDINGS, boundNamespaceRights, crds } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import { LEASES, NAMESPACES, SECRETS, createKubeClient, createKubeConnection, isKubeError } from '@ascribe/kube'
import type { Draft, KubeClient, KubeObject, Resource } from '@ascribe/kube'
import { startSandboxCloud } from '@ascribe/sandbox/cloud'
import type { SandboxCloud } from '@ascribe/sandbox/cloud'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { start } from './process.ts'
import type { Running } from './process.ts'

/** A management cluster, a cloud with two customers, and `ascribe controller` processes between them. */
export type ControllerWorld = AsyncDisposable & {
  readonly kube: KubeClient
  readonly cloud: SandboxCloud
  readonly kubeconfig: string
  /** Starts a controller on a data directory of its own, and waits for its ready line. */
  controller(
    args?: readonly string[],
    dir?: string,
    env?: Readonly<Record<string, string>>,
  ): Promise<Running & { readonly ready: Ready; readonly dir: string }>
  readonly minter: WorldMinter | undefined
  /** A data directory that is removed at the end. */
  dir(): string
  userOf(email: string): string
  /** Namespace, binding and cluster of an owner; gives the binding's name. */
  owner(namespace: string, email: string): Promise<string>
  /** Namespace and binding of an owner, and the right in that namespace: what the platform makes. */
  bind(namespace: string, email: string): Promise<string>
  /** What disks are cloned of. */
  readonly image: string
  /** `of`: what its disk is cloned of, where the cluster is in another region. */
  machine(namespace: string, name: string, of?: string): Promise<void>
  machines(namespace?: string): Promise<readonly CloudSigmaMachine[]>
  remove(namespace: string, name: string): Promise<void>
  leader(): Promise<string | undefined>
  servers(email: string): ReturnType<SandboxCloud['servers']>
  /** Drives that the account has, mounted or not. */
  drives(email: string): Promise<number>
}

export type Ready = { readonly ready: true; readonly health: string; readonly metrics: string }

export const USER = 'user@example.com'
export const OTHER = 'other@example.com'
const CORE = { group: 'cluster.x-k8s.io', version: 'v1beta2', namespaced: true }
export const CORE_CLUSTERS: Resource = { ...CORE, plural: 'clusters', kind: 'Cluster' }
export const CORE_MACHINES: Resource = { ...CORE, plural: 'machines', kind: 'Machine' }
const ROLE_BINDINGS: Resource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
}
export const KDC_CLUSTERS: Resource = {
  group: 'k8s.kube-dc.com',
  version: 'v1alpha1',
  plural: 'kdcclusters',
  kind: 'KdcCluster',
  namespaced: true,
}
const DEFINITIONS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}
const WAIT_MS = 60_000
const LOOK_MS = 50

/** Waits for a condition of the world; says what there was instead when it never comes. */
export async function eventually<T>(
  found: () => T | undefined | false | Promise<T | undefined | false>,
  describe: () => unknown = () => '',
): Promise<T> {
  const end = performance.now() + WAIT_MS
  for (;;) {
    const value = await found()
    if (value !== undefined && value !== false) return value
    if (performance.now() > end) assert.fail(`It did not come to pass: ${JSON.stringify(await describe(), null, 1)}`)
    await delay(LOOK_MS)
  }
}

/** A server, and whose kubeconfig the controller is given: the administrator's, unless there is one with its own rights. */
export type KubeForController = KubeUnderTest & {
  readonly controllerKubeconfig?: string
  /** Of a minter, which then is started, and mints for every controller. */
  readonly minterKubeconfig?: string
}

/** A minter that runs, and where its trail is. */
export type WorldMinter = { readonly socket: string; readonly data: string }

export async function openControllerWorld(startKube: () => Promise<KubeForController>): Promise<ControllerWorld> {
  await using stack = new AsyncDisposableStack()
  const under = stack.use(await startKube())
  const kubeconfig = under.controllerKubeconfig ?? under.kubeconfig
  const cloud = stack.use(
    await startSandboxCloud({ seed: 8, knobs: { listLagMs: 0, cloneMs: 100, startMs: 100, stopMs: 100, deleteMs: 50 } }),
  )
  const connection = stack.use(await createKubeConnection({ kubeconfig: under.kubeconfig }))
  const kube = createKubeClient(connection)
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-controller-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  await install(kube)
  await impersonator(kube, cloud)
  const [image] = await eyesOf(cloud, USER).libdrives.list()
  assert.ok(image !== undefined)
  let dirs = 0
  const dir = (): string => join(folder, `data-${(dirs += 1)}`)
  const minterKubeconfig = under.minterKubeconfig
  const minter = minterKubeconfig === undefined ? undefined : await startMinter(minterKubeconfig, { data: dir(), stack })
  const held = stack.move()
  const userOf = (email: string): string => {
    const found = cloud.users.find((each) => each.email === email)
    assert.ok(found)
    return found.uuid
  }
  return {
    kube,
    cloud,
    kubeconfig,
    dir,
    minter,
    userOf,
    async controller(args = [], data = dir(), env = minter === undefined ? {} : { CLOUDSIGMA_MINTER_SOCKET: minter.socket }) {
      const running = start(['controller', '--kubeconfig', kubeconfig, '--data', data, '--json', ...args], { env })
      const line = await running.firstLine
      assert.ok(line !== undefined, running.stderr())
      return { ...running, ready: JSON.parse(line) as Ready, dir: data, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
    },
    owner: (namespace, email) => bindOwner(kube, { namespace, email, userUUID: userOf(email) }),
    bind: (namespace, email) => bind(kube, { namespace, email, userUUID: userOf(email) }),
    image: image.uuid,
    machine: (namespace, name, of = image.uuid) => makeMachine(kube, { namespace, name, image: of }),
    machines: async (namespace) => (await kube.list(MACHINES, namespace === undefined ? {} : { namespace })).items,
    async remove(namespace, name) {
      await kube.delete(MACHINES, { namespace, name })
    },
    leader: async () =>
      (await kube.tryGet(LEASES, { namespace: 'ascribe-system', name: 'cloudsigma.cluster.x-k8s.io' }))?.spec?.holderIdentity,
    drives: async (email) => (await eyesOf(cloud, email).drives.list({}, { whole: true })).length,
    servers: (email) => cloud.servers().filter(({ owner }) => owner === email),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Starts `ascribe minter` on a socket beside its data directory; it ends with the stack. */
export async function startMinter(
  kubeconfig: string,
  { data, stack }: { readonly data: string; readonly stack: AsyncDisposableStack },
): Promise<WorldMinter> {
  const socket = `${data}.sock`
  const running = stack.use(start(['minter', '--kubeconfig', kubeconfig, '--socket', socket, '--data', data, '--json']))
  assert.ok((await running.firstLine) !== undefined, running.stderr())
  return { socket, data }
}

export async function ensure(kube: KubeClient, resource: Resource<KubeObject>, object: Draft): Promise<void> {
  try {
    await kube.create(resource, object)
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
  }
}

async function install(kube: KubeClient): Promise<void> {
  for (const definition of [...crds(), ...coreDefinitions()]) await ensure(kube, DEFINITIONS, definition as unknown as Draft)
  await ensure(kube, NAMESPACES, { metadata: { name: 'ascribe-system' } })
  for (const resource of [
    MACHINES,
    CLUSTERS,
    OWNER_BINDINGS,
    IMPERSONATORS,
    CORE_CLUSTERS,
    CORE_MACHINES,
    KDC_CLUSTERS,
  ] as Resource<KubeObject>[])
    await eventually(() => kube.list(resource).catch(() => undefined))
}

/** Kinds of Cluster API and of kube-dc with any fields, where they are not installed. */
function coreDefinitions(): readonly object[] {
  const kinds = [
    ['cluster.x-k8s.io', 'clusters', 'Cluster'],
    ['cluster.x-k8s.io', 'machines', 'Machine'],
    ['cluster.x-k8s.io', 'machinedeployments', 'MachineDeployment'],
    ['cluster.x-k8s.io', 'machinesets', 'MachineSet'],
    ['k8s.kube-dc.com', 'kdcclusters', 'KdcCluster'],
    ['ipam.cluster.x-k8s.io', 'ipaddressclaims', 'IPAddressClaim'],
    ['ipam.cluster.x-k8s.io', 'ipaddresses', 'IPAddress'],
  ] as const
  return kinds.map(([group, plural, kind]) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in for tests' } },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [
        {
          name: group === 'k8s.kube-dc.com' ? 'v1alpha1' : 'v1beta2',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }))
}

async function impersonator(kube: KubeClient, cloud: SandboxCloud): Promise<void> {
  const data = { 'client-id': 'kubernetes_cluster_service', 'client-secret': 'kcs-secret' }
  const encoded = Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]))
  await ensure(kube, SECRETS, { metadata: { namespace: 'ascribe-system', name: 'cloudsigma-impersonation' }, data: encoded })
  const regions = ['zrh', 'sjc'].map((name) => {
    const host = cloud.apiUrl.replace('{region}', name)
    return { name, apiHost: host, impersonateHost: host }
  })
  await ensure(kube, IMPERSONATORS, {
    metadata: { name: 'prod' },
    spec: { issuer: cloud.issuer, regions, allowedNamespaces: { mode: 'All' } },
  })
}

type Bound = { readonly namespace: string; readonly email: string; readonly userUUID: string }

async function bind(kube: KubeClient, { namespace, email, userUUID }: Bound): Promise<string> {
  await ensure(kube, NAMESPACES, { metadata: { name: namespace } })
  const { uid } = (await kube.get(NAMESPACES, { name: namespace })).metadata
  const name = `${namespace}-owner`
  const made = await kube.create(OWNER_BINDINGS, {
    metadata: { name },
    spec: {
      namespaceRef: { name: namespace, uid },
      subject: { userUUID, emailAtBinding: email },
      impersonatorRef: { name: 'prod' },
      evidence: { type: 'AdminAssertion' },
    },
  })
  await kube.create(ROLE_BINDINGS, boundNamespaceRights({ namespace, binding: { name, uid: made.metadata.uid ?? '' } }) as unknown as Draft)
  return name
}

async function bindOwner(kube: KubeClient, of: Bound): Promise<string> {
  const { namespace, email } = of
  const name = await bind(kube, of)
  const core = await kube.create(CORE_CLUSTERS, { metadata: { namespace, name: 'c' }, spec: {} })
  await kube.patchStatus(
    CORE_CLUSTERS,
    { namespace, name: 'c' },
    { patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: true } } } } },
  )
  const owner = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Cluster', name: 'c', uid: core.metadata.uid }
  await kube.create(CLUSTERS, { metadata: { namespace, name: 'c', ownerReferences: [owner] }, spec: { region: 'zrh', userEmail: email } })
  return name
}

/** A client of the cloud as one of its users, with name and password: it looks, and never past the API. */
function eyesOf(cloud: SandboxCloud, email: string): CloudSigma {
  const user = cloud.users.find((each) => each.email === email)
  const origin = new URL(cloud.regions['zrh']?.api ?? '')
  assert.ok(user)
  return createCloudSigma({
    endpoint: { region: 'zrh', apiUrl: origin, origin: origin.origin },
    authenticator: createBasicAuthenticator({ username: email, password: user.password }),
  })
}

type Made = { readonly namespace: string; readonly name: string; readonly image: string }

/** What a MachineDeployment would make: Machine, bootstrap Secret, CloudSigmaMachine. */
async function makeMachine(kube: KubeClient, { namespace, name, image }: Made): Promise<void> {
  const labels = { 'cluster.x-k8s.io/cluster-name': 'c' }
  await ensure(kube, SECRETS, {
    metadata: { namespace, name: `${name}-bootstrap` },
    data: { value: Buffer.from(`#cloud-config\n# join ${name}`).toString('base64') },
  })
  const owner = await kube.create(CORE_MACHINES, {
    metadata: { namespace, name, labels },
    spec: {
      clusterName: 'c',
      bootstrap: { dataSecretName: `${name}-bootstrap` },
      infrastructureRef: { apiGroup: 'infrastructure.cluster.x-k8s.io', kind: 'CloudSigmaMachine', name },
    },
  })
  const reference = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Machine', name, uid: owner.metadata.uid, controller: true }
  await kube.create(MACHINES, {
    metadata: { namespace, name, labels, ownerReferences: [reference] },
    spec: {
      cpu: 2000,
      memory: 2048,
      disks: [{ uuid: image, device: 'virtio', boot_order: 1, size: 10_737_418_240 }],
      nics: [{ public: true }],
    },
  })
}
