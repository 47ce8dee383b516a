import type { z } from 'zod'
import {
  CloudEventSchema,
  EventReportSchema,
  IngestedEventsSchema,
  ListEventsQuerySchema,
  MeterQueryResultSchema,
  MeterQuerySchema,
} from './event-schemas.ts'

/** Events of others: how they come in, under our path and under OpenMeter's, and how they are read. */
export type EventRoute = {
  readonly operationId: string
  readonly summary: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly query?: z.ZodType<unknown, unknown>
  readonly body?: z.ZodType
  /** What 200 answers with. */
  readonly response: z.ZodType
}

const INGEST = {
  summary: 'Takes CloudEvents in, one or a batch. 204: committed; 200: committed, and something to tell.',
  method: 'POST',
  body: CloudEventSchema,
  response: EventReportSchema,
} as const

export const EVENT_ROUTES: {
  readonly ingestEvents: EventRoute
  readonly ingestOpenMeterEvents: EventRoute
  readonly listOpenMeterEvents: EventRoute
  readonly queryMeter: EventRoute
} = {
  ingestEvents: { ...INGEST, operationId: 'ingestEvents', path: '/v1/events' },
  ingestOpenMeterEvents: { ...INGEST, operationId: 'ingestOpenMeterEvents', path: '/api/v1/events' },
  listOpenMeterEvents: {
    operationId: 'listOpenMeterEvents',
    summary: "The newest events that keys of the key's organization have sent.",
    method: 'GET',
    path: '/api/v1/events',
    query: ListEventsQuerySchema,
    response: IngestedEventsSchema,
  },
  queryMeter: {
    operationId: 'queryMeter',
    summary: "How much of a meter the key's organization used, from every source.",
    method: 'GET',
    path: '/api/v1/meters/{meter}/query',
    query: MeterQuerySchema,
    response: MeterQueryResultSchema,
  },
}

/** What a body of events may say that it is. */
export const EVENT_CONTENT_TYPES: readonly string[] = [
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'application/json',
]
