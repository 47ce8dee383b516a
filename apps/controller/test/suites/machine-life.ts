import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { recordedServer } from '../../src/machine/marks.ts'
import { assertExactlyOnce, assertNothingStands, conditionOf, startMachineWorld } from '../support/machine-world.ts'

/** What must be sent for one machine with one disk: nothing of it can be left out, and nothing is shared with others. */
const FLOOR = [
  // Finalizer, token and account, written ahead.
  'kube patch',
  'cloud libdrives.clone',
  // The drive's id.
  'kube patch',
  'kube patchStatus',
  // It is cloned; then the token goes from its name into its meta.
  'cloud drives.get',
  'cloud drives.update',
  // Bootstrap data.
  'kube get',
  'cloud servers.create',
  // The server's id, and the provider id.
  'kube patch',
  'cloud servers.act',
  'kube patchStatus',
  'cloud servers.get',
  'kube patchStatus',
]

/** A machine from nothing to Running and back to nothing, and what that costs. */
export function machineLifeSuite(startKube: () => Promise<KubeUnderTest>): void {
  test('reconcile() takes a machine to Running with one server and one drive, and back to nothing (R-12, R-22, C-30, C-31)', async () => {
    await using world = await startMachineWorld(startKube)
    await world.addMachine('m')
    const process = world.process()
    const machine = await world.running(process, 'm')
    assert.equal(machine.spec.providerID, `cloudsigma://${recordedServer(machine)}`)
    assert.equal(machine.status?.initialization?.provisioned, true)
    assert.equal(machine.status?.ready, true)
    assert.deepEqual(machine.status?.account, { kind: 'Owner', userUUID: world.owner.uuid, region: 'zrh', binding: 'user' })
    assert.equal(conditionOf(machine, 'IdentityReady')?.status, 'True')
    assert.deepEqual(
      world.acts.map(({ verb }) => verb).filter((verb) => verb !== 'tag'),
      ['clone_drive', 'create_server', 'start'],
    )
    await assertExactlyOnce(world, machine)
    await world.deleted(process, 'm')
    await assertNothingStands(world)
  })

  test('reconcile() needs no call beyond the floor once it knows how long things take, and first learns it cheaply', async () => {
    await using world = await startMachineWorld(startKube)
    world.cloud.setKnobs({ cloneMs: 300_000, startMs: 20_000 })
    const process = world.process()
    await world.addMachine('first')
    await world.running(process, 'first')
    assert.ok(process.calls.filter((each) => each === 'cloud drives.get').length < 60)
    const before = process.calls.length
    await world.addMachine('second')
    await world.running(process, 'second')
    assert.deepEqual(process.calls.slice(before), FLOOR)
  })
}
