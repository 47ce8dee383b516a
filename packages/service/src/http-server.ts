import { createServer } from 'node:http'
import type { Server } from 'node:http'

export type HttpServerOptions = {
  /** Bytes of a request's head. Node's default is 16 KiB. */
  readonly headBytesMax: number
  /** A client that has not sent its whole request by then is let go. */
  readonly requestTimeoutMs: number
  /** An idle connection is kept for so long. */
  readonly keepAliveMs: number
}

/** An HTTP server that does not listen yet and answers nothing: the caller's listeners do. See `listenOn`. */
export function createHttpServer({ headBytesMax, requestTimeoutMs, keepAliveMs }: HttpServerOptions): Server {
  return createServer({
    maxHeaderSize: headBytesMax,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    // Node would answer in words of its own.
    requireHostHeader: false,
  })
}
