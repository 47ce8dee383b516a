import { TOKENS } from '@ascribe/admission'
import type { Amount } from '@ascribe/admission'
import { endBudget, endLimit, listAllBudgets, listLimits, setBudget, setLimit, topUpBudget } from '@ascribe/contract/admin'
import type { SetBudget } from '@ascribe/contract/writes'
import {
  endBudget as end,
  endRateLimit,
  listBudgets,
  listRateLimits,
  setBudget as set,
  setRateLimit,
  topUpBudget as topUp,
} from '@ascribe/ledger'
import type { BudgetState, NewBudget, RateLimitState } from '@ascribe/ledger'
import { formatInstant, formatRate, parseQuantity, parseRate } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { PlainReply, route } from '../handler.ts'
import type { RequestContext, Route } from '../handler.ts'
import { authorOf } from './by.ts'
import { linesReply } from './lines.ts'

export const budgetRoutes: readonly Route[] = [
  route(listAllBudgets, async ({ db, clock }) => linesReply((await listBudgets(db, clock())).map(budgetJson))),
  route(setBudget, (context, { body }) => putBudget(context, budgetOf(body))),
  route(topUpBudget, async ({ db, caller, clock }, { params, body }) => {
    const { budgetId } = params
    const rule = (await listBudgets(db, clock())).find(({ id }) => id === budgetId)
    if (rule === undefined) throw new Refusal('not_found', 'There is no such budget.')
    const amount = amountOf(body.amount, rule.unit)
    const outcome = await topUp(db, { budgetId, amount, by: authorOf(caller) }, clock())
    if (outcome.kind !== 'topped_up') {
      throw outcome.kind === 'not_prepaid'
        ? new Refusal('conflict', 'Only prepaid budgets are topped up.')
        : new Refusal('not_found', 'There is no such budget.')
    }
    return { limit: amountText(outcome.limit, rule.unit) }
  }),
  route(endBudget, async ({ db, caller, clock }, { params }) => {
    const outcome = await end(db, { budgetId: params.budgetId, by: authorOf(caller) }, clock())
    if (outcome === 'unknown_budget') throw new Refusal('not_found', 'There is no such budget.')
    return new PlainReply({ status: 204 })
  }),
  route(listLimits, async ({ db }) => linesReply((await listRateLimits(db)).map(limitJson))),
  route(setLimit, async ({ db, caller }, { body }) => {
    const { scope, subject, requestsPerMinute, tokensPerMinute } = body
    const outcome = await setRateLimit(db, {
      scope,
      subject,
      ...(requestsPerMinute !== undefined && { requestsPerMinute }),
      ...(tokensPerMinute !== undefined && { tokensPerMinute }),
      by: authorOf(caller),
    })
    if (outcome.kind === 'unknown_subject') throw new Refusal('not_found', `There is no ${scope} with this id.`)
    return { outcome: outcome.kind }
  }),
  route(endLimit, async ({ db, caller }, { params }) => {
    if ((await endRateLimit(db, { ...params, by: authorOf(caller) })) === 'unknown_limit')
      throw new Refusal('not_found', 'There is no such limit.')
    return new PlainReply({ status: 204 })
  }),
]

/** A budget as a body has it. */
export type BudgetBody = Pick<NewBudget, 'scope' | 'subject' | 'unit' | 'period'> & {
  readonly limit: string
  readonly name?: string | undefined
  readonly thresholds?: readonly number[] | undefined
  readonly webhookUrl?: string | undefined
}

export function budgetOf({ limit, name, thresholds, webhookUrl, ...key }: BudgetBody): Omit<NewBudget, 'by'> {
  return {
    ...key,
    limit: amountOf(limit, key.unit),
    ...(name !== undefined && { name }),
    ...(thresholds !== undefined && { thresholds }),
    ...(webhookUrl !== undefined && { webhookUrl }),
  }
}

/** Sets a budget in the name of the caller. */
export async function putBudget({ db, caller, clock, note }: RequestContext, budget: Omit<NewBudget, 'by'>): Promise<SetBudget> {
  const outcome = await set(db, { ...budget, by: authorOf(caller) }, clock())
  switch (outcome.kind) {
    case 'created':
    case 'changed':
    case 'unchanged':
      note({ budget: outcome.budgetId, limit: amountText(budget.limit, budget.unit), unit: budget.unit })
      return { id: outcome.budgetId, outcome: outcome.kind }
    case 'unknown_subject':
      throw new Refusal('not_found', `There is no ${budget.scope} with this id.`)
    case 'other_currency':
      throw new Refusal('conflict', `The organization is billed in ${outcome.currency}.`)
    case 'overlap':
      throw new Refusal('conflict', `Another limit of the same begins at ${formatInstant(outcome.from)}.`)
  }
}

/** In the smallest unit of a budget. @throws {Refusal} */
function amountOf(text: string, unit: string): Amount {
  const amount = unit === TOKENS ? parseQuantity(text) : parseRate(text, 1)
  if (typeof amount === 'bigint') return amount
  throw new Refusal('invalid_request', unit === TOKENS ? 'Tokens are a whole number.' : `This is no amount of ${unit}.`)
}

function amountText(amount: Amount, unit: string): string {
  return unit === TOKENS ? String(amount) : formatRate(amount)
}

function budgetJson(budget: BudgetState): object {
  const { id, scope, subject, unit, period, name, from, until, limit, thresholds, webhookUrl, standings } = budget
  return {
    id,
    scope,
    subject,
    unit,
    period,
    name,
    limit: amountText(limit, unit),
    from: formatInstant(from),
    ...(until !== undefined && { until: formatInstant(until) }),
    thresholds,
    webhookUrl,
    standings: standings.map((standing) => ({
      subject: standing.subject,
      spent: amountText(standing.spent, unit),
      reserved: amountText(standing.reserved, unit),
      left: amountText(standing.left, unit),
    })),
  }
}

function limitJson({ id, scope, subject, requestsPerMinute, tokensPerMinute, createdAt, createdBy }: RateLimitState): object {
  return { id, scope, subject, requestsPerMinute, tokensPerMinute, createdAt: formatInstant(createdAt), createdBy }
}
