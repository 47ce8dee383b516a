import { createServer } from 'node:http'
import type { Server, ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Server as TlsServer } from 'node:https'

export type HttpServerOptions = {
  /** Bytes of a request's head. Node's default is 16 KiB. */
  readonly headBytesMax: number
  /** A client that has not sent its whole request by then is let go. */
  readonly requestTimeoutMs: number
  /** An idle connection is kept for so long. */
  readonly keepAliveMs: number
}

/** PEM of the certificate chain and of its key. */
export type ServerIdentity = { readonly cert: string; readonly key: string }

/** An HTTP server that does not listen yet and answers nothing: the caller's listeners do. See `listenOn`. */
export function createHttpServer(options: HttpServerOptions): Server {
  return createServer(serverOptions(options))
}

/** The same over TLS. A certificate that was rotated is taken up by `setSecureContext`. */
export function createHttpsServer(options: HttpServerOptions, identity: ServerIdentity): TlsServer {
  return createTlsServer({ ...serverOptions(options), ...identity, minVersion: 'TLSv1.2' })
}

function serverOptions({ headBytesMax, requestTimeoutMs, keepAliveMs }: HttpServerOptions): ServerOptions {
  return {
    maxHeaderSize: headBytesMax,
    requestTimeout: requestTimeoutMs,
    // Node looks every 30 s otherwise, and who sends nothing is here for so much longer.
    connectionsCheckingInterval: Math.min(30_000, Math.ceil(requestTimeoutMs / 2)),
    keepAliveTimeout: keepAliveMs,
    // Node would answer in words of its own.
    requireHostHeader: false,
  }
}
