import { lookup as dnsLookup } from 'node:dns'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { TLSSocket } from 'node:tls'
import { errorCode } from '@ascribe/kit'
import type { Effect } from './fault.ts'

export type HttpRequest = {
  readonly url: URL
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** Ends it wherever it is. */
  readonly signal: AbortSignal
  /** On a connection of its own: one that has rested may be dying, and then nobody knows whether the request arrived. */
  readonly isFresh: boolean
  /** Called once a connection stands, before the first byte: what it throws ends the request, of which nothing was sent. */
  readonly lastLook?: () => void
}

export type HttpAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }

/** No whole answer. `isStale`: a connection that had rested was closed under the request, which may be sent again if it is idempotent. */
export class ExchangeFailure extends Error {
  readonly effect: Effect
  readonly isStale: boolean

  constructor(why: string, facts: { readonly effect: Effect; readonly isStale?: boolean }) {
    super(why)
    this.effect = facts.effect
    this.isStale = facts.isStale === true
  }
}

/** One HTTP request, one answer: no redirects, no retries, no cookies. */
export type Exchange = AsyncDisposable & { send(request: HttpRequest): Promise<HttpAnswer> }

/** A page of a hundred servers with their meta has about 1 MiB; a whole list in one answer some tens. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
/** Below the idle time-outs of usual front ends, so that we close first. */
const REST_MS = 4000

export type ExchangeOptions = {
  /** PEM of the authorities to trust instead of the machine's. */
  readonly ca?: string | undefined
  readonly connectionsMax: number
}

/** Over `node:http` and `node:https`, with kept connections. */
export function createExchange({ ca, connectionsMax }: ExchangeOptions): Exchange {
  const options = { keepAlive: true, maxSockets: connectionsMax, maxFreeSockets: connectionsMax, timeout: REST_MS }
  const agents = { 'http:': new HttpAgent(options), 'https:': new HttpsAgent({ ...options, ...(ca !== undefined && { ca }) }) }
  return {
    send(request) {
      const isPlain = request.url.protocol === 'http:'
      const agent = agents[isPlain ? 'http:' : 'https:']
      const settings: RequestOptions & { ca?: string } = {
        method: request.method,
        headers: {
          ...request.headers,
          ...(request.body !== undefined && { 'content-length': String(Buffer.byteLength(request.body)) }),
        },
        agent: request.isFresh ? false : agent,
        signal: request.signal,
        lookup,
        ...(ca !== undefined && { ca }),
      }
      return exchangeOver((isPlain ? httpRequest : httpsRequest)(request.url, settings), request)
    },
    async [Symbol.asyncDispose]() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

function exchangeOver(outgoing: ClientRequest, { body, signal, lastLook }: HttpRequest): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
  let isSent = false
  const fail = (thrown: unknown): void => {
    if (signal.aborted) return reject(abortOf(signal, isSent))
    const code = errorCode(thrown)
    const isStale = outgoing.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE')
    reject(new ExchangeFailure(whyOf(code), { effect: isSent ? 'unknown' : 'none', isStale }))
  }
  // Nothing is written, head included, before there is a connection: making one takes time in which what was allowed may be so no more.
  const write = (): void => {
    try {
      lastLook?.()
    } catch (error) {
      reject(error)
      outgoing.destroy()
      return
    }
    isSent = true
    outgoing.end(body)
  }
  outgoing.once('socket', (socket) => {
    if (!socket.connecting) write()
    else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', write)
  })
  outgoing.on('error', fail)
  outgoing.once('response', (incoming) => void readAnswer(incoming).then(resolve, fail))
  return promise
}

async function readAnswer(incoming: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length
    // Leaving the loop ends the connection.
    if (length > ANSWER_BYTES_MAX) throw Object.assign(new Error('too long'), { code: 'ANSWER_TOO_LONG' })
    chunks.push(chunk)
  }
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }
}

function abortOf(signal: AbortSignal, isSent: boolean): unknown {
  const { reason } = signal
  const isDeadline = reason instanceof Error && reason.name === 'TimeoutError'
  return isDeadline ? new ExchangeFailure('no whole answer before the deadline', { effect: isSent ? 'unknown' : 'none' }) : reason
}

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens at the endpoint',
  ECONNRESET: 'the connection broke before the answer was whole',
  EPIPE: 'the connection broke while the request was sent',
  ENOTFOUND: "the endpoint's name cannot be found",
  EAI_AGAIN: "the endpoint's name cannot be looked up now",
  ETIMEDOUT: 'the endpoint does not take a connection',
  EHOSTUNREACH: 'the endpoint cannot be reached',
  ENETUNREACH: 'the endpoint cannot be reached',
  ANSWER_TOO_LONG: `the answer has more than ${ANSWER_BYTES_MAX} bytes`,
  DEPTH_ZERO_SELF_SIGNED_CERT: "the endpoint's certificate is not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "the endpoint's certificate is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the endpoint's certificate is not trusted",
  CERT_HAS_EXPIRED: "the endpoint's certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "the endpoint's certificate is for another name",
}

/** Never the library's own message: some repeat what was sent. */
function whyOf(code: string | undefined): string {
  return WHY[code ?? ''] ?? `the exchange failed${code === undefined || !/^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? '' : ` with ${code}`}`
}

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

/** `*.localhost` is this machine (RFC 6761, section 6.3), which the resolver below Node does not say everywhere. */
function lookup(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  if (hostname !== 'localhost' && !hostname.endsWith('.localhost')) {
    dnsLookup(hostname, options, callback)
    return
  }
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}
