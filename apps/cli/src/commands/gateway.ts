import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { catchAllRoute } from '@ascribe/gateway'
import type { Route } from '@ascribe/gateway'
import { InputError } from '@ascribe/kit'
import { createMeters, measureProcess, runProcess, startOps } from '@ascribe/service'
import { portArgument } from '../arguments.ts'
import { openBroker, shipInBackground } from '../broker.ts'
import { contextOf } from '../command.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { routesOf } from '../route-settings.ts'
import type { Finish } from '../finish.ts'
import { createReadiness } from '../readiness.ts'
import { runGateway } from '../run-gateway.ts'
import type { Surroundings } from '../surroundings.ts'

type GatewayOptions = {
  readonly port?: number
  readonly upstream?: string
  readonly trustHeadersFrom?: string
  readonly metricsPort?: number
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
      finish(
        await runProcess({
          name: 'gateway',
          logger,
          start: async (scope) => {
            await using stack = new AsyncDisposableStack()
            const meters = createMeters()
            stack.use(measureProcess(meters))
            const readiness = createReadiness()
            const ops = stack.use(await startOps({ ...config.ops, meters, ready: readiness.report }))
            const nats = openBroker(config, { name: 'gateway', logger })
            if (nats !== undefined) {
              stack.use(nats)
              const { shipper } = stack.use(shipInBackground(nats, { dir: context.dir, logger, meters, scope }))
              // Whatever the broker does, requests are served and journals keep their records.
              readiness.watch('broker', () => nats.trouble ?? shipper.trouble, { isVital: false })
            }
            const gateway = await runGateway(context, { routes, routeSource, logger, meters })
            stack.defer(() => gateway.close({ graceMs: GRACE_MS, cut: scope.cut }))
            readiness.watch('journal', () => gateway.unready)
            // Those before go on serving.
            readiness.watch('routes', () => gateway.routeTrouble, { isVital: false })
            scope.onReload(() => gateway.reread())
            stack.defer(readiness.stopping)
            if (out.json) out.value({ gateway: gateway.url, metrics: ops.url })
            else out.note(`gateway ${gateway.url}, metrics ${ops.url}`)
            return stack.move()
          },
        }),
      )
    })
}

/** Whether a settler has told, or may still tell, of deployments. */
function mayHaveDeployments({ config, dir }: Context): boolean {
  return config.nats.url !== undefined || existsSync(dir.policy)
}
