import { z } from 'zod'
import type { EventReport, IngestedEvent, ListEventsQuery, MeterQuery, MeterQueryResult } from './event-types.ts'

/** The most events that one reply lists, as in OpenMeter's API. */
const LIST_MAX = 100

const count = z.int().min(0)
const instant = z.iso.datetime({ offset: true })
const texts = z.union([z.string(), z.array(z.string()).max(100)])
const windowSize = z.enum(['HOUR', 'DAY', 'MONTH'])

export const EventReportSchema: z.ZodType<EventReport> = z
  .strictObject({
    accepted: count,
    duplicates: count,
    conflicting: count,
    events: z.array(
      z.strictObject({
        source: z.string(),
        id: z.string(),
        status: z.enum(['accepted', 'duplicate', 'conflicting']),
        event_id: z.uuid().meta({ description: 'Of the usage record that stands.' }),
      }),
    ),
  })
  .meta({ id: 'EventReport' })

export const IngestedEventsSchema: z.ZodType<readonly IngestedEvent[]> = z
  .array(
    z.strictObject({
      event: z.strictObject({
        specversion: z.literal('1.0'),
        id: z.string(),
        source: z.string(),
        type: z.string(),
        subject: z.string().meta({ description: 'The auth id that the usage is attributed to.' }),
        time: instant,
        data: z.record(z.string(), z.unknown()).meta({ description: 'What was read from the event: meters, model, resource.' }),
      }),
      ingestedAt: instant,
      storedAt: instant,
      validationError: z.string().optional().meta({ description: 'Why it counts no longer; absent: it counts.' }),
    }),
  )
  .meta({ id: 'IngestedEvents' })

export const MeterQueryResultSchema: z.ZodType<MeterQueryResult> = z
  .strictObject({
    from: instant.optional(),
    to: instant.optional(),
    windowSize: windowSize.optional(),
    data: z.array(
      z.strictObject({
        value: count,
        windowStart: instant,
        windowEnd: instant,
        subject: z.string().nullable(),
        groupBy: z.record(z.string(), z.string().nullable()),
      }),
    ),
  })
  .meta({ id: 'MeterQueryResult' })

/** CloudEvents 1.0, JSON format: what is not named here is read where the configuration points. */
export const CloudEventSchema: z.ZodType<unknown> = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: z.string().min(1),
    source: z.string().min(1),
    type: z.string().min(1).meta({ description: 'One that the configuration has a rule for.' }),
    subject: z.string().optional().meta({ description: 'Whose usage it is: an auth id, or an organization.' }),
    time: instant.optional().meta({ description: 'When it was used. Default: now.' }),
    data: z.unknown().optional(),
  })
  .meta({ id: 'CloudEvent' })

export const ListEventsQuerySchema: z.ZodType<ListEventsQuery, unknown> = z.strictObject({
  limit: z.coerce.number().int().min(1).max(LIST_MAX).default(LIST_MAX),
  id: z.string().optional(),
  subject: z.string().optional().meta({ description: 'Only of this auth id.' }),
})

export const MeterQuerySchema: z.ZodType<MeterQuery, unknown> = z.strictObject({
  from: instant.optional().meta({ description: 'From then on. Default: the beginning.' }),
  to: instant.optional().meta({ description: 'Before then. Default: now.' }),
  windowSize: windowSize.optional().meta({ description: 'Default: one window, the whole period.' }),
  windowTimeZone: z.literal('UTC').optional(),
  subject: texts.optional().meta({ description: 'Only of these auth ids, each by itself.' }),
  groupBy: texts.optional().meta({ description: '`subject`, `model`, or both.' }),
})
