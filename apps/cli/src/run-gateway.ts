import type { Logger, Meters } from '@ascribe/kit'
import { startGateway } from '@ascribe/gateway'
import type { Gateway, GatewayConfig, Route, RouteSource } from '@ascribe/gateway'
import { tryLock } from '@ascribe/service'
import type { Context } from './context.ts'
import { bodyLogOf } from './body-log-settings.ts'
import { boundsOf } from './gateway-bounds.ts'
import { prepareDataDir } from './data-dir.ts'
import { deploymentRoute } from './route-settings.ts'
import { serverSecretOf } from './server-secret.ts'
import { trustOf } from './trust-settings.ts'

/** Starts the gateway as the configuration says, with these routes. */
export function runGateway(
  context: Pick<Context, 'config' | 'dir'>,
  deps: {
    readonly routes: readonly Route[]
    /** Where they come from, if they may change. */
    readonly routeSource?: RouteSource | undefined
    readonly logger: Logger
    readonly meters: Meters
  },
  /** Where it stands among others on the same port. */
  place: Pick<GatewayConfig, 'sockets' | 'gateways' | 'limits'> = {},
): Promise<Gateway> {
  const { config, dir } = context
  prepareDataDir(dir)
  const { routes, routeSource, logger, meters } = deps
  const bodyLog = bodyLogOf(config.body_log)
  return startGateway(
    {
      host: config.gateway.host,
      port: config.gateway.port,
      routes,
      ...(routeSource !== undefined && { routeSource }),
      readDeployment: (entry) => deploymentRoute(entry, config.gateway.credentials),
      paths: config.gateway.paths,
      trust: trustOf(config.gateway),
      headerPrefix: config.gateway.header_prefix,
      abort: config.gateway.abort,
      drain: { ms: config.gateway.drain_time, bytes: config.gateway.drain_size, tokens: config.gateway.drain_tokens },
      bodyBytesMax: config.gateway.body_size,
      ack: config.gateway.ack,
      bounds: boundsOf(config.gateway),
      ...(bodyLog !== undefined && { bodyLog }),
      ...place,
    },
    { journal: dir.journal, policy: dir.policy, bodies: dir.bodies },
    { serverSecret: serverSecretOf(context), tryLock, logger, meters },
  )
}
