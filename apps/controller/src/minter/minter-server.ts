import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { ClientRefusedError, formatMintError } from '@ascribe/impersonation'
import type { Logger } from '@ascribe/kit'
import { createHttpServer, createHttpsServer, listenOn, listenOnSocket, urlOf } from '@ascribe/service'
import type { HostPort, ServerIdentity } from '@ascribe/service'
import { readBody } from '../process/read-body.ts'
import type { MinterService } from './minter.ts'
import type { MinterCaller, MinterReply } from './types.ts'

/** Who sends a request; `undefined`: nobody who may. */
export type WhoAsks = (authorization: string | undefined) => Promise<MinterCaller | undefined>
export type MinterServing = { readonly service: MinterService; readonly who: WhoAsks; readonly logger: Logger }
export type ServingMinter = AsyncDisposable & { readonly url: string }

const BODY_BYTES_MAX = 16 * 1024
const LIMITS = { headBytesMax: 16 * 1024, requestTimeoutMs: 10_000, keepAliveMs: 60_000 }
/** Callers wait a little longer, so that they hear why. */
const ANSWER_MS_MAX = 35_000

/** Serves over TLS. @throws {ListenError} */
export async function serveSecurely(serving: MinterServing, listen: HostPort, identity: ServerIdentity): Promise<ServingMinter> {
  const server = createHttpsServer(LIMITS, identity)
  server.on('request', handlerOf(serving))
  const bound = await listenOn(server, listen)
  return { url: urlOf(bound).replace(/^http:/, 'https:'), [Symbol.asyncDispose]: () => close(server) }
}

/** Serves on a socket that nobody but its owner may open. @throws {ListenError} */
export async function serveOnSocket(serving: MinterServing, path: string): Promise<ServingMinter> {
  const server = createHttpServer(LIMITS)
  server.on('request', handlerOf(serving))
  const listening = await listenOnSocket(server, path)
  return {
    url: path,
    async [Symbol.asyncDispose]() {
      await close(server)
      listening[Symbol.dispose]()
    },
  }
}

function handlerOf(serving: MinterServing): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    serve(serving, request, response).catch((error: unknown) => {
      serving.logger.debug('a caller left before it was answered', { error })
      response.destroy()
    })
  }
}

async function serve({ service, who }: MinterServing, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request, BODY_BYTES_MAX)
  const caller = await who(request.headers.authorization)
  if (caller === undefined || body === undefined || request.method !== 'POST') {
    response.setHeader('connection', 'close')
    return send(response, { status: caller === undefined ? 401 : body === undefined ? 413 : 405, body: NOBODY })
  }
  // Who left is not minted for.
  const left = new AbortController()
  response.on('close', () => left.abort())
  const signal = AbortSignal.any([left.signal, AbortSignal.timeout(ANSWER_MS_MAX)])
  send(response, await service.answer(request.url ?? '', body, { caller, signal }))
}

const NOBODY = formatMintError(
  new ClientRefusedError('Cannot tell who asks: send a service-account token of a pod for the audience ascribe-minter', {
    step: 'minter',
    reason: 'client_refused',
  }),
)

function send(response: ServerResponse, { status, body }: MinterReply): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(body)
}

async function close(server: Pick<Server, 'close' | 'closeAllConnections'>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  await promise
}
