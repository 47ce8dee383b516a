import { createExchange } from '@ascribe/cloudsigma'
import { createHttpTransport } from '@ascribe/impersonation'
import { CLUSTERS, LEASE_NAME, MACHINES } from '@ascribe/kinds'
import {
  createEventRecorder,
  createInformers,
  createKubeClient,
  createKubeConnection,
  createLeaderElection,
  openFence,
  systemClocks,
} from '@ascribe/kube'
import type { Clocks, Fence, Informers, KubeClient, KubeConnection, LeaderElection } from '@ascribe/kube'
import type { ProcessScope, ReadyReport } from '@ascribe/service'
import { createMintFold } from '../accounts/mint-fold.ts'
import type { MintFold } from '../accounts/mint-fold.ts'
import { tellMintDays } from '../accounts/mint-days.ts'
import { createAuthority } from '../authority/create-authority.ts'
import type { OpenAuthority } from '../authority/create-authority.ts'
import { capiResources } from '../machine/capi.ts'
import type { CapiResources } from '../machine/capi.ts'
import { openMinterChannel } from '../minter/minter-address.ts'
import { lead } from './lead.ts'
import { startOpsPair } from './ops-pair.ts'
import { patiently } from './patiently.ts'
import type { Patience } from './patiently.ts'
import { checkCluster, coreVersion, ensureNamespace, hasPolicies } from './preflight.ts'
import { readProofKey } from './proof-key.ts'
import type { ControllerDeps, ControllerSettings } from './settings.ts'

/** A controller that runs: it works, or waits for the lease. */
export type RunningController = AsyncDisposable & {
  readonly health: string
  readonly metrics: string
  readonly isLeader: () => boolean
}

/** What is there for the life of the process, whoever leads. */
export type ControllerWorld = {
  readonly settings: ControllerSettings
  readonly deps: ControllerDeps
  readonly clocks: Clocks
  readonly connection: KubeConnection
  readonly kube: KubeClient
  readonly informers: Informers
  readonly authority: OpenAuthority
  readonly mints: MintFold
  readonly fence: Fence
  readonly capi: CapiResources
  readonly proofKey: string
}

/**
 * A little longer than client-go's 15 s and 10 s: a call of the cloud has 10 s, the margin is 1 s, and a renewal that takes a while must not
 * close the fence to all that begins meanwhile.
 */
const LEASE = { leaseMs: 20_000, renewMs: 15_000, retryMs: 2000 }
/** So many connections to each host of the cloud; each account has a pace of its own on top. */
const CONNECTIONS_MAX = 64
/** The API server sends bookmarks each minute: a watch from which nothing came for so long is not trusted to be current. */
const SILENT_MS_MAX = 600_000

/**
 * Starts the controllers: looks whether everything is there, fills the caches, takes the lease (or waits for it), works. Resolves once the
 * caches are filled. When leadership is lost, `scope.stop` ends the process.
 * @throws {KubeConfigError | ClusterNotReadyError} with what to do about it
 */
export async function startController(
  settings: ControllerSettings,
  deps: ControllerDeps,
  scope: Pick<ProcessScope, 'signal' | 'stop'>,
): Promise<RunningController> {
  const clocks = deps.clocks ?? systemClocks
  const { logger, meters } = deps
  await using stack = new AsyncDisposableStack()
  const report: { now: () => ReadyReport } = { now: () => ({ process: { ok: false, detail: 'starting' } }) }
  const { health, metrics } = await startOpsPair(settings, { meters, report, stack })
  const connection = stack.use(await createKubeConnection({ ...kubeconfigOf(settings), clocks, meters }))
  const kube = createKubeClient(connection)
  const patience: Patience = { clocks, logger, signal: scope.signal, report }
  await patiently('look for our kinds', () => checkCluster(connection, settings), patience)
  if ((await hasPolicies(connection)) === false)
    logger.warn('the admission policies are not installed: tenants may write what machines are told by (accounts, servers, finalizers)', {
      hint: 'ascribe manifests | kubectl apply --server-side -f -',
    })
  const capi = capiResources(await patiently('look for Cluster API', () => coreVersion(connection, settings), patience))
  await patiently('look for our namespace', () => ensureNamespace(kube, settings.systemNamespace), patience)
  const proofKey = await patiently('read the key of proofs', () => readProofKey(kube, settings.systemNamespace), patience)
  const informers = stack.use(
    createInformers({
      connection,
      clocks,
      logger,
      meters,
      // Of whoever asks: nothing of another namespace is read then.
      ...(settings.namespace !== undefined && { namespace: settings.namespace }),
    }),
  )
  const election = electionOf(settings, { kube, clocks, deps })
  const fence = election?.fence ?? openFence
  const mints = createMintFold(deps.audit)
  const authority = stack.use(openAuthority({ settings, deps, clocks, kube, informers, mints, fence, stack }))
  const world: ControllerWorld = { settings, deps, clocks, connection, kube, informers, authority, mints, fence, capi, proofKey }
  warm(world)
  await patiently('fill the caches', () => informers.synced({ signal: scope.signal }), patience)
  if (deps.mintTrail !== undefined)
    stack.use(
      tellMintDays({
        path: deps.mintTrail,
        journal: deps.journal,
        controller: settings.identity,
        clock: () => Math.floor(clocks.wall()),
        logger,
      }),
    )
  const working = stack.use(work(world, { election, scope }))
  report.now = () => readiness(world, { election, working })
  stack.defer(() => void (report.now = () => ({ process: { ok: false, detail: 'stopping' } })))
  const held = stack.move()
  return {
    health: health.url,
    metrics: metrics.url,
    isLeader: () => election?.isLeader() ?? true,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

function kubeconfigOf({ kubeconfig }: ControllerSettings): { kubeconfig?: string; inCluster?: boolean } {
  return kubeconfig === undefined ? { inCluster: true } : { kubeconfig }
}

type Electing = { readonly kube: KubeClient; readonly clocks: Clocks; readonly deps: ControllerDeps }

function electionOf(settings: ControllerSettings, { kube, clocks, deps: { logger, meters } }: Electing): LeaderElection | undefined {
  if (!settings.leaderElect) return undefined
  const { systemNamespace: namespace, identity } = settings
  return createLeaderElection({ client: kube, namespace, name: LEASE_NAME, identity, ...LEASE, clocks, logger, meters })
}

type Opening = Pick<ControllerWorld, 'settings' | 'deps' | 'clocks' | 'kube' | 'informers' | 'mints' | 'fence'> & {
  readonly stack: AsyncDisposableStack
}

function openAuthority({ settings, deps, clocks, kube, informers, mints, fence, stack }: Opening): OpenAuthority {
  const { cloud, logger, meters } = deps
  const ca = cloud.ca === undefined ? {} : { ca: cloud.ca }
  return createAuthority({
    kube,
    informers,
    audit: mints.sink,
    transport: stack.use(createHttpTransport(ca)),
    exchange: stack.use(createExchange({ ...ca, connectionsMax: CONNECTIONS_MAX })),
    environment: cloud.environment,
    minter:
      cloud.minter === undefined ? undefined : stack.use(openMinterChannel(cloud.minter, { kube, namespace: settings.systemNamespace })),
    legacy: cloud.legacy,
    platform: cloud.platform,
    accountLimits: cloud.limits,
    refuseIssuer: cloud.refuseIssuer,
    // The last thing before a request goes: a process that was stopped and woke as nobody's leader sends nothing.
    guard: () => fence.check(0),
    secretNamespace: settings.systemNamespace,
    clocks,
    logger,
    meters,
  })
}

/** The caches of whoever leads, filled by who waits too: a new leader works at once. */
function warm({ informers, settings, capi }: ControllerWorld): void {
  const scope = settings.namespace === undefined ? {} : { namespace: settings.namespace }
  informers.informer(MACHINES, scope)
  informers.informer(CLUSTERS, scope)
  informers.informer(capi.clusters, scope)
  informers.informer(capi.machines, scope)
}

type Work = AsyncDisposable & { readonly trouble: () => string | undefined }

/** Leads while it may, until the signal; whatever ends it otherwise stops the process. */
function work(
  world: ControllerWorld,
  { election, scope }: { readonly election: LeaderElection | undefined; readonly scope: Pick<ProcessScope, 'signal' | 'stop'> },
): Work {
  const { kube, settings, clocks, deps } = world
  const { logger, meters } = deps
  const ending = new AbortController()
  const signal = AbortSignal.any([scope.signal, ending.signal])
  const events = createEventRecorder({
    client: kube,
    controller: 'ascribe-controller',
    instance: settings.identity,
    clocks,
    logger,
    meters,
  })
  let trouble: string | undefined
  const leading = (until: AbortSignal): Promise<void> => lead(world, { signal: until, events })
  const running = (election === undefined ? leading(signal) : election.run(signal, leading)).catch((error: unknown) => {
    trouble = 'it has ended'
    if (!signal.aborted) logger.error('controllers have ended', { error })
    scope.stop(error)
  })
  return {
    trouble: () => trouble,
    async [Symbol.asyncDispose]() {
      ending.abort()
      await running
      await events[Symbol.asyncDispose]()
    },
  }
}

type Facts = { readonly election: LeaderElection | undefined; readonly working: Work }

/** Ready is who has filled caches and a journal that takes records, also while another leads. */
function readiness({ informers, deps, authority }: ControllerWorld, { election, working }: Facts): ReadyReport {
  const { state } = deps.journal
  const { bindings, impersonators } = authority.snapshot
  const silent = Math.max(bindings.silentMs(), impersonators.silentMs())
  const trouble = working.trouble()
  return {
    caches:
      informers.hasSynced() && silent < SILENT_MS_MAX
        ? { ok: true }
        : { ok: false, detail: `nothing was heard for ${Math.round(silent / 1000)} s` },
    journal: state === 'open' ? { ok: true } : { ok: false, detail: `it is ${state}` },
    controllers: trouble === undefined ? { ok: true, detail: sayLead(election) } : { ok: false, detail: trouble },
  }
}

function sayLead(election: LeaderElection | undefined): string {
  if (election === undefined) return 'without leader election'
  return election.isLeader() ? 'this process leads' : `${election.holder() || 'nobody'} leads`
}
