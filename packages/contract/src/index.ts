export { ApiClientError, createApiClient } from './client.ts'
export type { ApiClient, ApiClientOptions } from './client.ts'
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
