import { ApiClientError, sendRequest } from './client-request.ts'
import type { ApiClientOptions, CallInput, ClientReply } from './client-request.ts'
import { isJsonReply } from './route.ts'
import type { RouteDef } from './route.ts'

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
  const open: ApiClient<Reply>['open'] = (route, input = {}) => sendRequest(options, route, input)
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
