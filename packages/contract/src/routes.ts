import { ACCESS_LOG_ROUTES } from './access-log.ts'
import { DIRECTORY_ROUTES } from './admin/directory-routes.ts'
import { MONEY_ROUTES } from './admin/money-routes.ts'
import { ORGANIZATION_ROUTES } from './admin/organization-routes.ts'
import { OWNER_ROUTES } from './admin/owner-routes.ts'
import { TERMS_ROUTES } from './admin/terms-routes.ts'
import { EVENT_ROUTES } from './event-routes.ts'
import { INTERNAL_ROUTES } from './internal-routes.ts'
import { READ_ROUTES } from './reads/routes.ts'
import { LOGIN_ROUTES } from './login/routes.ts'
import type { Listener, RouteDef } from './route.ts'
import {
  OrganizationParamsSchema,
  StatementQuerySchema,
  StatementSchema,
  UsageEventPageSchema,
  UsageRecordsQuerySchema,
} from './schemas.ts'
import { BUDGET_ROUTES } from './writes/budget-routes.ts'
import { CLUSTER_ROUTES } from './writes/cluster-routes.ts'
import { KEY_ROUTES } from './writes/key-routes.ts'
import { SUPPORT_ROUTES } from './writes/support-routes.ts'
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
export const API_ROUTES: readonly RouteDef[] = [
  getStatement,
  listUsageRecords,
  ...READ_ROUTES,
  ...ACCESS_LOG_ROUTES,
  ...SUPPORT_ROUTES,
  ...KEY_ROUTES,
  ...BUDGET_ROUTES,
  ...CLUSTER_ROUTES,
  ...LOGIN_ROUTES,
  ...EVENT_ROUTES,
  ...INTERNAL_ROUTES,
  ...ORGANIZATION_ROUTES,
  ...DIRECTORY_ROUTES,
  ...MONEY_ROUTES,
  ...TERMS_ROUTES,
  ...OWNER_ROUTES,
]

/** What one listener serves. */
export function routesOf(listener: Listener): readonly RouteDef[] {
  return API_ROUTES.filter(({ listeners }) => listeners.includes(listener))
}
