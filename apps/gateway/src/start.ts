import { mkdirSync } from 'node:fs'
import type { Clock, Logger, Meters, TryLock } from '@ascribe/kit'
import type { LimitsLeft } from '@ascribe/admission'
import { systemClock } from '@ascribe/kit'
import { DEFAULT_HEADER_PREFIX, createGate, createPeerTrust } from '@ascribe/identity'
import type { AbortPolicy, DeploymentEntry, PeerTrustOptions, ServerSecret } from '@ascribe/identity'
import { openJournalWriter } from '@ascribe/journal'
import type { JournalFs, JournalWriter } from '@ascribe/journal'
import { createRelay } from '@ascribe/relay'
import type { BoundSocket, Relay, RelayOptions } from '@ascribe/relay'
import { createIdSource } from '@ascribe/units'
import type { AdmissionPlaces } from './admission-files.ts'
import { createAdmission } from './admission.ts'
import { openBodyLog } from './body-log/open-body-log.ts'
import type { BodyLogSettings } from './body-log/types.ts'
import { createEdgeProbe } from './edge-probe.ts'
import { createEndpointTable } from './endpoints.ts'
import type { OwnRule } from './endpoints.ts'
import { createGatewayMeters } from './gateway-meters.ts'
import { withMessagesErrors } from './messages-errors.ts'
import { refusalReply } from './replies.ts'
import { openAdmission } from './open-admission.ts'
import type { OpenAdmission } from './open-admission.ts'
import { openClaims } from './open-claims.ts'
import { openRoutes } from './open-routes.ts'
import { createRequestHandler } from './request-handler.ts'
import type { Route } from './routes.ts'
import type { RouteSource } from './routing/follow-file.ts'
import type { RouteBook } from './routing/route-book.ts'
import { TokenizedStreams } from './silent-streams.ts'
import type { DrainBounds } from './terms.ts'

export type GatewayConfig = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  readonly routes: readonly Route[]
  /** Where they come from, if they may change. */
  readonly routeSource?: RouteSource
  /** Turns a deployment of the ledger into a route. Absent: only the routes above are followed. @throws {InputError} */
  readonly readDeployment?: (entry: DeploymentEntry) => Route
  /** What becomes of paths of which nothing is said here, or something else. Default: nothing. */
  readonly paths?: readonly OwnRule[]
  readonly trust: PeerTrustOptions
  /** Default `X-Saturn-`. */
  readonly headerPrefix?: string
  /** What becomes of a reply whose client has left, for credentials without terms of their own. Default `drain`. */
  readonly abort?: AbortPolicy
  /** How far it is read on then. */
  readonly drain: DrainBounds
  readonly bodyBytesMax: number
  /** `durable`: the client's last byte waits for the disk. `async`: for the kernel only. */
  readonly ack: 'durable' | 'async'
  /** What is kept of bodies of those whose terms say so. Absent: nothing, whatever terms say. */
  readonly bodyLog?: BodyLogSettings
  /** What else bounds it. */
  readonly bounds?: GatewayBounds
  /** Listened on instead of host and port; maybe shared with other gateways. */
  readonly sockets?: readonly BoundSocket[]
  /** Gateways that are known to live beside this one, itself included: each has at most its share of a rate limit. Default 1. */
  readonly gateways?: number
  /** What a gateway before this one, from which it takes over, had left of rate limits. */
  readonly limits?: LimitsLeft
}

export type GatewayBounds = Pick<
  RelayOptions,
  | 'connectionsMax'
  | 'peerConnectionsMax'
  | 'headerBytesMax'
  | 'headTimeoutMs'
  | 'bodyTimeoutMs'
  | 'bodyRateMin'
  | 'bodyBytesHeldMax'
  | 'keepAliveTimeoutMs'
  | 'clientStallTimeoutMs'
>

export type GatewayPlaces = {
  /** Folder of all journals. */
  readonly journal: string
  /** The policy snapshot. */
  readonly policy: string
  /** The admission snapshot and the folder of lease reports. Default: `admission.json` and `leases` beside the policy snapshot. */
  readonly admission?: AdmissionPlaces
  /** The `Idempotency-Key`s of this machine, made on first use; the gateways of one machine share it. Default: beside the policy snapshot. */
  readonly idempotency?: string
  /** Folder of the body log. Default: `bodies` beside the policy snapshot. */
  readonly bodies?: string
}

export type GatewayDeps = {
  readonly serverSecret: ServerSecret
  readonly tryLock: TryLock
  readonly logger: Logger
  readonly meters: Meters
  readonly clock?: Clock
  /** Default: the machine's disk. A seam: tests put a disk there that is full, fails or hangs. */
  readonly journalFs?: JournalFs
}

export type Gateway = {
  readonly url: string
  /** Why it would refuse everything; `undefined` when it serves. */
  readonly unready: string | undefined
  /** Why the routes that came last are not in force; `undefined`: they are. Earlier ones are, so it serves. */
  readonly routeTrouble: string | undefined
  /** Reads the routes of the configuration again; requests under way keep theirs. What cannot be used is logged, and changes nothing. */
  reread(): void
  /** Numbers of the sockets that it listens on, to be handed to another process. */
  readonly fds: readonly number[]
  /** Listens on one more socket. @throws {RelayListenError} */
  listen(socket: BoundSocket): Promise<void>
  /** What is left of rate limits here, for a gateway that takes over. */
  limitsLeft(): LimitsLeft
  /**
   * Leaves new connections to other gateways on the same sockets, and cuts nobody. Resolves when no connection is left. Leases that it does not
   * need are given back meanwhile.
   */
  retire(): Promise<void>
  /**
   * Takes no more requests, lets open ones end for up to `graceMs`, settles what is left, and closes the journal.
   * `cut` ends the grace.
   */
  close(options: { readonly graceMs: number; readonly cut?: AbortSignal }): Promise<void>
}

/** Starts the metering proxy: a relay whose every admitted request leaves one record in a journal of its own. */
export async function startGateway(config: GatewayConfig, places: GatewayPlaces, deps: GatewayDeps): Promise<Gateway> {
  const { logger, meters, clock = systemClock } = deps
  const trust = createPeerTrust(config.trust)
  mkdirSync(places.journal, { recursive: true, mode: 0o700 })
  await using held = new AsyncDisposableStack()
  const { routes, routing, keys, reread } = held.use(openRoutes(config, places, { ...deps, clock }))
  const newId = createIdSource(clock)
  const writer = newId()
  const journal = await openJournal(config, places, { ...deps, writer, clock })
  const gatewayMeters = createGatewayMeters(meters)
  const headerPrefix = config.headerPrefix ?? DEFAULT_HEADER_PREFIX
  const gate = createGate({ trust, findKey: (token) => keys.find(token), headerPrefix })
  const admission = held.use(openAdmission({ config, places, keys, writer, clock, logger }))
  const claims = held.use(openClaims({ config, places, keys, writer, tryLock: deps.tryLock, clock, logger }))
  const bodies = held.use(openBodyLog({ settings: config.bodyLog, places, writer, serverSecret: deps.serverSecret, logger, meters }))
  const onRequest = createRequestHandler({
    bodies,
    claims,
    admit: createAdmission({ gate, secretHeader: trust.secretHeader, meters: gatewayMeters, logger }),
    control: admission.control,
    probe: createEdgeProbe({
      serverSecret: deps.serverSecret,
      clock,
      logger,
      identityPrefix: headerPrefix.toLowerCase(),
      secretHeader: trust.secretHeader,
    }),
    endpoints: createEndpointTable(config.paths),
    tokenized: new TokenizedStreams({ meters: gatewayMeters, logger }),
    routes,
    routing,
    journal,
    newId,
    clock,
    meters: gatewayMeters,
    logger,
    bodyBytesMax: config.bodyBytesMax,
    identityPrefix: headerPrefix.toLowerCase(),
    secretHeader: trust.secretHeader,
  })
  try {
    const relay = await createRelay({
      host: config.host,
      port: config.port,
      onRequest: withMessagesErrors(onRequest),
      refuse: refusalReply,
      logger,
      meters,
      ...(config.sockets !== undefined && { sockets: config.sockets }),
      ...config.bounds,
    })
    return gatewayOf({ admission, relay, journal, routes, reread }, held.move())
  } catch (error) {
    await journal.close()
    throw error
  }
}

function openJournal(
  config: GatewayConfig,
  places: GatewayPlaces,
  deps: GatewayDeps & { readonly writer: string; readonly clock: Clock },
): Promise<JournalWriter> {
  const { writer, tryLock, clock, logger, meters, journalFs } = deps
  return openJournalWriter({
    root: places.journal,
    writer,
    tryLock,
    clock,
    logger,
    meters,
    ack: config.ack === 'durable' ? 'durable' : 'written',
    ...(journalFs !== undefined && { fs: journalFs }),
  })
}

type Running = {
  readonly admission: OpenAdmission
  readonly relay: Relay
  readonly journal: JournalWriter
  readonly routes: RouteBook
  readonly reread: () => void
}

function gatewayOf({ admission, relay, journal, routes, reread }: Running, held: AsyncDisposable): Gateway {
  let closing: Promise<void> | undefined
  return {
    url: relay.url,
    get unready() {
      if (closing !== undefined) return 'it is shutting down'
      return journal.state === 'open' ? undefined : `the journal is ${journal.state}`
    },
    get routeTrouble() {
      return routes.trouble
    },
    get fds() {
      return relay.fds
    },
    listen: (socket) => relay.listen(socket),
    limitsLeft: () => admission.control.limitsLeft(),
    retire: () => {
      admission.retire()
      return relay.retire()
    },
    reread,
    close({ graceMs, cut }) {
      closing ??= (async () => {
        await relay.close({ graceMs, ...(cut !== undefined && { abort: cut }) })
        await journal.close()
        await held[Symbol.asyncDispose]()
      })()
      return closing
    },
  }
}
