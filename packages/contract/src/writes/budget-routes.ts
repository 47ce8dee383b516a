import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoQuery, OrganizationParams } from '../types.ts'
import { amount, externalId, instant, text } from './shapes.ts'

/** What a customer may bound: everything of its own, a group, or a key. */
export type OwnBudget = {
  readonly scope: 'organization' | 'group' | 'credential'
  /** Id of the group or key; of the organization it may be left out. */
  readonly subject?: string | undefined
  /** `tokens`, or the currency that the organization is billed in. */
  readonly unit: string
  readonly period: 'day' | 'month'
  /** A decimal; of tokens a whole number. */
  readonly limit: string
  readonly name?: string | undefined
  /** Percent of the limit at which the webhook is told. */
  readonly thresholds?: readonly number[] | undefined
  readonly webhookUrl?: string | undefined
}
export type SetBudget = { readonly id: string; readonly outcome: 'created' | 'changed' | 'unchanged' }
/** For how long the secret before signs too. */
export type RotateWebhookSecret = { readonly overlapSeconds: number }
/** Shown once: nobody can read it again. */
export type WebhookSecret = { readonly secret: string; readonly oldEndsAt?: string | undefined }
export type BudgetParams = { readonly id: string; readonly budgetId: string }

export const unit: z.ZodType<string, string> = z
  .string()
  .regex(/^(tokens|[A-Z]{3})$/)
  .meta({ description: '`tokens` or a currency.' })

export const budgetFields: {
  readonly limit: typeof amount
  readonly name: z.ZodOptional<typeof externalId>
  readonly thresholds: z.ZodOptional<z.ZodArray<z.ZodInt>>
  readonly webhookUrl: z.ZodOptional<z.ZodURL>
} = {
  limit: amount,
  name: text().optional(),
  thresholds: z
    .array(z.int().min(1).max(1000))
    .max(20)
    .optional()
    .meta({ description: 'Percent of the limit at which the webhook is told.' }),
  webhookUrl: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional(),
}

const WRITE = {
  listeners: ['public'],
  subject: 'organization',
  needs: { role: 'admin' },
  query: NoQuerySchema,
} as const

export const setOwnBudget: RouteDef<OrganizationParams, NoQuery, OwnBudget, SetBudget> = {
  ...WRITE,
  operationId: 'setOwnBudget',
  summary: 'Sets a budget of an organization, one of its groups or keys: limit, thresholds, and whom a webhook tells.',
  method: 'PUT',
  path: '/v1/organizations/{id}/budgets',
  params: OrganizationParamsSchema,
  body: z.strictObject({
    scope: z.enum(['organization', 'group', 'credential']),
    subject: externalId.optional().meta({ description: 'Id of the group or key.' }),
    unit,
    period: z.enum(['day', 'month']),
    ...budgetFields,
    webhookUrl: z
      .url({ protocol: /^https$/ })
      .max(2000)
      .optional()
      .meta({ description: 'https; it has to lead to a public address.' }),
  }),
  reply: z.strictObject({ id: z.uuid(), outcome: z.enum(['created', 'changed', 'unchanged']) }).meta({ id: 'SetBudget' }),
}

export const endOwnBudget: RouteDef<BudgetParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'endOwnBudget',
  summary: 'Ends a budget that the customer set.',
  method: 'DELETE',
  path: '/v1/organizations/{id}/budgets/{budgetId}',
  params: z.strictObject({ id: z.string(), budgetId: z.string() }),
}

/** Overlap by default: a day to put the new secret where it is needed. */
const OVERLAP_SECONDS = 86_400
const OVERLAP_SECONDS_MAX = 31 * 86_400

export const rotateWebhookSecret: RouteDef<BudgetParams, NoQuery, RotateWebhookSecret | undefined, WebhookSecret> = {
  ...WRITE,
  operationId: 'rotateWebhookSecret',
  summary: "Makes the secret that a budget's alerts are signed with, and shows it once. The one before signs beside it for a while.",
  method: 'POST',
  path: '/v1/organizations/{id}/budgets/{budgetId}/webhook-secret',
  params: z.strictObject({ id: z.string(), budgetId: z.string() }),
  body: z.strictObject({ overlapSeconds: z.int().min(0).max(OVERLAP_SECONDS_MAX).default(OVERLAP_SECONDS) }).optional(),
  reply: z
    .strictObject({
      secret: z.string().meta({ description: '`whsec_` and base64, as Standard Webhooks has it. Shown once.' }),
      oldEndsAt: instant.optional().meta({ description: 'Until then alerts carry a signature of the one before too.' }),
    })
    .meta({ id: 'WebhookSecret' }),
  status: 201,
}

export const BUDGET_ROUTES: readonly RouteDef[] = [setOwnBudget, endOwnBudget, rotateWebhookSecret]
