import type { RouteDef } from '../route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoQuery, OrganizationParams } from '../types.ts'
import {
  ChargeDetailSchema,
  ChargeParamsSchema,
  ChargesPageSchema,
  ChargesQuerySchema,
  ExportQuerySchema,
  RecordPageQuerySchema,
  RecordParamsSchema,
  RecordSchema,
  RecordsPageSchema,
  RecordsQuerySchema,
} from './detail-schemas.ts'
import type {
  ChargeDetail,
  ChargeParams,
  ChargesPage,
  ChargesQuery,
  ExportQuery,
  PageQuery,
  RecordJson,
  RecordParams,
  RecordsPage,
  RecordsQuery,
} from './detail-types.ts'
import { READ } from './reference-routes.ts'

export const listCharges: RouteDef<OrganizationParams, ChargesQuery, undefined, ChargesPage> = {
  ...READ,
  operationId: 'listCharges',
  summary: 'Hourly charges, oldest first: a quantity at a rate, rounded once.',
  path: '/v1/organizations/{id}/charges',
  params: OrganizationParamsSchema,
  query: ChargesQuerySchema,
  reply: ChargesPageSchema,
}

export const getCharge: RouteDef<ChargeParams, NoQuery, undefined, ChargeDetail> = {
  ...READ,
  operationId: 'getCharge',
  summary: 'One hourly charge, with the entry of the price book that applied.',
  path: '/v1/organizations/{id}/charges/{charge}',
  params: ChargeParamsSchema,
  query: NoQuerySchema,
  reply: ChargeDetailSchema,
}

export const listChargeRecords: RouteDef<ChargeParams, PageQuery, undefined, RecordsPage> = {
  ...READ,
  operationId: 'listChargeRecords',
  summary: 'The usage records behind an hourly charge, newest first, as things stand now.',
  path: '/v1/organizations/{id}/charges/{charge}/records',
  params: ChargeParamsSchema,
  query: RecordPageQuerySchema,
  reply: RecordsPageSchema,
}

export const listRecords: RouteDef<OrganizationParams, RecordsQuery, undefined, RecordsPage> = {
  ...READ,
  operationId: 'listRecords',
  summary: 'Usage records, newest first, each with what became of it and the prices that applied.',
  path: '/v1/organizations/{id}/records',
  params: OrganizationParamsSchema,
  query: RecordsQuerySchema,
  reply: RecordsPageSchema,
}

export const getRecord: RouteDef<RecordParams, NoQuery, undefined, RecordJson> = {
  ...READ,
  operationId: 'getRecord',
  summary: 'One usage record, with what became of it and the prices that applied.',
  path: '/v1/organizations/{id}/records/{record}',
  params: RecordParamsSchema,
  query: NoQuerySchema,
  reply: RecordSchema,
}

export const exportCharges: RouteDef<OrganizationParams, ExportQuery> = {
  ...READ,
  operationId: 'exportCharges',
  summary:
    'Everything that is charged in a window, as CSV or FOCUS: hourly charges, corrections, and what months come to, as on the statements.',
  path: '/v1/organizations/{id}/exports/charges',
  params: OrganizationParamsSchema,
  query: ExportQuerySchema,
  reply: { stream: ['text/csv'] },
}

export const DETAIL_ROUTES: readonly RouteDef[] = [listCharges, getCharge, listChargeRecords, listRecords, getRecord, exportCharges]
