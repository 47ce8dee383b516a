import { systemClock } from '@ascribe/kit'
import type { Logger, Meters } from '@ascribe/kit'
import { tryLock } from '@ascribe/service'
import type { ProcessScope } from '@ascribe/service'
import { createShipper, followAdmissionFile, followPolicyFile } from '@ascribe/settler'
import type { Shipper } from '@ascribe/settler'
import { openNats } from '@ascribe/transport'
import type { Nats } from '@ascribe/transport'
import type { Config } from './config.ts'
import type { DataDir } from './data-dir.ts'
import { settleInBackground } from './settle-in-background.ts'

/** The broker that the configuration names, connected in the background; `undefined`: it names none. @throws {TransportSettingError} */
export function openBroker({ nats }: Config, { name, logger }: { readonly name: string; readonly logger: Logger }): Nats | undefined {
  const url = nats.url?.reveal()
  if (url === undefined) return undefined
  const { credentials_file: credentialsFile, ca_file: caFile, cert_file: certFile, key_file: keyFile } = nats
  return openNats({
    url,
    name: `ascribe ${name}`,
    prefix: nats.prefix,
    streamBytes: nats.stream_size,
    replicas: nats.replicas,
    logger,
    ...(credentialsFile !== undefined && { credentialsFile }),
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
  })
}

type FollowDeps = { readonly dir: DataDir; readonly logger: Logger; readonly scope: Pick<ProcessScope, 'stop'> }

/** Keeps the policy file of this machine up to date, until it is disposed. */
export function followPolicy(nats: Nats, { dir, logger, scope }: FollowDeps): AsyncDisposable {
  const stop = new AbortController()
  const following = followPolicyFile(nats, { path: dir.policy, tryLock, logger, signal: stop.signal }).catch((error: unknown) =>
    scope.stop(error),
  )
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await following
    },
  }
}

/** A machine's two ways over the broker, until it is disposed. */
export type Shipping = AsyncDisposable & { readonly shipper: Shipper }

/**
 * Sends the journals of this machine to the broker and keeps its policy file up to date. Of several processes on a data directory one sends:
 * whoever has the lock, and after its end the next.
 */
export function shipInBackground(nats: Nats, deps: FollowDeps & { readonly meters: Meters }): Shipping {
  const { dir, logger, meters, scope } = deps
  const stop = new AbortController()
  const following = followPolicy(nats, deps)
  const asking = followAdmissionFile(nats, { policy: dir.policy, journal: dir.journal, logger, signal: stop.signal }).catch(
    (error: unknown) => scope.stop(error),
  )
  const shipper = createShipper({ nats, journal: dir.journal, tryLock, clock: systemClock, logger, meters })
  const sending = settleInBackground(shipper, { lockPath: dir.settlerLock, scope })
  return {
    shipper,
    async [Symbol.asyncDispose]() {
      await sending[Symbol.asyncDispose]()
      stop.abort()
      await following[Symbol.asyncDispose]()
      await asking
    },
  }
}
