import { z } from 'zod'
import type { EventsConfig } from '@ascribe/api'
import { isDataPath } from '@ascribe/ledger/event-rules'
import type { EventRule, MeterRule } from '@ascribe/ledger'
import { byteSize, secret } from '@ascribe/service'
import type { Secret } from '@ascribe/service'

/** How events of one type become usage, as the configuration has it. */
export type EventSettings = {
  readonly type: string
  readonly resource_id: string
  readonly resource_type?: string | undefined
  readonly model?: string | undefined
  readonly base_model?: string | undefined
  readonly subject: EventRule['subject']
  readonly meters: Readonly<Record<string, string | { path: string; scale: number; optional: boolean } | { count: number }>>
}

/** What others may report, and who of them. */
export type IngestSettings = {
  /** Bytes. */
  readonly body_size: number
  readonly batch_max: number
  readonly tokens: readonly { readonly id: string; readonly token: Secret }[]
  readonly events: readonly EventSettings[]
}

/** Shorter ones can be guessed. */
const TOKEN_LENGTH_MIN = 16
/** Places of a numeric quantity; 18 as rates have. */
const SCALE_MAX = 18

const name = z.string().min(1)
const path = z.string().refine(isDataPath, 'must be a path into the data of the event, such as $.usage.cpu')
/** A path, or a text for itself; one that begins like a path has to be one. */
const source = name.refine(
  (text) => !text.startsWith('$') || isDataPath(text),
  'must be a path such as $.vm.id, or a text that does not begin with $',
)
const meterName = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be the name of a meter: small letters, digits and _')

const meter = z.union([
  path,
  z.strictObject({ path, scale: z.int().min(0).max(SCALE_MAX).default(0), optional: z.boolean().default(false) }),
  z.strictObject({ count: z.int().min(1) }),
])

const EventSchema: z.ZodType<EventSettings, unknown> = z.strictObject({
  type: name,
  resource_id: source,
  resource_type: name.optional(),
  model: source.optional(),
  base_model: source.optional(),
  subject: z.enum(['auth_id', 'user']).default('auth_id'),
  meters: z.record(meterName, meter).refine((meters) => Object.keys(meters).length > 0, 'must have at least one meter'),
})

const unique = <Item>(items: readonly Item[], key: (item: Item) => string): boolean => new Set(items.map(key)).size === items.length

export const IngestSchema: z.ZodType<IngestSettings, unknown> = z
  .strictObject({
    body_size: byteSize().default(4 * 1024 * 1024),
    batch_max: z.int().min(1).max(100_000).default(5000),
    tokens: z
      .array(z.strictObject({ id: name, token: secret() }))
      .refine((tokens) => unique(tokens, ({ id }) => id), 'must have one token for each id')
      .refine(
        (tokens) => tokens.every(({ token }) => token.reveal().length >= TOKEN_LENGTH_MIN),
        `must have tokens of ${TOKEN_LENGTH_MIN} characters or more`,
      )
      .default([]),
    events: z
      .array(EventSchema)
      .refine((events) => unique(events, ({ type }) => type), 'must have one rule for each type')
      .default([]),
  })
  .prefault({})

/** The rules as the ledger takes them. */
export function eventRulesOf({ events }: Pick<IngestSettings, 'events'>): readonly EventRule[] {
  return events.map(({ type, resource_id: resourceId, resource_type: resourceType, model, base_model: baseModel, subject, meters }) => ({
    type,
    resourceId,
    ...(resourceType !== undefined && { resourceType }),
    ...(model !== undefined && { model }),
    ...(baseModel !== undefined && { baseModel }),
    subject,
    meters: Object.fromEntries(
      Object.entries(meters).map(([key, value]): [string, MeterRule] => [key, typeof value === 'string' ? { path: value } : value]),
    ),
  }))
}

/** What the API is given of it. */
export function eventsConfigOf(settings: IngestSettings): EventsConfig {
  return {
    rules: eventRulesOf(settings),
    tokens: settings.tokens.map(({ id, token }) => ({ id, token: token.reveal() })),
    bodySize: settings.body_size,
    batchMax: settings.batch_max,
  }
}
