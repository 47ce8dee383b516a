import { readFileSync } from 'node:fs'
import { errorChain } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import { connect, credsAuthenticator } from '@nats-io/transport-node'
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { TransportSettingError, TransportUnavailableError } from './errors.ts'

export type NatsOptions = {
  /** One or more addresses, `nats://host:4222` or `tls://…`, with commas. User and password may stand in them. */
  readonly url: string
  /** A `.creds` file of the broker; read again at every connection, so that it may be replaced. */
  readonly credentialsFile?: string
  /** PEM of the certificate authorities to trust instead of the machine's. */
  readonly caFile?: string
  /** PEM of a client certificate, and its key. */
  readonly certFile?: string
  readonly keyFile?: string
  /** Shown by the broker. */
  readonly name: string
  /** What subjects begin with, and in upper case the names of streams. Two ledgers on one broker need two. Default `ascribe`. */
  readonly prefix?: string
  /** Bytes of unsettled records that the broker may hold, when it makes the stream. Default 1 GiB. */
  readonly streamBytes?: number
  /** Copies of streams in a cluster, when it makes them, 1 to 5. Default 1. */
  readonly replicas?: number
  readonly logger: Logger
}

/** A connection that is made in the background, and again for as long as it takes. */
export type Nats = AsyncDisposable & {
  readonly prefix: string
  readonly streamBytes: number
  readonly replicas: number
  readonly logger: Logger
  /** Waits for the first connection up to `timeoutMs`. @throws {TransportUnavailableError} */
  core(timeoutMs?: number): Promise<NatsConnection>
  jetStream(): Promise<JetStreamClient>
  manager(): Promise<JetStreamManager>
  /** Why nothing can be sent or received now; `undefined` while the connection stands. */
  readonly trouble: string | undefined
}

const GIB = 1024 ** 3
const CONNECT_MS = 5000
/** Between two attempts; a broker that comes back is found within this and its jitter. */
const RECONNECT_MS = 500
/** Two pings unanswered end a connection that is dead without saying so. */
const PING_MS = 10_000
/** A call of the broker's own API takes milliseconds. */
const API_MS = 5000
const PREFIX = /^[a-z][a-z0-9_]{0,30}$/

/** Begins to connect. A broker that is away is no error: it is tried for ever. @throws {TransportSettingError} */
export function openNats(options: NatsOptions): Nats {
  const { url, prefix = 'ascribe', streamBytes = GIB, replicas = 1, logger } = options
  if (!PREFIX.test(prefix))
    throw new TransportSettingError(`Cannot use "${prefix}" as the prefix: it must be a letter and letters, digits or _`)
  const settings = settingsOf(options)
  let connection: NatsConnection | undefined
  let closed = false
  let trouble: string | undefined = `no connection to ${hostsOf(url)} yet`
  const first = dial()
  first.catch(() => {})

  /** Ours and not the client's, for the first connection: that one's attempts cannot be called off. */
  async function dial(): Promise<NatsConnection> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const made = await connect(settings)
        if (closed) await made.close()
        connection = made
        trouble = undefined
        watch(made).catch(() => {})
        return made
      } catch (error) {
        trouble = `no connection to ${hostsOf(url)}: ${errorChain(error)}`
        if (closed) throw new TransportUnavailableError(`Cannot reach the broker: ${trouble}`, { cause: error })
        if (attempt === 0) logger.warn('broker cannot be reached, it is tried until it can', { trouble })
        await pause(RECONNECT_MS)
      }
    }
  }

  async function watch(made: NatsConnection): Promise<void> {
    for await (const status of made.status()) {
      if (status.type === 'disconnect') trouble = `the connection to ${hostsOf(url)} is lost`
      else if (status.type === 'reconnect') trouble = undefined
      else continue
      logger.info(trouble === undefined ? 'broker is reached again' : 'broker is lost', { server: status.server })
    }
  }

  async function core(timeoutMs = CONNECT_MS): Promise<NatsConnection> {
    if (connection !== undefined) return connection
    const waited = AbortSignal.timeout(timeoutMs)
    return Promise.race([
      first,
      new Promise<never>((_, reject) =>
        waited.addEventListener('abort', () =>
          reject(new TransportUnavailableError(`Cannot reach the broker: ${trouble ?? 'it takes too long'}`)),
        ),
      ),
    ])
  }

  return {
    prefix,
    streamBytes,
    replicas,
    logger,
    core,
    jetStream: async () => jetstream(await core(), { timeout: API_MS }),
    // Not checked: what is missing shows where it is used, and that is where it is mended.
    manager: async () => jetstreamManager(await core(), { timeout: API_MS, checkAPI: false }),
    get trouble() {
      return trouble
    },
    async [Symbol.asyncDispose]() {
      closed = true
      await connection?.close()
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    // Unreferenced: a process that ends does not wait for a broker.
    setTimeout(resolve, ms).unref()
  })
}

function settingsOf(options: NatsOptions): NodeConnectionOptions {
  const { credentialsFile, caFile, certFile, keyFile, name } = options
  const addresses = options.url.split(',').map((text) => addressOf(text.trim()))
  const [user] = addresses.filter(({ username }) => username !== '')
  const credentials = credentialsFile === undefined ? undefined : (): Uint8Array => contentOf(credentialsFile)
  credentials?.()
  const needsTls = caFile !== undefined || certFile !== undefined || addresses.some(({ protocol }) => protocol === 'tls:')
  return {
    servers: addresses.map(({ host }) => host),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    pingInterval: PING_MS,
    timeout: CONNECT_MS,
    ignoreAuthErrorAbort: true,
    ...(user !== undefined && user.password !== '' && { user: decodeURIComponent(user.username), pass: decodeURIComponent(user.password) }),
    ...(user !== undefined && user.password === '' && { token: decodeURIComponent(user.username) }),
    ...(credentials !== undefined && { authenticator: credsAuthenticator(credentials) }),
    ...(needsTls && {
      tls: {
        ...(caFile !== undefined && { ca: contentOf(caFile).toString() }),
        ...(certFile !== undefined && { cert: contentOf(certFile).toString() }),
        ...(keyFile !== undefined && { key: contentOf(keyFile).toString() }),
      },
    }),
  }
}

function addressOf(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `nats://${text}`)
  if (url === null || url.host === '' || !['nats:', 'tls:'].includes(url.protocol)) {
    throw new TransportSettingError('Cannot use the address of the broker: it must look like nats://host:4222 or tls://host:4222')
  }
  return url
}

/** Never the password that may stand before it. */
function hostsOf(url: string): string {
  return url
    .split(',')
    .map((text) => addressOf(text.trim()).host)
    .join(', ')
}

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new TransportSettingError(`Cannot read ${file}, which the connection to the broker needs`, { cause })
  }
}
