import type { RouteDef } from '../route.ts'
import { OrganizationParamsSchema } from '../schemas.ts'
import type { OrganizationParams } from '../types.ts'
import {
  AsOfSchema,
  CataloguePageSchema,
  CatalogueQuerySchema,
  CostReportSchema,
  CostsQuerySchema,
  DimensionParamsSchema,
  FreshnessQuerySchema,
  UsageReportQuerySchema,
  UsageReportSchema,
} from './cost-schemas.ts'
import type {
  AsOf,
  CataloguePageJson,
  CatalogueQuery,
  CostReport,
  CostsQuery,
  DimensionParams,
  FreshnessQuery,
  UsageQuery,
  UsageReport,
} from './cost-types.ts'
import { READ } from './reference-routes.ts'

export const getCosts: RouteDef<OrganizationParams, CostsQuery, undefined, CostReport> = {
  ...READ,
  operationId: 'getCosts',
  summary: 'What was charged in a window, by any dimensions. However it is grouped, it adds up to the statements exactly.',
  path: '/v1/organizations/{id}/costs',
  params: OrganizationParamsSchema,
  query: CostsQuerySchema,
  reply: CostReportSchema,
}

export const getUsage: RouteDef<OrganizationParams, UsageQuery, undefined, UsageReport> = {
  ...READ,
  operationId: 'getUsage',
  summary: 'What was used in a window, by any dimensions: records, and quantities by meter, as the facts are known now.',
  path: '/v1/organizations/{id}/usage',
  params: OrganizationParamsSchema,
  query: UsageReportQuerySchema,
  reply: UsageReportSchema,
}

export const getFreshness: RouteDef<OrganizationParams, FreshnessQuery, undefined, AsOf> = {
  ...READ,
  operationId: 'getFreshness',
  summary: 'How new the data are, and whether anything is held.',
  path: '/v1/organizations/{id}/freshness',
  params: OrganizationParamsSchema,
  query: FreshnessQuerySchema,
  reply: AsOfSchema,
}

export const getCatalogue: RouteDef<DimensionParams, CatalogueQuery, undefined, CataloguePageJson> = {
  ...READ,
  operationId: 'getCatalogue',
  summary: 'The keys that a dimension ever had, in order of their first use: an order in which a key keeps its place.',
  path: '/v1/organizations/{id}/catalogues/{dimension}',
  params: DimensionParamsSchema,
  query: CatalogueQuerySchema,
  reply: CataloguePageSchema,
}

export const COST_ROUTES: readonly RouteDef[] = [getCosts, getUsage, getFreshness, getCatalogue]
