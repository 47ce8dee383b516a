import type { Upstream } from '@ascribe/relay'
import type { Ids, UpstreamTemplate } from './template.ts'

/** Ids come from requests: those used last are kept, the rest is made again. */
const PLACED_MAX = 1024

type Templated = { readonly upstream: Upstream; readonly basePath: string }

/**
 * Routes of a template with their upstreams put in, one for each place that was asked for: the same object each time, by which the relay
 * finds its connections. Gives `undefined` for ids that no place can have.
 */
export class PlacedRoutes<Route extends Templated> {
  readonly #placed = new Map<string, Route>()

  find(route: Route, template: UpstreamTemplate, ids: Ids): Route | undefined {
    const address = template.addressOf(ids)
    if (address === undefined) return undefined
    const key = `${address.origin}${address.basePath}`
    const known = this.#placed.get(key)
    if (known !== undefined) {
      this.#placed.delete(key)
      this.#placed.set(key, known)
      return known
    }
    if (this.#placed.size >= PLACED_MAX) for (const oldest of this.#placed.keys().take(1)) this.#placed.delete(oldest)
    const placed = { ...route, upstream: { ...route.upstream, origin: address.origin }, basePath: address.basePath }
    this.#placed.set(key, placed)
    return placed
  }
}
