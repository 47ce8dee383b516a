import type { Instant } from '@ascribe/units'
import { TOKENS } from './budget.ts'
import type { Amount, BudgetUnit } from './budget.ts'
import type { PriceTable, PricedModel } from './prices.ts'

/** What is known of a request before it is sent. */
export type RequestSize = PricedModel & {
  /** Of the whole body: tools and formats are part of the prompt too. */
  readonly bodyBytes: number
  /** Of what goes in, choices and prompts multiplied; see {@link outputBound}. */
  readonly outputTokens: number
}

/**
 * A token stands for at least one byte of what it was made from, so that bytes bound tokens. What a chat template adds is more than
 * made up for by the JSON around each message; this is for short requests to models whose template holds a text of its own.
 */
const TEMPLATE_TOKENS = 256
/** A token of text has about so many bytes: good for a rate, which is corrected, never for a budget. */
const TOKEN_BYTES = 4

/** The most tokens that can go in. */
export function inputBound(bodyBytes: number): number {
  return bodyBytes + TEMPLATE_TOKENS
}

/**
 * The most tokens that can come out: what was asked for, else what the route says that its engine makes at most, for each choice of
 * each prompt. `undefined`: nobody has bounded it. Embeddings make none.
 */
export function outputBound(asked: {
  readonly api: string
  readonly maxTokens?: number | undefined
  readonly choices: number
  readonly prompts: number
  readonly routeMax?: number | undefined
}): number | undefined {
  if (asked.api === 'embeddings') return 0
  const most = asked.maxTokens ?? asked.routeMax
  return most === undefined ? undefined : Math.min(most * asked.choices * asked.prompts, Number.MAX_SAFE_INTEGER)
}

/** What a rate limit takes at first: an estimate, corrected when the request has ended. */
export function estimateTokens(bodyBytes: number, outputTokens: number | undefined): number {
  return Math.ceil(bodyBytes / TOKEN_BYTES) + (outputTokens ?? 0)
}

/**
 * What a request is reserved: the most that it can use. In money at the rates of the model asked for. `undefined`: the budget is in a
 * currency in which nothing has a price, so that nobody can say.
 */
export function reservationOf(
  size: RequestSize,
  unit: BudgetUnit,
  { prices, at }: { readonly prices: PriceTable | undefined; readonly at: Instant },
): Amount | undefined {
  const [input, output] = [BigInt(inputBound(size.bodyBytes)), BigInt(size.outputTokens)]
  if (unit === TOKENS) return input + output
  const bounds = prices?.bounds(size, at)
  return bounds === undefined ? undefined : input * bounds.input + output * bounds.output
}
