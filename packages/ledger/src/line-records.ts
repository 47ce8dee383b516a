import type { Queryable } from '@ascribe/postgres'
import { hourOf, isUuid } from '@ascribe/units'
import type { LedgerRecord } from './event-json.ts'
import { instantOfRecord, streamEvents } from './events.ts'
import { sqlInstant } from './instants.ts'
import { createRecount } from './recount.ts'
import { parseMonth } from './parse-month.ts'

export type LineQuery = {
  readonly organizationId: string
  /** `2026-11`. */
  readonly month: string
  /** As on the line. Default: all. */
  readonly model?: string
  readonly authId?: string
  /** Only records that have this meter. */
  readonly meter?: string
  /** Only what comes after this record. */
  readonly afterEventId?: string
  /** Default: no limit. */
  readonly limit?: number
}

const CHARGED = `organization_id = $1::uuid and hour >= greatest($2::timestamptz, date_trunc('hour', $4::timestamptz, 'UTC'))
  and hour < $3::timestamptz and ($5::text is null or model = $5::text) and ($6::text is null or auth_id = $6::text)
  and ($7::text is null or meter = $7::text)`

// Only hours in which there is such a quantity. Indexes charge_organization, period_quantity_organization, adjustment_corrects.
const HOURS = `
select hour from charge where ${CHARGED}
union select hour from period_quantity where ${CHARGED}
union select hour from adjustment where month = utc_month($2::timestamptz) and ${CHARGED}
order by hour`

/**
 * Reads exactly the records behind a month's charges, or behind one line of them: those that are charged, by the hour or by the total of
 * the month, in order of (instant, event id). What is held is not among them. Of a closed month, those that are charged now: what came
 * late is among them, and in money it is an adjustment of a later statement. The digest of a charge tells which it covers.
 * @throws {LedgerInputError} for what is no month, or no record to go on after.
 */
export async function* streamLineRecords(db: Queryable, query: LineQuery): AsyncGenerator<LedgerRecord, void, undefined> {
  const { organizationId, month, model = null, authId = null, meter = null, limit = Infinity } = query
  const period = parseMonth(month)
  if (!isUuid(organizationId) || [model, authId, meter].some((text) => text?.includes('\0') === true)) return
  const start = query.afterEventId === undefined ? -Infinity : await instantOfRecord(db, query.afterEventId, organizationId)
  const { rows } = await db.query<{ hour: number }>(HOURS, [
    organizationId,
    sqlInstant(period.start),
    sqlInstant(period.end),
    sqlInstant(start),
    model,
    authId,
    meter,
  ])
  const recount = await createRecount(db)
  let left = limit
  for (const { hour } of rows) {
    const after = hourOf(start).start === hour ? query.afterEventId : undefined
    const filter = {
      from: hour,
      to: hourOf(hour).end,
      organizationId,
      ...(authId === null ? {} : { authId }),
      ...(after === undefined ? {} : { afterEventId: after }),
    }
    for await (const found of streamEvents(db, filter)) {
      if (left <= 0) return
      const fate = recount.fateOf(found.record)
      if (fate.state !== 'charged' || (model !== null && fate.model !== model)) continue
      if (meter !== null && (found.record.meters[meter] ?? 0) === 0) continue
      yield found
      left -= 1
    }
  }
}
