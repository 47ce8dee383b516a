import { z } from 'zod'
import type { RouteDef } from '../route.ts'
import { NoParamsSchema, NoQuerySchema, OrganizationParamsSchema } from '../schemas.ts'
import type { NoParams, NoQuery, OrganizationParams } from '../types.ts'
import { budgetFields, unit } from '../writes/budget-routes.ts'
import type { SetBudget } from '../writes/budget-routes.ts'
import { amount, externalId, instant, text } from '../writes/shapes.ts'
import { LINES, READ, WRITE } from './parts.ts'

export type ApplyPrices = {
  /** The price book, YAML. */
  readonly text: string
  /** `beginning`, or an instant. Default: now. */
  readonly effectiveFrom?: string | undefined
}
export type PriceOutcome = {
  readonly outcome: 'applied' | 'unchanged' | 'planned'
  readonly sequence?: number | undefined
  readonly currency: string
  /** Null: from the beginning. */
  readonly effectiveFrom?: string | null | undefined
  readonly diff: Readonly<Record<string, unknown>>
}
export type BudgetInput = {
  readonly scope: 'organization' | 'user' | 'group' | 'credential'
  readonly subject: string
  readonly unit: string
  readonly period: 'day' | 'month' | 'prepaid'
  readonly limit: string
  readonly name?: string | undefined
  readonly thresholds?: readonly number[] | undefined
  readonly webhookUrl?: string | undefined
}
export type BudgetIdParams = { readonly budgetId: string }
export type LimitInput = {
  readonly scope: 'organization' | 'credential'
  readonly subject: string
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
}
export type LimitParams = { readonly scope: 'organization' | 'credential'; readonly subject: string }
export type NewCreditJson = {
  readonly amount: string
  readonly kind: 'trial' | 'promotional' | 'prepaid' | 'commitment' | 'goodwill'
  readonly id?: string | undefined
  readonly paid?: string | undefined
  readonly from?: string | undefined
  readonly expiresAt?: string | undefined
  readonly priority?: number | undefined
  readonly note?: string | undefined
}
export type GrantedCredit = { readonly id: string; readonly outcome: 'granted' | 'exists' }
export type CreditParams = { readonly id: string; readonly creditId: string }

const PriceOutcomeSchema: z.ZodType<PriceOutcome> = z
  .strictObject({
    outcome: z.enum(['applied', 'unchanged', 'planned']),
    sequence: z.int().optional(),
    currency: z.string(),
    effectiveFrom: instant.nullable().optional().meta({ description: 'Null: from the beginning.' }),
    diff: z.record(z.string(), z.unknown()).meta({ description: 'What differs from the book that was in force.' }),
  })
  .meta({ id: 'PriceOutcome' })

/** A price book of ten thousand models has about so many characters. */
const BOOK_LENGTH_MAX = 900_000

const book: z.ZodType<ApplyPrices, unknown> = z.strictObject({
  text: z.string().min(1).max(BOOK_LENGTH_MAX).meta({ description: 'The price book, YAML.' }),
  effectiveFrom: z
    .union([z.literal('beginning'), instant])
    .optional()
    .meta({ description: 'Default: now. What has been charged is never repriced.' }),
})

export const applyPrices: RouteDef<NoParams, NoQuery, ApplyPrices, PriceOutcome> = {
  ...WRITE,
  operationId: 'applyPrices',
  summary: 'Puts a price book in force, and says what it changes. 409 when it would govern what has been charged.',
  method: 'POST',
  path: '/v1/prices',
  params: NoParamsSchema,
  body: book,
  reply: PriceOutcomeSchema,
}

export const diffPrices: RouteDef<NoParams, NoQuery, ApplyPrices, PriceOutcome> = {
  ...WRITE,
  needs: { platform: 'platform:read' },
  operationId: 'diffPrices',
  summary: 'Says what a price book would change, and changes nothing.',
  method: 'POST',
  path: '/v1/prices/diff',
  params: NoParamsSchema,
  body: book,
  reply: PriceOutcomeSchema,
}

export const listPrices: RouteDef<NoParams, NoQuery, undefined, string> = {
  ...READ,
  operationId: 'listPrices',
  summary: 'Every version of the price book, in the order in which they were applied: a JSON object a line.',
  path: '/v1/prices',
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: LINES,
}

export const listAllBudgets: RouteDef<NoParams, NoQuery, undefined, string> = {
  ...READ,
  operationId: 'listAllBudgets',
  summary: 'Every budget in force or to come, and where it stands: a JSON object a line.',
  path: '/v1/budgets',
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: LINES,
}

export const setBudget: RouteDef<NoParams, NoQuery, BudgetInput, SetBudget> = {
  ...WRITE,
  operationId: 'setBudget',
  summary: 'Sets a budget of anything; `*`: of each one that has none of its own.',
  method: 'PUT',
  path: '/v1/budgets',
  params: NoParamsSchema,
  body: z.strictObject({
    scope: z.enum(['organization', 'user', 'group', 'credential']),
    subject: externalId,
    unit,
    period: z.enum(['day', 'month', 'prepaid']),
    ...budgetFields,
  }),
  reply: z.strictObject({ id: z.uuid(), outcome: z.enum(['created', 'changed', 'unchanged']) }).meta({ id: 'SetBudget' }),
}

const budgetId: z.ZodType<BudgetIdParams, unknown> = z.strictObject({ budgetId: z.string() })

export const topUpBudget: RouteDef<BudgetIdParams, NoQuery, { readonly amount: string }, { readonly limit: string }> = {
  ...WRITE,
  operationId: 'topUpBudget',
  summary: 'Adds to a prepaid budget, from now on.',
  method: 'POST',
  path: '/v1/budgets/{budgetId}/top-up',
  params: budgetId,
  body: z.strictObject({ amount }),
  reply: z.strictObject({ limit: z.string() }).meta({ id: 'ToppedUp' }),
}

export const endBudget: RouteDef<BudgetIdParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'endBudget',
  summary: 'Ends a budget. What it counted stays.',
  method: 'DELETE',
  path: '/v1/budgets/{budgetId}',
  params: budgetId,
}

const scope = z.enum(['organization', 'credential'])

export const listLimits: RouteDef<NoParams, NoQuery, undefined, string> = {
  ...READ,
  operationId: 'listLimits',
  summary: 'Every rate limit: a JSON object a line.',
  path: '/v1/limits',
  params: NoParamsSchema,
  query: NoQuerySchema,
  reply: LINES,
}

export const setLimit: RouteDef<NoParams, NoQuery, LimitInput, { readonly outcome: string }> = {
  ...WRITE,
  operationId: 'setLimit',
  summary: 'Sets the rate limit of a key or an organization; it replaces the one that is there.',
  method: 'PUT',
  path: '/v1/limits',
  params: NoParamsSchema,
  body: z.strictObject({
    scope,
    subject: externalId,
    requestsPerMinute: z.int().min(1).max(1_000_000_000).optional(),
    tokensPerMinute: z.int().min(1).max(1_000_000_000_000).optional(),
  }),
  reply: z.strictObject({ outcome: z.enum(['created', 'changed', 'unchanged']) }).meta({ id: 'SetLimit' }),
}

export const endLimit: RouteDef<LimitParams, NoQuery, undefined, undefined> = {
  ...WRITE,
  operationId: 'endLimit',
  summary: 'Takes a rate limit away.',
  method: 'DELETE',
  path: '/v1/limits/{scope}/{subject}',
  params: z.strictObject({ scope, subject: externalId }),
}

export const grantCredit: RouteDef<OrganizationParams, NoQuery, NewCreditJson, GrantedCredit> = {
  ...WRITE,
  operationId: 'grantCredit',
  summary: 'Gives an organization credits. The same id again changes nothing.',
  method: 'POST',
  path: '/v1/organizations/{id}/credits',
  params: OrganizationParamsSchema,
  body: z.strictObject({
    amount: amount.meta({ description: "In the organization's currency." }),
    kind: z.enum(['trial', 'promotional', 'prepaid', 'commitment', 'goodwill']).default('prepaid'),
    id: z.uuid().optional(),
    paid: amount.optional().meta({ description: 'What the customer paid for all of them. Default 0.' }),
    from: instant.optional().meta({ description: 'They pay usage from then on. Default: now.' }),
    expiresAt: instant.optional(),
    priority: z
      .int()
      .min(-1_000_000)
      .max(1_000_000)
      .optional()
      .meta({ description: 'Of those that expire together the lowest is drawn first.' }),
    note: z.string().max(500).optional(),
  }),
  reply: z.strictObject({ id: z.uuid(), outcome: z.enum(['granted', 'exists']) }).meta({ id: 'GrantedCredit' }),
  status: 201,
}

export const listGrantedCredits: RouteDef<OrganizationParams, NoQuery, undefined, string> = {
  ...READ,
  operationId: 'listGrantedCredits',
  summary: 'Blocks of credits of an organization and what is left of them: a JSON object a line.',
  path: '/v1/organizations/{id}/credits',
  params: OrganizationParamsSchema,
  query: NoQuerySchema,
  reply: LINES,
}

export const voidCredit: RouteDef<CreditParams, { readonly reason: string }, undefined, undefined> = {
  ...WRITE,
  operationId: 'voidCredit',
  summary: 'Takes back what is left of a block. What was drawn stays drawn.',
  method: 'DELETE',
  path: '/v1/organizations/{id}/credits/{creditId}',
  params: z.strictObject({ id: z.string(), creditId: z.string() }),
  query: z.strictObject({ reason: text(500) }),
}

export const MONEY_ROUTES: readonly RouteDef[] = [
  applyPrices,
  diffPrices,
  listPrices,
  listAllBudgets,
  setBudget,
  topUpBudget,
  endBudget,
  listLimits,
  setLimit,
  endLimit,
  grantCredit,
  listGrantedCredits,
  voidCredit,
]
