import { z } from 'zod'
import { UsageEventSchema } from '../schemas.ts'
import type { UsageEvent } from '../types.ts'
import type {
  ChargeDetail,
  ChargeJson,
  ChargeParams,
  ChargesPage,
  ChargesQuery,
  ExportQuery,
  PageQuery,
  PriceJson,
  RecordJson,
  RecordParams,
  RecordState,
  RecordsPage,
  RecordsQuery,
} from './detail-types.ts'
import { count, currency, cursor, day, decimalText, flag, instant, keys, limit, nextCursor, quantityText, someOf } from './parts.ts'

const filters = { apiKey: keys, user: keys, group: keys, resource: keys, region: keys, model: keys, meter: keys }
const filter = { from: day, to: day, ...filters }

export const ChargesQuerySchema: z.ZodType<ChargesQuery, unknown> = z.strictObject({
  ...filter,
  limit: limit({ max: 1000, otherwise: 100 }),
  cursor,
})
const STATES: readonly RecordState[] = ['charged', 'free', 'unpriced', 'unattributed', 'unknown']
const PROVENANCES: readonly UsageEvent['provenance'][] = ['reported', 'continuous', 'estimated', 'unknown']

export const RecordsQuerySchema: z.ZodType<RecordsQuery, unknown> = z.strictObject({
  ...filter,
  state: someOf(STATES),
  provenance: someOf(PROVENANCES),
  limit: limit({ max: 200, otherwise: 25 }),
  cursor,
})
export const RecordPageQuerySchema: z.ZodType<PageQuery, unknown> = z.strictObject({ limit: limit({ max: 200, otherwise: 25 }), cursor })
export const ChargeParamsSchema: z.ZodType<ChargeParams> = z.strictObject({ id: z.string(), charge: z.string() })
export const RecordParamsSchema: z.ZodType<RecordParams> = z.strictObject({ id: z.string(), record: z.string() })

const recordPrice = {
  version: z.int(),
  effectiveFrom: instant.optional().meta({ description: 'Absent: from the beginning.' }),
  entry: z.string().meta({ description: 'Where it stands in the price book.', examples: ['base_models.small'] }),
  own: z.boolean().meta({ description: 'The organization has prices of its own.' }),
  rate: decimalText.optional().meta({ description: 'Of one unit; absent: the total of the month prices it.' }),
  description: z.string().optional(),
}
const PriceSchema: z.ZodType<PriceJson> = z
  .strictObject({
    ...recordPrice,
    currency,
    sha256: z.string(),
    via: z.enum(['model', 'fine_tune', 'base_model']),
    meter: z.string(),
  })
  .meta({ id: 'AppliedPrice' })

const charge = {
  id: z.string(),
  start: instant,
  end: instant,
  apiKey: z.string(),
  user: z.string().nullable(),
  group: z.string().nullable(),
  resource: z.string(),
  model: z.string(),
  baseModel: z.string().nullable(),
  meter: z.string(),
  priceVersion: z.int(),
  rate: decimalText,
  quantity: quantityText,
  amount: decimalText.meta({ description: 'Quantity × rate, rounded once to 10^-9.' }),
  currency,
  records: count,
  recordsDigest: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional()
    .meta({ description: 'Exclusive or of the ids of the records that were charged.' }),
}
const ChargeSchema: z.ZodType<ChargeJson> = z.strictObject(charge).meta({ id: 'Charge' })
export const ChargesPageSchema: z.ZodType<ChargesPage> = z.strictObject({ data: z.array(ChargeSchema), nextCursor }).meta({ id: 'Charges' })
export const ChargeDetailSchema: z.ZodType<ChargeDetail> = z
  .strictObject({ ...charge, price: PriceSchema.optional() })
  .meta({ id: 'ChargeDetail' })

export const RecordSchema: z.ZodType<RecordJson> = z
  .strictObject({
    event: UsageEventSchema,
    state: z.enum(STATES),
    currency: currency.optional().meta({ description: 'Of its charges.' }),
    charges: z
      .array(
        z.strictObject({ meter: z.string(), quantity: quantityText, amount: decimalText.optional(), price: z.strictObject(recordPrice) }),
      )
      .meta({ description: 'By meter, exact: a charge is the sum of an hour, rounded once.' }),
  })
  .meta({ id: 'PricedRecord' })
export const RecordsPageSchema: z.ZodType<RecordsPage> = z
  .strictObject({ data: z.array(RecordSchema), nextCursor })
  .meta({ id: 'PricedRecords' })

export const ExportQuerySchema: z.ZodType<ExportQuery, unknown> = z.strictObject({
  from: day,
  to: day,
  format: z.enum(['csv', 'focus']).default('csv').meta({ description: 'focus: FinOps FOCUS 1.2, CSV.' }),
  rows: z.enum(['all', 'open', 'invoiced']).default('all').meta({
    description:
      'open: of months without an issued invoice. invoiced: of those with one, with its credits, taxes and rounding. FOCUS wants the two apart.',
  }),
  children: flag.meta({ description: 'Also of the organizations directly under this one.' }),
  ...filters,
  organization: keys,
  category: keys,
  price: keys,
})
