import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ANNOTATIONS, CLUSTERS, MACHINE_TEMPLATES, crds } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachineTemplate } from '@ascribe/kinds'
import { silentLogger, silentMeters } from '@ascribe/kit'
import {
  EVENTS,
  NAMESPACES,
  createEventRecorder,
  createInformers,
  createKubeClient,
  createKubeConnection,
  isKubeError,
  systemClocks,
} from '@ascribe/kube'
import type { KubeClient, KubeObject, Resource } from '@ascribe/kube'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { createBridgeController } from '../../src/bridge/create-bridge-controller.ts'
import { KDC_CLUSTERS } from '../../src/bridge/kdc-cluster.ts'
import type { KdcCluster } from '../../src/bridge/kdc-cluster.ts'
import { createTemplateController } from '../../src/template/create-template-controller.ts'
import { kdcDefinitions } from '../support/kdc-definitions.ts'
import { until } from '../support/until.ts'

const IMAGE = 'b2c1d0e5-7a3f-4c0e-9d41-0f6a2f8a9b10'
const NAMESPACE = 'user-project'
const OWNER = 'user@example.com'
const DEFINITIONS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
}
type MachineDeployment = KubeObject & {
  readonly spec?: { readonly template?: { readonly spec?: { readonly infrastructureRef?: { readonly name?: string } } } }
}
const MACHINE_DEPLOYMENTS: Resource<MachineDeployment> = {
  group: 'cluster.x-k8s.io',
  version: 'v1beta2',
  plural: 'machinedeployments',
  kind: 'MachineDeployment',
  namespaced: true,
}

/** The bridge on an API server, the scripted one or a real one. The tests play kube-dc's manager. */
export function bridgeSuite(startKube: () => Promise<KubeUnderTest>): void {
  describe('the bridge from KdcCluster', () => {
    let kube: KubeClient
    let dispose: () => Promise<void>
    /** Milliseconds that the controllers' wall clock is ahead. */
    let aheadMs = 0

    before(async () => {
      await using stack = new AsyncDisposableStack()
      const under = stack.use(await startKube())
      const connection = stack.use(await createKubeConnection({ kubeconfig: under.kubeconfig }))
      kube = createKubeClient(connection)
      await install(kube)
      const clocks = { ...systemClocks, wall: () => Date.now() + aheadMs }
      const deps = {
        kube,
        informers: stack.use(createInformers({ connection })),
        events: stack.use(createEventRecorder({ client: kube, controller: 'ascribe', instance: 'test' })),
        clocks,
        logger: silentLogger,
        meters: silentMeters,
      }
      const stop = new AbortController()
      const running = [createBridgeController(deps), createTemplateController(deps)].map((controller) => controller.run(stop.signal))
      const held = stack.move()
      dispose = async () => {
        stop.abort()
        await Promise.all(running)
        await held.disposeAsync()
      }
    })
    after(async () => dispose?.())

    const kdc = (
      name: string,
      { annotations = { 'cloudsigma.com/owner-email': OWNER }, pools = [{}] }: { annotations?: object; pools?: readonly object[] } = {},
    ): Promise<KdcCluster> =>
      kube.create(KDC_CLUSTERS, {
        metadata: { name, namespace: NAMESPACE, annotations },
        spec: {
          version: 'v1.34.0',
          workers: pools.map((pool) => ({
            name: 'workers',
            infrastructureProvider: 'cloudsigma',
            cpuCores: 2,
            memory: '4Gi',
            cloudsigma: { imageUUID: IMAGE, region: 'next' },
            ...pool,
          })),
        },
      })
    const change = (name: string, body: object): Promise<KdcCluster> =>
      kube.patch(KDC_CLUSTERS, { namespace: NAMESPACE, name }, { patch: { type: 'merge', body } })
    const pools = (...cpuMHz: readonly number[]): object => ({
      spec: {
        workers: cpuMHz.map((frequency, index) => ({
          name: `pool-${index}`,
          infrastructureProvider: 'cloudsigma',
          cpuCores: 2,
          memory: '4Gi',
          cloudsigma: { imageUUID: IMAGE, region: 'next', cpuMHz: frequency },
        })),
      },
    })
    const cluster = (name: string): Promise<CloudSigmaCluster | undefined> => kube.tryGet(CLUSTERS, { namespace: NAMESPACE, name })
    const template = (name: string): Promise<CloudSigmaMachineTemplate | undefined> =>
      kube.tryGet(MACHINE_TEMPLATES, { namespace: NAMESPACE, name })
    const templateOf = async (name: string, pool: string, not?: string): Promise<string> =>
      until(async () => {
        const current = (await cluster(name))?.metadata.annotations?.[`ascribe.dev/template-${pool}`]
        return current !== not && current
      })
    const said = async (name: string, reason: string): Promise<string> =>
      until(async () => {
        const { items } = await kube.list(EVENTS, { namespace: NAMESPACE })
        return items.find((event) => event.regarding.name === name && event.reason === reason)?.note
      })
    /** kube-dc's manager: its MachineDeployment uses the template that the annotation names. */
    const deploy = (name: string, uses: string): Promise<MachineDeployment> =>
      kube.apply(
        MACHINE_DEPLOYMENTS,
        {
          metadata: { name, namespace: NAMESPACE, labels: { 'cluster.x-k8s.io/cluster-name': name.slice(0, name.indexOf('-')) } },
          spec: { template: { spec: { infrastructureRef: { apiGroup: CLUSTERS.group, kind: MACHINE_TEMPLATES.kind, name: uses } } } },
        },
        { fieldManager: 'kdc-manager', force: true },
      )

    test("a KdcCluster with an owner becomes a CloudSigmaCluster in the owner's name and a template for each pool", async () => {
      const made = await kdc('founding')
      const name = await templateOf('founding', 'workers')
      const bridged = await cluster('founding')
      assert.deepEqual(bridged?.spec, { region: 'next', userEmail: OWNER })
      assert.equal(bridged.metadata.labels?.['cluster.x-k8s.io/cluster-name'], 'founding')
      assert.equal(bridged.metadata.ownerReferences?.[0]?.uid, made.metadata.uid)
      const { spec } = (await template(name)) ?? {}
      assert.equal(spec?.template.spec.cpu, 4000)
      assert.equal(spec?.template.spec.cpuCores, 2)
      assert.equal(spec?.template.spec.memory, 4096)
      const manager = bridged.metadata.managedFields?.map((entry) => (entry as { manager?: string }).manager)
      assert.ok(manager === undefined || manager.includes('ascribe-kdc'), String(manager))
    })

    test('C-42: templates say their capacity', async () => {
      await kdc('capacity')
      const name = await templateOf('capacity', 'workers')
      const status = await until(async () => (await template(name))?.status)
      assert.equal(status.capacity?.['cpu'], '2')
      assert.equal(status.capacity?.['memory'], '4096Mi')
      assert.equal(status.nodeInfo?.operatingSystem, 'linux')
    })

    test('another spec is another template, and the annotation moves to it; the same spec is not', async () => {
      await kdc('rolling')
      await change('rolling', pools(4000, 6000))
      const first = await templateOf('rolling', 'pool-0')
      const second = await templateOf('rolling', 'pool-1')
      assert.notEqual(first, second)
      await change('rolling', pools(8000, 6000))
      const next = await templateOf('rolling', 'pool-0', first)
      assert.equal(await templateOf('rolling', 'pool-1'), second)
      assert.equal((await template(next))?.spec.template.spec.cpu, 8000)
      // Back to what it was: the template of that spec is there, or there again.
      await change('rolling', pools(4000, 6000))
      await until(async () => (await templateOf('rolling', 'pool-0', next)) === first)
      // A pool that is gone has no template any more.
      await change('rolling', pools(4000))
      await until(async () => (await cluster('rolling'))?.metadata.annotations?.['ascribe.dev/template-pool-1'] === undefined)
    })

    test('old templates go when nobody uses them, and not before', async () => {
      await kdc('unused')
      await change('unused', pools(4000))
      const old = await templateOf('unused', 'pool-0')
      await deploy('unused-pool-0', old)
      await change('unused', pools(6000))
      const current = await templateOf('unused', 'pool-0', old)
      aheadMs += 3_600_000
      await change('unused', { metadata: { labels: { looked: 'again' } } })
      await change('unused', pools(6000, 1000))
      await templateOf('unused', 'pool-1')
      assert.ok(await template(old), 'a MachineDeployment uses it')
      await deploy('unused-pool-0', current)
      await until(async () => (await template(old)) === undefined)
      assert.ok(await template(current))
    })

    test('H-5: without an owner nothing is made; as soon as the platform says who, everything is', async () => {
      await kdc('nobody', { annotations: {} })
      assert.match(await said('nobody', 'WaitingForOwner'), /has not said who owns/)
      assert.equal(await cluster('nobody'), undefined)
      await change('nobody', { metadata: { annotations: { 'cloudsigma.com/owner-email': OWNER } } })
      await templateOf('nobody', 'workers')
    })

    test('R-10: the old annotation counts, two that differ are refused', async () => {
      await kdc('old', { annotations: { 'kube-dc.com/owner-email': OWNER } })
      await templateOf('old', 'workers')
      assert.equal((await cluster('old'))?.spec.userEmail, OWNER)
      assert.match(await said('old', 'OldOwnerAnnotation'), /write cloudsigma.com\/owner-email/)
      await kdc('torn', { annotations: { 'kube-dc.com/owner-email': OWNER, 'cloudsigma.com/owner-email': 'victim@example.com' } })
      assert.match(await said('torn', 'OwnerMismatch'), /different owners/)
      assert.equal(await cluster('torn'), undefined)
    })

    test('H-5: a cluster that an administrator put into the account of the platform names nobody', async () => {
      await kdc('platforms', { annotations: { [ANNOTATIONS.fallback]: 'PlatformAccount' } })
      await templateOf('platforms', 'workers')
      const bridged = await cluster('platforms')
      assert.equal(bridged?.spec.userEmail, undefined)
      assert.equal(bridged?.metadata.annotations?.[ANNOTATIONS.fallback], 'PlatformAccount')
    })

    test('a CloudSigmaCluster of somebody else is not taken over', async () => {
      await kube.create(CLUSTERS, {
        metadata: {
          name: 'taken',
          namespace: NAMESPACE,
          ownerReferences: [
            { apiVersion: 'v1', kind: 'ConfigMap', name: 'other', uid: 'b2c1d0e5-0000-4c0e-9d41-0f6a2f8a9b10', controller: true },
          ],
        },
        spec: { region: 'next', userEmail: 'victim@example.com' },
      })
      await kdc('taken')
      await until(async () =>
        (await kube.list(MACHINE_TEMPLATES, { namespace: NAMESPACE })).items.some(({ metadata }) => metadata.name.startsWith('taken-')),
      )
      const bridged = await cluster('taken')
      assert.equal(bridged?.spec.userEmail, 'victim@example.com')
      assert.equal(bridged.metadata.annotations?.['ascribe.dev/template-workers'], undefined)
    })

    test("what others keep on the cluster stays: kube-dc's endpoint, the controller's account", async () => {
      await kdc('shared')
      const first = await templateOf('shared', 'workers')
      const key = { namespace: NAMESPACE, name: 'shared' }
      const endpoint = { host: '10.0.0.1', port: 6443 }
      await kube.patch(CLUSTERS, key, {
        fieldManager: 'kdc-manager',
        patch: { type: 'merge', body: { spec: { controlPlaneEndpoint: endpoint } } },
      })
      await kube.patch(CLUSTERS, key, {
        fieldManager: 'ascribe',
        patch: { type: 'merge', body: { metadata: { annotations: { [ANNOTATIONS.account]: '{}' }, finalizers: ['example.com/held'] } } },
      })
      await change('shared', pools(6000))
      await templateOf('shared', 'pool-0', first)
      const bridged = await cluster('shared')
      assert.deepEqual(bridged?.spec.controlPlaneEndpoint, endpoint)
      assert.equal(bridged?.metadata.annotations?.[ANNOTATIONS.account], '{}')
      await kube.patch(CLUSTERS, key, { patch: { type: 'merge', body: { metadata: { finalizers: null } } } })
    })
  })
}

async function install(kube: KubeClient): Promise<void> {
  const namespaces = [NAMESPACE].map((name) => ({ metadata: { name } }))
  for (const [resource, object] of [
    ...[...crds(), ...kdcDefinitions()].map((definition) => [DEFINITIONS, definition] as const),
    ...namespaces.map((namespace) => [NAMESPACES, namespace] as const),
  ])
    await kube.create<KubeObject>(resource, object).catch((error: unknown) => {
      if (!isKubeError(error, 'AlreadyExists')) throw error
    })
  for (const resource of [CLUSTERS, MACHINE_TEMPLATES, KDC_CLUSTERS, MACHINE_DEPLOYMENTS])
    await until(() => kube.list<KubeObject>(resource).catch(() => undefined))
}
