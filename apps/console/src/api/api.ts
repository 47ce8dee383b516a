import { createBrowserClient, operationUrl } from '@ascribe/contract/client'
import type { BrowserClient, CallInput, Operation } from '@ascribe/contract/client'
import type { ConsoleConfig } from '../config.ts'
import { createFetch } from './ask.ts'

/** What a call says besides the organization, which is known. */
export type ApiInput<Params, Query, Body = undefined> = {
  readonly params?: Partial<Omit<Params, 'id'>>
  readonly query?: Partial<Query>
  readonly body?: Body
  readonly signal?: AbortSignal
}

/** The API as one organization's pages ask it: `{id}` of every path is that organization. */
export type ConsoleApi = {
  /** Part of every cache key: two organizations never share an entry (R11). */
  readonly organizationId: string
  call<Params, Query, Body, Reply>(operation: Operation<Params, Query, Body, Reply>, input?: ApiInput<Params, Query, Body>): Promise<Reply>
  /** With the reply as it is: for downloads and headers. */
  open<Params, Query, Body, Reply>(
    operation: Operation<Params, Query, Body, Reply>,
    input?: ApiInput<Params, Query, Body>,
  ): Promise<Response>
  /** For links: the address of an operation. */
  url<Params, Query, Body, Reply>(operation: Operation<Params, Query, Body, Reply>, input?: ApiInput<Params, Query, Body>): string
}

export type ConsoleClient = BrowserClient<Response>

/** Where the API is, as an absolute URL. */
export function apiOrigin({ apiBase }: Pick<ConsoleConfig, 'apiBase'>): string {
  return apiBase === '' ? location.origin : apiBase
}

/** A client without an organization: sign-in, search, acting sessions. */
export function createClient(config: ConsoleConfig, organizationId?: string): ConsoleClient {
  return createBrowserClient({
    baseUrl: apiOrigin(config),
    identity:
      config.mode === 'operator' ? { kind: 'operator', ...(organizationId !== undefined && { organizationId }) } : { kind: 'cookie' },
    fetch: createFetch(apiOrigin(config)),
  })
}

/** The API for one organization's pages. */
export function createApi(config: ConsoleConfig, organizationId: string): ConsoleApi {
  const client = createClient(config, organizationId)
  const whole = <Params, Query, Body>(input: ApiInput<Params, Query, Body>): CallInput<Params, Query, Body> => {
    // The rest of an operation's parameters is what its page was asked to give.
    const params = { id: organizationId, ...input.params } as Params
    return { ...input, params } as CallInput<Params, Query, Body>
  }
  return {
    organizationId,
    call: (operation, input = {}) => client.call(operation, whole(input)),
    open: (operation, input = {}) => client.open(operation, whole(input)),
    url: (operation, input = {}) => operationUrl(apiOrigin(config), operation, whole(input)),
  }
}
