import type { Budget, Limited } from '@ascribe/admission'
import type { Reply } from '@ascribe/relay'
import type { Api } from '@ascribe/usage'
import { formatDuration, limitHeaders, retryHeaders } from './limit-headers.ts'
import { invalidRequest, openAiError, serverError } from './replies.ts'

/** Leases are renewed about this often, and most requests in flight have ended by then: it is worth asking again. */
const RENEWED_MS = 500

/** More than is left, whatever becomes of the requests in flight: asking again does not help before the window ends or it is topped up. */
export function exhaustedReply(budget: Budget): Reply {
  const message =
    `You exceeded your current quota: ${described(budget)} does not cover what this request may use. ` +
    (budget.period === 'prepaid' ? 'It can be topped up.' : `It begins anew with the next ${budget.period}, UTC.`)
  return openAiError(402, { message, type: 'insufficient_quota', code: 'insufficient_quota' })
}

/** Each request that was refused lately puts the next one off by so much, so that a crowd does not come back all at once. */
const CROWD_MS = 5
const CROWD_MS_MAX = 4500

/** Enough is left, but reserved by requests in flight or not leased to this gateway yet. `crowd`: as many were told so within a second. */
export function reservedReply(budget: Budget, crowd: number): Reply {
  const message = `What is left of ${described(budget)} is reserved by other requests for the moment. Please try again in a second.`
  return openAiError(
    429,
    { message, type: 'budget_reserved', code: 'budget_reserved' },
    retryHeaders(RENEWED_MS + Math.min(crowd * CROWD_MS, CROWD_MS_MAX)),
  )
}

export function limitedReply({ what, scope, limit, retryMs, states }: Extract<Limited, { kind: 'limited' }>): Reply {
  const message =
    `Rate limit reached for this ${scope === 'credential' ? 'API key' : 'organization'} on ${what} per min. Limit: ${limit}. ` +
    `Please try again in ${formatDuration(retryMs)}.`
  return openAiError(429, { message, type: what, code: 'rate_limit_exceeded' }, [...retryHeaders(retryMs), ...limitHeaders(states)])
}

/** Nobody can say what the request may cost: a budget could not hold. */
export function unboundedReply(routeId: string, api: Api): Reply {
  return invalidRequest(
    `This API key has a budget, so a request must say how much it may generate: give ${limitsOf(api)}. ` +
      `(Or the operator states max_output_tokens for the route "${routeId}".)`,
    { code: 'max_tokens_required', param: api === 'responses' ? 'max_output_tokens' : 'max_tokens' },
  )
}

function limitsOf(api: Api): string {
  if (api === 'responses') return 'max_output_tokens'
  return api === 'messages' ? 'max_tokens' : 'max_completion_tokens or max_tokens'
}

/** By these the engine reads what it has kept or fetches, which no bytes of the request bound. */
const KEPT: ReadonlySet<string> = new Set([
  'previous_response_id',
  'conversation',
  'prompt',
  'item_reference',
  'file_id',
  'file_url',
  'vector_store_ids',
  'container',
  'environment',
  'input_image_mask',
  'file_ids',
  'container_id',
  'skills',
  'skill_id',
])

/** `best_of` generates more than it returns, and is billed; a limit of 0, or by an engine's own name, may be none. */
export function unboundedByReply(member: string, api: Api): Reply {
  if (KEPT.has(member)) {
    return invalidRequest(
      `This API key has a budget, and "${member}" takes in more than the request holds: send the whole input instead.`,
      {
        code: 'stored_input_unbounded',
        param: member,
      },
    )
  }
  if (member === 'tools') {
    const message =
      'This API key has a budget, and tools that the engine runs by itself take in more than the request holds: leave them out.'
    return invalidRequest(message, { code: 'hosted_tools_unbounded', param: member })
  }
  if (member === 'best_of') {
    return invalidRequest('This API key has a budget, and best_of generates more than it returns: use n instead.', {
      code: 'best_of_unsupported',
      param: 'best_of',
    })
  }
  return invalidRequest(
    `This API key has a budget, and "${member}" as it stands there does not bound what is generated: ` +
      `give ${limitsOf(api)}, an integer of 1 or more${api === 'responses' || api === 'messages' ? '' : ', and for several choices n'}.`,
    { code: 'max_tokens_required', param: member },
  )
}

/** A budget in a currency in which nothing has a price: what is used could not be counted. */
export function unpricedReply(budget: Budget): Reply {
  const message = `This API key has a budget in ${budget.unit}, and nothing has a price in ${budget.unit} yet.`
  return invalidRequest(message, { status: 403, code: 'budget_without_prices' })
}

/** Rules are there and cannot be read: whether this request may be served is not known. */
export function unavailableReply(): Reply {
  return serverError(
    503,
    'The gateway cannot read its budgets and limits. Try again soon.',
    'admission_unavailable',
    retryHeaders(RENEWED_MS),
  )
}

function described({ scope, period, name }: Budget): string {
  const what = period === 'prepaid' ? 'the prepaid budget' : period === 'day' ? 'the daily budget' : 'the monthly budget'
  const whose = scope === 'credential' ? 'API key' : scope
  return `${what}${name === undefined ? '' : ` "${name}"`} of this ${whose}`
}
