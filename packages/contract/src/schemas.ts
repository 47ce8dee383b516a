import { z } from 'zod'
import type {
  Held,
  NoParams,
  NoQuery,
  OrganizationParams,
  Statement,
  StatementLine,
  StatementMemo,
  StatementQuery,
  UsageEvent,
  UsageEventPage,
  UsageRecordsQuery,
} from './types.ts'

/** The most records on a page. */
const PAGE_MAX = 1000

const decimal = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .meta({ id: 'DecimalText', description: 'A decimal number as a string, so that no reader rounds it.', examples: ['0.0000025'] })
const month = z
  .string()
  .regex(/^(19[7-9]|2[01]\d)\d-(0[1-9]|1[0-2])$/, 'must be a month, YYYY-MM')
  .meta({ id: 'Month', description: 'A calendar month, UTC.', examples: ['2026-11'] })
const amount = z.int().min(0)
const count = (description: string): z.ZodType<number | null> => amount.nullable().meta({ description: `${description} Null: unknown.` })

const StatementLineSchema: z.ZodType<StatementLine> = z
  .strictObject({
    kind: z.enum(['usage', 'tier', 'package', 'included', 'minimum', 'commitment', 'adjustment']).meta({
      description:
        "usage: hourly charges. tier, package, included: by the organization's total of the month. minimum, commitment: what is missing to an agreed amount. adjustment: corrects a closed month.",
    }),
    model: z.string().meta({ description: 'As the engine named it; prices go by it. Empty on a minimum or a commitment.' }),
    auth_id: z
      .string()
      .meta({ description: 'The key or token that the usage is attributed to. Empty where the line is of the whole organization.' }),
    meter: z.string().meta({
      description: 'The class of quantity. Classes are disjoint. Empty on a minimum or a commitment.',
      examples: ['input_tokens'],
    }),
    quantity: z.union([z.int(), z.string().regex(/^-?\d{16,40}$/)]).meta({
      description:
        'Units, or blocks of a package. Negative where an adjustment takes back. Beyond 2^53 - 1, which readers of JSON do not keep, text of its digits.',
    }),
    rate: decimal.meta({ description: 'Price of one unit, or of one block.' }),
    amount: decimal.meta({
      description:
        'On usage of a key, the sum of the hourly charges behind the line, each rounded once to nano-units; on a line of the month, quantity × rate, rounded once.',
    }),
    description: z.string().optional().meta({ description: 'What a person should know of the line.' }),
    corrects: month.optional().meta({ description: 'The closed month that an adjustment corrects.' }),
  })
  .meta({ id: 'StatementLine' })

const held: z.ZodType<Held> = z
  .strictObject({
    unpriced: amount.meta({ description: 'Records without a price for their model or one of their meters.' }),
    unattributed: amount.meta({ description: 'Records that name this organization, but whose credential does not belong to it.' }),
    unknown: amount.meta({ description: 'Records whose quantities nobody knows, for example because a process died.' }),
  })
  .meta({ id: 'Held' })

const memo: z.ZodType<StatementMemo> = z
  .strictObject({
    total: decimal.meta({ description: 'The sum of the lines of the memo; part of no other total.' }),
    lines: z.array(
      z
        .strictObject({
          model: z.string(),
          auth_id: z.string(),
          meter: z.string(),
          quantity: decimal.meta({ description: "In the unit that the meter's name says: hours." }),
          rate: decimal.meta({ description: 'List price of one such unit.' }),
          amount: decimal,
        })
        .meta({ id: 'StatementMemoLine' }),
    ),
  })
  .meta({
    id: 'StatementMemo',
    description: 'What the provider, the cloud for example, bills itself: quantities at list prices, owed to nobody here.',
  })

export const StatementSchema: z.ZodType<Statement> = z
  .strictObject({
    organization_id: z.uuid(),
    month,
    currency: z.string().regex(/^[A-Z]{3}$/),
    provisional: z
      .boolean()
      .meta({ description: 'Whether the month is still open: lines may change until it is closed, and never after.' }),
    total: decimal.meta({ description: 'Exactly the sum of the amounts of all lines.' }),
    lines: z.array(StatementLineSchema),
    held,
    memo: memo.optional(),
  })
  .meta({ id: 'Statement' })

export const UsageEventSchema: z.ZodType<UsageEvent> = z
  .looseObject({
    event_id: z.uuid(),
    request_id: z.string().meta({ description: "The client's X-Request-Id, else the event id. Not unique." }),
    auth_id: z.string(),
    resource_id: z.string(),
    organization_id: z.uuid().optional(),
    model: z.string().optional(),
    prompt_tokens: count("The engine's total, cached tokens inside."),
    cached_tokens: count('Of the prompt.'),
    completion_tokens: count("The engine's total, reasoning inside."),
    outcome: z.enum(['completed', 'aborted', 'upstream_error', 'upstream_reset', 'interrupted', 'unknown']),
    provenance: z.enum(['reported', 'continuous', 'estimated', 'unknown']),
    meters: z.record(z.string(), amount).meta({ description: 'Disjoint classes; they add up to what was used.' }),
    aborted: z.boolean(),
    timestamp_unix_ms: z.int().meta({ description: 'When the request ended.' }),
    started_unix_ms: z.int().meta({ description: 'When the request was admitted: the instant by which it is priced.' }),
  })
  .meta({ id: 'UsageEvent' })

export const UsageEventPageSchema: z.ZodType<UsageEventPage> = z
  .strictObject({
    records: z.array(UsageEventSchema),
    next: z.string().optional().meta({ description: 'Pass it as `after` for the next page; absent on the last.' }),
  })
  .meta({ id: 'UsageEventPage' })

/** Of routes without parameters. */
export const NoParamsSchema: z.ZodType<NoParams, unknown> = z.strictObject({})
/** Of routes without a query: an unknown parameter is refused, not ignored. */
export const NoQuerySchema: z.ZodType<NoQuery, unknown> = z.strictObject({})
export const OrganizationParamsSchema: z.ZodType<OrganizationParams, unknown> = z.strictObject({
  id: z.string().meta({ description: "The organization's id." }),
})
export const StatementQuerySchema: z.ZodType<StatementQuery, unknown> = z.strictObject({ month })
export const UsageRecordsQuerySchema: z.ZodType<UsageRecordsQuery, unknown> = z.strictObject({
  month,
  model: z.string().optional().meta({ description: 'Only records of a statement line with this model.' }),
  auth_id: z.string().optional().meta({ description: 'Only records of a statement line with this key.' }),
  after: z.uuid().optional().meta({ description: '`next` of the page before.' }),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(100),
})
