import { ANNOTATIONS } from '@ascribe/kinds'
import { annotationOf } from './marks.ts'
import { cloudOf, disksOf, patchMachine, pinOf } from './run.ts'
import type { Run } from './run.ts'

/** The annotation is written ahead and the record follows: two rounds at most, one more where the object moved. */
const ROUNDS_MAX = 4

/** Tells metering what was seen. `true`: everything up to then is durable. Never keeps a machine from being worked on but from its end. */
export async function meter(run: Run, { isGone }: { readonly isGone: boolean }): Promise<boolean> {
  const { world, key, uid, rawServer, capiCluster } = run
  const pin = pinOf(run.machine)
  if (pin === undefined || (!isGone && rawServer === undefined)) return false
  const sight = isGone || rawServer === undefined ? { gone: true as const } : { server: rawServer.server, driveBytes: driveBytes(run) }
  const at = (isGone ? run.memory.goneAt : rawServer?.at) ?? world.clocks.wall()
  const cluster = capiCluster?.metadata.name
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const { annotation, isSettled } = await world.lives.observe({
      machine: { namespace: key.namespace ?? '', name: key.name, uid, ...(cluster !== undefined && { cluster }) },
      annotation: annotationOf(run.machine, ANNOTATIONS.metered),
      account: {
        kind: pin.kind,
        userUUID: pin.userUUID,
        region: pin.region,
        ...(pin.binding !== undefined && { binding: pin.binding }),
      },
      sight,
      at,
      history: (since) => historyOf(run, { since, at }),
    })
    if (annotation === undefined) return isSettled
    await patchMachine(run, { metadata: { annotations: { [ANNOTATIONS.metered]: annotation } } })
    if (run.isGone) return false
  }
  return false
}

/**
 * What the cloud's log says, for a change that nobody saw. Of a start of our own nobody has to be asked: at a thousand machines that would be
 * a thousand readings of one long log.
 */
async function historyOf(
  run: Run,
  { since, at }: { readonly since: number; readonly at: number },
): Promise<readonly { readonly uuid: string; readonly action?: string; readonly at?: string }[]> {
  const { memory, world, rawServer } = run
  const { started } = memory
  const isRunning = rawServer !== undefined && (rawServer.server.status === 'running' || rawServer.server.status === 'starting')
  if (isRunning && started !== undefined && started.server === rawServer.server.uuid && started.at >= since && started.at <= at)
    return [{ uuid: started.server, action: 'start', at: new Date(started.at).toISOString() }]
  const pin = pinOf(run.machine)
  return pin === undefined ? [] : world.logs.read({ pin, at, cloud: async () => (await cloudOf(run)).cloud })
}

function driveBytes(run: Run): ReadonlyMap<string, number> {
  const sizes = run.machine.spec.disks ?? []
  return new Map(disksOf(run).flatMap((drive, disk) => (drive === undefined ? [] : [[drive, sizes[disk]?.size ?? 0] as const])))
}
