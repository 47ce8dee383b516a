import { startEmbedded } from '@ascribe/postgres'
import type { EmbeddedPostgres } from '@ascribe/postgres'
import { createMeters, measureProcess, startOps, tryLock } from '@ascribe/service'
import type { ProcessScope } from '@ascribe/service'
import { configuredRoutes } from './configured-routes.ts'
import type { Context } from './context.ts'
import { prepareDataDir } from './data-dir.ts'
import type { Demo } from './demo.ts'
import { DataDirInUseError } from './errors.ts'
import { createReadiness } from './readiness.ts'
import type { Served } from './up-parts.ts'
import type { Style } from './output.ts'

export type UpOptions = {
  /** Goes before the routes of the configuration; `undefined` and no routes there: the sandbox engine. */
  readonly upstream?: string
  /** A price book to put in force. */
  readonly prices?: string
  /** Let `POST /v1/faults` of the admin listener break things on purpose. Default false. */
  readonly sandboxFaults?: boolean
  /** The environment of workers. */
  readonly env: NodeJS.ProcessEnv
}

/** The listeners beside the customers', and the ways in. */
export type Operators = {
  /** Absent: it is off. */
  readonly internal?: string
  readonly admin: string
  readonly adminKey: string
  /** The API's app behind the sandbox Teleport; absent: there is a real one, or none. */
  readonly teleport?: string
  /** The sandbox issuer, or the configured one. */
  readonly issuer?: string
  readonly console: string
  /** Who may sign in there at the sandbox issuer; absent: the users of a real one. */
  readonly signInAs?: string
  /** The console as an operator opens it: a search for organizations, same origin as its API. */
  readonly operatorConsole?: string
  /** The same at the host of the demo organization's environment: the founding document's form, with two origins. */
  readonly environmentConsole?: string
}

/** What `ascribe up` brought up. */
export type Everything = AsyncDisposable & {
  readonly gateway: string
  readonly api: string
  readonly operators: Operators
  readonly metrics: string
  readonly upstream: string
  readonly model: string
  readonly demo: Demo
  /** Writes a line for each record until everything stops. */
  follow(write: (line: string) => void, style: Style): void
}

/** Starts everything on one data directory, in this process. @throws {DataDirInUseError} */
export async function startEverything(context: Context, scope: ProcessScope, options: UpOptions): Promise<Everything> {
  const { config, dir } = context
  // Before anything is made: what is wrong with the call must cost nothing.
  const price = options.prices === undefined ? undefined : (await import('./price-file.ts')).readPriceFile(options.prices)
  const configured = configuredRoutes(config, options.upstream)
  prepareDataDir(dir)
  await using stack = new AsyncDisposableStack()
  const lock = tryLock(dir.upLock)
  if (lock === undefined) throw new DataDirInUseError(`Cannot start on ${dir.root}: another \`ascribe up\` runs on it`)
  stack.use(lock)
  const embedded = config.database_url === undefined ? startDatabase(context, stack) : undefined
  const meters = createMeters()
  stack.use(measureProcess(meters))
  const readiness = createReadiness()
  const served: Served = { serving: undefined }
  // First on and last off: while it drains, a process is still asked how it is.
  const ops = stack.use(
    await startOps({
      ...config.ops,
      meters: { render: () => served.serving?.metrics(meters.render()) ?? meters.render() },
      ready: async () => ({ ...readiness.report(), ...(await served.serving?.report()) }),
    }),
  )
  // A new database takes a second, in processes of its own: time to load what is needed after it.
  const { startParts } = await import('./up-parts.ts')
  const parts = await startParts(context, {
    scope,
    stack,
    meters,
    readiness,
    price,
    configured,
    readConfigured: () => configuredRoutes(context.reload().value, options.upstream),
    embedded,
    sandboxFaults: options.sandboxFaults ?? false,
    upstream: options.upstream,
    env: options.env,
    served,
  })
  const owned = stack.move()
  return { ...parts, metrics: ops.url, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function startDatabase({ dir, logger }: Context, stack: AsyncDisposableStack): Promise<EmbeddedPostgres> {
  const starting = startEmbedded({ dataDir: dir.postgres, tryLock, logger })
  // Whoever opens the ledger hears of a failure, and gives the database back. This is for a start that never gets as far.
  starting.catch(() => {})
  stack.defer(async () => {
    const server = await starting.catch(() => undefined)
    await server?.release()
  })
  return starting
}
