import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorCode } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import { createHttpServer, hostPortText, listenOn, urlOf } from '@ascribe/service'
import type { HostPort } from '@ascribe/service'
import { Refusal, errorBody } from '../errors.ts'

export type HttpListener = AsyncDisposable & { readonly url: string }

export type HttpServerOptions = {
  readonly name: string
  readonly address: HostPort
  readonly logger: Logger
  /** Teleport's assertion grows with roles and traits; Node's 16 KiB are the top complaint (teleport#21731). */
  readonly maxHeaderSize: number
  /** On every answer, also to what is no HTTP. */
  readonly headers: Readonly<Record<string, string>>
  /** Answers one request, whatever it is. Must not throw. */
  readonly handle: (message: IncomingMessage, response: ServerResponse) => Promise<void>
  /** `Allow` of a path, for a method that Node's parser does not know. */
  readonly allowOf: (path: string) => string | undefined
}

/** A caller that has not sent its request by then is let go. */
const REQUEST_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 65_000
/** Idle keep-alive connections are closed at once when it stops; those with a request may take so long. */
const DRAIN_MS = 10_000

/** A listener whose every byte out is ours: what Node would say by itself is said in the contract's words. */
export async function startHttp(options: HttpServerOptions): Promise<HttpListener> {
  const { name, address, logger } = options
  const busy = new WeakMap<Duplex, number>()
  const answer = (message: IncomingMessage, response: ServerResponse): void => {
    const { socket } = message
    busy.set(socket, (busy.get(socket) ?? 0) + 1)
    response.on('close', () => busy.set(socket, (busy.get(socket) ?? 1) - 1))
    options.handle(message, response).catch((error: unknown) => {
      logger.error('api request broke', { error })
      response.destroy()
    })
  }
  const server = createHttpServer({
    headBytesMax: options.maxHeaderSize,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    keepAliveMs: KEEP_ALIVE_MS,
  })
  server.on('request', answer)
  // Answered like any other; only who reads the body says "continue".
  server.on('checkContinue', answer)
  server.on('checkExpectation', (message: IncomingMessage, response: ServerResponse) => answer(message, response))
  server.on('connect', (_message: IncomingMessage, socket: Duplex) =>
    refuseBytes(options, socket, new Refusal('method_not_allowed', 'This is no proxy.', { headers: { allow: 'GET, HEAD, OPTIONS' } })),
  )
  server.on('clientError', (error: Error & { readonly rawPacket?: Buffer }, socket: Duplex) => {
    // Between the bytes of another answer there is no place for this one.
    if (errorCode(error) === 'ECONNRESET' || !socket.writable || (busy.get(socket) ?? 0) > 0) socket.destroy()
    else refuseBytes(options, socket, malformed(options, error))
  })
  const bound = await listenOn(server, address)
  logger.debug('api listens', { listener: name, address: hostPortText(bound) })
  return { url: urlOf(bound), [Symbol.asyncDispose]: () => stop(server) }
}

async function stop(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  await promise
  clearTimeout(timer)
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~\w-]{1,40}) (\/[^\s?]*)\S* HTTP\/1\.[01]\r\n/

function malformed({ allowOf }: HttpServerOptions, error: Error & { readonly rawPacket?: Buffer }): Refusal {
  switch (errorCode(error)) {
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal('head_too_large', 'The head of the request is larger than this takes.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Refusal('request_timeout', 'The request did not come to its end in time.')
    case 'HPE_INVALID_METHOD': {
      // A method that HTTP allows and Node's parser does not know is still a method that is not allowed.
      const [, , path] = REQUEST_LINE.exec(error.rawPacket?.toString('latin1', 0, 8192) ?? '') ?? []
      const allow = path === undefined ? undefined : allowOf(path)
      if (path === undefined) break
      if (allow === undefined) return new Refusal('route_not_found', 'There is nothing here. The operations are in openapi.json.')
      return new Refusal('method_not_allowed', 'This takes another method: see Allow.', { headers: { allow } })
    }
    default:
  }
  return new Refusal('invalid_request', 'The request is malformed.')
}

const PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
}

/** Answers what is not HTTP, or more of it than we read: there is no request then, just bytes. */
function refuseBytes({ headers, logger, name }: HttpServerOptions, socket: Duplex, refusal: Refusal): void {
  const requestId = randomUUID()
  logger.info('api refused bytes', { listener: name, requestId, code: refusal.code })
  const body = JSON.stringify(errorBody(refusal, requestId))
  const all = {
    ...headers,
    ...refusal.headers,
    'x-request-id': requestId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const head = [
    `HTTP/1.1 ${refusal.status} ${PHRASES[refusal.status] ?? 'Refused'}`,
    ...Object.entries(all).map(([field, value]) => `${field}: ${value}`),
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
