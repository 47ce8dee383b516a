import { z } from 'zod'
import type {
  BudgetsReply,
  CreditsReply,
  CursorQuery,
  InvoiceDetail,
  InvoiceParams,
  InvoicesPage,
  InvoicesQuery,
  StatementsPage,
} from './money-types.ts'
import { count, currency, cursor, decimalText, instant, limit, month, nextCursor } from './parts.ts'

export const CursorQuerySchema: z.ZodType<CursorQuery, unknown> = z.strictObject({ cursor })

export const StatementsPageSchema: z.ZodType<StatementsPage> = z
  .strictObject({ data: z.array(z.strictObject({ month, currency, provisional: z.boolean(), total: decimalText })), nextCursor })
  .meta({ id: 'Statements' })

const state = z.enum(['draft', 'issued', 'paid', 'void'])
export const InvoicesQuerySchema: z.ZodType<InvoicesQuery, unknown> = z.strictObject({
  state: z
    .union([state, z.array(state).min(1).max(4)])
    .transform((given) => (typeof given === 'string' ? [given] : given))
    .optional()
    .meta({ description: 'Any of these; default: all.' }),
  limit: limit({ max: 100, otherwise: 20 }),
  cursor,
})
export const InvoiceParamsSchema: z.ZodType<InvoiceParams> = z.strictObject({ id: z.string(), invoice: z.string() })

const invoice = {
  id: z.uuid(),
  number: z.string().optional(),
  issuedAt: instant.optional(),
  dueAt: instant.optional(),
  month,
  state,
  currency,
  createdAt: instant,
  paidAt: instant.optional(),
  voidedAt: instant.optional(),
  subtotal: decimalText,
  credits: decimalText,
  tax: decimalText,
  rounding: decimalText,
  total: decimalText,
  credited: decimalText,
  amountDue: decimalText,
  lines: count,
  sha256: z.string(),
  htmlPath: z.string().optional().meta({ description: 'Where its print view is. Never on the internal listener.' }),
}
export const InvoicesPageSchema: z.ZodType<InvoicesPage> = z
  .strictObject({ data: z.array(z.strictObject(invoice).meta({ id: 'InvoiceSummary' })), nextCursor })
  .meta({ id: 'Invoices' })

export const InvoiceDetailSchema: z.ZodType<InvoiceDetail> = z
  .strictObject({
    ...invoice,
    lineItems: z.array(
      z.strictObject({
        line: z.int(),
        kind: z.string(),
        model: z.string(),
        apiKey: z.string(),
        meter: z.string(),
        quantity: z.string(),
        rate: decimalText,
        amount: decimalText,
        description: z.string().optional(),
        corrects: month.optional(),
      }),
    ),
    creditsDrawn: z.array(z.strictObject({ kind: z.string(), note: z.string(), amount: decimalText })),
    taxes: z.array(z.strictObject({ name: z.string(), ratePercent: z.string(), base: decimalText, amount: decimalText })),
    creditNotes: z.array(
      z.strictObject({ number: z.string(), issuedAt: instant, reason: z.string(), net: decimalText, tax: decimalText, total: decimalText }),
    ),
  })
  .meta({ id: 'InvoiceDetail' })

export const CreditsReplySchema: z.ZodType<CreditsReply> = z
  .strictObject({
    currency,
    data: z.array(
      z.strictObject({
        id: z.uuid(),
        kind: z.string(),
        state: z.enum(['scheduled', 'active', 'spent', 'expired', 'void']),
        amount: decimalText,
        balance: decimalText.meta({ description: 'What could be spent now.' }),
        remaining: decimalText,
        perUnitCostBasis: decimalText.optional(),
        priority: z.int(),
        effectiveFrom: instant,
        expiresAt: instant.optional(),
        note: z.string(),
      }),
    ),
    entries: z.array(
      z.strictObject({
        block: z.uuid(),
        kind: z.enum(['grant', 'draw', 'return', 'expire', 'void']),
        amount: decimalText,
        balanceAfter: decimalText,
        at: instant,
        invoice: z.string().optional(),
        reason: z.string(),
      }),
    ),
    burnDown: z.strictObject({
      balance: decimalText,
      notInvoiced: decimalText.meta({ description: 'What months without an issued invoice come to: credits pay of it what they can.' }),
      left: decimalText,
      dailyAverage: decimalText.meta({ description: 'Of the 30 full days before today.' }),
      emptyOn: z.iso.date().optional().meta({ description: 'UTC day on which nothing is left at that rate.' }),
    }),
  })
  .meta({ id: 'Credits' })

export const BudgetsReplySchema: z.ZodType<BudgetsReply> = z
  .strictObject({
    data: z.array(
      z.strictObject({
        id: z.uuid(),
        scope: z.enum(['organization', 'user', 'group', 'credential']),
        subject: z.string(),
        unit: z.string().meta({ description: 'tokens, or a currency.' }),
        period: z.enum(['day', 'month', 'prepaid']),
        name: z.string().optional(),
        limit: decimalText,
        from: instant,
        until: instant.optional(),
        thresholds: z.array(z.int()),
        webhookHost: z.string().optional(),
        isOwn: z.boolean().meta({ description: 'A member set it: an admin of the organization changes and ends it.' }),
        webhookSecretSince: instant.optional().meta({ description: 'Absent: alerts are signed with a secret that the provider has.' }),
        windowStart: instant,
        windowEnd: instant.optional(),
        standings: z.array(z.strictObject({ subject: z.string(), spent: decimalText, reserved: decimalText, left: decimalText })),
      }),
    ),
  })
  .meta({ id: 'Budgets' })
