import type { Instant } from '@ascribe/units'

/**
 * Which rows.
 * - `all`: whatever is charged; their sum is that of the statements.
 * - `open`: only months that have no issued invoice.
 * - `invoiced`: only those that have one, with its number, and with its credits, taxes and the difference of rounding; their sum is that
 *   of the invoices.
 */
export type RowSelection = 'all' | 'open' | 'invoiced'

/** What one of the sources of rows is asked for. */
export type SourceQuery = {
  readonly from: Instant
  readonly to: Instant
  readonly select: RowSelection
  readonly pageSize: number
  readonly organizationId: string | null
  /** First days of the months whose last instant lies in the period. */
  readonly months: readonly string[]
}
