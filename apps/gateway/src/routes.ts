import { InputError } from '@ascribe/kit'
import type { Upstream } from '@ascribe/relay'
import type { MultipleChoices } from '@ascribe/usage'

/** Where requests for some models go, and under what terms. */
export type Route = {
  /** Written into every record. */
  readonly id: string
  /** Models by the names that clients use. Empty: the catch-all. */
  readonly models: readonly string[]
  /** What is billed, unless a trusted header names it. */
  readonly resourceId: string
  readonly resourceType?: string
  readonly upstream: Upstream
  /** Path in front of the API's own, for example `/v1`. */
  readonly basePath: string
  /** Sent to the upstream as `Authorization: Bearer`. */
  readonly credential?: { reveal(): string }
  /** Lower-case names that go up although they do not by default: credentials of the client, identity headers. */
  readonly forwardHeaders: ReadonlySet<string>
  /** Send the client's own `X-Request-Id` up instead of our event id. */
  readonly forwardRequestId: boolean
  /** What to make of a request for several choices or prompts, which engines are known to under-report. */
  readonly multipleChoices: MultipleChoices
  /** The most tokens that the engine generates for one choice when a request does not say: what a budget then reserves. */
  readonly maxOutputTokens?: number
}

export type RouteTable = {
  /**
   * The route for a request: by the resource that a trusted header names, else by model, else the catch-all.
   * `undefined`: nobody has said where this goes.
   */
  find(wanted: { readonly model: string | undefined; readonly resourceId: string | undefined }): Route | undefined
  /** Models by name, sorted, each once. */
  readonly models: readonly string[]
}

/** @throws {InputError} when two routes claim one model, or there are two catch-alls. */
export function createRouteTable(routes: readonly Route[]): RouteTable {
  const byModel = new Map<string, Route>()
  const byResource = new Map<string, Route[]>()
  let catchAll: Route | undefined
  for (const route of routes) {
    if (route.models.length === 0) {
      if (catchAll !== undefined) throw new InputError(`Cannot use route "${route.id}": "${catchAll.id}" takes every model already`)
      catchAll = route
    }
    for (const model of route.models) {
      const other = byModel.get(model)
      if (other !== undefined) throw new InputError(`Cannot use route "${route.id}": model "${model}" goes to route "${other.id}" already`)
      byModel.set(model, route)
    }
    const sharers = byResource.get(route.resourceId)
    if (sharers === undefined) byResource.set(route.resourceId, [route])
    else sharers.push(route)
  }
  return {
    find({ model, resourceId }) {
      const sharers = resourceId === undefined ? undefined : byResource.get(resourceId)
      const forModel = model === undefined ? undefined : byModel.get(model)
      if (sharers === undefined) return forModel ?? catchAll
      // Several routes may be one resource: the model tells them apart.
      if (forModel !== undefined && sharers.includes(forModel)) return forModel
      return sharers.find((route) => route === catchAll) ?? sharers[0]
    },
    models: [...byModel.keys()].toSorted(),
  }
}

/** Splits the URL of an OpenAI-compatible API, given with or without its `/v1`, into what a route needs. */
export function parseUpstreamUrl(text: string): { readonly origin: string; readonly basePath: string } {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    // What stands before an @ may be a password.
    throw new InputError(`Cannot use "${text.replace(/[^/]*@/, '…@')}" as an upstream: it is not an http or https URL`, {
      hint: 'Write it like http://127.0.0.1:8000 or https://engine.example/v1.',
    })
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new InputError(`Cannot use the upstream at ${url.host}: its URL holds a credential, a query or a fragment`, {
      hint: "Give the credential as the route's `credential`, from an environment variable or a file.",
    })
  }
  const path = url.pathname.replace(/\/+$/, '')
  return { origin: url.origin, basePath: path.endsWith('/v1') ? path : `${path}/v1` }
}

/** A route for every model to the API at `url`, with or without `/v1`; resource id `default` unless a trusted header names another. */
export function catchAllRoute(url: string): Route {
  const { origin, basePath } = parseUpstreamUrl(url)
  return {
    id: 'default',
    models: [],
    resourceId: 'default',
    upstream: { origin },
    basePath,
    forwardHeaders: new Set(),
    forwardRequestId: false,
    multipleChoices: 'count',
  }
}
