import type { z } from 'zod'
import {
  OrganizationParamsSchema,
  StatementQuerySchema,
  StatementSchema,
  UsageEventPageSchema,
  UsageRecordsQuerySchema,
} from './schemas.ts'
import type { OrganizationParams, Statement, StatementQuery, UsageEventPage, UsageRecordsQuery } from './types.ts'

/** One operation of the API: everything that server, client and openapi.json are made from. */
export type ApiRoute<Params = unknown, Query = unknown, Response = unknown> = {
  readonly operationId: string
  readonly summary: string
  readonly method: 'GET'
  /** With `{name}` for parameters. */
  readonly path: string
  readonly params: z.ZodType<Params>
  readonly query: z.ZodType<Query, unknown>
  readonly response: z.ZodType<Response>
}

export const getStatement: ApiRoute<OrganizationParams, StatementQuery, Statement> = {
  operationId: 'getStatement',
  summary: "An organization's statement for a month: per model and key, with quantities, rates and amounts.",
  method: 'GET',
  path: '/v1/organizations/{id}/statement',
  params: OrganizationParamsSchema,
  query: StatementQuerySchema,
  response: StatementSchema,
}

export const listUsageRecords: ApiRoute<OrganizationParams, UsageRecordsQuery, UsageEventPage> = {
  operationId: 'listUsageRecords',
  summary:
    'The usage records behind a statement or one of its lines, oldest first. Of a closed month those that are charged now, late ones included.',
  method: 'GET',
  path: '/v1/organizations/{id}/usage-records',
  params: OrganizationParamsSchema,
  query: UsageRecordsQuerySchema,
  response: UsageEventPageSchema,
}

/** Every operation, in the order of the documentation. */
export const API_ROUTES: readonly ApiRoute[] = [getStatement, listUsageRecords]
