import { AscribeError } from '@ascribe/kit'
import { ApiErrorSchema } from './errors.ts'
import type { ApiErrorCode } from './errors.ts'
import { isJsonReply } from './route.ts'
import type { RouteDef } from './route.ts'

/** The API refused, was not reached, or answered with something else than its contract. */
export class ApiClientError extends AscribeError {
  override readonly code = 'API_REQUEST_FAILED'
  /** HTTP status; 0: no answer that may be read. Behind Teleport that is most often a session that has ended (R13). */
  readonly status: number
  /** The API's own word, if it gave one. */
  readonly apiCode: ApiErrorCode | undefined
  /** Joins the failure to the server's log and trail. */
  readonly requestId: string | undefined

  constructor(
    message: string,
    options: {
      readonly status: number
      readonly apiCode?: ApiErrorCode | undefined
      readonly requestId?: string | undefined
      readonly cause?: unknown
    },
  ) {
    super(message, options)
    this.status = options.status
    this.apiCode = options.apiCode
    this.requestId = options.requestId
  }
}

/** A write was asked for by somebody who only looks. Nothing was sent (R2). */
export class ReadOnlyError extends AscribeError {
  override readonly code = 'API_READ_ONLY'
}

export type ClientReply = {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  json(): Promise<unknown>
  text(): Promise<string>
}

/** What a client is given to send with: `fetch` of a browser or of Node. */
export type ClientFetch<Reply extends ClientReply> = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body?: string
    readonly credentials: 'include' | 'omit'
    readonly signal?: AbortSignal
  },
) => Promise<Reply>

/**
 * Who asks. `bearer`: a program, with an API key, an access token or the platform's credential. `cookie`: the console, after a login.
 * `operator`: a console behind Teleport: simple GETs, with the organization in `Accept` and nothing else (billing-view.md 1.3).
 */
export type ClientIdentity =
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'cookie' }
  | { readonly kind: 'operator'; readonly organizationId: string }

export type ApiClientOptions<Reply extends ClientReply = ClientReply> = {
  readonly baseUrl: string
  readonly identity: ClientIdentity
  readonly fetch: ClientFetch<Reply>
}

export type CallInput<Params, Query, Body> = {
  readonly params?: Params
  /** What has a default may be left out. */
  readonly query?: Partial<Query>
  readonly body?: Body
  readonly signal?: AbortSignal
  readonly idempotencyKey?: string
}

/** A client of every operation, typed by its definition. */
export type ApiClient<Reply extends ClientReply = ClientReply> = {
  /** Calls an operation and checks its reply against the contract. @throws {ApiClientError} @throws {ReadOnlyError} */
  call<Params, Query, Body, Result>(route: RouteDef<Params, Query, Body, Result>, input?: CallInput<Params, Query, Body>): Promise<Result>
  /** The same, with the reply as it is: for streams and for headers. Its status is a success. @throws {ApiClientError} @throws {ReadOnlyError} */
  open<Params, Query, Body, Result>(route: RouteDef<Params, Query, Body, Result>, input?: CallInput<Params, Query, Body>): Promise<Reply>
}

/**
 * Makes a client from the definitions that server and openapi.json are made from: types, paths and checks cannot drift apart.
 * @example const statement = await client.call(getStatement, { params: { id }, query: { month: '2026-11' } })
 */
export function createApiClient<Reply extends ClientReply>(options: ApiClientOptions<Reply>): ApiClient<Reply> {
  async function open<Params, Query, Body>(
    route: RouteDef<Params, Query, Body>,
    input: CallInput<Params, Query, Body> = {},
  ): Promise<Reply> {
    refuseWrite(route, options.identity)
    const { body, contentType } = bodyOf(route, input.body)
    const headers = headersOf(options.identity, { contentType, idempotencyKey: input.idempotencyKey })
    const init = {
      method: route.method,
      headers,
      credentials: options.identity.kind === 'bearer' ? ('omit' as const) : ('include' as const),
      ...(body !== undefined && { body }),
      ...(input.signal !== undefined && { signal: input.signal }),
    }
    const reply = await options.fetch(urlOf(options.baseUrl, route, input), init).catch((cause: unknown) => {
      throw new ApiClientError(`Cannot ${route.operationId}: no answer`, { status: 0, cause })
    })
    if (reply.status >= 200 && reply.status < 300) return reply
    throw await refusedBy(route, reply)
  }
  return {
    open,
    async call(route, input) {
      const reply = await open(route, input)
      // Without a schema there is no result: 204, or a redirect that was followed.
      if (!isJsonReply(route.reply)) return undefined as never
      const body = await reply.json()
      const parsed = route.reply.safeParse(body)
      if (parsed.success) return parsed.data
      // A newer server says more than this client knows. What it knows is as it should be, for nothing else is wrong.
      if (parsed.error.issues.every(({ code }) => code === 'unrecognized_keys')) return body as never
      throw new ApiClientError(`Cannot ${route.operationId}: the reply breaks the contract`, { status: reply.status, cause: parsed.error })
    },
  }
}

/** Beginning and ending to look is all that an operator may send. */
function refuseWrite({ method, listeners, operationId }: RouteDef, { kind }: ClientIdentity): void {
  if (kind === 'operator' && method !== 'GET' && !listeners.includes('internal'))
    throw new ReadOnlyError(`Cannot ${operationId}: operators only look`)
}

function urlOf<Params, Query, Body>(
  baseUrl: string,
  { path }: RouteDef<Params, Query, Body>,
  { params, query }: CallInput<Params, Query, Body>,
): string {
  const values = { ...params } as Record<string, unknown>
  const url = new URL(
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name]))),
    baseUrl,
  )
  for (const [name, value] of Object.entries({ ...query })) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) url.searchParams.append(name, String(each))
  }
  return url.href
}

function bodyOf(
  { body: schema, bodyType }: RouteDef,
  value: unknown,
): { readonly body: string | undefined; readonly contentType: string | undefined } {
  if (schema === undefined || value === undefined) return { body: undefined, contentType: undefined }
  // A form is a simple request: no browser asks anybody before sending it.
  if (bodyType === 'form') {
    const fields = Object.entries(value as object).filter(([, each]) => each !== undefined)
    const body = new URLSearchParams(fields.map(([name, each]): [string, string] => [name, String(each)]))
    return { body: body.toString(), contentType: 'application/x-www-form-urlencoded' }
  }
  return { body: JSON.stringify(value), contentType: 'application/json' }
}

function headersOf(
  identity: ClientIdentity,
  { contentType, idempotencyKey }: { readonly contentType: string | undefined; readonly idempotencyKey: string | undefined },
): Record<string, string> {
  return {
    ...(identity.kind === 'bearer' && { authorization: `Bearer ${identity.token}` }),
    ...(identity.kind === 'operator' && { accept: identity.organizationId }),
    ...(contentType !== undefined && { 'content-type': contentType }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  }
}

async function refusedBy({ operationId }: RouteDef, reply: ClientReply): Promise<ApiClientError> {
  const { status } = reply
  const parsed = ApiErrorSchema.safeParse(await reply.json().catch(() => undefined))
  if (!parsed.success) return new ApiClientError(`Cannot ${operationId}: status ${status}`, { status })
  const { code, message, requestId } = parsed.data
  return new ApiClientError(`Cannot ${operationId}: ${message}`, { status, apiCode: code, requestId })
}
