import { EVENT_ROUTES } from './event-routes.ts'
import type { Listener, RouteDef } from './route.ts'
import {
  OrganizationParamsSchema,
  StatementQuerySchema,
  StatementSchema,
  UsageEventPageSchema,
  UsageRecordsQuerySchema,
} from './schemas.ts'
import type { OrganizationParams, Statement, StatementQuery, UsageEventPage, UsageRecordsQuery } from './types.ts'

export const getStatement: RouteDef<OrganizationParams, StatementQuery, undefined, Statement> = {
  operationId: 'getStatement',
  summary: "An organization's statement for a month: per model and key, with quantities, rates and amounts.",
  method: 'GET',
  path: '/v1/organizations/{id}/statement',
  listeners: ['public', 'internal'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
  params: OrganizationParamsSchema,
  query: StatementQuerySchema,
  reply: StatementSchema,
}

export const listUsageRecords: RouteDef<OrganizationParams, UsageRecordsQuery, undefined, UsageEventPage> = {
  operationId: 'listUsageRecords',
  summary:
    'The usage records behind a statement or one of its lines, oldest first. Of a closed month those that are charged now, late ones included.',
  method: 'GET',
  path: '/v1/organizations/{id}/usage-records',
  listeners: ['public', 'internal'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
  params: OrganizationParamsSchema,
  query: UsageRecordsQuerySchema,
  reply: UsageEventPageSchema,
}

/** Every operation of every listener, in the order of the documentation. */
export const API_ROUTES: readonly RouteDef[] = [getStatement, listUsageRecords, ...EVENT_ROUTES]

/** What one listener serves. */
export function routesOf(listener: Listener): readonly RouteDef[] {
  return API_ROUTES.filter(({ listeners }) => listeners.includes(listener))
}
