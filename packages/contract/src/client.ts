import { AscribeError } from '@ascribe/kit'
import { ApiErrorSchema } from './errors.ts'
import type { ApiErrorCode } from './errors.ts'
import { isJsonReply } from './route.ts'
import type { RouteDef } from './route.ts'
import { getStatement, listUsageRecords } from './routes.ts'
import type { OrganizationParams, Statement, StatementQuery, UsageEventPage, UsageRecordsQuery } from './types.ts'

/** The API refused, or answered with something else than its contract. */
export class ApiClientError extends AscribeError {
  override readonly code = 'API_REQUEST_FAILED'
  /** HTTP status. */
  readonly status: number
  /** The API's own word, if it gave one. */
  readonly apiCode: ApiErrorCode | undefined

  constructor(
    message: string,
    options: { readonly status: number; readonly apiCode?: ApiErrorCode | undefined; readonly cause?: unknown },
  ) {
    super(message, options)
    this.status = options.status
    this.apiCode = options.apiCode
  }
}

export type ApiClientOptions = {
  readonly baseUrl: string
  /** An API key with scope `billing:read`. */
  readonly key: string
  readonly fetch: (
    url: string,
    init: { readonly headers: Record<string, string> },
  ) => Promise<{ readonly status: number; json(): Promise<unknown> }>
}

export type ApiClient = {
  /** @throws {ApiClientError} */
  statement(organizationId: string, query: StatementQuery): Promise<Statement>
  /** @throws {ApiClientError} */
  usageRecords(organizationId: string, query: Partial<UsageRecordsQuery> & StatementQuery): Promise<UsageEventPage>
}

/** A client whose every reply has been checked against the contract. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  async function call<Response>(
    route: RouteDef<OrganizationParams, unknown, undefined, Response>,
    id: string,
    query: object,
  ): Promise<Response> {
    const url = new URL(route.path.replace('{id}', encodeURIComponent(id)), options.baseUrl)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value))
    const reply = await options.fetch(url.href, { headers: { authorization: `Bearer ${options.key}` } })
    const body = await reply.json()
    if (reply.status !== 200) {
      const refusal = ApiErrorSchema.safeParse(body)
      throw new ApiClientError(`Cannot ${route.operationId}: ${refusal.success ? refusal.data.message : `status ${reply.status}`}`, {
        status: reply.status,
        apiCode: refusal.data?.code,
      })
    }
    const parsed = isJsonReply(route.reply) ? route.reply.safeParse(body) : undefined
    if (parsed?.success !== true)
      throw new ApiClientError(`Cannot ${route.operationId}: the reply breaks the contract`, { status: 200, cause: parsed?.error })
    return parsed.data
  }
  return {
    statement: (id, query) => call(getStatement, id, query),
    usageRecords: (id, query) => call(listUsageRecords, id, query),
  }
}
