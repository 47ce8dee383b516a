import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOTATIONS, MACHINES, SERVER_META } from '@ascribe/kinds'
import { isKubeError } from '@ascribe/kube'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { AuthorityError } from '../../src/authority/errors.ts'
import { CONFIG_MAPS } from '../../src/abandon/orphan-record.ts'
import { ipamResources } from '../../src/machine/capi.ts'
import { recordedDrives, recordedServer } from '../../src/machine/marks.ts'
import { KEY, cloudCalls, hasReason, looks } from '../support/machine-looks.ts'
import { NAMESPACE, assertExactlyOnce, joinNode, startMachineWorld } from '../support/machine-world.ts'
import type { MachineWorldUnderTest } from '../support/machine-world.ts'

const GIB = 1_073_741_824

async function isAdmitted(world: MachineWorldUnderTest, spec: Parameters<MachineWorldUnderTest['addMachine']>[1]): Promise<boolean> {
  try {
    await world.addMachine('m', spec)
    return true
  } catch (error) {
    if (!isKubeError(error, 'Invalid')) throw error
    return false
  }
}

/** What a server is made of, and how a machine ends: by the rules of Cluster API and of our own. */
export function machineRulesSuite(startKube: () => Promise<KubeUnderTest>): void {
  shape(startKube)
  endings(startKube)
}

function shape(startKube: () => Promise<KubeUnderTest>): void {
  test('reconcile() sends cores, a password of its own, a private interface, our tag, and its own meta over the spec’s (R-31, R-33, R-37, R-39, H-10, H-16)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m', { cpu: 7000, meta: { team: 'blue' }, tags: ['mine'] })
    await world.addMachine('n')
    const process = world.process()
    const server = await world.eyes.servers.get(recordedServer(await world.running(process, 'm')) ?? '')
    const other = await world.eyes.servers.get(recordedServer(await world.running(process, 'n')) ?? '')
    assert.equal(server.smp, 3, 'as few as the clock of a core allows')
    assert.notEqual(server.vncPassword?.reveal(), other.vncPassword?.reveal())
    assert.ok((server.vncPassword?.reveal().length ?? 0) >= 32)
    assert.deepEqual(
      server.nics.map(({ vlan, ipV4 }) => [vlan, ipV4]),
      [[world.vlan, undefined]],
    )
    const meta = server.meta.reveal()
    assert.equal(meta['team'], 'blue')
    assert.equal(meta[SERVER_META.machine], 'tenant-a/m')
    assert.equal(meta[SERVER_META.cluster], 'demo')
    assert.equal(meta[SERVER_META.pool], 'workers')
    assert.ok(Object.keys(meta).every((key) => key.length <= 32))
    world.advance(25_000)
    const names = (await world.eyes.tags.list()).filter(({ uuid }) => server.tags.includes(uuid)).map(({ name }) => name)
    assert.equal(names.length, 2)
    assert.ok(names.includes('mine') && names.some((name) => /^ascribe:cluster:tenant-a\/demo:[0-9a-f-]{36}$/.test(name)))
    const [drive] = (await world.drives()).filter(({ uuid }) => uuid === server.drives[0]?.drive)
    assert.equal(drive?.name, 'm-drive-0')
    assert.equal(drive?.meta.get(SERVER_META.createToken), meta[SERVER_META.createToken])
  })

  for (const [what, spec, reason] of [
    ['no disk', { disks: [] }, 'InvalidSpec'],
    ['a reserved key of meta', { meta: { 'cloudinit-user-data': 'evil' } }, 'InvalidSpec'],
    ['more cores than its clock gives', { cpu: 2000, cpuCores: 8 }, 'InvalidSpec'],
    ['a public interface in a vlan', { nics: [{ vlan: '00000000-0000-4000-8000-000000000000', public: true }] }, 'InvalidSpec'],
    ['a disk smaller than its image', 'small', 'InvalidSpec'],
    ['a private drive of the owner for an image', 'private', 'ImageNotAllowed'],
  ] as const) {
    test(`reconcile() refuses a machine with ${what}: ${reason}, and makes nothing (R-33, R-39, H-10, H-26)`, async () => {
      await using world = await startMachineWorld(startKube)
      const disk = { device: 'virtio' as const, boot_order: 1, size: 20 * GIB }
      const drive = spec === 'private' ? (await world.eyes.drives.create({ name: 'database', sizeBytes: GIB })).object.uuid : world.image
      const given = typeof spec === 'string' ? { disks: [{ ...disk, uuid: drive, size: spec === 'small' ? GIB : 20 * GIB }] } : spec
      // A real server refuses some of them at once.
      if (!(await isAdmitted(world, given))) return
      const process = world.process()
      await world.until(process, 'm', hasReason('Ready', reason))
      await looks(world, process, 2)
      assert.equal(world.cloud.servers().length, 0)
      await world.deleted(process, 'm')
      assert.equal((await world.drives()).length, spec === 'private' ? 1 : 0)
    })
  }

  test('reconcile() clones a drive of the owner that the owner tagged as an image (H-26)', async () => {
    await using world = await startMachineWorld(startKube)
    const { object: drive } = await world.eyes.drives.create({ name: 'golden', sizeBytes: GIB })
    await world.eyes.tags.create({ name: 'ascribe-image', resources: [drive.uuid] })
    world.advance(25_000)
    await world.addMachine('m', { disks: [{ uuid: drive.uuid, device: 'virtio', boot_order: 1, size: 2 * GIB }] })
    await world.running(world.process(), 'm')
  })

  test('reconcile() takes bootstrap data out of meta once the node has joined, and nothing else (R-37, H-17, C-37)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const server = recordedServer(await world.running(process, 'm')) ?? ''
    const before = (await world.eyes.servers.get(server)).meta.reveal()
    assert.equal(Buffer.from(before[SERVER_META.userData] ?? '', 'base64').toString(), '#cloud-config of m')
    await joinNode(world, 'm')
    await process.reconcile('m')
    const { [SERVER_META.userData]: _data, [SERVER_META.base64Fields]: _fields, ...rest } = before
    assert.deepEqual((await world.eyes.servers.get(server)).meta.reveal(), rest)
    const said = JSON.stringify([await world.machine('m'), world.events, world.acts])
    assert.ok(!said.includes(before[SERVER_META.userData] ?? '') && !said.includes('#cloud-config'), 'H-15')
    const calls = cloudCalls(process).length
    await process.reconcile('m')
    assert.equal(cloudCalls(process).length, calls, 'once, and what the answer said is not asked for again')
  })

  test('reconcile() reports public addresses as external ones, and claims others from pools until the server is gone (R-38, C-32, C 4.6)', async () => {
    await using world = await startMachineWorld(startKube)
    const ipam = ipamResources()
    await world.addMachine('m', {
      nics: [
        { public: true },
        { vlan: world.vlan, ipPoolRef: { apiGroup: 'ipam.cluster.x-k8s.io', kind: 'InClusterIPPool', name: 'pool' } },
      ],
    })
    const process = world.process()
    await world.until(process, 'm', hasReason('Ready', 'WaitingForAddress'))
    assert.equal(world.cloud.servers().length, 0)
    const claim = { namespace: NAMESPACE, name: 'm-nic-1' }
    await world.kube.create(ipam.addresses, {
      metadata: { namespace: NAMESPACE, name: 'given' },
      spec: {
        address: '10.0.0.7',
        prefix: 24,
        gateway: '10.0.0.1',
        poolRef: { apiGroup: 'ipam.cluster.x-k8s.io', kind: 'InClusterIPPool', name: 'pool' },
        claimRef: { name: 'm-nic-1' },
      },
    })
    await world.kube.patchStatus(ipam.claims, claim, { patch: { type: 'merge', body: { status: { addressRef: { name: 'given' } } } } })
    const machine = await world.running(process, 'm')
    assert.deepEqual(
      machine.status?.addresses?.map(({ type }) => type),
      ['ExternalIP', 'InternalIP'],
    )
    assert.equal(machine.status?.addresses?.[1]?.address, '10.0.0.7')
    const server = await world.eyes.servers.get(recordedServer(machine) ?? '')
    assert.equal(server.meta.get('ascribe-nic-1'), '{"address":"10.0.0.7","prefix":24,"gateway":"10.0.0.1"}')
    await world.kube.delete(MACHINES, KEY)
    await process.reconcile('m')
    assert.ok(await world.kube.tryGet(ipam.claims, claim), 'kept while the server stands')
    await world.until(process, 'm', (each) => each === undefined)
    assert.equal(await world.kube.tryGet(ipam.claims, claim), undefined)
  })

  test('reconcile() asks for room in the owner’s limits before the first create, and says QuotaExceeded (H-13)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    let refusal: AuthorityError | undefined = new AuthorityError('The binding allows 3 servers', { reason: 'QuotaExceeded' })
    const process = world.process({ authority: { admit: () => refusal } })
    const held = await world.until(process, 'm', hasReason('Ready', 'QuotaExceeded'))
    assert.equal(held?.metadata.finalizers, undefined)
    refusal = undefined
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })
}

function endings(startKube: () => Promise<KubeUnderTest>): void {
  test('abandon: two people, a record, an act, an event; one person or one name twice is nothing (5.7, H-12)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const machine = await world.running(process, 'm')
    world.cloud.happen({ event: 'change_owner', server: recordedServer(machine) ?? '', owner: 'other@example.com' })
    await world.kube.delete(MACHINES, KEY)
    for (const asked of [{ [ANNOTATIONS.abandon]: 'anna' }, { [ANNOTATIONS.abandonApproved]: 'anna' }]) {
      await world.annotate('m', asked)
      await world.until(process, 'm', hasReason('Deleting', 'DeletionBlocked'))
      await looks(world, process, 2)
    }
    await world.annotate('m', { [ANNOTATIONS.abandonApproved]: 'boris', [ANNOTATIONS.abandonReason]: 'the account was closed' })
    const before = cloudCalls(process).length
    await world.until(process, 'm', (each) => each === undefined)
    assert.equal(cloudCalls(process).length, before, 'nothing in the cloud is touched')
    const record = await world.kube.get(CONFIG_MAPS, { namespace: 'ascribe-system', name: `orphan-${machine.metadata.uid}` })
    const left = JSON.parse((record['data'] as { record: string }).record) as Record<string, unknown>
    assert.deepEqual(
      [left['machine'], left['server'], left['drives'], left['askedBy'], left['agreedBy'], left['reason']],
      ['tenant-a/m', recordedServer(machine), recordedDrives(machine), 'anna', 'boris', 'the account was closed'],
    )
    assert.ok(world.acts.some(({ verb, requestedBy }) => verb === 'abandon' && requestedBy === 'anna, agreed by boris'))
    assert.ok(world.events.some(({ reason }) => reason === 'MachineAbandoned'))
  })

  test('abandon: a machine that is not being deleted is not abandoned (5.7)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    await world.running(process, 'm')
    await world.annotate('m', { [ANNOTATIONS.abandon]: 'anna', [ANNOTATIONS.abandonApproved]: 'boris' })
    await looks(world, process, 2)
    assert.equal((await world.machine('m'))?.metadata.finalizers?.length, 1)
  })

  test('reconcile() lets the finalizer go only when the last hours are durable (never-list 2)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    let isJournalAway = true
    const seen: string[] = []
    const process = world.process({
      lives: {
        observe: async ({ sight, annotation }) => {
          seen.push('gone' in sight ? 'gone' : sight.server.status)
          if (!('gone' in sight))
            return annotation === sight.server.status ? { isSettled: true } : { annotation: sight.server.status, isSettled: false }
          return { isSettled: !isJournalAway }
        },
      },
    })
    const machine = await world.running(process, 'm')
    assert.equal((await world.machine('m'))?.metadata.annotations?.[ANNOTATIONS.metered], 'running')
    await world.kube.delete(MACHINES, KEY)
    await world.until(process, 'm', hasReason('Deleting', 'WaitingForMetering'))
    await looks(world, process, 3)
    assert.equal((await world.machine('m'))?.metadata.finalizers?.length, 1)
    isJournalAway = false
    await world.until(process, 'm', (each) => each === undefined)
    assert.ok(seen.includes('stopped') && seen.at(-1) === 'gone', `${seen.join(' ')} of ${machine.metadata.name}`)
  })

  test('reconcile() of machines that run costs one list for all of an account a period, and nothing of Kubernetes (few calls)', async () => {
    await using world = await startMachineWorld(startKube)
    const names = ['m', 'n', 'o', 'p']
    const process = world.process()
    for (const name of names) {
      await world.addMachine(name)
      await world.running(process, name)
    }
    world.advance(61_000)
    const before = process.calls.length
    for (let period = 0; period < 5; period += 1) {
      for (const name of names) await process.reconcile(name)
      for (const name of names) await process.reconcile(name)
      world.advance(61_000)
    }
    const steady = process.calls.slice(before)
    assert.deepEqual(
      steady,
      Array.from({ length: 5 }, () => 'cloud servers.list'),
    )
  })
}
