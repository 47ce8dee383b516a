import { NAMESPACE } from './machine-types.ts'
import type { MachineWorldUnderTest, Process } from './machine-types.ts'
import { conditionOf } from './machine-world.ts'

/** The one machine of most tests. */
export const KEY: { readonly namespace: string; readonly name: string } = { namespace: NAMESPACE, name: 'm' }

type Machine = Parameters<typeof conditionOf>[0]

/** Whether a machine has a condition of this reason. */
export const hasReason =
  (type: string, reason: string): ((machine: Machine) => boolean) =>
  (machine) =>
    conditionOf(machine, type)?.reason === reason

/** Reconciles machine `m` so often, and lets the time pass that it wants in between. */
export async function looks(world: MachineWorldUnderTest, process: Process, count: number): Promise<void> {
  for (let look = 0; look < count; look += 1) {
    const result = await process.reconcile('m')
    world.advance(result?.requeueAfterMs ?? 10_000)
  }
}

/** What a process has asked of the cloud. */
export function cloudCalls({ calls }: Process): readonly string[] {
  return calls.filter((each) => each.startsWith('cloud'))
}
