import { z } from 'zod'
import type {
  AsOf,
  CatalogueName,
  CataloguePageJson,
  CatalogueQuery,
  CostDimension,
  CostReport,
  CostsQuery,
  DimensionParams,
  FreshnessQuery,
  Total,
  UsageDimension,
  UsageQuery,
  UsageReport,
} from './cost-types.ts'
import { count, currency, cursor, day, decimalText, flag, instant, keys, limit, nextCursor, quantityText, words } from './parts.ts'

const USAGE_DIMENSIONS: readonly UsageDimension[] = ['organization', 'apiKey', 'user', 'group', 'resource', 'region', 'model']
const COST_DIMENSIONS: readonly CostDimension[] = [...USAGE_DIMENSIONS, 'meter', 'category', 'price']
const CATALOGUES: readonly CatalogueName[] = [...USAGE_DIMENSIONS, 'meter']

const usageFilter = { organization: keys, apiKey: keys, user: keys, group: keys, resource: keys, region: keys, model: keys }

const window = {
  from: day,
  to: day,
  grain: z.enum(['hour', 'day', 'month', 'total']).default('day').meta({ description: 'Hours only of 31 days at most.' }),
  children: flag.meta({ description: 'Also of the organizations directly under this one.' }),
  limit: limit({ max: 5000, otherwise: 1000 }),
  cursor,
}

export const CostsQuerySchema: z.ZodType<CostsQuery, unknown> = z.strictObject({
  ...window,
  groupBy: words(COST_DIMENSIONS).meta({ description: 'Dimensions with commas between them.', examples: ['model,apiKey'] }),
  ...usageFilter,
  meter: keys,
  category: keys,
  price: keys,
  compare: z
    .enum(['previous'])
    .optional()
    .meta({ description: 'With grain total: beside each amount that of as many days before, and what was there then and is gone.' }),
})

export const UsageReportQuerySchema: z.ZodType<UsageQuery, unknown> = z.strictObject({
  ...window,
  groupBy: words(USAGE_DIMENSIONS).meta({ description: 'Dimensions with commas between them. Meters are apart in every row as it is.' }),
  ...usageFilter,
  meter: keys,
})

export const AsOfSchema: z.ZodType<AsOf> = z
  .strictObject({
    newestRecordAt: instant.optional().meta({ description: 'Admission of the newest record that is rated.' }),
    ratedBefore: instant.meta({ description: 'Every hour that began before this is rated with all records that the ledger has.' }),
    heldRecords: count.meta({ description: 'Records of the window that are in no amount: without a price, or of unknown quantity.' }),
  })
  .meta({ id: 'AsOf' })

const totals: z.ZodType<readonly Total[]> = z.array(z.strictObject({ currency, amount: decimalText }))
const keyText = z.string().nullish()
const usageKeys = {
  organization: keyText,
  apiKey: keyText,
  user: keyText,
  group: keyText,
  resource: keyText,
  region: keyText,
  model: keyText,
}

export const CostReportSchema: z.ZodType<CostReport> = z
  .strictObject({
    start: instant,
    end: instant,
    totals: totals.meta({
      description: 'Of the whole window, by currency. Of whole months, and of the present one until today, that of the statements.',
    }),
    previous: z.strictObject({ start: instant, end: instant, totals }).optional(),
    asOf: AsOfSchema,
    data: z.array(
      z.strictObject({
        start: instant,
        end: instant,
        keys: z.strictObject({ ...usageKeys, meter: keyText, category: keyText, price: keyText }),
        currency,
        amount: decimalText,
        previousAmount: decimalText.optional(),
      }),
    ),
    nextCursor,
  })
  .meta({ id: 'CostReport' })

export const UsageReportSchema: z.ZodType<UsageReport> = z
  .strictObject({
    start: instant,
    end: instant,
    asOf: AsOfSchema,
    data: z.array(
      z.strictObject({
        start: instant,
        end: instant,
        keys: z.strictObject(usageKeys),
        records: count.meta({ description: 'All that are attributed, held and free ones too.' }),
        heldRecords: count,
        meters: z.record(z.string(), quantityText).meta({ description: 'Quantities by meter; those of held records are in none.' }),
      }),
    ),
    nextCursor,
  })
  .meta({ id: 'UsageReport' })

export const FreshnessQuerySchema: z.ZodType<FreshnessQuery, unknown> = z.strictObject({
  from: day.optional().meta({ description: 'First day of the window whose held records are counted. Default: of this month.' }),
  to: day.optional().meta({ description: 'Its last day. Default: today.' }),
  children: flag,
})

export const DimensionParamsSchema: z.ZodType<DimensionParams> = z.strictObject({ id: z.string(), dimension: z.enum(CATALOGUES) })
export const CatalogueQuerySchema: z.ZodType<CatalogueQuery, unknown> = z.strictObject({
  children: flag,
  limit: limit({ max: 5000, otherwise: 1000 }),
  cursor,
})
export const CataloguePageSchema: z.ZodType<CataloguePageJson> = z
  .strictObject({
    data: z.array(z.strictObject({ key: z.string(), name: z.string().optional(), firstUsed: z.iso.date(), lastUsed: z.iso.date() })),
    nextCursor,
  })
  .meta({ id: 'Catalogue' })
