import type { Instant } from '@ascribe/units'
import type { DimensionFilter } from '../views/dimensions.ts'

/**
 * Which rows.
 * - `all`: whatever is charged; their sum is that of the statements.
 * - `open`: only months that have no issued invoice.
 * - `invoiced`: only those that have one, with its number, and with its credits, taxes and the difference of rounding; and of each month
 *   the credit notes that were issued in it. Their sum is that of the invoices, less that of the notes.
 */
export type RowSelection = 'all' | 'open' | 'invoiced'

/** Before every id: where paging by id begins. */
export const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** What one of the sources of rows is asked for. */
export type SourceQuery = {
  readonly from: Instant
  readonly to: Instant
  readonly select: RowSelection
  readonly pageSize: number
  readonly organizationId: string | null
  /** Only rows of these keys; empty: all. */
  readonly filter: DimensionFilter
  /** First days of the months whose last instant lies in the period. */
  readonly months: readonly string[]
}
