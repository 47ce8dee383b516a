import { createHttpTransport } from '@ascribe/impersonation'
import { IMPERSONATORS, OWNER_BINDINGS, SERVICE_ACCOUNTS } from '@ascribe/kinds'
import { createInformers, createKubeClient, createKubeConnection, systemClocks } from '@ascribe/kube'
import type { Clocks, Informers, KubeClient } from '@ascribe/kube'
import type { OpsServer, ProcessScope, ReadyReport } from '@ascribe/service'
import { createBindingNotes } from '../authority/binding-notes.ts'
import { requireBinding } from '../authority/require-binding.ts'
import { createSnapshot } from '../authority/snapshot.ts'
import type { Snapshot } from '../authority/snapshot.ts'
import { tokenClockOf } from '../authority/token-clock.ts'
import { createTokenSources } from '../authority/token-sources.ts'
import { watchAuthority } from '../authority/watch-authority.ts'
import { createCallers } from '../broker/callers.ts'
import { startOpsPair } from '../process/ops-pair.ts'
import { patiently } from '../process/patiently.ts'
import type { Patience } from '../process/patiently.ts'
import { checkKinds } from '../process/preflight.ts'
import { keepPublished, makeIdentity, publishCertificate } from './certificate.ts'
import { MinterConfigError } from './errors.ts'
import { createMinterService, rememberRecords } from './minter.ts'
import type { MinterService } from './minter.ts'
import { serveOnSocket, serveSecurely } from './minter-server.ts'
import type { MinterServing, WhoAsks } from './minter-server.ts'
import { MINTER_AUDIENCE } from './types.ts'
import type { MinterCaller, MinterDeps, MinterSettings } from './types.ts'

/** A minter that answers. */
export type RunningMinter = AsyncDisposable & {
  readonly health: string
  readonly metrics: string
  /** `https://…`, when it listens for service accounts. */
  readonly url: string | undefined
  readonly socket: string | undefined
}

const SILENT_MS_MAX = 600_000

/**
 * Starts the one process that reads the client Secret and holds service tokens (H-24). It keeps bindings, Impersonators and namespaces of its
 * own, and mints for a pinned user with a binding that stands by them, whatever a caller says. It reads no object that a tenant may write.
 * @throws {KubeConfigError | ClusterNotReadyError | ListenError | MinterConfigError}
 */
export async function startMinter(settings: MinterSettings, deps: MinterDeps, scope: Pick<ProcessScope, 'signal'>): Promise<RunningMinter> {
  if (settings.listen === undefined && settings.socketPath === undefined)
    throw new MinterConfigError('Cannot serve the minter: there is neither a port nor a socket')
  const { clocks = systemClocks, logger, meters } = deps
  await using stack = new AsyncDisposableStack()
  const report: { now: () => ReadyReport } = { now: () => ({ process: { ok: false, detail: 'starting' } }) }
  const { health, metrics }: { health: OpsServer; metrics: OpsServer } = await startOpsPair(settings, { meters, report, stack })
  const { kubeconfig } = settings
  const connection = stack.use(
    await createKubeConnection({ ...(kubeconfig === undefined ? { inCluster: true } : { kubeconfig }), clocks, meters }),
  )
  const kube = createKubeClient(connection)
  const patience: Patience = { clocks, logger, signal: scope.signal, report }
  await patiently('look for our kinds', () => checkKinds(connection, [IMPERSONATORS, OWNER_BINDINGS]), patience)
  const informers = stack.use(createInformers({ connection, clocks, logger, meters }))
  const { service, snapshot } = openService({ settings, deps, clocks, kube, informers, stack })
  await patiently('fill the caches', () => informers.synced({ signal: scope.signal }), patience)
  const { url, socket } = await listen({ settings, deps, clocks, kube, service, patience, stack })
  report.now = () => readiness(informers, snapshot)
  stack.defer(() => void (report.now = () => ({ process: { ok: false, detail: 'stopping' } })))
  const held = stack.move()
  return { health: health.url, metrics: metrics.url, url, socket, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

type Opening = {
  readonly settings: MinterSettings
  readonly deps: MinterDeps
  readonly clocks: Clocks
  readonly kube: KubeClient
  readonly informers: Informers
  readonly stack: AsyncDisposableStack
}

function openService({ settings, deps, clocks, kube, informers, stack }: Opening): { service: MinterService; snapshot: Snapshot } {
  const { cloud, logger, meters } = deps
  const { environment } = cloud
  const records = rememberRecords(deps.audit)
  const snapshot = createSnapshot({
    informers,
    wall: clocks.wall,
    environment,
    // Neither is impersonation: the controller has those credentials.
    legacy: undefined,
    hasPlatform: false,
    refuseIssuer: cloud.refuseIssuer,
    secretNamespace: settings.systemNamespace,
  })
  const transport = stack.use(createHttpTransport(cloud.ca === undefined ? {} : { ca: cloud.ca }))
  const clock = tokenClockOf(clocks)
  const sources = stack.use(
    createTokenSources({
      kube,
      environment,
      audit: records.sink,
      authorize: (request) => void requireBinding(snapshot, request),
      transport,
      logger,
      meters,
      clock,
    }),
  )
  stack.use(watchAuthority(snapshot, { sources, notes: createBindingNotes(), clocks }))
  return { service: createMinterService({ snapshot, sources, records, clocks, logger }), snapshot }
}

type Listening = Omit<Opening, 'informers'> & { readonly service: MinterService; readonly patience: Patience }

async function listen({
  settings,
  deps,
  clocks,
  kube,
  service,
  patience,
  stack,
}: Listening): Promise<{ url: string | undefined; socket: string | undefined }> {
  const { systemNamespace, socketPath } = settings
  const serving = (who: WhoAsks): MinterServing => ({ service, who, logger: deps.logger })
  const all: MinterCaller = { name: 'socket', mayMint: true, mayDiscover: true }
  const socket =
    socketPath === undefined
      ? undefined
      : stack.use(
          await serveOnSocket(
            serving(() => Promise.resolve(all)),
            socketPath,
          ),
        )
  if (settings.listen === undefined) return { url: undefined, socket: socket?.url }
  const identity = await makeIdentity(clocks.wall())
  const callers = createCallers(kube, { audience: MINTER_AUDIENCE, clocks })
  const who: WhoAsks = async (authorization) => {
    const caller = await callers.identify(authorization)
    return caller?.namespace === systemNamespace ? accountOf(caller) : undefined
  }
  const secure = stack.use(await serveSecurely(serving(who), settings.listen, identity))
  await patiently('publish the certificate', () => publishCertificate(kube, identity, systemNamespace), patience)
  stack.use(keepPublished(kube, identity, { namespace: systemNamespace, clocks, logger: deps.logger }))
  return { url: secure.url, socket: socket?.url }
}

/** The controller has tokens, the API learns who somebody is; nobody else is anybody here. */
function accountOf({
  namespace,
  serviceAccount,
}: {
  readonly namespace: string
  readonly serviceAccount: string
}): MinterCaller | undefined {
  const mayMint = serviceAccount === SERVICE_ACCOUNTS.controller
  const mayDiscover = serviceAccount === SERVICE_ACCOUNTS.api
  return mayMint || mayDiscover ? { name: `system:serviceaccount:${namespace}:${serviceAccount}`, mayMint, mayDiscover } : undefined
}

/** Not whether the cloud is there: an outage of it is told by errors, and must not take us out of the Service. */
function readiness(informers: Informers, { bindings, impersonators }: Snapshot): ReadyReport {
  const silent = Math.max(bindings.silentMs(), impersonators.silentMs())
  const isCurrent = informers.hasSynced() && silent < SILENT_MS_MAX
  return { caches: isCurrent ? { ok: true } : { ok: false, detail: `nothing was heard for ${Math.round(silent / 1000)} s` } }
}
