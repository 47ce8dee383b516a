import { createHmac, timingSafeEqual } from 'node:crypto'
import { isOwnedBy } from '@ascribe/cloudsigma'
import type { Drive } from '@ascribe/cloudsigma'
import { CAPI } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import { ANNOTATIONS } from '@ascribe/kinds'
import { parsePin } from '../authority/pin.ts'
import type { AccountPin } from '../authority/pin.ts'
import { recordedServer } from '../machine/marks.ts'

/** Keys of a volume's meta. */
export const VOLUME_META = { mark: 'ascribe-broker', name: 'ascribe-volume' } as const

/** What belongs to one cluster. */
export type ClusterView = {
  readonly cluster: CloudSigmaCluster
  readonly pin: AccountPin
  /** Uuids of the servers of its machines that are in the cluster's account. */
  readonly servers: ReadonlySet<string>
  /** What a volume of this cluster carries. */
  readonly mark: string
}

/** `undefined` while no account is pinned on the cluster: then there is nothing yet. */
export function viewOf(
  cluster: CloudSigmaCluster,
  { machines, proofKey }: { readonly machines: readonly CloudSigmaMachine[]; readonly proofKey: string },
): ClusterView | undefined {
  const pin = parsePin(cluster.metadata.annotations?.[ANNOTATIONS.account] ?? '')
  if (pin === undefined) return undefined
  const core = cluster.metadata.ownerReferences?.find(({ kind }) => kind === 'Cluster')?.name ?? cluster.metadata.name
  const servers = new Set<string>()
  for (const machine of machines) {
    if (machine.metadata.labels?.[CAPI.clusterName] !== core) continue
    const own = parsePin(machine.metadata.annotations?.[ANNOTATIONS.account] ?? '')
    // A machine whose template names another owner is in that owner's account: this cluster's programs do not reach it.
    if (own === undefined || own.kind !== pin.kind || own.userUUID !== pin.userUUID || own.region !== pin.region) continue
    const server = recordedServer(machine)
    if (server !== undefined) servers.add(server)
  }
  return { cluster, pin, servers, mark: markOf(cluster, proofKey) }
}

/** Of namespace and name, not of the uid: it survives `clusterctl move`. With our key: another installation's cluster of that name has another. */
function markOf({ metadata }: CloudSigmaCluster, proofKey: string): string {
  return createHmac('sha256', proofKey).update(`ascribe-broker\n${metadata.namespace}\n${metadata.name}`).digest('hex')
}

/** Whether a drive is a volume that the broker made for this cluster, in the pinned account. */
export function isVolumeOf(drive: Drive, { pin, mark }: ClusterView): boolean {
  const given = Buffer.from(drive.meta.get(VOLUME_META.mark) ?? '')
  const expected = Buffer.from(mark)
  return isOwnedBy(pin.userUUID)(drive) && given.length === expected.length && timingSafeEqual(given, expected)
}
