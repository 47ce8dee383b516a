import { createCloudSigma, createPace } from '@ascribe/cloudsigma'
import type { Authenticator, CloudSigma, CallSeen, Exchange, Pace } from '@ascribe/cloudsigma'
import type { RegionEndpoint } from '@ascribe/impersonation'
import type { Logger, Meters } from '@ascribe/kit'
import type { Clocks } from '@ascribe/kube'
import { waitFor } from '@ascribe/kube'

export type CloudClientsOptions = {
  /** One set of connections for all accounts: hosts are few. */
  readonly exchange: Exchange
  readonly clocks: Clocks
  readonly logger: Logger
  readonly meters: Meters
}

export type ClientOf = {
  readonly endpoint: RegionEndpoint
  /** Of the account: who shares its pace. */
  readonly userUUID: string
  readonly authenticator: Authenticator
  readonly observe?: ((seen: CallSeen) => void) | undefined
}

/** Accounts whose pace is remembered; the one that rested longest goes. */
const PACES_MAX = 10_000

/** Makes clients that share connections, and the pace of their account and region. */
export function createCloudClients({ exchange, clocks, logger, meters }: CloudClientsOptions): (of: ClientOf) => CloudSigma {
  const paces = new Map<string, Pace>()
  const wait = (ms: number, signal: AbortSignal): Promise<void> => waitFor(clocks, ms, signal)
  const paceOf = (key: string): Pace => {
    const pace = paces.get(key) ?? createPace({ now: clocks.monotonic, wait })
    paces.delete(key)
    paces.set(key, pace)
    const [oldest] = paces.keys()
    if (paces.size > PACES_MAX && oldest !== undefined) paces.delete(oldest)
    return pace
  }
  return ({ endpoint, userUUID, authenticator, observe }) =>
    createCloudSigma({
      endpoint,
      authenticator,
      exchange,
      pace: paceOf(`${userUUID} ${endpoint.origin}`),
      now: clocks.monotonic,
      wait,
      logger,
      meters,
      ...(observe !== undefined && { observe }),
    })
}
