import { z } from 'zod'
import { cursor, day, decimalText } from './parts.ts'
import type {
  DailyCostBreakdownResponse,
  DailyCostResponse,
  OrganizationResponse,
  Paginated,
  ReferenceComputePrice,
  ReferenceCreditBlock,
  ReferenceInvoice,
  ReferenceInvoicesQuery,
  ReferencePageQuery,
  ReferenceRegion,
  ReferenceStoragePrice,
  ReferenceWindowQuery,
} from './reference-types.ts'

export const ReferenceWindowQuerySchema: z.ZodType<ReferenceWindowQuery, unknown> = z.strictObject({ startDate: day, endDate: day })
export const ReferencePageQuerySchema: z.ZodType<ReferencePageQuery, unknown> = z.strictObject({ cursor })

const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional()
export const ReferenceInvoicesQuerySchema: z.ZodType<ReferenceInvoicesQuery, unknown> = z.strictObject({
  draft: flag,
  issued: flag,
  paid: flag,
  void: flag,
  synced: flag.meta({ description: 'We send invoices nowhere: none is.' }),
  cursor,
})

const instant = z.iso.datetime()

export const OrganizationResponseSchema: z.ZodType<OrganizationResponse> = z
  .strictObject({
    id: z.uuid(),
    name: z.string(),
    blocked: z.boolean(),
    onboarded: z.boolean(),
    subscription: z
      .strictObject({
        type: z.enum(['capacity', 'evaluation', 'internal', 'on-demand', 'partner', 'uncategorized']),
        marketplace: z.enum(['aws', 'direct']),
      })
      .nullish(),
    trialExpiresAt: instant.nullish(),
    paymentMethods: z
      .array(
        z.strictObject({
          id: z.string(),
          type: z.string(),
          card: z.strictObject({ last4: z.string(), expMonth: z.int(), expYear: z.int() }).nullish(),
          created: z.int(),
          defaultPaymentMethod: z.boolean(),
        }),
      )
      .nullish()
      .meta({ description: 'We keep none. Never on the internal listener.' }),
    defaultPaymentMethodId: z.string().nullish(),
  })
  .meta({ id: 'OrganizationResponse' })

function paginated<Entry>(entry: z.ZodType<Entry>, id: string): z.ZodType<Paginated<Entry>> {
  return z.strictObject({ data: z.array(entry), nextCursor: z.string().nullish() }).meta({ id })
}

const region = z.strictObject({ id: z.string(), name: z.string(), cloudProvider: z.string(), url: z.string() }).meta({ id: 'Region' })
export const PaginatedRegionsSchema: z.ZodType<Paginated<ReferenceRegion>> = paginated<ReferenceRegion>(region, 'PaginatedRegions')

const creditBlock = z.strictObject({ balance: z.number(), perUnitCostBasis: decimalText.nullish() }).meta({ id: 'CreditBlock' })
export const PaginatedCreditsSchema: z.ZodType<Paginated<ReferenceCreditBlock>> = paginated<ReferenceCreditBlock>(
  creditBlock,
  'PaginatedCredits',
)

const invoice = z
  .strictObject({
    invoiceNumber: z.string().meta({ description: 'Of a draft: `draft-` and its month.' }),
    status: z.string(),
    issueDate: instant.meta({ description: 'Of a draft: the end of its month.' }),
    createdAt: instant,
    currency: z.string().meta({ description: 'ISO 4217.' }),
    total: decimalText,
    amountDue: decimalText,
    webUrl: z.string().nullish().meta({ description: 'A path of this listener. Never on the internal one.' }),
    pdfUrl: z.string().nullish(),
  })
  .meta({ id: 'Invoice' })
export const PaginatedInvoicesSchema: z.ZodType<Paginated<ReferenceInvoice>> = paginated<ReferenceInvoice>(invoice, 'PaginatedInvoices')

const cluster = z
  .strictObject({
    environment_id: z.string().meta({ description: 'The resource. Empty on lines of the whole month.' }),
    cluster_grouping_key: z.string().meta({ description: 'The API key.' }),
    category: z.string().meta({
      description: 'Empty, Storage or Egress; or of what no hourly charge makes: Tier, Package, Included, Minimum, Commitment, Adjustment.',
    }),
    region: z.string(),
    amounts: z.record(z.string(), decimalText).meta({ description: 'By price: `VERSION:MODEL:METER`.' }),
    usage: z.number().meta({ description: 'Sum of the quantities, in the units of their meters.' }),
  })
  .meta({ id: 'Cluster' })

export const DailyCostBreakdownSchema: z.ZodType<DailyCostBreakdownResponse> = z
  .strictObject({
    days: z.array(
      z.strictObject({
        startDate: instant.meta({ description: 'Inclusive.' }),
        endDate: instant.meta({ description: 'Exclusive.' }),
        accounts: z.array(z.strictObject({ external_customer_id: z.uuid(), name: z.string(), clusters: z.array(cluster) })),
      }),
    ),
  })
  .meta({ id: 'DailyCostBreakdownResponse' })

const computePrice: z.ZodType<ReferenceComputePrice> = z.strictObject({
  regionId: z.string(),
  replicaSize: z.string().meta({ description: 'The model, else the meter.' }),
  unitAmount: decimalText,
  subtotal: decimalText,
})
const storagePrice: z.ZodType<ReferenceStoragePrice> = z.strictObject({
  regionId: z.string(),
  unitAmount: decimalText,
  subtotal: decimalText,
})

export const DailyCostSchema: z.ZodType<DailyCostResponse> = z
  .strictObject({
    subtotal: decimalText,
    total: decimalText,
    daily: z.array(
      z.strictObject({
        startDate: instant,
        endDate: instant,
        subtotal: decimalText,
        total: decimalText,
        costs: z.strictObject({
          compute: z.strictObject({ prices: z.array(computePrice), subtotal: decimalText, total: decimalText }),
          storage: z.strictObject({ prices: z.array(storagePrice), subtotal: decimalText, total: decimalText }),
        }),
      }),
    ),
  })
  .meta({ id: 'DailyCostResponse' })
