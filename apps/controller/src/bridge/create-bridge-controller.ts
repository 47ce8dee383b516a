import { ANNOTATION_PREFIX, CAPI, CLUSTERS, FIELD_MANAGERS, MACHINE_TEMPLATES } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachineTemplate } from '@ascribe/kinds'
import type { Logger, Meters } from '@ascribe/kit'
import { TerminalError, controllerOf, createController, isKubeError } from '@ascribe/kube'
import type {
  Clocks,
  Controller,
  EventRecorder,
  Informer,
  Informers,
  KubeClient,
  KubeObject,
  ObjectKey,
  Reconcile,
  Resource,
} from '@ascribe/kube'
import { KDC_CLUSTERS } from './kdc-cluster.ts'
import type { KdcCluster } from './kdc-cluster.ts'
import { POOL_LABEL, planBridge } from './plan-bridge.ts'
import type { BridgePlan, BridgedCluster, BridgedTemplate } from './plan-bridge.ts'

export type BridgeDeps = {
  readonly kube: KubeClient
  readonly informers: Informers
  readonly events: EventRecorder
  readonly clocks: Clocks
  readonly logger: Logger
  readonly meters: Meters
  /** Only this namespace. Default: all. */
  readonly namespace?: string
  /** Version of cluster.x-k8s.io that the server serves. Default `v1beta2`. */
  readonly coreVersion?: string
}

/** cluster.x-k8s.io MachineDeployment and MachineSet: which template they use. */
type TemplateUser = KubeObject & {
  readonly spec?: { readonly template?: { readonly spec?: { readonly infrastructureRef?: { readonly name?: string } } } }
}

type World = {
  readonly deps: BridgeDeps
  readonly kdcs: Informer<KdcCluster>
  readonly clusters: Informer<CloudSigmaCluster>
  readonly templates: Informer<CloudSigmaMachineTemplate>
  readonly users: readonly Informer<TemplateUser>[]
  /** What was last said of a KdcCluster: said once, not at every look. */
  readonly said: Map<string, string>
}

const OWNED = 'bridge-owner'
const USES = 'bridge-template'
/**
 * A template that nobody uses stays for this long: kube-dc's manager reads its name from the annotation, and may be about to use it. Longer
 * than any of its reconciles.
 */
const TEMPLATE_AGE_MS_MIN = 10 * 60_000
const FIELD_MANAGER = FIELD_MANAGERS.bridge

/**
 * Brings KdcClusters to CloudSigmaClusters and templates (`--kdc-bridge`). Cluster and MachineDeployment stay kube-dc's: its manager reads
 * the current template of a pool from `ascribe.dev/template-<pool>` on the CloudSigmaCluster.
 */
export function createBridgeController(deps: BridgeDeps): Controller {
  const { informers, namespace, coreVersion = 'v1beta2' } = deps
  const scope = namespace === undefined ? {} : { namespace }
  const users = (['machinedeployments', 'machinesets'] as const).map((plural) =>
    informers.informer(core(plural, coreVersion), {
      ...scope,
      indexes: { [USES]: (user: TemplateUser) => [`${user.metadata.namespace ?? ''}/${usedBy(user)}`] },
    }),
  )
  const world: World = {
    deps,
    kdcs: informers.informer(KDC_CLUSTERS, scope),
    clusters: informers.informer(CLUSTERS, scope),
    templates: informers.informer(MACHINE_TEMPLATES, { ...scope, indexes: { [OWNED]: (template) => ownersOf(template) } }),
    users,
    said: new Map(),
  }
  const controller = createController({
    name: 'kdccluster',
    reconcile: reconcilerOf(world),
    groupOf: (key) => key.namespace ?? '',
    clocks: deps.clocks,
    logger: deps.logger,
    meters: deps.meters,
  })
  controller.watch(world.kdcs)
  controller.watch(world.clusters, { map: ownerKeys })
  controller.watch(world.templates, { map: ownerKeys })
  for (const informer of users) controller.watch(informer, { map: clusterKeys })
  return controller
}

function reconcilerOf(world: World): Reconcile {
  return async (key) => {
    const kdc = world.kdcs.get(key)
    if (kdc === undefined) {
      world.said.delete(keyText(key))
      return {}
    }
    const plan = planBridge(kdc)
    if (plan.outcome !== 'apply') {
      if (plan.outcome === 'held') say(world, { kdc, type: 'Warning', reason: plan.reason, note: plan.message })
      return {}
    }
    try {
      await apply(world, plan)
    } catch (error) {
      // What the API server refuses is refused until somebody changes something: its words are the best there are.
      if (!isKubeError(error, 'Invalid', 'Forbidden')) throw error
      const { message } = error
      say(world, { kdc, type: 'Warning', reason: 'InvalidSpec', note: message })
      throw new TerminalError(message, { cause: error })
    }
    const note = plan.usesOldAnnotation ? 'The owner stands in kube-dc.com/owner-email: write cloudsigma.com/owner-email' : ''
    if (plan.usesOldAnnotation) say(world, { kdc, type: 'Warning', reason: 'OldOwnerAnnotation', note })
    else world.said.delete(keyText(key))
    return removeUnused(world, { kdc, current: plan.templates })
  }
}

/** Templates first: the annotation never names one that is not there. */
async function apply(world: World, { cluster, templates }: Extract<BridgePlan, { outcome: 'apply' }>): Promise<void> {
  const { kube } = world.deps
  for (const { pool: _pool, ...template } of templates) {
    const { name, namespace } = template.metadata
    if (world.templates.get({ namespace, name }) === undefined)
      await kube.apply(MACHINE_TEMPLATES, template, { fieldManager: FIELD_MANAGER, force: true })
  }
  const { name, namespace } = cluster.metadata
  const before = world.clusters.get({ namespace, name })
  assertOurs(before, cluster)
  if (before === undefined || differs(before, cluster)) await kube.apply(CLUSTERS, cluster, { fieldManager: FIELD_MANAGER, force: true })
}

/** One that belongs to something else is not taken over: whose machines would follow? */
function assertOurs(before: CloudSigmaCluster | undefined, wanted: BridgedCluster): void {
  const owner = before === undefined ? undefined : controllerOf(before)
  const [ours] = wanted.metadata.ownerReferences
  if (owner !== undefined && owner.uid !== ours?.uid)
    throw new TerminalError(`Cannot own CloudSigmaCluster ${wanted.metadata.name}: it belongs to ${owner.kind} ${owner.name}`)
}

function differs(before: CloudSigmaCluster, { metadata, spec }: BridgedCluster): boolean {
  const annotations = before.metadata.annotations ?? {}
  const prefix = `${ANNOTATION_PREFIX}template-`
  const named = Object.keys(annotations).filter((key) => key.startsWith(prefix))
  return (
    named.some((key) => !(key in metadata.annotations)) ||
    Object.entries(metadata.annotations).some(([key, value]) => annotations[key] !== value) ||
    before.metadata.labels?.[CAPI.clusterName] !== metadata.labels[CAPI.clusterName] ||
    controllerOf(before) === undefined ||
    before.spec.region !== spec.region ||
    before.spec.userEmail !== spec.userEmail
  )
}

/** Removes templates of ours that no pool uses now, no MachineDeployment or MachineSet refers to, and that are not new. */
async function removeUnused(
  world: World,
  { kdc, current }: { readonly kdc: KdcCluster; readonly current: readonly BridgedTemplate[] },
): Promise<{ readonly requeueAfterMs?: number }> {
  const names = new Set(current.map(({ metadata }) => metadata.name))
  const now = world.deps.clocks.wall()
  let next: number | undefined
  for (const { metadata } of world.templates.byIndex(OWNED, kdc.metadata.uid ?? '')) {
    const { name, namespace = '', uid, labels, creationTimestamp = '', deletionTimestamp } = metadata
    if (names.has(name) || labels?.[POOL_LABEL] === undefined || deletionTimestamp !== undefined) continue
    if (world.users.some((informer) => informer.byIndex(USES, `${namespace}/${name}`).length > 0)) continue
    const waitMs = Date.parse(creationTimestamp) + TEMPLATE_AGE_MS_MIN - now
    if (waitMs > 0) next = Math.min(next ?? waitMs, waitMs)
    else await world.deps.kube.delete(MACHINE_TEMPLATES, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } })
  }
  return next === undefined ? {} : { requeueAfterMs: next }
}

type Saying = { readonly kdc: KdcCluster; readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly note: string }

function say({ said, deps }: World, { kdc, type, reason, note }: Saying): void {
  const key = keyText({ namespace: kdc.metadata.namespace ?? '', name: kdc.metadata.name ?? '' })
  if (said.get(key) === `${reason} ${note}`) return
  said.set(key, `${reason} ${note}`)
  deps.events.record(kdc, { type, reason, note, action: 'Bridge' })
}

function keyText({ namespace = '', name }: ObjectKey): string {
  return `${namespace}/${name}`
}

function ownersOf({ metadata }: KubeObject): readonly string[] {
  return (metadata.ownerReferences ?? []).flatMap(({ kind, uid }) => (kind === KDC_CLUSTERS.kind ? [uid] : []))
}

function ownerKeys({ metadata }: KubeObject): readonly ObjectKey[] {
  const { namespace = '', ownerReferences = [] } = metadata
  return ownerReferences.flatMap(({ kind, name }) => (kind === KDC_CLUSTERS.kind ? [{ namespace, name }] : []))
}

/** A KdcCluster and its Cluster have one name. */
function clusterKeys({ metadata }: KubeObject): readonly ObjectKey[] {
  const name = metadata.labels?.[CAPI.clusterName]
  return name === undefined ? [] : [{ namespace: metadata.namespace ?? '', name }]
}

function usedBy({ spec }: TemplateUser): string {
  return spec?.template?.spec?.infrastructureRef?.name ?? ''
}

function core(plural: 'machinedeployments' | 'machinesets', version: string): Resource<TemplateUser> {
  return {
    group: 'cluster.x-k8s.io',
    version,
    plural,
    kind: plural === 'machinesets' ? 'MachineSet' : 'MachineDeployment',
    namespaced: true,
  }
}
