import { existsSync } from 'node:fs'
import { Option } from 'commander'
import type { Command } from 'commander'
import { catchAllRoute } from '@ascribe/gateway'
import type { Route } from '@ascribe/gateway'
import { InputError } from '@ascribe/kit'
import { runProcess } from '@ascribe/service'
import { portArgument } from '../arguments.ts'
import { contextOf } from '../command.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { routesOf } from '../route-settings.ts'
import type { Finish } from '../finish.ts'
import { workerArguments } from '../gateway-workers/arguments.ts'
import { serveGateway } from '../gateway-workers/serve.ts'
import type { Surroundings } from '../surroundings.ts'

type GatewayOptions = {
  readonly port?: number
  readonly upstream?: string
  readonly trustHeadersFrom?: string
  readonly metricsPort?: number
  readonly worker?: boolean
}

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
      const { config, logger } = context
      const routesIn = ({ gateway }: Config): readonly Route[] => [
        ...routesOf(gateway),
        ...(options.upstream === undefined ? [] : [catchAllRoute(options.upstream)]),
      ]
      const routes = routesIn(config)
      if (routes.length === 0 && options.worker !== true && !mayHaveDeployments(context)) {
        throw new InputError('Cannot start the gateway: there is no route', {
          hint: 'Give --upstream URL, or routes under `gateway.routes` in the configuration, or deployments by `ascribe routes set`.',
        })
      }
      const routeSource = { file: context.configFile, read: () => routesIn(context.reload().value) }
      if (options.worker === true) {
        finish(await (await import('../gateway-workers/worker.ts')).runWorker(context, { routes, routeSource }))
        return
      }
      const workerArgs = workerArguments(context, options.upstream)
      finish(
        await runProcess({
          name: 'gateway',
          logger,
          start: (scope) => serveGateway(context, { scope, routes, routeSource, workerArgs, env: surroundings.env }),
        }),
      )
    })
}

/** Whether a settler has told, or may still tell, of deployments. */
function mayHaveDeployments({ config, dir }: Context): boolean {
  return config.nats.url !== undefined || existsSync(dir.policy)
}
