// Not from the gateway's index: `up` loads that later.
import { catchAllRoute } from '@ascribe/gateway/routes'
import type { Route } from '@ascribe/gateway/routes'
import type { Config } from './config.ts'
import { routesOf } from './route-settings.ts'

/** The routes of `ascribe up` to real engines: `upstream` is for models without a route. None: the sandbox serves. */
export function configuredRoutes(config: Config, upstream: string | undefined): readonly Route[] {
  const routes = routesOf(config.gateway)
  if (upstream === undefined) return routes
  return [...routes.filter((route) => route.models.length > 0), catchAllRoute(upstream)]
}
