import type { UsageEvent, UsageEventPage, UsageRecordsQuery } from '@ascribe/contract'
import { streamEvents, streamLineRecords, toEventJson } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { monthOf } from '@ascribe/units'
import { Refusal } from './errors.ts'

/** One page of the records of a month, or of a line of its statement. */
export async function readUsageRecords(db: Database, organizationId: string, query: UsageRecordsQuery): Promise<UsageEventPage> {
  const period = monthOf(query.month)
  if (period === undefined) throw new Refusal('invalid_request', 'Cannot use the query: month: must be a month, YYYY-MM')
  const records: UsageEvent[] = []
  const page = {
    organizationId,
    // One more than the page holds shows whether there is another.
    limit: query.limit + 1,
    ...(query.auth_id !== undefined && { authId: query.auth_id }),
    ...(query.after !== undefined && { afterEventId: query.after }),
  }
  // A line of the statement is made of charged records alone; a whole month also has those that are held.
  const found =
    query.model === undefined && query.auth_id === undefined
      ? streamEvents(db, { ...page, from: period.start, to: period.end })
      : streamLineRecords(db, { ...page, month: query.month, ...(query.model !== undefined && { model: query.model }) })
  for await (const event of found) records.push(toEventJson(event))
  if (records.length <= query.limit) return { records }
  records.length = query.limit
  return { records, next: records.at(-1)?.event_id }
}
