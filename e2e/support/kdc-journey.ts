import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CLUSTERS, MACHINES, MACHINE_TEMPLATES, OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import { SECRETS } from '@ascribe/kube'
import { CORE_CLUSTERS, CORE_MACHINES, KDC_CLUSTERS, OTHER, USER, ensure, eventually, openControllerWorld } from './controller-world.ts'
import type { ControllerWorld, KubeForController } from './controller-world.ts'
import { askLines } from './process.ts'
import { up } from './product.ts'
import type { Event, Product } from './product.ts'

const NAMESPACE = 'user-project'
const NAME = 'my-cluster'
const MACHINES_COUNT = 2
const ARGS = ['--kdc-bridge', '--sync', '1s', '--list-grace', '1s']

/**
 * The closing sentence of the issue: a KdcCluster with an owner becomes a CloudSigmaCluster and machines whose VMs stand in the owner's account
 * and nobody else's, survive a kill -9 without a duplicate or an orphan, are deleted without a leak, and their hours are usage records of the
 * owner's organization. The test plays kube-dc's manager and the core of Cluster API.
 */
export function kdcJourney(startKube: () => Promise<KubeForController>): void {
  describe('from KdcCluster to usage records', () => {
    let world: ControllerWorld
    let product: Product
    before(async () => {
      world = await openControllerWorld(startKube)
      product = await up(world.dir())
    })
    after(async () => {
      await product?.[Symbol.asyncDispose]()
      await world?.[Symbol.asyncDispose]()
    })

    const key = { namespace: NAMESPACE, name: NAME }
    const cluster = (): Promise<CloudSigmaCluster | undefined> => world.kube.tryGet(CLUSTERS, key)
    const isUp = ({ status }: CloudSigmaMachine): boolean =>
      status?.initialization?.provisioned === true && status.instanceState === 'running'

    test(
      'KdcCluster → CloudSigmaCluster → machines in the owner’s account → kill -9 → delete → usage of the owner’s organization',
      { timeout: 240_000 },
      async () => {
        const { kube, cloud } = world
        const uuid = world.userOf(USER)
        await product.cli('owners', 'map', uuid, '--org', product.ready.organization.id, '--from', '2026-01-01')
        await using stack = new AsyncDisposableStack()
        const first = stack.use(await world.controller(ARGS, product.dir))
        const binding = await world.bind(NAMESPACE, USER)
        await kube.create(KDC_CLUSTERS, {
          metadata: { ...key, annotations: { 'cloudsigma.com/owner-email': USER } },
          spec: {
            version: 'v1.34.0',
            workers: [
              {
                name: 'workers',
                infrastructureProvider: 'cloudsigma',
                cpuCores: 2,
                memory: '4Gi',
                cloudsigma: { imageUUID: world.image, region: 'zrh', diskSizeGB: 20, nics: [{ public: true }] },
              },
            ],
          },
        })
        const ready = await eventually(
          async () => {
            const found = await cluster()
            return found?.status?.initialization?.provisioned === true && found
          },
          async () => (await cluster())?.status,
        )
        assert.equal(ready.spec.userEmail, USER)
        assert.equal(ready.status?.account?.userUUID, uuid)
        await playManager(world, ready)
        // Killed while machines are being made, and started again.
        await eventually(
          () => cloud.servers().length > 0,
          async () => (await world.machines(NAMESPACE)).map(({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')),
        )
        first.kill('SIGKILL')
        await first.exited
        const second = stack.use(await world.controller(ARGS, product.dir))
        const machines = await eventually(
          async () => {
            const found = await world.machines(NAMESPACE)
            return found.length === MACHINES_COUNT && found.every(isUp) && found
          },
          async () => (await world.machines(NAMESPACE)).map(({ status }) => status),
        )
        const servers = world.servers(USER)
        assert.deepEqual(
          new Set(machines.map(({ spec }) => spec.providerID)),
          new Set(servers.map((server) => `cloudsigma://${server.uuid}`)),
        )
        assert.equal(servers.length, MACHINES_COUNT)
        assert.deepEqual([world.servers(OTHER), world.servers('platform@example.com')], [[], []])
        assert.equal(await world.drives(USER), MACHINES_COUNT)

        // Everything is deleted at once, the binding first: what it made still goes, and it goes last.
        await kube.delete(OWNER_BINDINGS, { name: binding })
        await kube.delete(KDC_CLUSTERS, key)
        await kube.delete(CLUSTERS, key)
        for (const { metadata } of machines) await kube.delete(MACHINES, { namespace: NAMESPACE, name: metadata.name })
        await eventually(async () => (await world.machines(NAMESPACE)).length === 0 && (await cluster()) === undefined)
        await eventually(async () => (await kube.tryGet(OWNER_BINDINGS, { name: binding })) === undefined)
        assert.deepEqual(world.servers(USER), [])
        assert.equal(await world.drives(USER), 0)

        const events = await eventually(
          async () => {
            const found = await askLines<Event>(['events', 'list', '--org', product.ready.organization.id, '--data', product.dir])
            const machinesOf = found.filter(({ resource_type: type }) => type === 'vm')
            return new Set(machinesOf.map(({ resource_id: id }) => id)).size === MACHINES_COUNT && machinesOf
          },
          () => askLines<Event>(['events', 'list', '--data', product.dir]),
        )
        assert.deepEqual(new Set(events.map(({ resource_id: id }) => id)), new Set(servers.map((server) => server.uuid)))
        assert.ok(events.every(({ auth_id: authId }) => authId === `cloudsigma:${uuid}`))
        assert.ok(events.some(({ meters }) => Object.keys(meters).includes('vm_cpu_mhz_hours')))
        second.kill('SIGTERM')
        assert.equal((await second.ended).code, 0)
        // H-15: what was written about it all.
        assert.doesNotMatch(second.stderr(), /kcs-secret|Bearer |eyJ[A-Za-z0-9]|#cloud-config/)
      },
    )
  })
}

/** kube-dc's manager makes Cluster and machines; each uses the template that the annotation names. */
async function playManager({ kube }: ControllerWorld, bridged: CloudSigmaCluster): Promise<void> {
  const current = await eventually(
    async () => (await kube.get(CLUSTERS, { namespace: NAMESPACE, name: NAME })).metadata.annotations?.['ascribe.dev/template-workers'],
  )
  const template = await kube.get(MACHINE_TEMPLATES, { namespace: NAMESPACE, name: current })
  await kube.create(CORE_CLUSTERS, {
    metadata: { namespace: NAMESPACE, name: NAME },
    spec: { infrastructureRef: { apiGroup: CLUSTERS.group, kind: CLUSTERS.kind, name: bridged.metadata.name } },
  })
  await kube.patchStatus(
    CORE_CLUSTERS,
    { namespace: NAMESPACE, name: NAME },
    { patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: true } } } } },
  )
  const labels = { 'cluster.x-k8s.io/cluster-name': NAME, 'cluster.x-k8s.io/deployment-name': 'workers' }
  for (let index = 0; index < MACHINES_COUNT; index += 1) {
    const name = `${NAME}-workers-${index}`
    const secret = `${name}-bootstrap`
    await ensure(kube, SECRETS, {
      metadata: { namespace: NAMESPACE, name: secret },
      data: { value: Buffer.from('#cloud-config\n').toString('base64') },
    })
    const made = await kube.create(CORE_MACHINES, {
      metadata: { namespace: NAMESPACE, name, labels },
      spec: {
        clusterName: NAME,
        bootstrap: { dataSecretName: secret },
        infrastructureRef: { apiGroup: MACHINES.group, kind: MACHINES.kind, name },
      },
    })
    const owner = { apiVersion: 'cluster.x-k8s.io/v1beta2', kind: 'Machine', name, uid: made.metadata.uid, controller: true }
    await kube.create(MACHINES, {
      metadata: { namespace: NAMESPACE, name, labels, ownerReferences: [owner] },
      spec: template.spec.template.spec,
    })
  }
}
