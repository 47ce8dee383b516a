import type { Logger, Meters } from '@ascribe/kit'
import { BodyBudget } from './body-budget.ts'
import { createHeadFlusher } from './head-flusher.ts'
import { listenForClients } from './client/client-server.ts'
import { NetTransport } from './upstream/net-transport.ts'
import { OpenSessions } from './open-sessions.ts'
import { PendingCount } from './pending-count.ts'
import type { Client, ClientEvents, ClientServer, Refuse } from './ports.ts'
import { Session } from './session.ts'
import type { SessionContext } from './session.ts'
import { RelayTally } from './tally.ts'
import type { BoundSocket, Relay, RelayOptions } from './types.ts'

const CONNECTIONS_MAX = 16_384
const HEADER_BYTES_MAX = 16_384
const BODY_BYTES_HELD_MAX = 268_435_456
const HEAD_TIMEOUT_MS = 10_000
const BODY_TIMEOUT_MS = 300_000
const BODY_GRACE_MS = 20_000
const BODY_RATE_MIN = 512
const KEEP_ALIVE_TIMEOUT_MS = 600_000
const CLIENT_STALL_TIMEOUT_MS = 600_000
/** How long `close` waits for barriers once every request has ended. */
const BARRIER_GRACE_MS = 5_000
/** How long `close` then waits for the last bytes to be taken by their clients. */
const FLUSH_GRACE_MS = 500

export type RelayDeps = { readonly logger: Logger; readonly meters: Meters }

/** Starts to listen. Rejects with `RELAY_LISTEN` when the address cannot be had. */
export async function createRelay(options: RelayOptions & RelayDeps): Promise<Relay> {
  const tally = new RelayTally(options.meters)
  const refuse: Refuse = (refusal) => {
    tally.refused(refusal)
    return options.refuse(refusal)
  }
  const context: SessionContext = {
    onRequest: options.onRequest,
    refuse,
    transport: new NetTransport(),
    budget: new BodyBudget(options.bodyBytesHeldMax ?? BODY_BYTES_HELD_MAX),
    tally,
    logger: options.logger,
    open: new OpenSessions(),
    openCount: new PendingCount(),
    barriers: new PendingCount(),
    flushSoon: createHeadFlusher(),
    stopped: false,
  }
  const connectionsMax = options.connectionsMax ?? CONNECTIONS_MAX
  const server = await listenForClients({
    host: options.host,
    port: options.port,
    sockets: options.sockets ?? [],
    connectionsMax,
    peerConnectionsMax: options.peerConnectionsMax ?? connectionsMax,
    connections: tally.connections,
    onDropped: () => tally.connectionDropped(),
    headerBytesMax: options.headerBytesMax ?? HEADER_BYTES_MAX,
    headTimeoutMs: options.headTimeoutMs ?? HEAD_TIMEOUT_MS,
    bodyTimeoutMs: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS,
    bodyGraceMs: options.bodyGraceMs ?? BODY_GRACE_MS,
    bodyRateMin: options.bodyRateMin ?? BODY_RATE_MIN,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? KEEP_ALIVE_TIMEOUT_MS,
    clientStallTimeoutMs: options.clientStallTimeoutMs ?? CLIENT_STALL_TIMEOUT_MS,
    accept: (client) => accept(context, client),
    refuse,
    onStall: () => tally.clientStalled(),
    onFault: (error) => {
      tally.fault()
      options.logger.error('a reply was reset: it cannot be written', { error })
    },
  })
  return new RunningRelay(server, context)
}

function accept(context: SessionContext, client: Client): ClientEvents {
  const session = new Session(context, client)
  session.start()
  return session
}

class RunningRelay implements Relay {
  readonly url: string
  readonly #server: ClientServer
  readonly #context: SessionContext
  readonly #graceOver = Promise.withResolvers<void>()
  #closed: Promise<void> | undefined

  constructor(server: ClientServer, context: SessionContext) {
    this.#server = server
    this.#context = context
    this.url = server.url
  }

  get open(): number {
    return this.#context.openCount.count
  }

  get fds(): readonly number[] {
    return this.#server.fds
  }

  listen(socket: BoundSocket): Promise<void> {
    return this.#server.listen(socket)
  }

  async retire(): Promise<void> {
    await this.#server.retire()
  }

  async close(options: { readonly graceMs: number; readonly abort?: AbortSignal }): Promise<void> {
    const { abort } = options
    const cut = (): void => this.#graceOver.resolve()
    const timer = setTimeout(cut, options.graceMs)
    abort?.addEventListener('abort', cut)
    if (abort?.aborted === true) cut()
    try {
      this.#closed ??= this.#close()
      await this.#closed
    } finally {
      clearTimeout(timer)
      abort?.removeEventListener('abort', cut)
    }
  }

  async #close(): Promise<void> {
    const context = this.#context
    const serverClosed = this.#server.close()
    const finished = Promise.all([serverClosed, context.openCount.none(), context.barriers.none()])
    await Promise.race([finished, this.#graceOver.promise])
    context.stopped = true
    for (const session of context.open.all()) session.stop()
    await within(BARRIER_GRACE_MS, context.barriers.none())
    await within(FLUSH_GRACE_MS, serverClosed)
    this.#server.destroy()
    await serverClosed
    await context.transport.close()
  }
}

/** Waits for `promise`, but not longer than `ms`. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([promise, late.promise])
  clearTimeout(timer)
}
