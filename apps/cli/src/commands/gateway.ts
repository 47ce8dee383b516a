import { existsSync } from 'node:fs'
import { Option } from 'commander'
import type { Command } from 'commander'
import { catchAllRoute } from '@ascribe/gateway'
import type { Route } from '@ascribe/gateway'
import { InputError } from '@ascribe/kit'
import { createMeters, measureProcess, runProcess, startOps } from '@ascribe/service'
import type { OpsServer } from '@ascribe/service'
import { portArgument } from '../arguments.ts'
import { openBroker, shipInBackground } from '../broker.ts'
import { contextOf } from '../command.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { routesOf } from '../route-settings.ts'
import type { Finish } from '../finish.ts'
import { createReadiness } from '../readiness.ts'
import { startServing } from '../gateway-workers/serving.ts'
import type { Serving } from '../gateway-workers/serving.ts'
import { offerPlace, takeFromOther } from '../gateway-workers/take-over.ts'
import type { Surroundings } from '../surroundings.ts'

type GatewayOptions = {
  readonly port?: number
  readonly upstream?: string
  readonly trustHeadersFrom?: string
  readonly metricsPort?: number
  readonly worker?: boolean
}

/** How long open requests may go on after the wish to stop; what is left is then cut and settled. */
const GRACE_MS = 20_000

/** `ascribe gateway`. */
export function configureGateway(root: Command, surroundings: Surroundings, finish: Finish): void {
  root
    .option('--port <port>', 'where it listens', portArgument)
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz are', portArgument)
    .option('--upstream <url>', 'the engine for every model that has no route, with or without /v1')
    .option('--trust-headers-from <networks>', 'comma-separated networks whose identity headers are believed')
    .addOption(new Option('--worker', 'run as one of several on a port, for the process that starts this one').hideHelp())
    .action(async (options: GatewayOptions, command: Command) => {
      const context = contextOf(command, surroundings, {
        'gateway.port': { flag: '--port', value: options.port },
        'ops.port': { flag: '--metrics-port', value: options.metricsPort },
        'gateway.trust_headers_from': { flag: '--trust-headers-from', value: options.trustHeadersFrom },
      })
      const { config, logger, out } = context
      const routesIn = ({ gateway }: Config): readonly Route[] => [
        ...routesOf(gateway),
        ...(options.upstream === undefined ? [] : [catchAllRoute(options.upstream)]),
      ]
      const routes = routesIn(config)
      if (routes.length === 0 && !mayHaveDeployments(context)) {
        throw new InputError('Cannot start the gateway: there is no route', {
          hint: 'Give --upstream URL, or routes under `gateway.routes` in the configuration, or deployments by `ascribe routes set`.',
        })
      }
      const routeSource = { file: context.configFile, read: () => routesIn(context.reload().value) }
      if (options.worker === true) {
        finish(await (await import('../gateway-workers/worker.ts')).runWorker(context, { routes, routeSource }))
        return
      }
      const workerArgs = workerArguments(context, options)
      finish(
        await runProcess({
          name: 'gateway',
          logger,
          start: async (scope) => {
            await using stack = new AsyncDisposableStack()
            const meters = createMeters()
            stack.use(measureProcess(meters))
            const readiness = createReadiness()
            const taken = await takeFromOther(context)
            let serving: Serving | undefined
            const openOps = async (): Promise<OpsServer> =>
              stack.use(
                await startOps({
                  ...config.ops,
                  meters: { render: () => serving?.metrics(meters.render()) ?? meters.render() },
                  ready: async () => ({ ...readiness.report(), ...(await serving?.report()) }),
                }),
              )
            // First on and last off: while it drains, a process is still asked how it is. But for one that takes over: there is another one yet.
            const early = taken === undefined ? await openOps() : undefined
            const nats = openBroker(config, { name: 'gateway', logger })
            if (nats !== undefined) {
              stack.use(nats)
              const { shipper } = stack.use(shipInBackground(nats, { dir: context.dir, logger, meters, scope }))
              // Whatever the broker does, requests are served and journals keep their records.
              readiness.watch('broker', () => nats.trouble ?? shipper.trouble, { isVital: false })
            }
            serving = await startServing(context, {
              routes,
              routeSource,
              workerArgs,
              env: surroundings.env,
              taken: taken?.fds,
              logger,
              meters,
            })
            const { url, close, reread, roll } = serving
            stack.defer(() => close({ graceMs: GRACE_MS, cut: scope.cut }))
            await taken?.take()
            const ops = early ?? (await openOps())
            stack.use(await offerPlace(context, { serving, scope, leave: () => ops.close() }))
            readiness.watch('process', () => undefined)
            scope.onReload(reread)
            stack.use(onReplace(() => void roll().catch((error: unknown) => logger.error('workers cannot be replaced', { error }))))
            stack.defer(readiness.stopping)
            if (out.json) out.value({ gateway: url, metrics: ops.url })
            else out.note(`gateway ${url}, metrics ${ops.url}`)
            return stack.move()
          },
        }),
      )
    })
}

/** By which a worker becomes what this process is; its port is handed to it. */
function workerArguments({ dir, configFile, config }: Context, { upstream, trustHeadersFrom }: GatewayOptions): readonly string[] {
  return [
    'gateway',
    '--worker',
    '--data',
    dir.root,
    '--log-level',
    config.log.level,
    ...(configFile === undefined ? [] : ['--config', configFile]),
    ...(upstream === undefined ? [] : ['--upstream', upstream]),
    ...(trustHeadersFrom === undefined ? [] : ['--trust-headers-from', trustHeadersFrom]),
  ]
}

/** SIGUSR2 replaces the workers; without anybody who heard it, it would end the process. */
function onReplace(replace: () => void): Disposable {
  process.on('SIGUSR2', replace)
  return { [Symbol.dispose]: () => void process.off('SIGUSR2', replace) }
}

/** Whether a settler has told, or may still tell, of deployments. */
function mayHaveDeployments({ config, dir }: Context): boolean {
  return config.nats.url !== undefined || existsSync(dir.policy)
}
