import type { Clock, Logger } from '@ascribe/kit'
import type { Reply, Resend } from '@ascribe/relay'
import type { RequestFacts } from '@ascribe/usage'
import { invalidRequest, serverError } from '../replies.ts'
import type { Route, Wanted } from '../routes.ts'
import { Attempts } from './attempts.ts'
import type { Balance, Place } from './balance.ts'
import type { RoutingMeters } from './routing-meters.ts'
import type { UpstreamSet } from './upstream-set.ts'

/** What a token of text takes at least, by which a prompt that nobody counted is estimated. */
const TOKEN_BYTES = 4
const NAME_LENGTH_MAX = 200

/** Why no upstream gets a request; `undefined`: one may. */
export type Unserved = { readonly reason: string; readonly reply: Reply }

type Sets = { setOf(balance: Balance): UpstreamSet }

export type DispatchDeps = {
  readonly routes: Sets
  readonly clock: Clock
  readonly logger: Logger
  readonly routing: RoutingMeters
}

/** Whether the route of a request serves: it may have retired, or have no upstream that is up. */
export function unserved(route: Route, routes: Sets, { model, resourceId }: Wanted): Unserved | undefined {
  if (route.isRetired === true) return { reason: 'retired', reply: goneReply(route, { model, resourceId }) }
  if (route.balance === undefined || routes.setOf(route.balance).isServable) return undefined
  const reply = serverError(503, 'No inference engine for this model is up. Try again soon.', 'upstream_unavailable', ['retry-after', '5'])
  return { reason: 'no_upstream', reply }
}

function goneReply(route: Route, { model, resourceId }: Wanted): Reply {
  const isModel = model !== undefined && route.models.includes(model)
  const message = isModel
    ? `The model \`${model.slice(0, NAME_LENGTH_MAX)}\` has been retired and is not served any more.`
    : `The resource \`${(resourceId ?? route.resourceId).slice(0, NAME_LENGTH_MAX)}\` has been retired and is not served any more.`
  return invalidRequest(message, { status: 410, code: isModel ? 'model_retired' : 'resource_retired', ...(isModel && { param: 'model' }) })
}

/** A route as it is at one of its upstreams, the same object each time. */
const routesOfPlaces = new WeakMap<Place, Route>()

function routeAt(route: Route, place: Place): Route {
  let at = routesOfPlaces.get(place)
  if (at === undefined) {
    const { credential: _first, ...terms } = route
    const { upstream, basePath, credential } = place
    at = { ...terms, upstream, basePath, ...(credential !== undefined && { credential }) }
    routesOfPlaces.set(place, at)
  }
  return at
}

export type Dispatched = { readonly first: Resend; readonly attempts: Attempts }

/** Where a request of a route with a {@link Balance} goes, first and then. */
export function dispatch(
  balance: Balance,
  request: {
    readonly route: Route
    readonly eventId: string
    readonly startedAt: number
    readonly facts: Pick<RequestFacts, 'promptBytes'>
    /** The request as the upstream of a route gets it. */
    readonly requestAt: (at: Route) => Resend
  },
  deps: DispatchDeps,
): Dispatched {
  const { route, eventId, startedAt, facts, requestAt } = request
  const set = deps.routes.setOf(balance)
  // Another request may have taken the one that was left; then the first serves as well as any.
  const first = set.pick() ?? firstOf(balance)
  const requestTo = (place: Place): Resend => requestAt(routeAt(route, place))
  const attempts = new Attempts({
    set,
    first,
    startedAt,
    clock: deps.clock,
    requestTo,
    promptTokens: facts.promptBytes === 0 ? 0 : Math.ceil(facts.promptBytes / TOKEN_BYTES),
    onResend: (from, to, why) => {
      deps.routing.resends.add(1, { why: why.startsWith('it answers') ? 'status' : why })
      deps.logger.warn('request goes to another upstream', { eventId, route: route.id, from: from.id, to: to.id, why })
    },
  })
  return { first: requestTo(first), attempts }
}

function firstOf({ places: [first] }: Balance): Place {
  if (first === undefined) throw new Error('a route without upstreams')
  return first
}
