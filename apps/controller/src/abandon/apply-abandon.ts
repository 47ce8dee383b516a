import { isKubeError } from '@ascribe/kube'
import { dropFinalizer } from '../machine/release.ts'
import { pinOf } from '../machine/run.ts'
import type { Run } from '../machine/run.ts'
import { CONFIG_MAPS, orphanConfigMap, orphanRecord } from './orphan-record.ts'

const DEADLINE_MS = 8_000

/**
 * The only way on which the finalizer goes while something may still stand in the cloud: two people said so (5.7). First the record of what
 * is left, written as an act into the owner's log; then Event, metric and log line; then the finalizer. Nothing in the cloud is touched.
 */
export async function applyAbandon(run: Run): Promise<void> {
  const { world, machine, key, uid } = run
  const account = pinOf(machine)
  const record = orphanRecord(machine, { account, at: world.clocks.wall() })
  const write = async (): Promise<void> => {
    try {
      await world.kube.create(CONFIG_MAPS, orphanConfigMap(record, world.systemNamespace))
    } catch (error) {
      // Written by an earlier try, whose end we do not know.
      if (!isKubeError(error, 'AlreadyExists')) throw error
    }
  }
  if (account === undefined) await write()
  else
    await world.acts.perform(
      {
        verb: 'abandon',
        account: {
          kind: account.kind,
          userUUID: account.userUUID,
          region: account.region,
          ...(account.binding !== undefined && { binding: account.binding }),
        },
        machine: { namespace: key.namespace ?? '', name: key.name, uid },
        ...(record.server !== undefined && { resource: { type: 'server' as const, uuid: record.server } }),
        deadlineMs: DEADLINE_MS,
        requestedBy: `${record.askedBy}, agreed by ${record.agreedBy}`,
      },
      write,
    )
  world.metrics.abandoned()
  run.logger.warn('a machine was abandoned: what stands in the cloud goes on being billed', {
    server: record.server,
    drives: record.drives.length,
    askedBy: record.askedBy,
    agreedBy: record.agreedBy,
    reason: record.reason,
  })
  world.events.record(machine, {
    type: 'Warning',
    reason: 'MachineAbandoned',
    action: 'Abandon',
    note: `Left in the cloud: server ${record.server ?? 'unknown'}, ${record.drives.length} drives. Asked by ${record.askedBy}, agreed by ${record.agreedBy}. Record: ConfigMap ${world.systemNamespace}/orphan-${uid}`,
  })
  await dropFinalizer(run)
}
