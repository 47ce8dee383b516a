import { createExchange } from '@ascribe/cloudsigma'
import { createHttpTransport } from '@ascribe/impersonation'
import type { AuditSink } from '@ascribe/impersonation'
import type { Logger, Meters } from '@ascribe/kit'
import { createInformers, createKubeClient, createKubeConnection, systemClocks } from '@ascribe/kube'
import { createIdSource } from '@ascribe/units'
import { createAuthority } from '../authority/create-authority.ts'
import { agreeToAbandon, askAbandon, whoAmI, withdrawAbandon } from '../abandon/ask-abandon.ts'
import type { AbandonReport } from '../abandon/ask-abandon.ts'
import { capiResources } from '../machine/capi.ts'
import { coreVersion } from '../process/preflight.ts'
import type { CloudFromEnvironment } from '../process/settings.ts'
import { importMachines, undoImport } from './import-machines.ts'
import type { ImportOptions, ImportRow } from './import-machines.ts'

/** Which machines, and whether anything is written. */
export type ImportRequest = Pick<ImportOptions, 'isDryRun'> & {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly isUndo: boolean
}

export type TakeoverOptions = {
  readonly kubeconfig: string | undefined
  readonly cloud: CloudFromEnvironment
  readonly audit: AuditSink
  readonly systemNamespace: string
  readonly logger: Logger
  readonly meters: Meters
}

const CONNECTIONS_MAX = 8

/** One run of `ascribe machines import`, with the authority of the controller and under the name of whoever runs it. */
export async function runImport(options: TakeoverOptions, request: ImportRequest): Promise<readonly ImportRow[]> {
  const { cloud, audit, logger, meters, systemNamespace } = options
  await using stack = new AsyncDisposableStack()
  const connection = stack.use(await connect(options.kubeconfig))
  const kube = createKubeClient(connection)
  const informers = stack.use(createInformers({ connection, logger, meters }))
  const ca = cloud.ca === undefined ? {} : { ca: cloud.ca }
  const authority = stack.use(
    createAuthority({
      kube,
      informers,
      audit,
      transport: stack.use(createHttpTransport(ca)),
      exchange: stack.use(createExchange({ ...ca, connectionsMax: CONNECTIONS_MAX })),
      environment: cloud.environment,
      legacy: cloud.legacy,
      platform: cloud.platform,
      refuseIssuer: cloud.refuseIssuer,
      secretNamespace: systemNamespace,
      clocks: systemClocks,
      logger,
      meters,
    }),
  )
  await informers.synced()
  const run = request.isUndo ? undoImport : importMachines
  // Awaited here: what it works with is released when this returns.
  return await run({
    kube,
    authority,
    capi: capiResources(await coreVersion(connection, {})),
    clocks: systemClocks,
    ids: createIdSource(systemClocks.wall),
    by: await whoAmI(connection),
    isDryRun: request.isDryRun,
    ...(request.namespace !== undefined && { namespace: request.namespace }),
    ...(request.name !== undefined && { name: request.name }),
  })
}

export type AbandonCommand = {
  readonly kubeconfig: string | undefined
  readonly namespace: string
  readonly name: string
  /** `ask` needs a reason. */
  readonly what: { readonly do: 'ask'; readonly reason: string } | { readonly do: 'agree' } | { readonly do: 'withdraw' }
}

/** One step of giving up a machine, under the name of whoever runs it. */
export async function runAbandon({ kubeconfig, namespace, name, what }: AbandonCommand): Promise<AbandonReport> {
  await using connection = await connect(kubeconfig)
  const request = { kube: createKubeClient(connection), key: { namespace, name }, by: await whoAmI(connection) }
  switch (what.do) {
    case 'ask':
      return await askAbandon(request, what.reason)
    case 'agree':
      return await agreeToAbandon(request)
    case 'withdraw':
      return await withdrawAbandon(request)
  }
}

function connect(kubeconfig: string | undefined): ReturnType<typeof createKubeConnection> {
  return createKubeConnection(kubeconfig === undefined ? {} : { kubeconfig })
}
