import type { FastifyInstance, FastifyRequest } from 'fastify'
import { EVENT_ROUTES, ListEventsQuerySchema, MeterQuerySchema } from '@ascribe/contract'
import type { EventRule, EventSender } from '@ascribe/ledger'
import { authenticate } from './authenticate.ts'
import type { Authentication } from './authenticate.ts'
import { Refusal } from './errors.ts'
import { authenticateSender } from './event-sender.ts'
import type { EventToken } from './event-sender.ts'
import { ingestEvents } from './ingest-events.ts'
import { queryMeter } from './query-meter.ts'
import { listEvents } from './read-events.ts'

/** What may be reported by others, by whom, and how much at once. */
export type EventsConfig = {
  readonly rules: readonly EventRule[]
  readonly tokens: readonly EventToken[]
  /** Of a request, in bytes. */
  readonly bodySize: number
  /** Events in one request. */
  readonly batchMax: number
}

/** Adds the routes by which events of others come in and are read. */
export function addEventRoutes(app: FastifyInstance, deps: Authentication, config: EventsConfig): void {
  void app.register(async (scope) => addIngest(scope, deps, config))
  const { listOpenMeterEvents: list, queryMeter: meter } = EVENT_ROUTES
  app.get(list.path, { config: { operationId: list.operationId } }, async (request) => {
    const { organizationId } = await authenticate(deps, request.headers.authorization)
    return listEvents(deps.db, organizationId, parsedQuery(ListEventsQuerySchema, request))
  })
  app.get(meter.path.replace('{meter}', ':meter'), { config: { operationId: meter.operationId } }, async (request) => {
    const { organizationId } = await authenticate(deps, request.headers.authorization)
    const { meter: name } = request.params as { readonly meter: string }
    return queryMeter(deps.db, organizationId, { ...parsedQuery(MeterQuerySchema, request), meter: name })
  })
}

/** In a scope of its own: only here is a body of any type read, as bytes. */
function addIngest(scope: FastifyInstance, deps: Authentication, { tokens, bodySize, batchMax, rules }: EventsConfig): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodySize }, (_request, body, done) => done(null, body))
  const senders = new WeakMap<FastifyRequest, EventSender>()
  // Before the body is read: nobody's does not take any memory.
  scope.addHook('onRequest', async (request) => {
    senders.set(request, await authenticateSender(deps, tokens, request.headers.authorization))
  })
  for (const route of [EVENT_ROUTES.ingestEvents, EVENT_ROUTES.ingestOpenMeterEvents]) {
    scope.post(route.path, { bodyLimit: bodySize, config: { operationId: route.operationId } }, async (request, reply) => {
      const sender = senders.get(request)
      if (sender === undefined) throw new Error('a request was let in without a sender')
      return ingestEvents(deps.db, sender, { limits: { batchMax, rules }, request, reply })
    })
  }
}

type Schema<Query> = {
  safeParse(value: unknown):
    | { readonly success: true; readonly data: Query }
    | {
        readonly success: false
        readonly error: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] }
      }
}

function parsedQuery<Query>(schema: Schema<Query>, request: FastifyRequest): Query {
  const query = schema.safeParse(request.query)
  if (query.success) return query.data
  const [issue] = query.error.issues
  throw new Refusal('invalid_request', `Cannot use the query: ${issue?.path.join('.') || 'parameters'}: ${issue?.message ?? 'invalid'}`)
}
