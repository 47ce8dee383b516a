import { isJsonReply } from '@ascribe/contract'
import type { AssertionVerifier } from '@ascribe/identity/teleport'
import type { OrganizationSource, OriginPattern } from '@ascribe/identity/view-as'
import type { HostPort } from '@ascribe/service'
import { startListener } from '../http/listener.ts'
import { consoleRoutes } from '../console/console-routes.ts'
import type { ConsoleSite } from '../console/console-routes.ts'
import { operatorPage } from '../console/operator-page.ts'
import type { Route } from '../handler.ts'
import { READ_ROUTES } from '../public-routes.ts'
import { siteRoutes } from '../site/site-routes.ts'
import { whole } from '../start.ts'
import type { Api, ListenerDeps } from '../start.ts'
import { createFindSession } from './find-session.ts'
import { createInternalGate } from './gate.ts'
import { createOperatorLimiter } from './operator-limiter.ts'
import type { OperatorLimits } from './operator-limiter.ts'
import { internalRoutes } from './routes.ts'

export type InternalConfig = HostPort & {
  readonly verifier: AssertionVerifier
  readonly organizationFrom: readonly OrganizationSource[]
  readonly allowOrigins: readonly OriginPattern[]
  /** `implied`: who has no acting session gets one with the assertion. */
  readonly acting: 'required' | 'implied'
  /** Of an implied session. */
  readonly actingTtlMs: number
  readonly limits: OperatorLimits
  /** Where browsers reach this listener: the origin of Teleport's app; the console asks there. Absent: where it is served. */
  readonly publicOrigin?: string
  /** Whether operators may take data away as a file. Default true: each is a line in the customer's log. */
  readonly mayExport?: boolean
  /** Absent: no console is served. */
  readonly console?: ConsoleSite
}

/** Starts the operators' listener: behind Teleport, reading only. */
export async function startInternal(config: InternalConfig, given: ListenerDeps): Promise<Api> {
  const deps = whole(given)
  const { acting, actingTtlMs, publicOrigin = '', limits, mayExport = true, console: site } = config
  const gate = createInternalGate({
    ...deps,
    ...config,
    findSession: createFindSession({ ...deps, mode: acting, ttlMs: actingTtlMs }),
    limit: createOperatorLimiter(limits, deps.clock),
  })
  const served = [...operatorReads(mayExport), ...internalRoutes(config.allowOrigins)]
  const page = operatorPage({ publicOrigin, allowOrigins: config.allowOrigins, mayExport })
  const pages = site === undefined ? [] : consoleRoutes('internal', { site, config: page })
  const routes = [...served, ...siteRoutes('internal', served), ...pages]
  return startListener(deps, { address: config, gate, routes })
}

/** What operators may read: everything that customers may, but for files where the installation keeps them in. */
export function operatorReads(mayExport: boolean): readonly Route[] {
  return READ_ROUTES.filter(({ def }) => def.listeners.includes('internal') && (mayExport || isJsonReply(def.reply)))
}
