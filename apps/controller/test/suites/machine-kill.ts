import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeUnderTest } from '@ascribe/sandbox/kube'
import { assertExactlyOnce, assertNothingStands, startMachineWorld } from '../support/machine-world.ts'
import type { MachineWorldUnderTest, Process } from '../support/machine-world.ts'

/** Runs a process until it has died, or nothing is left to do. */
async function runUntilDead(world: MachineWorldUnderTest, process: Process, name: string): Promise<void> {
  for (let run = 0; run < 60 && !process.isDead; run += 1) {
    const result = await process.reconcile(name)
    const machine = await world.machine(name)
    if (machine === undefined || (result !== undefined && (result.requeueAfterMs ?? Infinity) >= 55_000)) return
    world.advance(Math.min(result?.requeueAfterMs ?? 1_000, 600_000))
  }
}

export type KillSuiteOptions = {
  /** Every so many calls only: a real server takes its time. Default 1. */
  readonly stride?: number
}

/**
 * The process dies at every call that it makes, before it is sent and after it took effect; the next one goes on. Lists of the cloud are
 * 20 s late all the time.
 */
export function machineKillSuite(startKube: () => Promise<KubeUnderTest>, { stride = 1 }: KillSuiteOptions = {}): void {
  for (const dieWhen of ['before', 'after'] as const) {
    test(`reconcile() makes one server and no orphan when killed ${dieWhen} any call of the way to Running (R-11, R-12, R-16, R-21)`, async () => {
      await using world = await startMachineWorld(startKube)
      for (let dieAt = 0; ; dieAt += stride) {
        const name = `m${dieAt}`
        await world.addMachine(name)
        const first = world.process({ dieAt, dieWhen })
        await runUntilDead(world, first, name)
        const second = world.process()
        const machine = await world.running(second, name)
        await assertExactlyOnce(world, machine)
        await world.deleted(second, name)
        await assertNothingStands(world)
        if (!first.isDead) {
          assert.ok(first.calls.length > 10, 'the way was walked to its end')
          break
        }
      }
    })

    test(`reconcile() leaves nothing and drops no finalizer too early when killed ${dieWhen} any call of a deletion (R-22, R-24, R-25)`, async () => {
      await using world = await startMachineWorld(startKube)
      for (let dieAt = 0; ; dieAt += stride) {
        const name = `m${dieAt}`
        await world.addMachine(name)
        await world.running(world.process(), name)
        const first = world.process({ dieAt, dieWhen })
        await world.kube.delete(
          {
            group: 'infrastructure.cluster.x-k8s.io',
            version: 'v1beta1',
            plural: 'cloudsigmamachines',
            kind: 'CloudSigmaMachine',
            namespaced: true,
          },
          { namespace: 'tenant-a', name },
        )
        await runUntilDead(world, first, name)
        if ((await world.machine(name)) !== undefined) await world.until(world.process(), name, (machine) => machine === undefined)
        await assertNothingStands(world)
        if (!first.isDead) break
      }
    })

    test(`reconcile() deletes what was half made when killed ${dieWhen} any call, the machine being deleted next (R-16, R-24)`, async () => {
      await using world = await startMachineWorld(startKube)
      for (let dieAt = 0; ; dieAt += stride) {
        const name = `m${dieAt}`
        await world.addMachine(name)
        const first = world.process({ dieAt, dieWhen })
        await runUntilDead(world, first, name)
        await world.deleted(world.process(), name)
        await assertNothingStands(world)
        if (!first.isDead) break
      }
    })
  }
}
