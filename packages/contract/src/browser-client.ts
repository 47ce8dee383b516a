import { ApiClientError, sendRequest } from './client-request.ts'
import type { ApiClientOptions, CallInput, ClientReply, Sendable } from './client-request.ts'
import type { RouteDef } from './route.ts'

/** An operation without its schemas: what `operations.ts` holds of every route, and the types of the rest. */
export type Operation<Params = unknown, Query = unknown, Body = unknown, Reply = unknown> = Sendable & {
  readonly answers: 'json' | 'stream' | 'nothing'
  /** Never there: it carries the types. */
  readonly types?: { readonly params: Params; readonly query: Query; readonly body: Body; readonly reply: Reply }
}

/** The operation of a definition. */
export type OperationOf<Route> =
  Route extends RouteDef<infer Params, infer Query, infer Body, infer Reply> ? Operation<Params, Query, Body, Reply> : never

/** A client that trusts the contract: the server's tests check every reply against it, and schemas would be most of a page's bytes. */
export type BrowserClient<Reply extends ClientReply = ClientReply> = {
  /** @throws {ApiClientError} @throws {ReadOnlyError} */
  call<Params, Query, Body, Result>(
    operation: Operation<Params, Query, Body, Result>,
    input?: CallInput<Params, Query, Body>,
  ): Promise<Result>
  /** With the reply as it is: for streams and for headers. Its status is a success. @throws {ApiClientError} @throws {ReadOnlyError} */
  open<Params, Query, Body, Result>(
    operation: Operation<Params, Query, Body, Result>,
    input?: CallInput<Params, Query, Body>,
  ): Promise<Reply>
}

/** @example const report = await client.call(getCosts, { params: { id }, query: { from, to } }) */
export function createBrowserClient<Reply extends ClientReply>(options: ApiClientOptions<Reply>): BrowserClient<Reply> {
  const open: BrowserClient<Reply>['open'] = (operation, input = {}) => sendRequest(options, operation, input)
  return {
    open,
    async call(operation, input) {
      const reply = await open(operation, input)
      if (operation.answers !== 'json') return undefined as never
      const body = await reply.json().catch((cause: unknown) => {
        throw new ApiClientError(`Cannot ${operation.operationId}: the reply is not JSON`, { status: reply.status, cause })
      })
      return body as never
    },
  }
}
