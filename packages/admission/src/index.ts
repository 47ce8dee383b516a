export { reservationOfAlternatives } from './alternatives.ts'
export type { Alternative, AlternativeReservation } from './alternatives.ts'
export {
  BUDGET_PERIODS,
  BUDGET_SCOPES,
  EACH,
  PREPAID_START,
  TOKENS,
  accountKey,
  budgetsFor,
  isInForce,
  subjectIn,
  windowOf,
} from './budget.ts'
export type { Amount, Budget, BudgetPeriod, BudgetScope, BudgetUnit, Subject } from './budget.ts'
export { heldBy, heldByAll, initialGrant, planGrants } from './grants.ts'
export type { GrantPlan, LeaseRow } from './grants.ts'
export { LeaseBook } from './lease-book.ts'
export type { AmountIn, BudgetHold, Reserved } from './lease-book.ts'
export { PriceTable, isTokenMeter } from './prices.ts'
export type { Bounds, ListedRates, MeterRates, PriceList, PricedModel, PricedUsage } from './prices.ts'
export { RateLimiter } from './rate-limiter.ts'
export type { LimitHold, LimitState, LimitStates, Limited, LimitsLeft } from './rate-limiter.ts'
export { estimateTokens, inputBound, outputBound, reservationOf } from './reservation.ts'
export type { RequestSize } from './reservation.ts'
export { LIMIT_SCOPES, parseReport, parseSnapshot } from './snapshot.ts'
export type { Account, AccountReport, AdmissionSnapshot, Lease, LeaseReport, LimitScope, RateLimit, Recall } from './snapshot.ts'
export { TokenBucket } from './token-bucket.ts'
