import { getStatement, listUsageRecords } from '@ascribe/contract'
import type { EventsConfig } from './event-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { organizationRoute } from './handler.ts'
import type { Route } from './handler.ts'
import { readStatement } from './read-statement.ts'
import { readUsageRecords } from './read-usage-records.ts'
import { readRoutes } from './reads/index.ts'

/** What both customers and operators read. */
export const READ_ROUTES: readonly Route[] = [
  organizationRoute(getStatement, ({ db, organizationId }, { query }) => readStatement(db, organizationId, query)),
  organizationRoute(listUsageRecords, ({ db, organizationId }, { query }) => readUsageRecords(db, organizationId, query)),
  ...readRoutes,
]

/** Every row of the customers' listener. */
export function publicRoutes({ events }: { readonly events: EventsConfig | undefined }): readonly Route[] {
  return [...READ_ROUTES, ...(events === undefined ? [] : eventRoutes(events))]
}
