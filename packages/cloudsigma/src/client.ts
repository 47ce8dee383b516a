import { assert } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { createAccount } from './account.ts'
import type { Account } from './account.ts'
import type { Authenticator } from './authenticator.ts'
import { createDrives, createJobs, createLibraryDrives } from './drives.ts'
import type { Drives, Jobs, LibraryDrives } from './drives.ts'
import type { CloudEndpoint } from './endpoint.ts'
import { createExchange } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { createIps, createVlans } from './networks.ts'
import type { Ips, Vlans } from './networks.ts'
import { createPace, waitFor } from './pace.ts'
import type { CloudLimits, Pace, Wait } from './pace.ts'
import type { Monotonic } from './rate-bucket.ts'
import { createServers } from './servers.ts'
import type { Servers } from './servers.ts'
import { createAcls, createTags } from './tags.ts'
import type { Acls, Tags } from './tags.ts'
import { createTransport } from './transport.ts'
import type { CallSeen } from './transport.ts'

export type CloudSigmaOptions = {
  /** One row of the table of endpoints. Everything is sent to its origin and nowhere else. */
  readonly endpoint: CloudEndpoint
  /** Who everything is done as. */
  readonly authenticator: Authenticator
  readonly limits?: CloudLimits
  /** Shared with other clients that act as the same account in the same region; then `limits` are the pace's. */
  readonly pace?: Pace
  /** PEM of the authorities to trust instead of the machine's. */
  readonly ca?: string
  /** Told of every request that was sent, with the cloud's own id of it: for audit records. Must not throw. */
  readonly observe?: (seen: CallSeen) => void
  readonly logger?: Logger
  readonly meters?: Meters
  /** Milliseconds of a clock that never jumps. Default `performance.now()`. */
  readonly now?: Monotonic
  readonly wait?: Wait
  readonly random?: () => number
  /** Connections that are shared with other clients, and outlive this one. Default: its own, closed with it. */
  readonly exchange?: Exchange
}

/**
 * A client of CloudSigma's API 2.0 in one region, as one account. Every method rejects with a {@link CloudSigmaError} whose `fault` says why,
 * with a {@link CloudSigmaRequestError} when nothing was sent, or with what the authenticator or the signal rejects with.
 */
export type CloudSigma = AsyncDisposable & {
  readonly region: string
  /** Scheme and host that it calls: two tables may have one name for two places. */
  readonly origin: string
  readonly account: Account
  readonly servers: Servers
  readonly drives: Drives
  readonly libdrives: LibraryDrives
  readonly jobs: Jobs
  readonly vlans: Vlans
  readonly ips: Ips
  readonly tags: Tags
  readonly acls: Acls
}

/** Makes a client. Nothing is sent until it is asked. @throws {CloudSigmaRequestError} for an endpoint that may not be called */
export function createCloudSigma(options: CloudSigmaOptions): CloudSigma {
  const { endpoint, authenticator, limits = {}, ca, observe, logger, meters } = options
  const { now = () => performance.now(), wait = waitFor, random = Math.random } = options
  const pace = options.pace ?? createPace({ ...limits, now, wait })
  const own = options.exchange === undefined ? createExchange({ ca, connectionsMax: limits.inFlightMax ?? CONNECTIONS_MAX }) : undefined
  const exchange = options.exchange ?? own
  assert(exchange !== undefined, 'there is an exchange, given or our own')
  const transport = createTransport({
    endpoint,
    authenticator,
    exchange,
    pace,
    now,
    wait,
    random,
    ...(observe !== undefined && { observe }),
    ...(logger !== undefined && { logger }),
    ...(meters !== undefined && { meters }),
  })
  return {
    region: endpoint.region,
    origin: endpoint.origin,
    account: createAccount(transport),
    servers: createServers(transport),
    drives: createDrives(transport),
    libdrives: createLibraryDrives(transport),
    jobs: createJobs(transport),
    vlans: createVlans(transport),
    ips: createIps(transport),
    tags: createTags(transport),
    acls: createAcls(transport),
    [Symbol.asyncDispose]: async () => own?.[Symbol.asyncDispose](),
  }
}

/** As many as calls at a time. */
const CONNECTIONS_MAX = 8
