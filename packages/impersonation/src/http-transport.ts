import { lookup } from 'node:dns'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { errorCode } from '@ascribe/kit'
import { isLocalhostName, isLoopbackHost } from './loopback.ts'
import { BODY_BYTES_MAX, TransportError } from './wire.ts'
import type { Transport, WireRequest, WireResponse } from './wire.ts'

export type HttpTransportOptions = {
  /** PEM of the authorities that are believed besides none: leave out for those that Node comes with. */
  readonly ca?: string | readonly string[]
  /** Every request goes to this socket, whatever its address; plain http. */
  readonly socketPath?: string
  /** The name that certificates must have, whatever the address. */
  readonly servername?: string
  /** Connections to one host at once. Default 16: four impersonations at a time, the profile reads behind them, and room. */
  readonly connectionsMax?: number
}

/** A transport that holds connections open until it is closed: most of what a token costs an authorization server is the TLS handshake. */
export type HttpTransport = Transport & Disposable

/** Shorter than what common proxies and Keycloak keep idle connections for, so that we close first. */
const IDLE_MS = 20_000
/** Some gateways refuse who does not say what it is. */
const USER_AGENT = 'ascribe-impersonation'

/** Connects over TLS, or in plain text to loopback only; with keep-alive, without redirects, proxies or cookies. */
export function createHttpTransport(options: HttpTransportOptions = {}): HttpTransport {
  const { ca, connectionsMax = 16, socketPath, servername } = options
  const pooling = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: connectionsMax, timeout: IDLE_MS }
  const plain = new HttpAgent({
    ...pooling,
    lookup: lookupAtHome,
    ...(socketPath !== undefined && { socketPath }),
  } as ConstructorParameters<typeof HttpAgent>[0])
  const names = { ...(ca !== undefined && { ca: [ca].flat() }), ...(servername !== undefined && { servername }) }
  const secure = new HttpsAgent({ ...pooling, lookup: lookupAtHome, ...names })

  const send: Transport = async (request) => {
    try {
      return await sendOnce(request, plain, secure)
    } catch (cause) {
      // Of a connection that was kept, the other side may close its end just as we write: that request was never read.
      if (cause instanceof StaleConnection) return sendOnce(request, plain, secure)
      throw cause
    }
  }
  return Object.assign(send, {
    [Symbol.dispose]() {
      plain.destroy()
      secure.destroy()
    },
  })
}

class StaleConnection extends TransportError {}

function sendOnce(request: WireRequest, plain: HttpAgent, secure: HttpsAgent): Promise<WireResponse> {
  const { url, signal } = request
  signal.throwIfAborted()
  // Asserted again right before sending, whatever has built the address (H-3, H-21).
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname)))
    return Promise.reject(new TransportError('PLAIN_HTTP_REFUSED'))
  if (url.username !== '' || url.password !== '') return Promise.reject(new TransportError('USERINFO_REFUSED'))
  const { promise, resolve, reject } = Promise.withResolvers<WireResponse>()
  const outgoing = url.protocol === 'https:' ? httpsRequest(url, optionsOf(request, secure)) : httpRequest(url, optionsOf(request, plain))
  let isAnswered = false
  const fail = (cause: unknown): void => {
    if (signal.aborted) reject(signal.reason as Error)
    else reject(failureOf(cause, outgoing.reusedSocket && !isAnswered))
  }
  outgoing.on('error', fail)
  outgoing.on('response', (incoming) => {
    isAnswered = true
    readWhole(incoming).then(resolve, fail)
  })
  const stop = (): void => void outgoing.destroy()
  signal.addEventListener('abort', stop, { once: true })
  outgoing.end(request.body)
  return promise.finally(() => signal.removeEventListener('abort', stop))
}

function optionsOf({ method, headers, body }: WireRequest, agent: HttpAgent | HttpsAgent): RequestOptions {
  const length = method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return {
    method,
    agent,
    headers: { accept: 'application/json', 'user-agent': USER_AGENT, ...headers, ...length },
    maxHeaderSize: 64 * 1024,
  }
}

/** The cause stays behind: Node puts addresses into its errors and, for some faults, the bytes that it could not read. */
function failureOf(cause: unknown, isUnansweredReuse: boolean): TransportError {
  if (cause instanceof TransportError) return cause
  const code = errorCode(cause) ?? ''
  const what = /^[A-Z][A-Z0-9_]*$/.test(code) ? code : 'CONNECTION_FAILED'
  return isUnansweredReuse && (what === 'ECONNRESET' || what === 'EPIPE') ? new StaleConnection(what) : new TransportError(what)
}

async function readWhole(incoming: IncomingMessage): Promise<WireResponse> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > BODY_BYTES_MAX) {
      incoming.destroy()
      throw new TransportError('BODY_TOO_LARGE')
    }
    chunks.push(chunk)
  }
  if (!incoming.complete) throw new TransportError('BODY_CUT_SHORT')
  const headers = new Map<string, string>()
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers.set(name, typeof value === 'string' ? value : (value.at(-1) ?? ''))
  const bytes = Buffer.concat(chunks)
  const response = { status: incoming.statusCode ?? 0, headers, body: bytes.toString() }
  bytes.fill(0)
  for (const chunk of chunks) chunk.fill(0)
  return response
}

/** Names below `localhost` are this machine (RFC 6761 section 6.3) and no resolver is asked; Node's own knows `localhost` alone. */
const lookupAtHome: LookupFunction = (hostname, options, callback) => {
  if (!isLocalhostName(hostname)) lookup(hostname, options, callback)
  else if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}
