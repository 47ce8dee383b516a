import { ANNOTATIONS } from '@ascribe/kinds'
import type { CloudSigmaMachine } from '@ascribe/kinds'
import type { AnyObject, Resource } from '@ascribe/kube'
import { annotationOf, recordedDrives, recordedServer } from '../machine/marks.ts'
import type { AccountPin } from '../authority/pin.ts'

/** What was left in the cloud when a machine was abandoned: what its owner goes on paying for (5.7). */
export type OrphanRecord = {
  readonly machine: string
  readonly machineUid: string
  readonly account: AccountPin | undefined
  readonly server: string | undefined
  readonly drives: readonly string[]
  readonly createToken: string | undefined
  readonly reason: string
  readonly askedBy: string
  readonly agreedBy: string
  /** RFC 3339. */
  readonly at: string
}

export const CONFIG_MAPS: Resource<AnyObject> = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true }

/** Label of the ConfigMaps that hold orphan records, for `kubectl get cm -A -l`. */
const ORPHAN_LABEL = 'ascribe.dev/orphan'

export function orphanRecord(
  machine: CloudSigmaMachine,
  { account, at }: { readonly account: AccountPin | undefined; readonly at: number },
): OrphanRecord {
  const { namespace = '', name, uid = '' } = machine.metadata
  return {
    machine: `${namespace}/${name}`,
    machineUid: uid,
    account,
    server: recordedServer(machine),
    drives: recordedDrives(machine).flatMap((each) => each ?? []),
    createToken: annotationOf(machine, ANNOTATIONS.createToken),
    reason: annotationOf(machine, ANNOTATIONS.abandonReason) ?? '',
    askedBy: annotationOf(machine, ANNOTATIONS.abandon) ?? '',
    agreedBy: annotationOf(machine, ANNOTATIONS.abandonApproved) ?? '',
    at: new Date(at).toISOString(),
  }
}

/** The ConfigMap that holds a record. It stands in our namespace, where no tenant can take it away. */
export function orphanConfigMap(record: OrphanRecord, namespace: string): AnyObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `orphan-${record.machineUid}`, namespace, labels: { [ORPHAN_LABEL]: 'true' } },
    data: { record: JSON.stringify(record, undefined, 2) },
  }
}
