import type { Listener, RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema } from '../schemas.ts'
import type { NoParams, NoQuery } from '../types.ts'
import {
  DailyCostBreakdownSchema,
  DailyCostSchema,
  OrganizationResponseSchema,
  PaginatedCreditsSchema,
  PaginatedInvoicesSchema,
  PaginatedRegionsSchema,
  ReferenceInvoicesQuerySchema,
  ReferencePageQuerySchema,
  ReferenceWindowQuerySchema,
} from './reference-schemas.ts'
import type {
  DailyCostBreakdownResponse,
  DailyCostResponse,
  OrganizationResponse,
  Paginated,
  ReferenceCreditBlock,
  ReferenceInvoice,
  ReferenceInvoicesQuery,
  ReferencePageQuery,
  ReferenceRegion,
  ReferenceWindowQuery,
} from './reference-types.ts'

/** What every read has in common: customers and operators may call it, of an organization, to look at its bills. */
export const READ: {
  readonly method: 'GET'
  readonly listeners: readonly Listener[]
  readonly subject: 'organization'
  readonly needs: RouteDef['needs']
} = {
  method: 'GET',
  listeners: ['public', 'internal'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
}

export const getReferenceOrganization: RouteDef<NoParams, NoQuery, undefined, OrganizationResponse> = {
  ...READ,
  operationId: 'getReferenceOrganization',
  summary: 'The organization, in the shape of the reference console.',
  path: '/api/organization',
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: OrganizationResponseSchema,
}

export const getDailyCostBreakdown: RouteDef<NoParams, ReferenceWindowQuery, undefined, DailyCostBreakdownResponse> = {
  ...READ,
  operationId: 'getDailyCostBreakdown',
  summary: 'What each UTC day cost, of the organization and its children, by resource, key and price. One entry for each day.',
  path: '/api/costs/breakdown/daily',
  params: NoParamsSchema,
  query: ReferenceWindowQuerySchema,
  reply: DailyCostBreakdownSchema,
}

export const getDailyCosts: RouteDef<NoParams, ReferenceWindowQuery, undefined, DailyCostResponse> = {
  ...READ,
  operationId: 'getDailyCosts',
  summary: "What each UTC day cost, by region and rate: the reference's older report.",
  path: '/api/costs/daily',
  params: NoParamsSchema,
  query: ReferenceWindowQuerySchema,
  reply: DailyCostSchema,
}

export const listReferenceCredits: RouteDef<NoParams, ReferencePageQuery, undefined, Paginated<ReferenceCreditBlock>> = {
  ...READ,
  operationId: 'listReferenceCredits',
  summary: 'Credits that are in force and not spent, in the order in which they are drawn.',
  path: '/api/credits',
  params: NoParamsSchema,
  query: ReferencePageQuerySchema,
  reply: PaginatedCreditsSchema,
}

export const listReferenceInvoices: RouteDef<NoParams, ReferenceInvoicesQuery, undefined, Paginated<ReferenceInvoice>> = {
  ...READ,
  operationId: 'listReferenceInvoices',
  summary: 'The 20 most recent invoices, and earlier ones by cursor. Without a state that is true: all but those whose state is false.',
  path: '/api/invoices',
  params: NoParamsSchema,
  query: ReferenceInvoicesQuerySchema,
  reply: PaginatedInvoicesSchema,
}

export const listReferenceRegions: RouteDef<NoParams, ReferencePageQuery, undefined, Paginated<ReferenceRegion>> = {
  ...READ,
  operationId: 'listReferenceRegions',
  summary: 'Where the organization and its children have used anything.',
  path: '/api/cloud-regions',
  params: NoParamsSchema,
  query: ReferencePageQuerySchema,
  reply: PaginatedRegionsSchema,
}

export const REFERENCE_ROUTES: readonly RouteDef[] = [
  getReferenceOrganization,
  getDailyCostBreakdown,
  getDailyCosts,
  listReferenceCredits,
  listReferenceInvoices,
  listReferenceRegions,
]
