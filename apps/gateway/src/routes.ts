import { InputError } from '@ascribe/kit'
import type { Upstream } from '@ascribe/relay'
import type { MultipleChoices } from '@ascribe/usage'
import type { Balance } from './routing/balance.ts'
import { PlacedRoutes } from './routing/placed-route.ts'
import type { UpstreamTemplate } from './routing/template.ts'
import type { UpstreamCredential } from './routing/upstream-credential.ts'

/**
 * What becomes of streams of an engine that reports no usage in them. `estimate`: counted by what passed. `tokenize`: the engine's own
 * tokenizer is asked, and what it says is marked `estimated` all the same. `refuse`: no streams on this route.
 */
export type SilentStreams = 'estimate' | 'tokenize' | 'refuse'

/** Where requests for some models go, and under what terms. */
export type Route = {
  /** Written into every record. */
  readonly id: string
  /** Models by the names that clients use. Empty: the catch-all. */
  readonly models: readonly string[]
  /** What is billed, unless a trusted header names it. */
  readonly resourceId: string
  readonly resourceType?: string
  /** With several upstreams, the first. */
  readonly upstream: Upstream
  /** Path in front of the API's own, for example `/v1`. */
  readonly basePath: string
  /** Sent to the upstream, in place of whatever the client has in that field. */
  readonly credential?: UpstreamCredential
  /** Several upstreams, or one whose health is looked at. Absent: the one above, and nothing is looked up. */
  readonly balance?: Balance
  /** Upstream and base path come from the ids of each request; what stands above is nobody's. {@link RouteTable.find} puts them in. */
  readonly template?: UpstreamTemplate
  /** It served once, and does not any more: 410. */
  readonly isRetired?: true
  /** Lower-case names that go up although they do not by default: credentials of the client, identity headers. */
  readonly forwardHeaders: ReadonlySet<string>
  /** Send the client's own `X-Request-Id` up instead of our event id. */
  readonly forwardRequestId: boolean
  /** What to make of a request for several choices or prompts, which engines are known to under-report. */
  readonly multipleChoices: MultipleChoices
  /** What becomes of streams that carry no usage. Default: `estimate`. */
  readonly silentStreams?: SilentStreams
  /** The most tokens that the engine generates for one choice when a request does not say: what a budget then reserves. */
  readonly maxOutputTokens?: number
  /** The longest sound that the engine takes: what a budget reserves for a transcription. */
  readonly maxAudioSeconds?: number
  /** Whether requests may have the engine keep their response, or use one that it has kept (Responses only). Default: such a request is refused. */
  readonly storedResponses?: boolean
}

export type Wanted = { readonly model: string | undefined; readonly resourceId: string | undefined }

export type RouteTable = {
  /**
   * The route for a request: by the resource that a trusted header names, else by model, else the catch-all.
   * `undefined`: nobody has said where this goes.
   */
  find(wanted: Wanted): Route | undefined
  /** Models by name, sorted, each once; none that is retired. */
  readonly models: readonly string[]
}

/**
 * One table of the routes of the configuration and of the deployments of the ledger. What the configuration says goes first: a deployment
 * of its resource is left out, and so is a model of a deployment that it routes itself. `leftOut` says what.
 * @throws {InputError} when two routes claim one model, there are two catch-alls, or two deployments claim one model or resource.
 */
export function createRouteTable(
  routes: readonly Route[],
  deployments: readonly Route[] = [],
): RouteTable & { readonly leftOut: readonly string[] } {
  const catchAll = catchAllOf(routes)
  const byModel = modelsOf(routes.filter((route) => route.isRetired !== true))
  const byResource = new Map<string, Route[]>()
  for (const route of routes) put(byResource, route)
  const leftOut: string[] = []
  const taken = deployments.filter(({ resourceId }) => {
    const isTaken = byResource.has(resourceId)
    if (isTaken) leftOut.push(`resource "${resourceId}"`)
    return !isTaken
  })
  for (const [model, route] of modelsOf(taken.filter((route) => route.isRetired !== true))) {
    if (byModel.has(model)) leftOut.push(`model "${model}" of resource "${route.resourceId}"`)
    else byModel.set(model, route)
  }
  const models = [...byModel.keys()].toSorted()
  for (const route of taken) {
    if (byResource.has(route.resourceId)) throw new InputError(`Cannot use the deployments: two have the resource "${route.resourceId}"`)
    put(byResource, route)
  }
  // A model that is served elsewhere by now is not gone.
  for (const route of [...routes, ...taken])
    if (route.isRetired === true) for (const model of route.models) if (!byModel.has(model)) byModel.set(model, route)

  const placed = new Map(
    routes
      .concat(taken)
      .filter(({ template }) => template !== undefined)
      .map((route) => [route, new PlacedRoutes<Route>()]),
  )

  function search({ model, resourceId }: Wanted): Route | undefined {
    const sharers = resourceId === undefined ? undefined : byResource.get(resourceId)
    const forModel = model === undefined ? undefined : byModel.get(model)
    if (sharers === undefined) return forModel ?? catchAll
    // Several routes may be one resource: the model tells them apart.
    if (forModel !== undefined && sharers.includes(forModel)) return forModel
    const own = sharers.find((route) => route === catchAll || (model !== undefined && route.models.includes(model)))
    if (own !== undefined) return own
    // An engine that echoes what it was asked for would have the price of another's model put on its own work.
    return forModel === undefined || sharers[0]?.isRetired === true ? sharers[0] : undefined
  }

  return {
    find(wanted) {
      const route = search(wanted)
      if (route?.template === undefined) return route
      return placed.get(route)?.find(route, route.template, { model: wanted.model, resource: wanted.resourceId })
    },
    models,
    leftOut,
  }
}

function catchAllOf(routes: readonly Route[]): Route | undefined {
  const [first, second] = routes.filter(({ models, isRetired }) => models.length === 0 && isRetired !== true)
  if (first !== undefined && second !== undefined)
    throw new InputError(`Cannot use route "${second.id}": "${first.id}" takes every model already`)
  return first
}

function modelsOf(routes: readonly Route[]): Map<string, Route> {
  const byModel = new Map<string, Route>()
  for (const route of routes) {
    for (const model of route.models) {
      const other = byModel.get(model)
      if (other !== undefined) throw new InputError(`Cannot use route "${route.id}": model "${model}" goes to route "${other.id}" already`)
      byModel.set(model, route)
    }
  }
  return byModel
}

function put(byResource: Map<string, Route[]>, route: Route): void {
  const sharers = byResource.get(route.resourceId)
  if (sharers === undefined) byResource.set(route.resourceId, [route])
  else sharers.push(route)
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
