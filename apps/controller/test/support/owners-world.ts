import assert from 'node:assert/strict'
import { createExchange } from '@ascribe/cloudsigma'
import { createHttpTransport } from '@ascribe/impersonation'
import type { MintAudit } from '@ascribe/impersonation'
import { CLUSTERS, IMPERSONATORS, MACHINES, OWNER_BINDINGS, crds } from '@ascribe/kinds'
import type {
  ClusterSpec,
  CloudSigmaCluster,
  CloudSigmaMachine,
  CloudSigmaOwnerBinding,
  ImpersonatorSpec,
  OwnerBindingSpec,
} from '@ascribe/kinds'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { NAMESPACES, SECRETS, createInformers, createKubeClient, createKubeConnection, isKubeError, systemClocks } from '@ascribe/kube'
import type { Clocks, Draft, Informers, KubeClient, KubeConnection, Resource } from '@ascribe/kube'
import { startSandboxCloud } from '@ascribe/sandbox/cloud'
import type { SandboxCloud, SandboxCloudOptions } from '@ascribe/sandbox/cloud'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { createAuthority } from '../../src/authority/create-authority.ts'
import type { AuthorityOptions, OpenAuthority } from '../../src/authority/create-authority.ts'
import type { CoreCluster } from '../../src/cluster/types.ts'
import { coreDefinitions } from './core-definitions.ts'
import { until } from './until.ts'

export const CORE_CLUSTERS: Resource<CoreCluster> = {
  group: 'cluster.x-k8s.io',
  version: 'v1beta2',
  plural: 'clusters',
  kind: 'Cluster',
  namespaced: true,
}
export const USER = 'user@example.com'
export const OTHER = 'other@example.com'
const CLIENT = { id: 'kubernetes_cluster_service', secret: 'kcs-secret' }
const DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}

/** An API server, a cloud with its authorization server, and the authority between them. */
export type OwnersWorld = AsyncDisposable & {
  readonly connection: KubeConnection
  readonly kube: KubeClient
  readonly informers: Informers
  readonly cloud: SandboxCloud
  readonly authority: OpenAuthority
  /** Records of minting, as they were stored. */
  readonly mints: readonly MintAudit[]
  /** Makes the next audit records fail. */
  refuseAudit(isRefusing: boolean): void
  userOf(email: string): string
  namespace(name: string, labels?: Record<string, string>): Promise<string>
  impersonator(spec?: Partial<ImpersonatorSpec>, name?: string): Promise<void>
  secret(data?: Record<string, string>, key?: { namespace: string; name: string }): Promise<void>
  binding(
    name: string,
    of: { email: string; namespace: string; spec?: Partial<OwnerBindingSpec>; isHeld?: boolean },
  ): Promise<CloudSigmaOwnerBinding>
  cluster(
    name: string,
    spec?: Partial<ClusterSpec>,
    over?: { namespace?: string; annotations?: Record<string, string>; labels?: Record<string, string> },
  ): Promise<CloudSigmaCluster>
  core(name: string, spec?: object, namespace?: string): Promise<void>
  machine(
    name: string,
    over?: { cluster?: string; annotations?: Record<string, string>; spec?: object; namespace?: string; finalizers?: readonly string[] },
  ): Promise<CloudSigmaMachine>
}

export type OwnersWorldOptions = {
  readonly startKube: () => Promise<KubeUnderTest>
  readonly cloud?: SandboxCloudOptions
  readonly authority?: (cloud: SandboxCloud) => Partial<AuthorityOptions>
  readonly clocks?: Clocks
}

export async function openOwnersWorld(options: OwnersWorldOptions): Promise<OwnersWorld> {
  await using stack = new AsyncDisposableStack()
  const under = stack.use(await options.startKube())
  const cloud = stack.use(await startSandboxCloud({ seed: 8, knobs: { listLagMs: 0 }, ...options.cloud }))
  const connection = stack.use(await createKubeConnection({ kubeconfig: under.kubeconfig }))
  const kube = createKubeClient(connection)
  await install(kube)
  const informers = stack.use(createInformers({ connection }))
  const mints: MintAudit[] = []
  let isRefusing = false
  const authority = stack.use(
    createAuthority({
      kube,
      informers,
      audit: async (record) => {
        if (isRefusing) throw new Error('the disk is full')
        mints.push(record)
      },
      transport: stack.use(createHttpTransport()),
      exchange: stack.use(createExchange({ connectionsMax: 16 })),
      clocks: options.clocks ?? systemClocks,
      logger: silentLogger,
      meters: silentMeters,
      ...options.authority?.(cloud),
    }),
  )
  const objects = writers(kube, cloud)
  const held = stack.move()
  return {
    connection,
    kube,
    informers,
    cloud,
    authority,
    mints,
    refuseAudit: (value) => void (isRefusing = value),
    ...objects,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** What a suite needs of an API server; one that knows it already says so. */
async function install(kube: KubeClient): Promise<void> {
  for (const definition of [...crds(), ...coreDefinitions()]) await ensure(kube, DEFINITIONS, definition as unknown as Draft)
  await ensure(kube, NAMESPACES, { metadata: { name: 'ascribe-system' } })
  // Served a moment after they are established.
  await until(() => kube.list(CLUSTERS).catch(() => undefined))
  await until(() => kube.list(CORE_CLUSTERS).catch(() => undefined))
  await until(() => kube.list(OWNER_BINDINGS).catch(() => undefined))
}

async function ensure(kube: KubeClient, resource: Resource, object: Draft): Promise<void> {
  try {
    await kube.create(resource, object)
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error
  }
}

type Writers = Pick<OwnersWorld, 'userOf' | 'namespace' | 'impersonator' | 'secret' | 'binding' | 'cluster' | 'core' | 'machine'>

function writers(kube: KubeClient, cloud: SandboxCloud): Writers {
  const userOf = (email: string): string => {
    const user = cloud.users.find((each) => each.email === email)
    assert.ok(user, `the sandbox has no ${email}`)
    return user.uuid
  }
  const hostOf = (region: string): string => cloud.apiUrl.replace('{region}', region)
  const namespaceOf = async (name: string): Promise<string> => (await kube.get(NAMESPACES, { name })).metadata.uid ?? ''
  return {
    userOf,
    async namespace(name, labels = {}) {
      await ensure(kube, NAMESPACES, { metadata: { name, labels } })
      return namespaceOf(name)
    },
    async impersonator(spec = {}, name = 'prod') {
      const regions = ['zrh', 'sjc'].map((region) => ({ name: region, apiHost: hostOf(region), impersonateHost: hostOf(region) }))
      await kube.apply(
        IMPERSONATORS,
        { metadata: { name }, spec: { issuer: cloud.issuer, regions, allowedNamespaces: { mode: 'All' }, ...spec } },
        { fieldManager: 'test', force: true },
      )
    },
    async secret(
      data = { 'client-id': CLIENT.id, 'client-secret': CLIENT.secret },
      key = { namespace: 'ascribe-system', name: 'cloudsigma-impersonation' },
    ) {
      const encoded = Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text).toString('base64')]))
      await kube.apply(SECRETS, { metadata: key, data: encoded }, { fieldManager: 'test', force: true })
    },
    async binding(name, { email, namespace, spec = {}, isHeld = true }) {
      const uid = await namespaceOf(namespace)
      return kube.create(OWNER_BINDINGS, {
        metadata: { name, ...(isHeld && { finalizers: ['cloudsigmaownerbinding.infrastructure.cluster.x-k8s.io'] }) },
        spec: {
          namespaceRef: { name: namespace, uid },
          subject: { userUUID: userOf(email), emailAtBinding: email },
          impersonatorRef: { name: 'prod' },
          evidence: { type: 'AdminAssertion' },
          ...spec,
        },
      })
    },
    async cluster(name, spec = {}, { namespace = 'a', annotations = {}, labels = {} } = {}) {
      return kube.create(CLUSTERS, {
        metadata: { name, namespace, annotations, labels },
        spec: { region: 'zrh', userEmail: USER, ...spec },
      })
    },
    async core(name, spec = {}, namespace = 'a') {
      await kube.apply(CORE_CLUSTERS, { metadata: { name, namespace }, spec }, { fieldManager: 'test', force: true })
    },
    async machine(name, { cluster = 'c', annotations = {}, spec = {}, namespace = 'a', finalizers = [] } = {}) {
      const disks = [{ uuid: '00000000-0000-4000-8000-000000000001', device: 'virtio', boot_order: 1, size: 1_073_741_824 }]
      return kube.create(MACHINES, {
        metadata: { name, namespace, annotations, finalizers, labels: { 'cluster.x-k8s.io/cluster-name': cluster } },
        spec: { cpu: 2000, memory: 2048, disks, ...spec },
      })
    },
  }
}
