import { AscribeError } from '@ascribe/kit'
import type { ApiErrorCode } from './errors.ts'
import type { Listener } from './route.ts'

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
 * `operator`: a console behind Teleport: simple GETs, with the organization in `Accept` and nothing else (billing-view.md 1.3); without one
 * for what is about no organization.
 */
export type ClientIdentity =
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'cookie' }
  | { readonly kind: 'operator'; readonly organizationId?: string }

export type ApiClientOptions<Reply extends ClientReply = ClientReply> = {
  /** An absolute URL: of a page's own API its origin. */
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

/** As much of an operation as a request is made from: no schema in it, so that a browser need not load any. */
export type Sendable = {
  readonly operationId: string
  readonly method: string
  /** With `{name}` for a segment. */
  readonly path: string
  readonly listeners: readonly Listener[]
  readonly bodyType?: 'json' | 'form' | 'raw'
}

/** Where an operation is: the path of the contract with its placeholders filled, and the query. */
export function operationUrl<Params, Query>(
  baseUrl: string,
  { path }: Sendable,
  { params, query }: { readonly params?: Params; readonly query?: Partial<Query> } = {},
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

/** Sends a request and gives a reply whose status is a success. @throws {ApiClientError} @throws {ReadOnlyError} */
export async function sendRequest<Params, Query, Body, Reply extends ClientReply>(
  { baseUrl, identity, fetch }: ApiClientOptions<Reply>,
  operation: Sendable,
  input: CallInput<Params, Query, Body>,
): Promise<Reply> {
  refuseWrite(operation, identity)
  const { body, contentType } = bodyOf(operation, input.body)
  const init = {
    method: operation.method,
    headers: headersOf(identity, { contentType, idempotencyKey: input.idempotencyKey }),
    credentials: identity.kind === 'bearer' ? ('omit' as const) : ('include' as const),
    ...(body !== undefined && { body }),
    ...(input.signal !== undefined && { signal: input.signal }),
  }
  const reply = await fetch(operationUrl(baseUrl, operation, input), init).catch((cause: unknown) => {
    throw new ApiClientError(`Cannot ${operation.operationId}: no answer`, { status: 0, cause })
  })
  if (reply.status >= 200 && reply.status < 300) return reply
  throw refusalOf(operation, { status: reply.status, body: await reply.json().catch(() => undefined) })
}

/** Beginning and ending to look is all that an operator may send. */
function refuseWrite({ method, listeners, operationId }: Sendable, { kind }: ClientIdentity): void {
  if (kind === 'operator' && method !== 'GET' && !listeners.includes('internal'))
    throw new ReadOnlyError(`Cannot ${operationId}: operators only look`)
}

function bodyOf({ bodyType }: Sendable, value: unknown): { readonly body: string | undefined; readonly contentType: string | undefined } {
  if (value === undefined) return { body: undefined, contentType: undefined }
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
    ...(identity.kind === 'operator' && identity.organizationId !== undefined && { accept: identity.organizationId }),
    ...(contentType !== undefined && { 'content-type': contentType }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  }
}

/** Read by hand: the schema of the same is worth more than this whole client in a browser. */
function refusalOf({ operationId }: Sendable, { status, body }: { readonly status: number; readonly body: unknown }): ApiClientError {
  const { code, message, requestId } = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>
  if (typeof code !== 'string' || typeof message !== 'string' || typeof requestId !== 'string')
    return new ApiClientError(`Cannot ${operationId}: status ${status}`, { status })
  // A newer server may have words that this client does not know: whoever branches on them has a way for the others.
  return new ApiClientError(`Cannot ${operationId}: ${message}`, { status, apiCode: code as ApiErrorCode, requestId })
}
