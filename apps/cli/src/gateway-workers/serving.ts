import type { Logger, Meters } from '@ascribe/kit'
import type { Route, RouteSource } from '@ascribe/gateway'
import { bindSockets } from '@ascribe/service'
import type { ReadyReport } from '@ascribe/service'
import type { Context } from '../context.ts'
import { prepareDataDir } from '../data-dir.ts'
import { workersOf } from '../gateway-bounds.ts'
import { runGateway } from '../run-gateway.ts'
import type { Beginning } from './messages.ts'
import { GatewaySupervisor } from './supervisor.ts'

/** The gateway of this process, or its several gateways: one port, whoever serves it. */
export type Serving = {
  readonly url: string
  /** Numbers of the sockets of the port. */
  readonly fds: readonly number[]
  report(): Promise<ReadyReport>
  /** Of everybody who serves; `own` is this process's. */
  metrics(own: string): Promise<string>
  /** Reads the configured routes again. */
  reread(): void
  /** Replaces those who serve, one after the other. */
  roll(): Promise<void>
  /** Leaves new connections to others who hold the same sockets; resolves when nothing is open any more. */
  retire(): Promise<void>
  close(options: { readonly graceMs: number; readonly cut?: AbortSignal }): Promise<void>
}

export type ServingOptions = {
  readonly routes: readonly Route[]
  readonly routeSource?: RouteSource | undefined
  /** What of the routes is not in the configuration that a worker reads. */
  readonly engines?: Pick<Beginning, 'upstream' | 'sandbox'> | undefined
  /** The command line by which a worker becomes what this process is, and its environment. */
  readonly workerArgs: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** What another process has handed over, in place of the configured address. */
  readonly taken?: readonly number[] | undefined
  readonly logger: Logger
  readonly meters: Meters
}

/** Serves with as many processes as the configuration says: this one, or workers of its own. @throws {AscribeError} */
export async function startServing(context: Context, options: ServingOptions): Promise<Serving> {
  return workersOf(context.config.gateway) === 1 ? await serveHere(context, options) : await serveByWorkers(context, options)
}

async function serveHere(context: Context, { routes, routeSource, taken, logger, meters }: ServingOptions): Promise<Serving> {
  const place = taken === undefined ? {} : { sockets: taken.map((fd) => ({ fd })) }
  const gateway = await runGateway(context, { routes, routeSource, logger, meters }, place)
  return {
    url: gateway.url,
    get fds() {
      return gateway.fds
    },
    report() {
      const { unready, routeTrouble } = gateway
      return Promise.resolve({
        journal: { ok: unready === undefined, ...(unready !== undefined && { detail: unready }) },
        // Those before go on serving.
        routes: { ok: true, ...(routeTrouble !== undefined && { detail: routeTrouble }) },
      })
    },
    metrics: (own) => Promise.resolve(own),
    reread: () => gateway.reread(),
    roll() {
      logger.warn('there is one process, and nobody to take its place: start another gateway beside it, or set gateway.workers')
      return Promise.resolve()
    },
    retire: () => gateway.retire(),
    close: (how) => gateway.close(how),
  }
}

async function serveByWorkers(context: Context, options: ServingOptions): Promise<Serving> {
  const { config, dir } = context
  const { workerArgs, env, engines, taken, logger, meters } = options
  prepareDataDir(dir)
  const count = workersOf(config.gateway)
  using held = new DisposableStack()
  const fds = taken ?? held.use(await bindSockets({ host: config.gateway.host, port: config.gateway.port }, count)).fds
  const supervisor = new GatewaySupervisor({
    count,
    fds,
    args: workerArgs,
    env,
    engines,
    handoverMs: config.gateway.handover_time,
    logger,
    meters,
  })
  const url = await supervisor.start()
  const sockets = held.move()
  return {
    url,
    fds,
    report: () => supervisor.report(),
    metrics: (own) => supervisor.metrics(own),
    reread: () => supervisor.reread(),
    roll: () => supervisor.roll(),
    retire: () => supervisor.retire(),
    async close(how) {
      await supervisor.close(how)
      sockets.dispose()
    },
  }
}

/** SIGUSR2 replaces those who serve; without anybody who heard it, it would end the process. */
export function rollOnSignal(serving: Serving, logger: Logger): Disposable {
  const replace = (): void => {
    serving.roll().catch((error: unknown) => logger.error('workers cannot be replaced', { error }))
  }
  process.on('SIGUSR2', replace)
  return { [Symbol.dispose]: () => void process.off('SIGUSR2', replace) }
}
