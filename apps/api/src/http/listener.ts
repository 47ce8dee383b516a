import type { Listener } from '@ascribe/contract'
import type { Logger, Meters } from '@ascribe/kit'
import type { Trail } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { HostPort } from '@ascribe/service'
import type { Route } from '../handler.ts'
import { answer } from './exchange.ts'
import type { Once } from './exchange.ts'
import type { Gate } from './gate.ts'
import { createRouter } from './router.ts'
import { startHttp } from './server.ts'
import type { HttpListener } from './server.ts'

export type ListenerDeps = {
  /** Under this listener's own role. */
  readonly db: Database
  readonly trail: Pick<Trail, 'append' | 'appendIn' | 'signedHead'>
  readonly logger: Logger
  readonly meters: Meters
  readonly clock: () => number
}

export type ListenerOptions = {
  readonly address: HostPort
  readonly gate: Gate
  readonly routes: readonly Route[]
  /** Bytes of a `raw` body at most. Default: as of any other. */
  readonly rawBytesMax?: number
  readonly once?: Once
}

const HEAD_BYTES_MAX: Readonly<Record<Listener, number>> = { public: 16 * 1024, internal: 64 * 1024, admin: 16 * 1024 }

/** Everything that selects whose data a reply holds: no cache may ever mix two (R11). */
const VARY = 'Origin, Accept, X-Materialize-Organization-Id, Teleport-Jwt-Assertion, Cookie, Authorization'

/** On every reply of every listener, whatever its status. */
const ALWAYS: Readonly<Record<string, string>> = {
  'cache-control': 'private, no-store',
  vary: VARY,
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
}

/** Starts one of the three doors on its own address, with its own rules and its own rows of the one table. */
export async function startListener(deps: ListenerDeps, options: ListenerOptions): Promise<HttpListener> {
  const { gate, routes, address, rawBytesMax = 1024 * 1024, once } = options
  const { listener } = gate
  const router = createRouter(routes)
  const requests = deps.meters.counter('ascribe_api_requests_total', 'Requests to the API, by listener, operation and status.')
  const exchange = { ...deps, gate, router, requests, headers: ALWAYS, rawBytesMax, ...(once !== undefined && { once }) }
  return startHttp({
    name: listener,
    address,
    logger: deps.logger,
    maxHeaderSize: HEAD_BYTES_MAX[listener],
    headers: ALWAYS,
    handle: (message, response) => answer(exchange, message, response),
    allowOf: (path) => {
      const match = router.find(path)
      return match === undefined || match === 'malformed' ? undefined : match.allow
    },
  })
}
