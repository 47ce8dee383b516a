import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CLUSTERS, MACHINES, OWNER_BINDINGS } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaOwnerBinding, Condition } from '@ascribe/kinds'
import { silentLogger, silentMeters } from '@ascribe/kit'
import { EVENTS, createEventRecorder, systemClocks } from '@ascribe/kube'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { Secret } from '@ascribe/service'
import { createBindingController } from '../../src/authority/binding-controller.ts'
import { createClusterController } from '../../src/cluster/create-cluster-controller.ts'
import { CORE_CLUSTERS, OTHER, USER, openOwnersWorld } from '../support/owners-world.ts'
import type { OwnersWorld } from '../support/owners-world.ts'
import { until } from '../support/until.ts'

const FINALIZER = 'cloudsigmacluster.infrastructure.cluster.x-k8s.io'
const MACHINE_FINALIZER = 'cloudsigmamachine.infrastructure.cluster.x-k8s.io'

/** Clusters and bindings on an API server: the scripted one, or a real one. */
export function clusterSuite(startKube: () => Promise<KubeUnderTest>): void {
  describe('clusters and bindings', () => {
    let world: OwnersWorld
    let stop: () => Promise<void>
    before(async () => {
      world = await openOwnersWorld({
        startKube,
        authority: (cloud) => {
          const platform = cloud.users.find(({ isPlatform }) => isPlatform)
          assert.ok(platform)
          return { platform: { username: platform.email, password: new Secret(platform.password) } }
        },
      })
      stop = await startControllers(world)
      await world.secret()
      await world.impersonator()
      await world.namespace('a')
      await world.binding('a-user', { email: USER, namespace: 'a', isHeld: false })
    })
    after(async () => {
      await stop?.()
      await world?.[Symbol.asyncDispose]()
    })

    const get = (name: string, namespace = 'a'): Promise<CloudSigmaCluster> => world.kube.get(CLUSTERS, { namespace, name })
    const condition = async (name: string, type: string, namespace = 'a'): Promise<Condition | undefined> =>
      (await get(name, namespace)).status?.conditions?.find((each) => each.type === type)
    const becomes = (name: string, type: string, { reason, namespace = 'a' }: { reason: string; namespace?: string }): Promise<Condition> =>
      until(
        async () => {
          const found = await condition(name, type, namespace)
          return found?.reason === reason && found
        },
        () => reason,
      )
    const bindingOf = (name: string): Promise<CloudSigmaOwnerBinding> => world.kube.get(OWNER_BINDINGS, { name })

    test('C-20, C-21, C-25: a cluster with an owner and an external endpoint becomes provisioned, in both contracts', async () => {
      await world.core('up')
      await world.cluster('up', { controlPlaneEndpoint: { host: 'kamaji.example', port: 6443 } })
      await becomes('up', 'Ready', { reason: 'Ready' })
      const { status, spec, metadata } = await get('up')
      assert.deepEqual([status?.ready, status?.initialization?.provisioned], [true, true])
      assert.deepEqual(status?.account, { kind: 'Owner', userUUID: world.userOf(USER), region: 'zrh', binding: 'a-user' })
      assert.deepEqual(spec.controlPlaneEndpoint, { host: 'kamaji.example', port: 6443 })
      assert.deepEqual(metadata.finalizers, [FINALIZER])
      assert.equal(status?.conditions?.find(({ type }) => type === 'IdentityReady')?.status, 'True')
      assert.ok(status?.conditions?.every(({ observedGeneration }) => observedGeneration === metadata.generation))
    })

    test('C-25: nothing is done before there is a Cluster, and all of it when there is one', async () => {
      await world.cluster('early')
      await becomes('early', 'IdentityReady', { reason: 'WaitingForCluster' })
      assert.deepEqual((await get('early')).metadata.finalizers ?? [], [])
      await world.core('early')
      await becomes('early', 'Ready', { reason: 'Ready' })
    })

    test('C-24: an externally managed cluster is not touched, by annotation or by label', async () => {
      await world.core('managed-1')
      await world.core('managed-2')
      const managed = { 'cluster.x-k8s.io/managed-by': '' }
      await world.cluster('managed-1', {}, { annotations: managed })
      await world.cluster('managed-2', {}, { labels: managed })
      await world.core('after')
      await world.cluster('after')
      await becomes('after', 'Ready', { reason: 'Ready' })
      for (const name of ['managed-1', 'managed-2']) {
        const { status, metadata } = await get(name)
        assert.deepEqual([status, metadata.finalizers, metadata.annotations?.['ascribe.dev/account']], [undefined, undefined, undefined])
      }
    })

    test('C-7, R-40: pause stops everything, the delete too, and unpausing goes on at once', async () => {
      await world.core('paused', { paused: true })
      await world.cluster('paused')
      await becomes('paused', 'Paused', { reason: 'Paused' })
      assert.equal((await get('paused')).status?.initialization, undefined)
      await world.core('paused', { paused: false })
      await becomes('paused', 'Ready', { reason: 'Ready' })
      await world.kube.patch(
        CLUSTERS,
        { namespace: 'a', name: 'paused' },
        { patch: { type: 'merge', body: { metadata: { annotations: { 'cluster.x-k8s.io/paused': '' } } } } },
      )
      await becomes('paused', 'Paused', { reason: 'Paused' })
      await world.kube.delete(CLUSTERS, { namespace: 'a', name: 'paused' })
      assert.deepEqual((await get('paused')).metadata.finalizers, [FINALIZER])
      await world.kube.patch(
        CLUSTERS,
        { namespace: 'a', name: 'paused' },
        { patch: { type: 'merge', body: { metadata: { annotations: { 'cluster.x-k8s.io/paused': null } } } } },
      )
      await until(async () => (await world.kube.tryGet(CLUSTERS, { namespace: 'a', name: 'paused' })) === undefined)
    })

    test('H-1: an owner who is not bound is refused, nothing is sent, and the binding that is made then opens it', async () => {
      await world.namespace('late')
      await world.core('late', {}, 'late')
      await world.cluster('late', { userEmail: OTHER }, { namespace: 'late' })
      const refused = await becomes('late', 'Ready', { reason: 'OwnerNotAuthorized', namespace: 'late' })
      assert.equal(refused.status, 'False')
      assert.match(refused.message ?? '', /ascribe owners bind/)
      await world.binding('late-other', { email: OTHER, namespace: 'late', isHeld: false })
      await becomes('late', 'Ready', { reason: 'Ready', namespace: 'late' })
    })

    test('C-21: a provisioned cluster says what is wrong and stays provisioned; a revoked binding shows at once', async () => {
      await world.namespace('shown')
      await world.core('shown', {}, 'shown')
      await world.binding('shown-user', { email: USER, namespace: 'shown', isHeld: false })
      await world.cluster('shown', {}, { namespace: 'shown' })
      await becomes('shown', 'Ready', { reason: 'Ready', namespace: 'shown' })
      await world.kube.delete(OWNER_BINDINGS, { name: 'shown-user' })
      await becomes('shown', 'Ready', { reason: 'OwnerNotAuthorized', namespace: 'shown' })
      assert.equal((await get('shown', 'shown')).status?.initialization?.provisioned, true)
      // CAPI #7624: it stays, revoked, while the cluster needs it; and goes with the cluster.
      const binding = await bindingOf('shown-user')
      assert.ok(binding.metadata.deletionTimestamp)
      await world.kube.delete(CLUSTERS, { namespace: 'shown', name: 'shown' })
      await until(async () => (await world.kube.tryGet(OWNER_BINDINGS, { name: 'shown-user' })) === undefined)
    })

    test('R-27: a cluster outlives its machines, and a binding too', async () => {
      await world.namespace('order')
      await world.core('order', {}, 'order')
      await world.binding('order-user', { email: USER, namespace: 'order', isHeld: false })
      await world.cluster('order', {}, { namespace: 'order' })
      await becomes('order', 'Ready', { reason: 'Ready', namespace: 'order' })
      const account = JSON.stringify({ kind: 'Owner', userUUID: world.userOf(USER), region: 'zrh', binding: 'order-user' })
      const machine = await world.machine('m', {
        cluster: 'order',
        namespace: 'order',
        annotations: { 'ascribe.dev/account': account },
        finalizers: [MACHINE_FINALIZER],
      })
      await world.kube.delete(CLUSTERS, { namespace: 'order', name: 'order' })
      const waiting = await becomes('order', 'Deleting', { reason: 'WaitingForMachines', namespace: 'order' })
      assert.match(waiting.message ?? '', /1 machines/)
      await world.kube.delete(OWNER_BINDINGS, { name: 'order-user' })
      await world.kube.delete(MACHINES, { namespace: 'order', name: 'm' })
      assert.ok((await bindingOf('order-user')).metadata.deletionTimestamp)
      await world.kube.removeFinalizer(MACHINES, machine, { finalizer: MACHINE_FINALIZER })
      await until(async () => (await world.kube.tryGet(CLUSTERS, { namespace: 'order', name: 'order' })) === undefined)
      await until(async () => (await world.kube.tryGet(OWNER_BINDINGS, { name: 'order-user' })) === undefined)
    })

    test('R-26: deleting a cluster needs no Cluster, no binding, no token and no cloud', async () => {
      await world.core('alone')
      await world.cluster('alone')
      await becomes('alone', 'Ready', { reason: 'Ready' })
      world.cloud.setKnobs({ oauthState: 'starting' })
      await world.kube.delete(CORE_CLUSTERS, { namespace: 'a', name: 'alone' })
      await world.kube.delete(CLUSTERS, { namespace: 'a', name: 'alone' })
      await until(async () => (await world.kube.tryGet(CLUSTERS, { namespace: 'a', name: 'alone' })) === undefined)
      world.cloud.setKnobs({ oauthState: 'up' })
    })

    test('a VLAN is looked at as the owner: its own, one that is shared with it, one that is not, one that is not there', async () => {
      const vlanOf = async (email: string): Promise<string> => {
        const pin = { kind: 'Owner', userUUID: world.userOf(email), region: 'zrh' } as const
        const cloud = await world.authority.cloudFor({
          pin,
          namespace: email === USER ? 'a' : 'late',
          purpose: 'operate',
          actor: { object: 'test', namespace: 'a', uid: 't' },
        })
        return (await cloud.vlans.list())[0]?.uuid ?? ''
      }
      await Promise.all(['vlan-own', 'vlan-foreign', 'vlan-none'].map((name) => world.core(name)))
      await world.cluster('vlan-own', { vlan: { uuid: await vlanOf(USER) } })
      const own = await becomes('vlan-own', 'NetworkReady', { reason: 'NetworkReady' })
      assert.match(own.message ?? '', /account's own/)
      await world.cluster('vlan-foreign', { vlan: { uuid: await vlanOf(OTHER) } })
      await becomes('vlan-foreign', 'NetworkReady', { reason: 'ServerNotAccessible' })
      assert.equal((await get('vlan-foreign')).status?.initialization, undefined)
      // The owner of the VLAN shares it: now it may be used, it is said whose it is, and it stays theirs (ADR 0087).
      await share(world, { of: OTHER, with: USER, vlan: await vlanOf(OTHER) })
      await world.core('vlan-shared')
      await world.cluster('vlan-shared', { vlan: { uuid: await vlanOf(OTHER) } })
      const shared = await becomes('vlan-shared', 'NetworkReady', { reason: 'NetworkReady' })
      assert.match(shared.message ?? '', new RegExp(`belongs to ${world.userOf(OTHER)} and is shared`))
      await world.cluster('vlan-none', { vlan: { uuid: '00000000-0000-4000-8000-000000000404' } })
      await becomes('vlan-none', 'NetworkReady', { reason: 'InvalidSpec' })
    })

    test('H-5: the platform’s account is visible on the cluster, as condition, status and event', async () => {
      await world.core('platform')
      await world.cluster('platform', {}, { annotations: { 'ascribe.dev/fallback': 'PlatformAccount' } })
      const using = await becomes('platform', 'UsingPlatformAccount', { reason: 'PlatformAccount' })
      assert.equal(using.status, 'True')
      await becomes('platform', 'Ready', { reason: 'Ready' })
      assert.equal((await get('platform')).status?.account?.kind, 'PlatformAccount')
      await until(async () =>
        (await world.kube.list(EVENTS, { namespace: 'a' })).items.some(({ reason }) => reason === 'UsingPlatformAccount'),
      )
    })

    test('the status of a binding says when its owner was last acted for, as whom, and what went wrong last', async () => {
      const bound = await until(async () => {
        const found = await bindingOf('a-user')
        return found.status?.profileUUID !== undefined && found
      })
      assert.equal(bound.status?.profileUUID, world.userOf(USER))
      assert.ok(Date.parse(bound.status?.lastMint ?? '') > 0 && Date.parse(bound.status?.verifiedAt ?? '') > 0)
      assert.equal(bound.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True')
      world.cloud.addUser({ email: 'brief@example.com' })
      await world.namespace('brief')
      await world.core('brief', {}, 'brief')
      await world.binding('brief', { email: 'brief@example.com', namespace: 'brief', isHeld: false })
      world.cloud.changeUser('brief@example.com', { state: 'SUSPENDED' })
      await world.cluster('brief', { userEmail: 'brief@example.com' }, { namespace: 'brief' })
      await becomes('brief', 'IdentityReady', { reason: 'OwnerSuspended', namespace: 'brief' })
      const failing = await until(async () => (await bindingOf('brief')).status?.lastError)
      assert.doesNotMatch(failing, /@|Bearer|eyJ/)
    })

    test('5.7: while OAuth is down a cluster that is up stays up, IdentityReady is Unknown, and it heals by itself', async () => {
      await world.namespace('outage')
      world.cloud.addUser({ email: 'outage@example.com' })
      await world.binding('outage', { email: 'outage@example.com', namespace: 'outage', isHeld: false })
      await world.core('outage', {}, 'outage')
      world.cloud.addFault({ match: { step: 'impersonate' }, does: { status: 503 } })
      await world.cluster('outage', { userEmail: 'outage@example.com' }, { namespace: 'outage' })
      const frozen = await becomes('outage', 'IdentityReady', { reason: 'OAuthUnavailable', namespace: 'outage' })
      assert.equal(frozen.status, 'Unknown')
      world.cloud.clearFaults()
      await becomes('outage', 'Ready', { reason: 'Ready', namespace: 'outage' })
    })
  })
}

/** What the owner of a VLAN does in the cloud's own console: a tag, and an ACL on it. */
async function share(world: OwnersWorld, { of, with: grantee, vlan }: { of: string; with: string; vlan: string }): Promise<void> {
  const { cloud } = world
  const user = cloud.users.find(({ email }) => email === of)
  const headers = {
    authorization: `Basic ${Buffer.from(`${of}:${user?.password}`).toString('base64')}`,
    'content-type': 'application/json',
  }
  const post = async (path: string, body: object): Promise<string> => {
    const answer = await fetch(`${cloud.regions['zrh']?.api}/api/2.0/${path}/`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ objects: [body] }),
    })
    assert.equal(answer.status, 201, await answer.clone().text())
    return ((await answer.json()) as { objects: { uuid: string }[] }).objects[0]?.uuid ?? ''
  }
  const tag = await post('tags', { name: 'shared', resources: [{ uuid: vlan }] })
  await post('acls', {
    name: 'shared',
    tags: [{ uuid: tag }],
    rules: [{ permission: 'LIST' }, { permission: 'ATTACH' }],
    grantees: [{ uuid: world.userOf(grantee) }],
  })
}

async function startControllers(world: OwnersWorld): Promise<() => Promise<void>> {
  const { kube, informers, authority } = world
  const events = createEventRecorder({ client: kube, controller: 'ascribe-controller', instance: 'test' })
  const common = { kube, informers, authority, clocks: systemClocks, logger: silentLogger, meters: silentMeters }
  const controllers = [createBindingController(common), createClusterController({ ...common, events, coreClusters: CORE_CLUSTERS })]
  const stopping = new AbortController()
  const running = controllers.map((each) => each.run(stopping.signal))
  await informers.synced()
  return async () => {
    stopping.abort()
    await Promise.all(running)
    await events[Symbol.asyncDispose]()
  }
}
