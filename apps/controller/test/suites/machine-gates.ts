import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOTATIONS, CLUSTERS, FINALIZERS, MACHINES, SERVER_META } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { AuthorityError } from '../../src/authority/errors.ts'
import { proofOf, recordedDrives, recordedServer } from '../../src/machine/marks.ts'
import { KEY, cloudCalls, hasReason, looks } from '../support/machine-looks.ts'
import { CAPI, NAMESPACE, assertExactlyOnce, assertNothingStands, conditionOf, startMachineWorld } from '../support/machine-world.ts'

const GIB = 1_073_741_824

/** Gates, pause, and what is ours: when anything is done for a machine, and with which server. */
export function machineGatesSuite(startKube: () => Promise<KubeUnderTest>): void {
  gates(startKube)
  identity(startKube)
}

function gates(startKube: () => Promise<KubeUnderTest>): void {
  test('reconcile() passes the gates in order, says each, and writes and sends nothing before them (C-34, C-8)', async () => {
    await using world = await startMachineWorld(startKube)
    const process = world.process()
    await world.addMachine('m')
    await world.kube.patchStatus(
      CAPI.clusters,
      { namespace: NAMESPACE, name: 'demo' },
      { patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: false } } } } },
    )
    await world.kube.patch(CAPI.machines, KEY, { patch: { type: 'merge', body: { spec: { bootstrap: { dataSecretName: null } } } } })
    await world.until(process, 'm', hasReason('Ready', 'WaitingForClusterInfrastructure'))
    await world.kube.patchStatus(
      CAPI.clusters,
      { namespace: NAMESPACE, name: 'demo' },
      { patch: { type: 'merge', body: { status: { initialization: { infrastructureProvisioned: true } } } } },
    )
    const machine = await world.until(process, 'm', hasReason('Ready', 'WaitingForBootstrapData'))
    assert.equal(machine?.metadata.finalizers, undefined)
    assert.deepEqual(cloudCalls(process), [])
    await world.kube.patch(CAPI.machines, KEY, {
      patch: { type: 'merge', body: { spec: { bootstrap: { dataSecretName: 'm-bootstrap' } } } },
    })
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })

  test('reconcile() does nothing while paused, deletion included, and goes on afterwards (C-7, R-40)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    await world.annotate('m', { 'cluster.x-k8s.io/paused': '' })
    const process = world.process()
    const paused = await world.until(process, 'm', (machine) => conditionOf(machine, 'Paused')?.status === 'True')
    assert.equal(paused?.metadata.finalizers, undefined)
    await world.annotate('m', { 'cluster.x-k8s.io/paused': null })
    await world.running(process, 'm')
    await world.kube.patch(
      CAPI.clusters,
      { namespace: NAMESPACE, name: 'demo' },
      { patch: { type: 'merge', body: { spec: { paused: true } } } },
    )
    await world.kube.delete(MACHINES, KEY)
    const before = cloudCalls(process).length
    await looks(world, process, 3)
    assert.equal(cloudCalls(process).length, before)
    assert.equal(conditionOf(await world.machine('m'), 'Paused')?.status, 'True')
    await world.kube.patch(
      CAPI.clusters,
      { namespace: NAMESPACE, name: 'demo' },
      { patch: { type: 'merge', body: { spec: { paused: false } } } },
    )
    await world.until(process, 'm', (machine) => machine === undefined)
    await assertNothingStands(world)
  })

  test('reconcile() does not touch what somebody else manages, or what the filter leaves out (C-10, C-24)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const filtered = world.process({ deps: { watchFilter: 'ours' } })
    await looks(world, filtered, 2)
    await world.annotate('m', { 'cluster.x-k8s.io/managed-by': 'somebody' })
    const process = world.process()
    await looks(world, process, 2)
    assert.deepEqual([...filtered.calls, ...process.calls], [])
  })

  test('reconcile() deletes without Cluster, CloudSigmaCluster and Machine, from the pinned account (R-26)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    await world.running(world.process(), 'm')
    await world.kube.delete(CAPI.clusters, { namespace: NAMESPACE, name: 'demo' })
    await world.kube.delete(CLUSTERS, { namespace: NAMESPACE, name: 'demo' })
    await world.kube.delete(CAPI.machines, KEY)
    await world.deleted(world.process(), 'm')
    await assertNothingStands(world)
  })

  test('reconcile() lets a machine go at once for which nothing was made, whatever became of its owner (R-24, R-26)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const refused = { refuse: false }
    const process = world.process({
      perform: async () => {
        throw new AuthorityError('Cannot act: revoked', { reason: 'OwnerNotAuthorized' })
      },
      authority: {
        authorize: () => {
          if (refused.refuse) throw new AuthorityError('Cannot act: revoked', { reason: 'OwnerNotAuthorized' })
          return { kind: 'Owner', userUUID: world.owner.uuid, region: 'zrh', email: world.owner.email }
        },
      },
    })
    await world.until(process, 'm', (machine) => machine?.metadata.finalizers?.[0] === FINALIZERS.machine)
    refused.refuse = true
    await world.deleted(process, 'm')
    await assertNothingStands(world)
  })
}

function identity(startKube: () => Promise<KubeUnderTest>): void {
  test('reconcile() survives clusterctl move: no status, another uid, the same server (R-21, C-52)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const before = await world.running(world.process(), 'm')
    // As clusterctl does it: paused, finalizers off, deleted, made again without its status.
    await world.kube.patch(MACHINES, KEY, { patch: { type: 'merge', body: { metadata: { finalizers: null } } } })
    await world.kube.delete(MACHINES, KEY)
    const { labels, annotations, ownerReferences } = before.metadata
    await world.kube.create(MACHINES, {
      metadata: { ...KEY, labels, annotations, ownerReferences, finalizers: [FINALIZERS.machine] },
      spec: before.spec,
    })
    const process = world.process()
    const after = await world.running(process, 'm')
    assert.notEqual(after.metadata.uid, before.metadata.uid)
    assert.equal(recordedServer(after), recordedServer(before))
    assert.equal(after.status?.initialization?.provisioned, true)
    assert.ok(!process.calls.some((each) => /clone|create|update|act/.test(each)), process.calls.join(' '))
    await assertExactlyOnce(world, after)
    await world.deleted(process, 'm')
    await assertNothingStands(world)
  })

  test('reconcile() never adopts by name, without our proof, or what somebody else shared (R-15, H-9)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const token = '01900000-0000-7000-8000-000000000404'
    await world.annotate('m', { [ANNOTATIONS.createToken]: token, [ANNOTATIONS.account]: JSON.stringify(world.pin) })
    await world.kube.patch(MACHINES, KEY, { patch: { type: 'merge', body: { metadata: { finalizers: [FINALIZERS.machine] } } } })
    // The owner's own server of that name and with the token, but not by us.
    const made = await world.eyes.servers.create({
      name: 'm',
      cpuMhz: 1000,
      memBytes: GIB,
      vncPassword: 'x',
      meta: {
        [SERVER_META.createToken]: token,
        [SERVER_META.proof]: proofOf({ namespaceUid: 'another', namespace: NAMESPACE, name: 'm', token }, 'another key'),
      },
    })
    world.advance(25_000)
    const machine = await world.until(world.process(), 'm', hasReason('Ready', 'WaitingForProof'))
    assert.equal(recordedServer(machine as CloudSigmaMachine), undefined)
    assert.equal(world.cloud.servers().length, 1, 'and nothing is made beside it')
    await world.eyes.servers.delete(made.object.uuid)
    await assertExactlyOnce(world, await world.running(world.process(), 'm'))
  })

  test('reconcile() leaves copies alone that the owner made of a machine and of its drive (R-15, R-16)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const first = await world.running(world.process(), 'm')
    const server = recordedServer(first) ?? ''
    const [drive = ''] = recordedDrives(first)
    await world.eyes.servers.act(server, 'stop')
    world.advance(5_000)
    const copy = await world.eyes.servers.clone(server, { name: 'm' })
    const backup = await world.eyes.drives.clone(drive, { name: (await world.eyes.drives.get(drive)).name })
    world.advance(60_000)
    // A new process looks for second ones too.
    const process = world.process()
    await world.running(process, 'm')
    await looks(world, process, 4)
    await world.deleted(process, 'm')
    assert.deepEqual(
      (await world.servers()).map(({ uuid }) => uuid),
      [copy.object.uuid],
    )
    assert.ok((await world.drives()).some(({ uuid }) => uuid === backup.object.uuid))
  })

  test('reconcile() makes nothing for what another provider made, and blocks its deletion until it is imported (R-24)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    await world.kube.patch(MACHINES, KEY, { patch: { type: 'merge', body: { metadata: { finalizers: [FINALIZERS.machine] } } } })
    const process = world.process()
    await world.until(process, 'm', hasReason('Ready', 'WaitingForImport'))
    await world.kube.delete(MACHINES, KEY)
    const blocked = await world.until(process, 'm', hasReason('Deleting', 'DeletionBlocked'))
    assert.match(conditionOf(blocked, 'Deleting')?.message ?? '', /ascribe machines import/)
    assert.deepEqual(cloudCalls(process), [])
  })

  test('reconcile() does nothing for a machine whose pin was taken away or cannot be read, and never selects again (H-5, 5.6)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const pinned = (await world.running(world.process(), 'm')).metadata.annotations?.[ANNOTATIONS.account] ?? ''
    for (const broken of [null, 'nonsense', pinned.replace('"Owner"', '"Somebody"')]) {
      await world.annotate('m', { [ANNOTATIONS.account]: broken })
      const process = world.process()
      await world.until(process, 'm', hasReason('Ready', 'InvalidSpec'))
      assert.deepEqual(cloudCalls(process), [])
    }
    await world.annotate('m', { [ANNOTATIONS.account]: pinned })
    await world.running(world.process(), 'm')
  })

  test('reconcile() says what keeps an owner from being selected, and waits as long as it is told (R-18, R-26)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    world.selection = {
      outcome: 'refused',
      reason: 'OwnerNotAuthorized',
      message: 'No binding of this namespace has that user\u0000\n%s%n',
    }
    const refused = await world.until(process, 'm', hasReason('Ready', 'OwnerNotAuthorized'))
    assert.equal(conditionOf(refused, 'IdentityReady')?.message, 'No binding of this namespace has that user %s%n', 'H-27')
    world.selection = { outcome: 'waiting', reason: 'OAuthUnavailable', message: 'down', retryAfterMs: 7_000 }
    assert.equal((await process.reconcile('m'))?.requeueAfterMs, 7_000)
    assert.equal((await world.machine('m'))?.metadata.finalizers, undefined)
    world.selection = undefined
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })

  test('reconcile() shows the platform’s account on the machine, for good (H-5, 5.3)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    world.pin = { ...world.pin, kind: 'PlatformAccount' }
    const process = world.process()
    assert.equal(conditionOf(await world.running(process, 'm'), 'UsingPlatformAccount')?.status, 'True')
    // Another choice now is for machines that are made now.
    world.pin = { ...world.pin, kind: 'Owner' }
    await looks(world, process, 2)
    assert.equal((await world.machine('m'))?.status?.account?.kind, 'PlatformAccount')
  })
}
