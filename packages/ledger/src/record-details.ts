import type { UsageRecord } from '@ascribe/usage'

/** What few records have, in one column: {@link UsageRecord}'s fields of these names. */
const DETAILS = ['idempotencyKey', 'unclassified', 'attempts'] as const

export type RecordDetails = Pick<UsageRecord, (typeof DETAILS)[number]>

/** The column `details` as JSON; `undefined`: there is nothing to say. */
export function detailsText(record: UsageRecord): string | undefined {
  const { idempotencyKey, unclassified, attempts } = record
  // Almost all records have none.
  if (idempotencyKey === undefined && unclassified === undefined && attempts === undefined) return undefined
  return JSON.stringify({ idempotencyKey, unclassified, attempts })
}

/** Only checked details are stored. */
export function detailsOf(column: unknown): RecordDetails {
  return column === null ? {} : (column as RecordDetails)
}
