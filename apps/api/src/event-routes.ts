import { ingestEvents, ingestOpenMeterEvents, listOpenMeterEvents, queryMeter } from '@ascribe/contract'
import type { EventRule } from '@ascribe/ledger'
import type { EventToken } from './event-sender.ts'
import { organizationRoute, route } from './handler.ts'
import type { Handler, Route } from './handler.ts'
import { ingest } from './ingest-events.ts'
import { readMeter } from './query-meter.ts'
import { listEvents } from './read-events.ts'
import type { EventReport, NoParams, NoQuery } from '@ascribe/contract'

/** What may be reported by others, by whom, and how much at once. */
export type EventsConfig = {
  readonly rules: readonly EventRule[]
  readonly tokens: readonly EventToken[]
  /** Of a request, in bytes. */
  readonly bodySize: number
  /** Events in one request. */
  readonly batchMax: number
}

/** The rows by which events of others come in and are read. */
export function eventRoutes({ rules, batchMax }: EventsConfig): readonly Route[] {
  const takeIn: Handler<NoParams, NoQuery, unknown, EventReport> = (context, { body }) =>
    // A raw body: bytes.
    ingest(context, { body: body as Uint8Array, limits: { batchMax, rules } })
  return [
    route(ingestEvents, takeIn),
    route(ingestOpenMeterEvents, takeIn),
    organizationRoute(listOpenMeterEvents, ({ db, organizationId }, { query }) => listEvents(db, organizationId, query)),
    organizationRoute(queryMeter, ({ db, organizationId }, { params, query }) =>
      readMeter(db, organizationId, { ...query, meter: params.meter }),
    ),
  ]
}
