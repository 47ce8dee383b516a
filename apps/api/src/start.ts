import type { Duplex } from 'node:stream'
import { fastify } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ERROR_STATUS, getStatement, listUsageRecords } from '@ascribe/contract'
import type { ApiErrorCode, ApiRoute, OrganizationParams } from '@ascribe/contract'
import type { ServerSecret } from '@ascribe/identity'
import type { Logger, Meters } from '@ascribe/kit'
import { InputError, toAscribeError } from '@ascribe/kit'
import type { Database } from '@ascribe/postgres'
import { DatabaseError } from '@ascribe/postgres'
import { hostPortText, listenOn, urlOf } from '@ascribe/service'
import { authenticate, ownOrganization } from './authenticate.ts'
import { Refusal, errorBody } from './errors.ts'
import { addEventRoutes } from './event-routes.ts'
import type { EventsConfig } from './event-routes.ts'
import { readStatement } from './read-statement.ts'
import { readUsageRecords } from './read-usage-records.ts'

export type ApiConfig = {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** Events of others; absent: none are taken in, and none can be read. */
  readonly events?: EventsConfig
}

export type ApiDeps = {
  readonly db: Database
  readonly serverSecret: ServerSecret
  readonly logger: Logger
  readonly meters: Meters
}

export type Api = AsyncDisposable & { readonly url: string }

type Handler<Query, Response> = (db: Database, organizationId: string, query: Query) => Promise<Response>

/** A caller that has not sent its request by then is let go. */
const REQUEST_TIMEOUT_MS = 10_000
/** Node's bound on the head of a request: no part of a URL can be longer. */
const HEAD_BYTES_MAX = 16 * 1024

/** Starts the customers' listener: statements and usage records of the organization that a key belongs to. */
export async function startApi(config: ApiConfig, deps: ApiDeps): Promise<Api> {
  const app = fastify({
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Answered like any other: by the one who is asked to stop, and in the shape of the contract.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: HEAD_BYTES_MAX },
    // fastify's own words for what it refuses before a route is found are not those of the contract.
    frameworkErrors: (error, request, reply) => void refuse(deps.logger, error, request, reply),
    clientErrorHandler: (error, socket) => refuseBytes(error, socket),
  })
  const requests = deps.meters.counter('ascribe_api_requests_total', 'Requests to the API, by operation and status.')
  app.addHook('onRequest', async (request, reply) => {
    // What is a customer's must not stay in anybody's cache.
    void reply.header('cache-control', 'no-store')
    // Here, before a body is looked at that nobody wants.
    if (request.is404) throw new Refusal('route_not_found', 'There is nothing here. The operations are in openapi.json.')
  })
  app.setErrorHandler((error, request, reply) => refuse(deps.logger, error, request, reply))
  app.addHook('onResponse', async (request, reply) => {
    requests.add(1, { operation: request.routeOptions.config.operationId ?? 'none', status: String(reply.statusCode) })
  })
  addRoute(app, deps, getStatement, readStatement)
  addRoute(app, deps, listUsageRecords, readUsageRecords)
  if (config.events !== undefined) addEventRoutes(app, deps, config.events)
  await app.ready()
  const address = await listenOn(app.server, config)
  deps.logger.debug('api listens', { address: hostPortText(address) })
  return { url: urlOf(address), [Symbol.asyncDispose]: () => app.close() }
}

declare module 'fastify' {
  interface FastifyContextConfig {
    operationId?: string
  }
}

function addRoute<Query, Response>(
  app: FastifyInstance,
  deps: ApiDeps,
  route: ApiRoute<OrganizationParams, Query, Response>,
  handler: Handler<Query, Response>,
): void {
  app.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    config: { operationId: route.operationId },
    handler: async (request) => {
      const reader = await authenticate(deps, request.headers.authorization)
      const { id } = request.params as OrganizationParams
      const organizationId = ownOrganization(reader, id)
      const query = route.query.safeParse(request.query)
      if (!query.success) {
        const [issue] = query.error.issues
        throw new Refusal(
          'invalid_request',
          `Cannot use the query: ${issue?.path.join('.') || 'parameters'}: ${issue?.message ?? 'invalid'}`,
        )
      }
      return handler(deps.db, organizationId, query.data)
    },
  })
}

function refuse(logger: Logger, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [code, message] = refusalOf(error)
  if (code === 'internal' || code === 'unavailable')
    logger.error('api request failed', { operation: request.routeOptions.config.operationId, error: toAscribeError(error) })
  void reply.header('cache-control', 'no-store')
  if (code === 'unauthenticated') void reply.header('www-authenticate', 'Bearer')
  if (code === 'unavailable') void reply.header('retry-after', '1')
  return reply.status(ERROR_STATUS[code]).send(errorBody(code, message, error instanceof Refusal ? error.events : undefined))
}

/** Answers what is not HTTP, or more of it than we read: there is no request then, just bytes. */
function refuseBytes(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const body = JSON.stringify(errorBody('invalid_request', 'The request is malformed.'))
  const head = [
    `HTTP/1.1 ${ERROR_STATUS.invalid_request} Bad Request`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function refusalOf(error: unknown): readonly [ApiErrorCode, string] {
  if (error instanceof Refusal) return [error.code, error.message]
  if (error instanceof InputError) return ['invalid_request', error.message]
  if (error instanceof DatabaseError && error.retryable) return ['unavailable', 'The ledger cannot be asked now. Try again soon.']
  // fastify's own: malformed URLs, bodies where none belong.
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  if (status === ERROR_STATUS.body_too_large) return ['body_too_large', 'The body is larger than this takes.']
  if (typeof status === 'number' && status < 500) return ['invalid_request', 'The request is malformed.']
  return ['internal', 'Something went wrong here. It has been logged.']
}
