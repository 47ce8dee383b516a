import { dirname, join } from 'node:path'
import type { Clock } from '@ascribe/kit'
import { openKeyDirectory } from '@ascribe/identity'
import type { KeyDirectory } from '@ascribe/identity'
import { FollowedFile } from './routing/follow-file.ts'
import { lastGoodAt } from './routing/last-good.ts'
import { RouteBook } from './routing/route-book.ts'
import { createRoutingMeters } from './routing/routing-meters.ts'
import type { RoutingMeters } from './routing/routing-meters.ts'
import type { GatewayConfig, GatewayDeps, GatewayPlaces } from './start.ts'

/** What the policy snapshot tells: keys, and deployments beside the routes of the configuration. */
export type OpenRoutes = AsyncDisposable & {
  readonly routes: RouteBook
  readonly routing: RoutingMeters
  readonly keys: KeyDirectory
  /** Reads the routes of the configuration again. */
  readonly reread: () => void
}

/** Follows the policy snapshot. @throws {InputError} for routes of the configuration that cannot be used. */
export function openRoutes(
  config: Pick<GatewayConfig, 'routes' | 'routeSource' | 'readDeployment'>,
  places: Pick<GatewayPlaces, 'policy'>,
  deps: Pick<GatewayDeps, 'serverSecret' | 'logger' | 'meters'> & { readonly clock: Clock },
): OpenRoutes {
  const { serverSecret, logger, meters, clock } = deps
  const routing = createRoutingMeters(meters)
  const routes = new RouteBook({
    routes: config.routes,
    readDeployment: config.readDeployment,
    lastGood: lastGoodAt(join(dirname(places.policy), 'routes.json')),
    refresh: () => keys.refresh(),
    logger,
    meters: routing,
  })
  const keys = openKeyDirectory({
    path: places.policy,
    serverSecret,
    logger,
    clock,
    onSnapshot: ({ deployments }) => {
      if (deployments !== undefined) routes.follow(deployments)
    },
  })
  const followed = config.routeSource === undefined ? undefined : new FollowedFile(config.routeSource, { book: routes, logger })
  return {
    routes,
    routing,
    keys,
    reread: () => followed?.reread(),
    async [Symbol.asyncDispose]() {
      followed?.[Symbol.dispose]()
      keys[Symbol.dispose]()
      await routes[Symbol.asyncDispose]()
    },
  }
}
