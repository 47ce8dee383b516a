import { ANNOTATIONS, CAPI, templateAnnotation } from '@ascribe/kinds'
import type { MachineTemplateSpec } from '@ascribe/kinds'
import type { OwnerReference } from '@ascribe/kube'
import { KDC_CLUSTERS, cloudPoolsOf } from './kdc-cluster.ts'
import type { CloudPool, KdcCluster } from './kdc-cluster.ts'
import { machineSpecOf, specHash } from './machine-spec.ts'
import { namedOwner } from './owner-of.ts'

/** What a CloudSigmaCluster of the bridge's shall be, as far as the bridge owns its fields. */
export type BridgedCluster = {
  readonly metadata: BridgedMetadata & { readonly annotations: Readonly<Record<string, string>> }
  readonly spec: { readonly region: string; readonly userEmail?: string }
}

export type BridgedTemplate = {
  readonly pool: string
  readonly metadata: BridgedMetadata
  readonly spec: {
    readonly template: { readonly metadata?: { readonly labels: Readonly<Record<string, string>> }; readonly spec: MachineTemplateSpec }
  }
}

type BridgedMetadata = {
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly ownerReferences: readonly OwnerReference[]
}

/** What follows from a KdcCluster. Pure. */
export type BridgePlan =
  /** Nothing of it stands in the cloud, or it is going: its objects go with it. */
  | { readonly outcome: 'none' }
  | { readonly outcome: 'held'; readonly reason: 'WaitingForOwner' | 'OwnerMismatch' | 'InvalidSpec' | 'Paused'; readonly message: string }
  | {
      readonly outcome: 'apply'
      readonly cluster: BridgedCluster
      readonly templates: readonly BridgedTemplate[]
      readonly usesOldAnnotation: boolean
    }

const ARCHITECTURE = 'kubernetes.io/arch'

/** Decides from the KdcCluster alone: no owner, no objects; nothing is guessed. */
export function planBridge(kdc: KdcCluster): BridgePlan {
  const { metadata } = kdc
  if (metadata.deletionTimestamp !== undefined) return { outcome: 'none' }
  const found = cloudPoolsOf(kdc)
  if ('problem' in found) return held('InvalidSpec', found.problem)
  if (found.pools.length === 0) return { outcome: 'none' }
  if (metadata.annotations?.[CAPI.paused] !== undefined) return held('Paused', `the annotation ${CAPI.paused} stands here`)
  const owner = namedOwner(metadata.annotations)
  if (owner.is === 'conflict') return held('OwnerMismatch', owner.message)
  const isPlatforms = owner.is === 'nobody' && metadata.annotations?.[ANNOTATIONS.fallback] === 'PlatformAccount'
  if (owner.is === 'nobody' && !isPlatforms)
    return held(
      'WaitingForOwner',
      'the platform has not said who owns this cluster: create it through its API, or let a platform writer set the owner annotation',
    )
  const region = regionOf(found.pools)
  if ('problem' in region) return held('InvalidSpec', region.problem)
  const templates = templatesOf(kdc, found.pools)
  if ('problem' in templates) return held('InvalidSpec', templates.problem)
  const common = commonMetadata(kdc)
  return {
    outcome: 'apply',
    cluster: {
      metadata: {
        ...common,
        name: metadata.name ?? '',
        annotations: {
          ...Object.fromEntries(templates.list.map(({ pool, metadata: { name } }) => [templateAnnotation(pool), name])),
          ...(isPlatforms && { [ANNOTATIONS.fallback]: 'PlatformAccount' }),
        },
      },
      spec: { region: region.name, ...(owner.is === 'named' && { userEmail: owner.email }) },
    },
    templates: templates.list,
    usesOldAnnotation: owner.is === 'named' && owner.annotation.startsWith('kube-dc.com/'),
  }
}

function held(reason: Extract<BridgePlan, { outcome: 'held' }>['reason'], message: string): BridgePlan {
  return { outcome: 'held', reason, message }
}

/** A cluster stands in one region: pools of a second one belong to a second cluster. */
function regionOf(pools: readonly CloudPool[]): { readonly name: string } | { readonly problem: string } {
  const names = [...new Set(pools.flatMap(({ cloudsigma: { region } }) => (region === undefined || region === '' ? [] : [region])))]
  const [name, other] = names
  if (name === undefined) return { problem: 'no pool says its region (cloudsigma.region)' }
  if (other !== undefined)
    return { problem: `pools say several regions (${names.join(', ')}): a cluster stands in one; make a cluster for each` }
  return { name }
}

function templatesOf(
  kdc: KdcCluster,
  pools: readonly CloudPool[],
): { readonly list: readonly BridgedTemplate[] } | { readonly problem: string } {
  const list: BridgedTemplate[] = []
  const common = commonMetadata(kdc)
  for (const pool of pools) {
    const machine = machineSpecOf(pool)
    if ('problem' in machine) return machine
    list.push({
      pool: pool.name,
      metadata: {
        ...common,
        name: `${kdc.metadata.name ?? ''}-${pool.name}-${specHash(machine.spec)}`,
        labels: { ...common.labels, [POOL_LABEL]: pool.name },
      },
      spec: {
        template: {
          ...(pool.architecture !== undefined && { metadata: { labels: { [ARCHITECTURE]: pool.architecture } } }),
          spec: machine.spec,
        },
      },
    })
  }
  return { list }
}

/** On templates of the bridge's: which pool they are for. */
export const POOL_LABEL = 'ascribe.dev/pool'

function commonMetadata({ apiVersion, metadata: { name = '', namespace = '', uid = '' } }: KdcCluster): Omit<BridgedMetadata, 'name'> {
  return {
    namespace,
    labels: { [CAPI.clusterName]: name },
    ownerReferences: [
      {
        apiVersion: apiVersion === '' ? `${KDC_CLUSTERS.group}/${KDC_CLUSTERS.version}` : apiVersion,
        kind: KDC_CLUSTERS.kind,
        name,
        uid,
        controller: true,
      },
    ],
  }
}
