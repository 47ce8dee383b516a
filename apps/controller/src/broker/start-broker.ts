import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createHttpServer, createHttpsServer, listenOn, urlOf } from '@ascribe/service'
import type { HostPort, ServerIdentity } from '@ascribe/service'
import type { Clocks } from '@ascribe/kube'
import type { Logger } from '@ascribe/kit'
import { readBody } from '../process/read-body.ts'
import type { Broker } from './broker.ts'
import { BrokerConfigError } from './errors.ts'
import type { BrokerReply } from './types.ts'

export type BrokerListener = {
  readonly listen: HostPort
  /** Files with PEM; looked at each minute, as cert-manager and kubelet rotate them. Without: plain http, on loopback only. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
}

export type RunningBroker = AsyncDisposable & { readonly url: string }

const BODY_BYTES_MAX = 64 * 1024
const LOOK_MS = 60_000
const LIMITS = { headBytesMax: 16 * 1024, requestTimeoutMs: 10_000, keepAliveMs: 60_000 }
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

/** Serves a broker. @throws {ListenError | BrokerConfigError} */
export async function startBroker(
  broker: Broker,
  { listen, tls }: BrokerListener,
  deps: { readonly clocks: Clocks; readonly logger: Logger },
): Promise<RunningBroker> {
  if (tls === undefined && !LOOPBACK.test(listen.host))
    throw new BrokerConfigError(
      `Cannot serve the broker at ${listen.host} without a certificate: tokens of pods would cross the network in the clear`,
    )
  const secure = tls === undefined ? undefined : createHttpsServer(LIMITS, readIdentity(tls))
  const server = secure ?? createHttpServer(LIMITS)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    serve(broker, request, response).catch((error: unknown) => {
      deps.logger.debug('a program left before it was answered', { error })
      response.destroy()
    })
  })
  const bound = await listenOn(server, listen)
  using stack = new DisposableStack()
  if (secure !== undefined && tls !== undefined) stack.use(followCertificate(secure, { tls, ...deps }))
  const held = stack.move()
  const url = urlOf(bound)
  return {
    url: tls === undefined ? url : url.replace(/^http:/, 'https:'),
    async [Symbol.asyncDispose]() {
      held.dispose()
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      server.closeAllConnections()
      await promise
    },
  }
}

type Following = { readonly tls: NonNullable<BrokerListener['tls']>; readonly clocks: Clocks; readonly logger: Logger }

/** Takes up a certificate that was rotated on disk. */
function followCertificate(server: ReturnType<typeof createHttpsServer>, { tls, clocks, logger }: Following): Disposable {
  let used = readIdentity(tls)
  let timer = clocks.timer(LOOK_MS, function look() {
    timer = clocks.timer(LOOK_MS, look)
    try {
      const now = readIdentity(tls)
      if (now.cert !== used.cert || now.key !== used.key) server.setSecureContext(now)
      used = now
    } catch (error) {
      // In the middle of a rotation the pair may not match; the old one goes on.
      logger.warn('certificate of the broker cannot be read', { error })
    }
  })
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

function readIdentity({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }): ServerIdentity {
  try {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  } catch (cause) {
    throw new BrokerConfigError(`Cannot serve the broker: ${certFile} or ${keyFile} cannot be read`, { cause })
  }
}

async function serve(broker: Broker, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request, BODY_BYTES_MAX)
  if (body === undefined) {
    response.setHeader('connection', 'close')
    return send(response, {
      status: 413,
      body: [{ error_point: null, error_type: 'validation', error_message: 'Cannot take a body of that size' }],
    })
  }
  const { method = '', url = '', headers } = request
  send(response, await broker.answer({ method, url, authorization: headers.authorization, body }))
}

function send(response: ServerResponse, { status, body, retryAfterS }: BrokerReply): void {
  const text = body === undefined ? '' : JSON.stringify(body)
  response.writeHead(status, {
    ...(text !== '' && { 'content-type': 'application/json' }),
    ...(status !== 204 && { 'content-length': Buffer.byteLength(text) }),
    'cache-control': 'no-store',
    ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
  })
  response.end(text)
}
