import { ANNOTATIONS, CLUSTERS, FINALIZERS, MACHINES, PROVIDER_ID_PREFIX, SERVER_META } from '@ascribe/kinds'
import type { CloudSigmaCluster, CloudSigmaMachine } from '@ascribe/kinds'
import type { Clocks, KubeClient } from '@ascribe/kube'
import type { Drive, Server } from '@ascribe/cloudsigma'
import { errorChain } from '@ascribe/kit'
import { formatPin } from '../authority/pin.ts'
import type { AccountPin } from '../authority/pin.ts'
import type { Authority } from '../authority/types.ts'
import { createAccountViews } from '../machine/account-views.ts'
import type { AccountViews } from '../machine/account-views.ts'
import type { CapiCluster, CapiResources } from '../machine/capi.ts'
import { annotationOf, claimedServer, formatDrives, recordedServer } from '../machine/marks.ts'
import { planImport, referenceServer } from './plan-import.ts'
import type { FoundServer, ImportPlan, ImportView } from './plan-import.ts'

export type ImportOptions = {
  readonly kube: KubeClient
  readonly authority: Pick<Authority, 'select' | 'cloudFor'>
  readonly capi: CapiResources
  readonly clocks: Pick<Clocks, 'monotonic' | 'wall'>
  /** UUIDv7. */
  readonly ids: () => string
  /** Who does it; stands on the objects. */
  readonly by: string
  readonly isDryRun: boolean
  readonly namespace?: string
  /** Of one machine only. */
  readonly name?: string
}

/** One line of the report. */
export type ImportRow = {
  readonly machine: string
  readonly outcome: 'imported' | 'would import' | 'skipped' | 'refused' | 'undone' | 'would undo'
  readonly account?: AccountPin['kind']
  readonly server?: string
  readonly drives?: readonly string[]
  readonly notes: readonly string[]
}

/**
 * Takes machines of the reference provider over: token, account and ids are written on the objects, and nothing else is done anywhere.
 * Scale the reference provider to zero first; both work under one Lease and would never act at once, but what one makes the other would not
 * know. Machines that cannot be told for sure are refused, each with its reason; the others are taken.
 */
export async function importMachines(options: ImportOptions): Promise<readonly ImportRow[]> {
  const views = createAccountViews(options.clocks)
  const { items: all } = await options.kube.list(MACHINES)
  const rows: ImportRow[] = []
  for (const machine of await machinesOf(options)) rows.push(await importOne(options, { machine, views, all }))
  return rows
}

async function machinesOf({ kube, namespace, name }: ImportOptions): Promise<readonly CloudSigmaMachine[]> {
  if (name !== undefined && namespace !== undefined) return [await kube.get(MACHINES, { namespace, name })]
  const { items } = await kube.list(MACHINES, namespace === undefined ? {} : { namespace })
  return items
}

type Subject = {
  readonly machine: CloudSigmaMachine
  readonly views: AccountViews
  /** Of every namespace. */
  readonly all: readonly CloudSigmaMachine[]
}

const keyText = ({ metadata }: CloudSigmaMachine): string => `${metadata.namespace ?? ''}/${metadata.name}`

async function importOne(options: ImportOptions, subject: Subject): Promise<ImportRow> {
  const { machine } = subject
  try {
    const plan =
      annotationOf(machine, ANNOTATIONS.createToken) === undefined ? planImport(await view(options, subject)) : planImport(ours(machine))
    if (plan.do !== 'stamp') return { machine: keyText(machine), outcome: plan.do === 'skip' ? 'skipped' : 'refused', notes: [plan.why] }
    if (!options.isDryRun) await stamp(options, { machine, plan })
    return {
      machine: keyText(machine),
      outcome: options.isDryRun ? 'would import' : 'imported',
      account: plan.pin.kind,
      ...(plan.server !== undefined && { server: plan.server }),
      drives: plan.drives.flatMap((each) => each ?? []),
      notes: plan.notes,
    }
  } catch (error) {
    return { machine: keyText(machine), outcome: 'refused', notes: [errorChain(error)] }
  }
}

const ours = (machine: CloudSigmaMachine): ImportView => ({ machine, selected: '', found: undefined, sameName: [], rivals: [] })

/** The mark in the cloud decides, which tenants cannot write; where it names no machine, a server must be named once. */
function rivalsOf({ machine, all }: Subject, { uuid, machineUid }: FoundServer): readonly string[] {
  if (machineUid !== undefined && machineUid === machine.metadata.uid) return []
  return all
    .filter((each) => each.metadata.uid !== machine.metadata.uid)
    .filter((each) => (recordedServer(each) ?? claimedServer(each)) === uuid || each.metadata.uid === machineUid)
    .map(keyText)
}

/** Looks for the server in the owner's account, then in the platform's. Reads only. */
async function view(options: ImportOptions, subject: Subject): Promise<ImportView> {
  const { machine } = subject
  const cluster = await clusterOf(options, machine)
  if (cluster === undefined) return { machine, selected: 'its CloudSigmaCluster is not there', found: undefined, sameName: [], rivals: [] }
  const owner = await select(options, { machine, cluster })
  const platform = await select(options, { machine: withoutOwner(machine), cluster: inPlatformAccount(cluster) })
  const sameName: string[] = []
  for (const pin of [owner, platform]) {
    if (typeof pin === 'string') continue
    const { found, named } = await look(options, { ...subject, pin })
    if (found !== undefined) return { machine, selected: owner, found, sameName: [], rivals: rivalsOf(subject, found) }
    sameName.push(...named)
  }
  return { machine, selected: owner, found: undefined, sameName, rivals: [] }
}

async function select(
  { authority }: ImportOptions,
  { machine, cluster }: { readonly machine: CloudSigmaMachine; readonly cluster: CloudSigmaCluster },
): Promise<AccountPin | string> {
  const selection = await authority.select({ namespace: machine.metadata.namespace ?? '', cluster, machine })
  return selection.outcome === 'selected' ? selection.pin : `${selection.reason}: ${selection.message}`
}

/** The administrator's choice of the platform's account, for the question only: it is written nowhere. */
function inPlatformAccount(cluster: CloudSigmaCluster): CloudSigmaCluster {
  return {
    ...cluster,
    metadata: { ...cluster.metadata, annotations: { ...cluster.metadata.annotations, [ANNOTATIONS.fallback]: 'PlatformAccount' } },
  }
}

function withoutOwner(machine: CloudSigmaMachine): CloudSigmaMachine {
  const { userEmail: _email, userRef: _ref, ownerBindingRef: _binding, ...spec } = machine.spec
  return { ...machine, spec }
}

async function clusterOf({ kube, capi }: ImportOptions, machine: CloudSigmaMachine): Promise<CloudSigmaCluster | undefined> {
  const { namespace = '', labels } = machine.metadata
  const name = labels?.['cluster.x-k8s.io/cluster-name']
  if (name === undefined) return undefined
  const cluster: CapiCluster | undefined = await kube.tryGet(capi.clusters, { namespace, name })
  const ref = cluster?.spec?.infrastructureRef
  return kube.tryGet(CLUSTERS, { namespace, name: ref?.kind === 'CloudSigmaCluster' && ref.name !== undefined ? ref.name : name })
}

/** One list of servers and one of drives for each account, however many machines it has. */
async function look(
  { authority, by }: ImportOptions,
  { machine, views, pin }: Subject & { readonly pin: AccountPin },
): Promise<{ readonly found: FoundServer | undefined; readonly named: readonly string[] }> {
  const { namespace = '', name, uid = '' } = machine.metadata
  const cloud = await authority.cloudFor({
    pin,
    namespace,
    purpose: 'operate',
    actor: { object: `CloudSigmaMachine/${name}`, namespace, uid, requester: by },
  })
  const request = { pin, cloud, notBefore: 0 }
  const [servers, drives] = await Promise.all([views.servers(request), views.drives(request)])
  const own = [...servers.items.values()].filter(({ owner }) => owner?.uuid === pin.userUUID)
  const id = referenceServer(machine)
  const server = own.find((each) => (id === undefined ? each.meta.get(SERVER_META.machineUid) === uid : each.uuid === id))
  const named =
    id === undefined
      ? own.filter((each) => each.name === name && each.meta.get(SERVER_META.machineUid) === undefined).map(({ uuid }) => uuid)
      : []
  return { found: server === undefined ? undefined : foundServer(server, { pin, drives: drives.items }), named }
}

function foundServer(
  server: Server,
  { pin, drives }: { readonly pin: AccountPin; readonly drives: ReadonlyMap<string, Drive> },
): FoundServer {
  return {
    pin,
    uuid: server.uuid,
    owner: server.owner?.uuid,
    name: server.name,
    machineUid: server.meta.get(SERVER_META.machineUid),
    drives: server.drives.flatMap(({ drive, bootOrder }) => {
      const known = drive === undefined ? undefined : drives.get(drive)
      // A drive that was shared, or that is somebody else's, is not ours to delete.
      return known === undefined || known.owner?.uuid !== pin.userUUID ? [] : [{ uuid: known.uuid, name: known.name, bootOrder }]
    }),
  }
}

/** Writes it down, only if the object still is as it was read. The provider id and the status stay as they are. */
async function stamp(
  { kube, ids, by, clocks }: ImportOptions,
  { machine, plan }: { readonly machine: CloudSigmaMachine; readonly plan: Extract<ImportPlan, { readonly do: 'stamp' }> },
): Promise<void> {
  const { namespace = '', name, uid, resourceVersion, finalizers = [] } = machine.metadata
  await kube.patch(
    MACHINES,
    { namespace, name },
    {
      fieldManager: 'ascribe-import',
      patch: {
        type: 'merge',
        body: {
          metadata: {
            uid,
            resourceVersion,
            finalizers: [...finalizers.filter((each) => each !== FINALIZERS.machine), FINALIZERS.machine],
            annotations: {
              [ANNOTATIONS.createToken]: ids(),
              [ANNOTATIONS.account]: formatPin(plan.pin),
              [ANNOTATIONS.imported]: JSON.stringify({ at: new Date(clocks.wall()).toISOString(), by, server: plan.server ?? null }),
              ...(plan.server !== undefined && { [ANNOTATIONS.server]: plan.server, [ANNOTATIONS.drives]: formatDrives(plan.drives) }),
            },
          },
          ...(plan.server !== undefined &&
            machine.spec.providerID === undefined && { spec: { providerID: `${PROVIDER_ID_PREFIX}${plan.server}` } }),
        },
      },
    },
  )
}

/** Annotations that an import writes, or that follow from one. */
const WRITTEN = [
  ANNOTATIONS.createToken,
  ANNOTATIONS.account,
  ANNOTATIONS.server,
  ANNOTATIONS.drives,
  ANNOTATIONS.imported,
  ANNOTATIONS.metered,
  ANNOTATIONS.ownerBinding,
]

/** Gives imported machines back: our annotations go, everything that the reference provider reads stands as before. Stop our controller first. */
export async function undoImport(options: ImportOptions): Promise<readonly ImportRow[]> {
  const rows: ImportRow[] = []
  for (const machine of await machinesOf(options)) rows.push(await undoOne(options, machine))
  return rows
}

async function undoOne({ kube, isDryRun }: ImportOptions, machine: CloudSigmaMachine): Promise<ImportRow> {
  const text = annotationOf(machine, ANNOTATIONS.imported)
  const row = { machine: keyText(machine), notes: [] }
  if (text === undefined) return { ...row, outcome: 'skipped', notes: ['not imported'] }
  const server = recordedServer(machine)
  if (server !== undefined && !text.includes(server))
    return {
      ...row,
      outcome: 'refused',
      server,
      notes: [`server ${server} was made by Ascribe after the import: the reference provider would not know it`],
    }
  const { namespace = '', name, uid, resourceVersion } = machine.metadata
  try {
    if (!isDryRun)
      await kube.patch(
        MACHINES,
        { namespace, name },
        {
          fieldManager: 'ascribe-import',
          patch: {
            type: 'merge',
            body: { metadata: { uid, resourceVersion, annotations: Object.fromEntries(WRITTEN.map((each) => [each, null])) } },
          },
        },
      )
    return { ...row, outcome: isDryRun ? 'would undo' : 'undone', ...(server !== undefined && { server }) }
  } catch (error) {
    return { ...row, outcome: 'refused', notes: [errorChain(error)] }
  }
}
