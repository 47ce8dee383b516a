import type { Counter, Meters } from '@ascribe/kit'

/** What is counted of routes. */
export type RoutingMeters = {
  /** By `source` (`configuration`, `directory`) and `outcome` (`adopted`, `refused`). */
  readonly tables: Counter
  /** By `to`: `up`, `down`. */
  readonly changes: Counter
  /** By `why`: a failure of the relay, or `status`. */
  readonly resends: Counter
}

export function createRoutingMeters(meters: Meters): RoutingMeters {
  return {
    tables: meters.counter('ascribe_gateway_route_tables_total', 'Route tables that came, by source and outcome.'),
    changes: meters.counter('ascribe_gateway_upstream_changes_total', 'Times that an upstream was found down, or up again.'),
    resends: meters.counter('ascribe_gateway_resends_total', 'Requests sent to another upstream, by what happened at the one before.'),
  }
}
