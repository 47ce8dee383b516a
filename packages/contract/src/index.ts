export { createApiClient } from './client.ts'
export type { ApiClient } from './client.ts'
export { ApiClientError, ReadOnlyError } from './client-request.ts'
export type { ApiClientOptions, CallInput, ClientFetch, ClientIdentity, ClientReply } from './client-request.ts'
export { API_ERRORS, ApiErrorSchema } from './errors.ts'
export type { ApiError, ApiErrorCode, ApiErrorKind, ApiReason } from './errors.ts'
export { ingestEvents, ingestOpenMeterEvents, listOpenMeterEvents, queryMeter } from './event-routes.ts'
export type { MeterParams } from './event-routes.ts'
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
export { endActingSession, getActingSession, redirect, searchOrganizations, startActingSession } from './internal-routes.ts'
export type {
  ActingSessionJson,
  EndActing,
  EndedActing,
  FoundOrganizations,
  OrganizationSearch,
  RedirectQuery,
  StartActing,
} from './internal-types.ts'
export { openApiDocument } from './openapi.ts'
export { LISTENERS, isJsonReply } from './route.ts'
export type { KeyScope, Listener, PlatformScope, RouteDef, RouteSubject, StreamContent, UserRole } from './route.ts'
export { API_ROUTES, getStatement, listUsageRecords, routesOf } from './routes.ts'
export { NoParamsSchema, NoQuerySchema, OrganizationParamsSchema } from './schemas.ts'
export type {
  DecimalText,
  Held,
  StatementMemo,
  StatementMemoLine,
  NoParams,
  NoQuery,
  OrganizationParams,
  Statement,
  StatementLine,
  StatementLineKind,
  StatementQuery,
  UsageEvent,
  UsageEventPage,
  UsageRecordsQuery,
} from './types.ts'
