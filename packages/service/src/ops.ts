import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { toAscribeError } from '@ascribe/kit'
import { type HostPort, listenOn, urlOf } from './listen.ts'
import { maskText } from './log-fields.ts'

/** One thing that must hold before this process should get traffic. `detail` is for people and holds no secret. */
export type ReadyCheck = { readonly ok: boolean; readonly detail?: string }
/** All checks by name. The process is ready when every one is ok. */
export type ReadyReport = Readonly<Record<string, ReadyCheck>>

export type OpsOptions = HostPort & {
  readonly meters: { render(): string | Promise<string> }
  /** Asked at each call of `/readyz`, for at most two seconds. Throwing means not ready. */
  readonly ready: () => ReadyReport | Promise<ReadyReport>
}

export type OpsServer = AsyncDisposable & {
  /** `http://host:port`, without a trailing slash. */
  readonly url: string
  close(): Promise<void>
}

const READY_TIMEOUT_MS = 2000
const CONNECTIONS_MAX = 64

/**
 * Serves `/healthz` (200 while the event loop turns), `/readyz` (200 or 503, each check by name) and `/metrics` on a
 * port of their own, so that neither customers reach them nor a flood of requests starves them of a listener.
 *
 * @throws {ListenError}
 */
export async function startOps(options: OpsOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => response.destroy(toAscribeError(error)))
  })
  server.maxConnections = CONNECTIONS_MAX
  server.requestTimeout = 10_000
  const bound = await listenOn(server, options)
  const close = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    server.closeAllConnections()
    return promise
  }
  return { url: urlOf(bound), close, [Symbol.asyncDispose]: close }
}

async function answer(options: OpsOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'content-length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'text/plain', 'method not allowed\n')
  switch (request.url?.split('?', 1)[0]) {
    case '/healthz':
      return send(200, 'text/plain', 'ok\n')
    case '/readyz': {
      const checks = await checksOf(options)
      const isReady = Object.values(checks).every((check) => check.ok)
      return send(isReady ? 200 : 503, 'application/json', `${JSON.stringify({ ready: isReady, checks })}\n`)
    }
    case '/metrics':
      return send(200, 'text/plain; version=0.0.4; charset=utf-8', await options.meters.render())
    default:
      return send(404, 'text/plain', 'not found: try /healthz, /readyz, /metrics\n')
  }
}

async function checksOf(options: OpsOptions): Promise<ReadyReport> {
  const timer = Promise.withResolvers<ReadyReport>()
  const timeout = setTimeout(
    () => timer.resolve({ ready: { ok: false, detail: `no answer within ${READY_TIMEOUT_MS} ms` } }),
    READY_TIMEOUT_MS,
  )
  try {
    return await Promise.race([options.ready(), timer.promise])
  } catch (thrown) {
    return { ready: { ok: false, detail: maskText(toAscribeError(thrown).message) } }
  } finally {
    clearTimeout(timeout)
  }
}
