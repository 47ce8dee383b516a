import { ANNOTATIONS, CLUSTERS, FIELD_MANAGERS, FINALIZERS, MACHINES } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import { isKubeError } from '@ascribe/kube'
import type { Informer, Result } from '@ascribe/kube'
import { explainAccount } from '../authority/explain.ts'
import { formatPin, parsePin } from '../authority/pin.ts'
import type { AccountPin } from '../authority/pin.ts'
import type { CloudRequest } from '../authority/types.ts'
import { clusterStatusPatch } from './cluster-status.ts'
import type { Findings } from './cluster-status.ts'
import { lookAtVlan } from './network.ts'
import type { Network } from './network.ts'
import { belongsTo, clusterNameOf, isExternallyManaged, isPaused, ownerOf } from './surroundings.ts'
import type { ClusterDeps, CoreCluster } from './types.ts'

export type ClusterCaches = {
  readonly clusters: Informer<CloudSigmaCluster>
  readonly machines: Informer<CloudSigmaMachine>
  readonly cores: Informer<CoreCluster>
}

/** When the identity of a cluster was last seen to work, and under which state of the policy. */
export type Verified = Map<string, { readonly at: number; readonly epoch: number }>

export type ClusterWorld = ClusterDeps & {
  readonly caches: ClusterCaches
  readonly verified: Verified
  /** Goes up whenever who may be impersonated changes. */
  readonly epoch: { count: number }
  readonly verifyMs: number
}

/** What the world does not tell of by itself: an owner that the cloud suspended, a VLAN that was unshared. */
const LOOK_AGAIN_MS = 60_000
const MACHINES_LOOK_MS = 30_000

/** Brings one cluster's object to what is true (C-20 to C-25). Nothing of it stands in the cloud. */
export async function reconcileCluster(world: ClusterWorld, cluster: CloudSigmaCluster): Promise<Result> {
  const { metadata } = cluster
  const isDeleting = metadata.deletionTimestamp !== undefined
  if (isExternallyManaged(cluster)) return isDeleting ? finish(world, cluster) : {}
  const owner = ownerOf(cluster, world.caches.cores)
  if (!isDeleting && owner.is === 'missing')
    return say(world, cluster, {
      identity: {
        status: 'Unknown',
        reason: 'WaitingForCluster',
        message: `no Cluster ${clusterNameOf(cluster)} in this namespace owns this yet`,
      },
    })
  const core = owner.is === 'found' ? owner.core : undefined
  if (isPaused(cluster, core))
    return say(world, cluster, { identity: { status: 'Unknown', reason: 'Paused', message: '' }, isPaused: true })
  if (isDeleting) return finish(world, cluster)
  if (metadata.finalizers?.includes(FINALIZERS.cluster) !== true) {
    await world.kube.addFinalizer(CLUSTERS, cluster, { finalizer: FINALIZERS.cluster, fieldManager: FIELD_MANAGERS.controller })
    // The cache brings us back with the object as it is then.
    return {}
  }
  return identify(world, cluster)
}

/** Waits for the machines, whose owner this names, and lets go. Needs no token, no cloud, and no Cluster. */
async function finish(world: ClusterWorld, cluster: CloudSigmaCluster): Promise<Result> {
  const { metadata } = cluster
  if (metadata.finalizers?.includes(FINALIZERS.cluster) !== true) return {}
  const cached = world.caches.machines.list(metadata.namespace).filter((each) => belongsTo(each, cluster))
  // A machine may be newer than the cache: the last word is the server's.
  const left = cached.length > 0 ? cached : await machinesOnServer(world, cluster)
  if (left.length === 0) {
    await world.kube.removeFinalizer(CLUSTERS, cluster, { finalizer: FINALIZERS.cluster, fieldManager: FIELD_MANAGERS.controller })
    world.verified.delete(metadata.uid ?? '')
    return {}
  }
  if (isExternallyManaged(cluster)) return { requeueAfterMs: MACHINES_LOOK_MS }
  const identity = identityNow(cluster) ?? { status: 'Unknown' as const, reason: 'Deleting', message: '' }
  await say(world, cluster, { identity, machinesLeft: left.length })
  return { requeueAfterMs: MACHINES_LOOK_MS }
}

async function machinesOnServer({ kube }: ClusterWorld, cluster: CloudSigmaCluster): Promise<readonly CloudSigmaMachine[]> {
  const { namespace = '' } = cluster.metadata
  const { items } = await kube.list(MACHINES, { namespace })
  return items.filter((each) => belongsTo(each, cluster))
}

/** As the condition stands: deleting asks nobody anew. */
function identityNow({ status }: CloudSigmaCluster): Findings['identity'] | undefined {
  const found = status?.conditions?.find(({ type }) => type === 'IdentityReady')
  return found === undefined ? undefined : { status: found.status, reason: found.reason ?? 'Unknown', message: found.message ?? '' }
}

/** Whose account, pinned before the first token; whether it works; whether its VLAN is there. */
async function identify(world: ClusterWorld, cluster: CloudSigmaCluster): Promise<Result> {
  const { authority, kube } = world
  const { namespace = '', name, annotations = {} } = cluster.metadata
  const selection = await authority.select({ namespace, cluster })
  const text = annotations[ANNOTATIONS.account]
  const pinned = text === undefined ? undefined : parsePin(text)
  if (selection.outcome !== 'selected') {
    const { reason, message } = selection
    const status = selection.outcome === 'refused' ? 'False' : 'Unknown'
    await say(world, cluster, { identity: { status, reason, message }, pin: pinned })
    return { requeueAfterMs: selection.outcome === 'waiting' ? selection.retryAfterMs : LOOK_AGAIN_MS }
  }
  if (text === undefined) {
    const patch = {
      metadata: { annotations: { [ANNOTATIONS.account]: formatPin(selection.pin) }, resourceVersion: cluster.metadata.resourceVersion },
    }
    await kube.patch(CLUSTERS, { namespace, name }, { patch: { type: 'merge', body: patch }, fieldManager: FIELD_MANAGERS.controller })
    // What it was pinned to is read back from the cache before anything is minted.
    return {}
  }
  return verify(world, cluster, selection.pin)
}

async function verify(world: ClusterWorld, cluster: CloudSigmaCluster, pin: AccountPin): Promise<Result> {
  const { authority, verified, epoch, clocks, verifyMs } = world
  const { uid = '' } = cluster.metadata
  const known = verified.get(uid)
  const isFresh = known !== undefined && known.epoch === epoch.count && clocks.monotonic() - known.at < verifyMs
  const networkNow = cluster.status?.conditions?.find(({ type }) => type === 'NetworkReady')
  const isNetworkKnown = cluster.spec.vlan?.uuid === undefined || networkNow?.status === 'True'
  const ready = identityNow(cluster)
  if (isFresh && isNetworkKnown && ready?.status === 'True') return say(world, cluster, { identity: ready, pin })
  const request = requestOf(cluster, pin)
  const seenEpoch = epoch.count
  try {
    await authority.verify(request)
    const network = await networkOf(world, cluster, request)
    verified.set(uid, { at: clocks.monotonic(), epoch: seenEpoch })
    const message =
      pin.kind === 'Owner' ? 'machines are made in the owner’s account' : `machines are made in account ${pin.userUUID} (${pin.kind})`
    await say(world, cluster, { identity: { status: 'True', reason: 'Authorized', message }, pin, network })
    return { requeueAfterMs: network.is === 'unknown' || network.is === 'wrong' ? LOOK_AGAIN_MS : verifyMs }
  } catch (error) {
    const explained = explainAccount(error)
    if (explained === undefined) throw error
    verified.delete(uid)
    await say(world, cluster, { identity: explained, pin })
    if (explained.reason === 'OwnerMismatch')
      world.events.record(cluster, { type: 'Warning', reason: explained.reason, note: explained.message })
    return { requeueAfterMs: explained.retryAfterMs ?? LOOK_AGAIN_MS }
  }
}

function requestOf(cluster: CloudSigmaCluster, pin: AccountPin): CloudRequest {
  const { namespace = '', name, uid = '' } = cluster.metadata
  return { pin, namespace, purpose: 'operate', actor: { object: `CloudSigmaCluster/${name}`, namespace, uid } }
}

async function networkOf({ authority }: ClusterWorld, cluster: CloudSigmaCluster, request: CloudRequest): Promise<Network> {
  const uuid = cluster.spec.vlan?.uuid
  if (uuid === undefined || uuid === '') return { is: 'none' }
  return lookAtVlan(await authority.cloudFor(request), { uuid, pin: request.pin })
}

/** Writes the status if it is another one: on every exit, once. */
async function say(world: ClusterWorld, cluster: CloudSigmaCluster, findings: Findings): Promise<Result> {
  const { kube, clocks, events } = world
  const { namespace = '', name, generation } = cluster.metadata
  const patch = clusterStatusPatch(cluster, findings, { now: clocks.wall(), generation })
  if (patch !== undefined) {
    const hadIt = cluster.status?.conditions?.some(({ type }) => type === 'UsingPlatformAccount') === true
    await kube.patchStatus(
      CLUSTERS,
      { namespace, name },
      { patch: { type: 'merge', body: patch }, fieldManager: FIELD_MANAGERS.controller },
    )
    if (findings.pin?.kind === 'PlatformAccount' && !hadIt)
      events.record(cluster, {
        type: 'Warning',
        reason: 'UsingPlatformAccount',
        note: `machines are made in the platform's account ${findings.pin.userUUID}`,
      })
  }
  return {}
}

/** Whether it is only that somebody wrote first, or the object is gone: the cache will say so. */
export function isOvertaken(error: unknown): boolean {
  return isKubeError(error, 'Conflict', 'NotFound')
}
