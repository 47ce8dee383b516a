import { z } from 'zod'
import {
  CloudEventSchema,
  EventReportSchema,
  IngestedEventsSchema,
  ListEventsQuerySchema,
  MeterQueryResultSchema,
  MeterQuerySchema,
} from './event-schemas.ts'
import type { EventReport, IngestedEvent, ListEventsQuery, MeterQuery, MeterQueryResult } from './event-types.ts'
import type { RouteDef } from './route.ts'
import { NoParamsSchema, NoQuerySchema } from './schemas.ts'
import type { NoParams, NoQuery } from './types.ts'

/** What a body of events may say that it is. */
const EVENT_CONTENT_TYPES: readonly string[] = ['application/cloudevents+json', 'application/cloudevents-batch+json', 'application/json']

const INGEST = {
  summary: 'Takes CloudEvents in, one or a batch. 204: committed; 200: committed, and something to tell.',
  method: 'POST',
  listeners: ['public'],
  subject: 'sender',
  needs: { scope: 'usage:write' },
  params: NoParamsSchema,
  query: NoQuerySchema,
  body: CloudEventSchema,
  bodyType: 'raw',
  bodyContent: EVENT_CONTENT_TYPES,
  reply: EventReportSchema,
  alsoStatus: [204],
  optional: 'events',
} as const

export const ingestEvents: RouteDef<NoParams, NoQuery, unknown, EventReport> = {
  ...INGEST,
  operationId: 'ingestEvents',
  path: '/v1/events',
}

export const ingestOpenMeterEvents: RouteDef<NoParams, NoQuery, unknown, EventReport> = {
  ...INGEST,
  operationId: 'ingestOpenMeterEvents',
  path: '/api/v1/events',
}

export const listOpenMeterEvents: RouteDef<NoParams, ListEventsQuery, undefined, readonly IngestedEvent[]> = {
  operationId: 'listOpenMeterEvents',
  summary: "The newest events that keys of the key's organization have sent.",
  method: 'GET',
  path: '/api/v1/events',
  listeners: ['public'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
  params: NoParamsSchema,
  query: ListEventsQuerySchema,
  reply: IngestedEventsSchema,
  optional: 'events',
}

export type MeterParams = { readonly meter: string }

export const queryMeter: RouteDef<MeterParams, MeterQuery, undefined, MeterQueryResult> = {
  operationId: 'queryMeter',
  summary: "How much of a meter the key's organization used, from every source.",
  method: 'GET',
  path: '/api/v1/meters/{meter}/query',
  listeners: ['public'],
  subject: 'organization',
  needs: { scope: 'billing:read', role: 'viewer' },
  params: z.strictObject({ meter: z.string() }),
  query: MeterQuerySchema,
  reply: MeterQueryResultSchema,
  optional: 'events',
}

/** Events of others: how they come in, under our path and under OpenMeter's, and how they are read. */
export const EVENT_ROUTES: readonly RouteDef[] = [ingestEvents, ingestOpenMeterEvents, listOpenMeterEvents, queryMeter]
