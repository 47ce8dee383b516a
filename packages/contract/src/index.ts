export { ApiClientError, createApiClient } from './client.ts'
export type { ApiClient, ApiClientOptions } from './client.ts'
export { EVENT_CONTENT_TYPES, EVENT_ROUTES } from './event-routes.ts'
export type { EventRoute } from './event-routes.ts'
export { ListEventsQuerySchema, MeterQuerySchema } from './event-schemas.ts'
export type {
  EventReport,
  EventResult,
  IngestedEvent,
  ListEventsQuery,
  MeterQuery,
  MeterQueryResult,
  MeterRow,
  WindowSize,
} from './event-types.ts'
export { openApiDocument } from './openapi.ts'
export { API_ROUTES, getStatement, listUsageRecords } from './routes.ts'
export type { ApiRoute } from './routes.ts'
export { ERROR_STATUS } from './schemas.ts'
export type {
  ApiError,
  ApiErrorCode,
  DecimalText,
  Held,
  OrganizationParams,
  Statement,
  StatementLine,
  StatementLineKind,
  StatementQuery,
  UsageEvent,
  UsageEventPage,
  UsageRecordsQuery,
} from './types.ts'
