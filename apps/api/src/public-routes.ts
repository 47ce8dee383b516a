import { getStatement, listUsageRecords } from '@ascribe/contract'
import { accessLogRoutes } from './access-log.ts'
import type { ClusterBackend } from './clusters/backend.ts'
import { clusterRoutes } from './clusters/routes.ts'
import type { EventsConfig } from './event-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { organizationRoute } from './handler.ts'
import type { Route } from './handler.ts'
import { readStatement } from './read-statement.ts'
import { readUsageRecords } from './read-usage-records.ts'
import { readRoutes } from './reads/index.ts'
import { ownBudgetRoutes } from './writes/budgets.ts'
import { keyRoutes } from './writes/keys.ts'
import type { KeyDeps } from './writes/keys.ts'
import { supportRoutes } from './writes/support.ts'

/** What both customers and operators read. */
export const READ_ROUTES: readonly Route[] = [
  organizationRoute(getStatement, ({ db, organizationId }, { query }) => readStatement(db, organizationId, query)),
  organizationRoute(listUsageRecords, ({ db, organizationId }, { query }) => readUsageRecords(db, organizationId, query)),
  ...readRoutes,
  ...accessLogRoutes,
]

/** Every row of the customers' listener, but for sign-in and pages. */
export function publicRoutes(
  deps: KeyDeps,
  { events, clusters }: { readonly events: EventsConfig | undefined; readonly clusters: ClusterBackend | undefined },
): readonly Route[] {
  return [
    ...READ_ROUTES,
    ...supportRoutes,
    ...keyRoutes(deps),
    ...ownBudgetRoutes(deps),
    ...clusterRoutes(clusters),
    ...(events === undefined ? [] : eventRoutes(events)),
  ]
}
