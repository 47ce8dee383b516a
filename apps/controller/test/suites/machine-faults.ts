import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ANNOTATIONS, MACHINES } from '@ascribe/kinds'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { ActNotRecordedError } from '../../src/accounts/errors.ts'
import { AuthorityError } from '../../src/authority/errors.ts'
import { recordedServer } from '../../src/machine/marks.ts'
import { hasReason } from '../support/machine-looks.ts'
import { NAMESPACE, assertExactlyOnce, assertNothingStands, conditionOf, startMachineWorld } from '../support/machine-world.ts'
import type { MachineWorldUnderTest } from '../support/machine-world.ts'

/** So many looks, each after as long as the last one asked for. */
async function looks(
  world: MachineWorldUnderTest,
  process: ReturnType<MachineWorldUnderTest['process']>,
  { name, count }: { readonly name: string; readonly count: number },
): Promise<void> {
  for (let look = 0; look < count; look += 1) {
    const result = await process.reconcile(name)
    world.advance(result?.requeueAfterMs ?? 10_000)
  }
}

/** What the cloud does to a machine: each with what the machine says, and what it must not do. */
export function machineFaultsSuite(startKube: () => Promise<KubeUnderTest>): void {
  for (const [what, path] of [
    ['server', '/api/2.0/servers/'],
    ['clone', '/api/2.0/libdrives/*/action/'],
  ] as const) {
    test(`createThenDropConnection: reconcile() finds the ${what} whose answer was lost, and makes no second (R-8, R-11, R-12)`, async () => {
      await using world = await startMachineWorld(startKube)
      await world.addMachine('m')
      world.cloud.addFault({ match: { method: 'POST', path, times: 1 }, does: { drop: 'after' } })
      const process = world.process()
      await assertExactlyOnce(world, await world.running(process, 'm'))
      assert.equal(world.cloud.faults()[0]?.used, 1)
      await world.deleted(process, 'm')
      await assertNothingStands(world)
    })
  }

  test('reconcile() makes one server when its record meets a conflict (R-11, C-11)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process({
      perform: async (act, call) => {
        const result = await call()
        if (act.verb === 'create_server' || act.verb === 'clone_drive') await world.annotate('m', { 'example.com/somebody': act.verb })
        return result
      },
    })
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })

  for (const verb of ['clone_drive', 'create_server', 'start'] as const) {
    test(`reconcile() whose cache still has the object from before ${verb} makes nothing again (R-11)`, async () => {
      await using world = await startMachineWorld(startKube)
      await world.addMachine('m')
      let isStuck = false
      const process = world.process({
        perform: async (act, call) => {
          if (act.verb === verb && !isStuck) {
            isStuck = true
            await process.freeze()
          }
          return call()
        },
      })
      await looks(world, process, { name: 'm', count: 40 })
      assert.ok(isStuck)
      const machine = await world.machine('m')
      assert.ok(machine)
      await assertExactlyOnce(world, machine)
    })
  }

  test('reconcile() of a second process whose cache is from before the token writes no other one (R-11)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const late = world.process()
    await late.freeze()
    const machine = await world.running(world.process(), 'm')
    await looks(world, late, { name: 'm', count: 10 })
    assert.equal(
      (await world.machine('m'))?.metadata.annotations?.[ANNOTATIONS.createToken],
      machine.metadata.annotations?.[ANNOTATIONS.createToken],
    )
    await assertExactlyOnce(world, machine)
  })

  test('two leaders: what the slower one made is taken away, and one server runs (R-11, R-16)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const slow = world.process({
      perform: async (act, call) => {
        // Stands still between its fence and its request, for longer than any lease.
        if (act.verb === 'clone_drive') await gate
        return call()
      },
    })
    const stuck = slow.reconcile('m')
    while (!slow.calls.includes('cloud libdrives.get')) await new Promise((resolve) => setImmediate(resolve))
    const next = world.process()
    await world.running(next, 'm')
    release()
    await stuck
    await looks(world, next, { name: 'm', count: 3 })
    // The new leader's next look for second ones is at the end of the machine; the slow one knows at once that its drive is one.
    await looks(world, slow, { name: 'm', count: 4 })
    const machine = await world.machine('m')
    assert.ok(machine)
    await assertExactlyOnce(world, machine)
    assert.ok(world.events.some(({ reason }) => reason === 'SecondDriveRemoved'))
  })

  test('reconcile() says InsufficientFunds after a 402, tries slowly, and starts once there is money (R-35)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    world.cloud.setKnobs({ startOutcome: 'payment' })
    const process = world.process()
    const machine = await world.until(process, 'm', hasReason('Ready', 'InsufficientFunds'))
    assert.match(conditionOf(machine, 'Ready')?.message ?? '', /must add funds/)
    const starts = (): number => process.calls.filter((each) => each === 'cloud servers.act').length
    const before = starts()
    for (let look = 0; look < 10; look += 1) await process.reconcile('m')
    assert.equal(starts(), before, 'whatever wakes it, it is not tried before its time')
    world.cloud.setKnobs({ startOutcome: 'runs' })
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })

  test('reconcile() tells 503 out of capacity from 503 concurrency (R-35)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    world.cloud.setKnobs({ startOutcome: 'capacity' })
    const process = world.process()
    await world.until(process, 'm', hasReason('Ready', 'InsufficientCapacity'))
    const slow = await process.reconcile('m')
    assert.ok((slow?.requeueAfterMs ?? 0) > 20_000)
    world.cloud.setKnobs({ startOutcome: 'concurrency-once' })
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })

  test('reconcile() decides on status and error_type: a 503 and a 404 of a gateway are not "gone", nor a uuid with 404 in it (R-14)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const machine = await world.running(process, 'm')
    assert.match(recordedServer(machine) ?? '', /404/)
    for (const status of [503, 404, 500, 502]) {
      const fault = world.cloud.addFault({ match: { step: 'api' }, does: { status, body: 'html' } })
      world.advance(300_000)
      await looks(world, process, { name: 'm', count: 3 })
      assert.equal(conditionOf(await world.machine('m'), 'Ready')?.status, 'True', `a ${status} says nothing of a server that ran`)
      world.cloud.clearFaults(fault)
    }
    await world.running(process, 'm')
    await assertExactlyOnce(world, machine)
  })

  test('reconcile() holds a server that went to somebody else, and neither makes another nor lets go (R-2, R-5, H-12)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const server = recordedServer(await world.running(process, 'm')) ?? ''
    world.cloud.happen({ event: 'change_owner', server, owner: 'other@example.com' })
    world.advance(120_000)
    const machine = await world.until(process, 'm', hasReason('Ready', 'ServerNotAccessible'))
    assert.match(conditionOf(machine, 'Ready')?.message ?? '', /server-not-accessible/)
    await world.kube.delete(MACHINES, { namespace: NAMESPACE, name: 'm' })
    const blocked = await world.until(process, 'm', hasReason('Deleting', 'DeletionBlocked'))
    await looks(world, process, { name: 'm', count: 10 })
    assert.equal(blocked?.metadata.finalizers?.length, 1)
    assert.match(conditionOf(blocked, 'Deleting')?.message ?? '', /ServerNotAccessible/)
    assert.equal(world.cloud.servers().length, 1)
  })

  test('reconcile() reports a server that somebody deleted, never makes it again, and deletes its drives at the end (R-20, R-25)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const server = recordedServer(await world.running(process, 'm')) ?? ''
    world.cloud.happen({ event: 'delete', server })
    world.advance(120_000)
    await world.until(process, 'm', hasReason('Ready', 'ServerNotFound'))
    await looks(world, process, { name: 'm', count: 5 })
    await looks(world, world.process(), { name: 'm', count: 5 })
    assert.equal(world.cloud.servers().length, 0)
    assert.equal((await world.machine('m'))?.spec.providerID, `cloudsigma://${server}`)
    await world.deleted(process, 'm')
    await assertNothingStands(world)
  })

  test('reconcile() starts a server again that somebody stopped, and waits longer the next time (R-20, C-36)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const server = recordedServer(await world.running(process, 'm')) ?? ''
    world.cloud.happen({ event: 'stop', server })
    world.advance(120_000)
    await process.reconcile('m')
    assert.notEqual(conditionOf(await world.machine('m'), 'Ready')?.status, 'True', 'Ready is honest (C-38)')
    await world.running(process, 'm')
    assert.ok(world.events.some(({ reason }) => reason === 'ServerRestarted'))
    world.cloud.happen({ event: 'stop', server })
    world.advance(50_000)
    world.advance(11_000)
    await process.reconcile('m')
    assert.equal(world.cloud.servers()[0]?.status === 'starting' || world.cloud.servers()[0]?.status === 'stopped', true)
    await assertExactlyOnce(world, await world.running(process, 'm'))
  })

  test('reconcile() waits for a crashed host, and for what the infrastructure does (3.5)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const machine = await world.running(process, 'm')
    const server = recordedServer(machine) ?? ''
    for (const event of ['crash', 'unavailable'] as const) {
      world.cloud.happen({ event, server })
      world.advance(61_000)
      await looks(world, process, { name: 'm', count: 2 })
      if (event === 'unavailable') world.cloud.happen({ event: 'heal', server })
      await world.running(process, 'm')
    }
    await assertExactlyOnce(world, machine)
  })

  test('reconcile() says what became of a clone, and puts no server on it (R-17)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    world.cloud.setKnobs({ cloneEndsAs: 'unavailable', cloneMs: 60_000 })
    const process = world.process()
    const cloning = await world.until(process, 'm', (machine) => /\d0 % done/.test(conditionOf(machine, 'Ready')?.message ?? ''))
    assert.equal(conditionOf(cloning, 'Ready')?.reason, 'WaitingForDrive')
    await world.until(process, 'm', (machine) => /is unavailable/.test(conditionOf(machine, 'Ready')?.message ?? ''))
    assert.equal(world.cloud.servers().length, 0)
    await world.deleted(process, 'm')
    await assertNothingStands(world)
  })

  test('reconcile() deletes with the guest hung, with a slow delete, and where recursion leaves drives (R-22, R-23, R-25)', async () => {
    await using world = await startMachineWorld(startKube)
    world.cloud.setKnobs({ stopMs: 120_000, deleteMs: 40_000, deleteLeavesDrives: true })
    await world.addMachine('m', {
      disks: [0, 1].map((boot) => ({ uuid: world.image, device: 'virtio' as const, boot_order: boot + 1, size: 20 * 2 ** 30 })),
    })
    const process = world.process()
    await world.running(process, 'm')
    assert.equal((await world.drives()).length, 2)
    await world.deleted(process, 'm')
    await assertNothingStands(world)
  })

  test('reconcile() keeps the finalizer while DELETE is refused, and says DeletionBlocked (R-23, R-26)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    await world.running(process, 'm')
    world.cloud.setKnobs({ deleteRefused: true })
    await world.kube.delete(MACHINES, { namespace: NAMESPACE, name: 'm' })
    await world.until(process, 'm', hasReason('Deleting', 'DeletionBlocked'))
    await looks(world, process, { name: 'm', count: 5 })
    assert.ok(await world.machine('m'))
    world.cloud.setKnobs({ deleteRefused: false })
    await world.until(process, 'm', (machine) => machine === undefined)
    await assertNothingStands(world)
  })

  test('reconcile() leaves running machines alone while OAuth is down, and goes on by itself (5.7, C-38)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    await world.running(world.process(), 'm')
    let isDown = true
    const process = world.process({
      authority: {
        authorize: () => ({ kind: 'Owner', userUUID: world.owner.uuid, region: 'zrh', email: world.owner.email }),
        cloudFor: async () => {
          if (isDown)
            throw new AuthorityError('Cannot mint: the OAuth server does not answer', { reason: 'OAuthUnavailable', retryAfterMs: 10_000 })
          return world.eyes
        },
      },
    })
    world.advance(120_000)
    await looks(world, process, { name: 'm', count: 3 })
    const machine = await world.machine('m')
    assert.equal(conditionOf(machine, 'IdentityReady')?.status, 'Unknown')
    assert.equal(conditionOf(machine, 'IdentityReady')?.reason, 'OAuthUnavailable')
    assert.equal(conditionOf(machine, 'Ready')?.status, 'True')
    await world.kube.delete(MACHINES, { namespace: NAMESPACE, name: 'm' })
    await looks(world, process, { name: 'm', count: 3 })
    assert.equal((await world.machine('m'))?.metadata.finalizers?.length, 1)
    isDown = false
    await world.until(process, 'm', (each) => each === undefined)
    await assertNothingStands(world)
  })

  test('reconcile() sends nothing at all for an owner who was revoked, and blocks the deletion with the reason (5.4, R-26)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    await world.running(world.process(), 'm')
    const process = world.process({
      authority: {
        authorize: () => {
          throw new AuthorityError('Cannot act: the binding was revoked', { reason: 'OwnerNotAuthorized' })
        },
      },
    })
    world.cloud.forgetCalls()
    await looks(world, process, { name: 'm', count: 3 })
    assert.equal(conditionOf(await world.machine('m'), 'IdentityReady')?.reason, 'OwnerNotAuthorized')
    await world.kube.delete(MACHINES, { namespace: NAMESPACE, name: 'm' })
    const blocked = await world.until(process, 'm', hasReason('Deleting', 'DeletionBlocked'))
    assert.match(conditionOf(blocked, 'Deleting')?.message ?? '', /OwnerNotAuthorized/)
    assert.deepEqual(world.cloud.calls(), [])
  })

  test('reconcile() does nothing that the journal does not take (no journal, no act)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process({
      perform: async () => {
        throw new ActNotRecordedError('Cannot write the intent: the disk is full')
      },
    })
    await world.until(process, 'm', hasReason('Ready', 'WaitingForJournal'))
    await looks(world, process, { name: 'm', count: 5 })
    assert.deepEqual(await world.drives(), [])
    // Nothing was sent, so that nothing is in doubt: it goes on without the grace.
    const next = world.process()
    await assertExactlyOnce(world, await world.running(next, 'm'))
  })

  test('reconcile() made for the wrong account: the id is kept aside, and nothing more is made, after a restart either (R-2, H-23)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    world.cloud.addFault({
      match: { method: 'POST', path: '/api/2.0/libdrives/*/action/' },
      does: {
        set: {
          objects: [
            {
              uuid: 'deadbeef-0000-4000-8000-000000000404',
              name: 'x',
              status: 'cloning_dst',
              owner: { uuid: 'ffffffff-0000-4000-8000-000000000000' },
            },
          ],
        },
      },
    })
    await world.until(world.process(), 'm', hasReason('Ready', 'OwnerMismatch'))
    const process = world.process()
    await looks(world, process, { name: 'm', count: 10 })
    const machine = await world.machine('m')
    assert.match(machine?.metadata.annotations?.[ANNOTATIONS.quarantine] ?? '', /deadbeef-0000-4000-8000-000000000404/)
    assert.equal(world.cloud.servers().length, 0)
    assert.deepEqual(
      process.calls.filter((each) => each.startsWith('cloud')),
      [],
    )
  })
}
