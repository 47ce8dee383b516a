import type { Route, RouteSource } from '@ascribe/gateway'
import { createMeters, measureProcess, startOps } from '@ascribe/service'
import type { MeterRegistry, OpsServer, ProcessScope } from '@ascribe/service'
import { openBroker, shipInBackground } from '../broker.ts'
import type { Context } from '../context.ts'
import { createReadiness } from '../readiness.ts'
import type { Readiness } from '../readiness.ts'
import { rollOnSignal, startServing } from './serving.ts'
import type { Serving } from './serving.ts'
import { offerPlace, takeFromOther } from './take-over.ts'

export type ServeOptions = {
  readonly scope: ProcessScope
  readonly routes: readonly Route[]
  readonly routeSource: RouteSource
  /** The command line by which a worker becomes what this process is, and its environment. */
  readonly workerArgs: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** How long open requests may go on after the wish to stop; what is left is then cut and settled. */
const GRACE_MS = 20_000

/** `ascribe gateway`: serves, alone or by workers, in the place of one that runs already if there is one. */
export async function serveGateway(context: Context, options: ServeOptions): Promise<AsyncDisposable> {
  const { logger, out } = context
  const { scope, routes, routeSource, workerArgs, env } = options
  await using stack = new AsyncDisposableStack()
  const meters = createMeters()
  stack.use(measureProcess(meters))
  const readiness = createReadiness()
  const taken = await takeFromOther(context)
  let serving: Serving | undefined
  const openOps = async (): Promise<OpsServer> => stack.use(await startOpsOf(context, { meters, readiness, serving: () => serving }))
  // First on and last off: while it drains, a process is still asked how it is. But for one that takes over: there is another one yet.
  const early = taken === undefined ? await openOps() : undefined
  shipOverBroker(context, { stack, scope, meters, readiness })
  const started = await startServing(context, { routes, routeSource, workerArgs, env, taken: taken?.fds, logger, meters })
  serving = started
  stack.defer(() => started.close({ graceMs: GRACE_MS, cut: scope.cut }))
  await taken?.take()
  const ops = early ?? (await openOps())
  stack.use(await offerPlace(context, { serving, scope, leave: () => ops.close() }))
  readiness.watch('process', () => undefined)
  scope.onReload(() => started.reread())
  stack.use(rollOnSignal(started, logger))
  stack.defer(readiness.stopping)
  if (out.json) out.value({ gateway: started.url, metrics: ops.url })
  else out.note(`gateway ${started.url}, metrics ${ops.url}`)
  return stack.move()
}

type Told = { readonly meters: MeterRegistry; readonly readiness: Readiness; readonly serving: () => Serving | undefined }

/** Metrics and health of this process and of all that serve for it. */
function startOpsOf({ config }: Context, { meters, readiness, serving }: Told): Promise<OpsServer> {
  return startOps({
    ...config.ops,
    meters: { render: () => serving()?.metrics(meters.render()) ?? meters.render() },
    ready: async () => ({ ...readiness.report(), ...(await serving()?.report()) }),
  })
}

type Shipping = Omit<Told, 'serving'> & { readonly stack: AsyncDisposableStack; readonly scope: ProcessScope }

function shipOverBroker({ config, dir, logger }: Context, { stack, scope, meters, readiness }: Shipping): void {
  const nats = openBroker(config, { name: 'gateway', logger })
  if (nats === undefined) return
  stack.use(nats)
  const { shipper } = stack.use(shipInBackground(nats, { dir, logger, meters, scope }))
  // Whatever the broker does, requests are served and journals keep their records.
  readiness.watch('broker', () => nats.trouble ?? shipper.trouble, { isVital: false })
}
