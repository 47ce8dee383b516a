import { formatInstant } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import { hourOf, isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { MAPPING_AT_INSTANT, claimAgreesSql } from './attribution-sql.ts'
import { countedSql } from './counted-sql.ts'
import { LedgerInputError } from './errors.ts'
import { sqlInstant } from './instants.ts'
import type { LedgerRecord } from './event-json.ts'
import type { RecordActKind } from './list-acts.ts'
import { idBoundsSql } from './partitions.ts'
import { RECORD_COLUMNS, recordOfRow } from './record-row.ts'
import type { RecordRow } from './record-row.ts'

export type EventFilter = {
  /** Instants from here on. Default: the first. */
  readonly from?: Instant
  /** Instants before this. Default: no end. */
  readonly to?: Instant
  /** Only records that are attributed to this organization. Default: all, and those of nobody. */
  readonly organizationId?: string
  readonly authId?: string
  /** The model that the engine named. */
  readonly model?: string
  /** Also records that count no longer, marked: what was voided, amended or taken back. Default: only those that count. */
  readonly superseded?: boolean
  /** Only what comes after this record in the order of the stream. */
  readonly afterEventId?: string
  /** Default: no limit. */
  readonly limit?: number
}

type Cursor = { readonly instant: Instant; readonly eventId: string }
type EventRow = RecordRow & {
  readonly organization_id: string | null
  readonly act_id?: string | null
  readonly act_kind?: string
  readonly replacement_event_id?: string | null
}

/** Records read at once: the bound on memory. */
const PAGE = 1000
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

// Keyset paging on the index (instant, event_id): every page costs the same, and records that come in meanwhile shift nothing.
const pageSql = (superseded: boolean): string => `
select ${RECORD_COLUMNS}, ${superseded ? 's.act_id, a.kind as act_kind, s.replacement_event_id,' : ''}
  case when ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')} then m.organization_id end as organization_id
from usage_record r ${MAPPING_AT_INSTANT}
${superseded ? 'left join superseded_record s on s.event_id = r.event_id left join record_act a on a.act_id = s.act_id' : ''}
where ${superseded ? '' : `${countedSql({ start: '$1::timestamptz', end: '$3::timestamptz' })} and`}
  (r.instant, r.event_id) > ($1::timestamptz, $2::uuid) and r.instant < $3::timestamptz
  and ${idBoundsSql('$1::timestamptz', '$3::timestamptz')}
  and ($4::uuid is null or (m.organization_id = $4::uuid and ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')}))
  and ($5::text is null or r.auth_id = $5::text)
  and ($6::text is null or r.model = $6::text)
order by r.instant, r.event_id limit $7::integer`
const COUNTED_PAGE = pageSql(false)
const WHOLE_PAGE = pageSql(true)

/**
 * Reads the usage records that count in order of (instant, event id), those of nobody included, in bounded memory. A stream that runs long
 * sees records that are committed meanwhile behind its place. @throws {LedgerInputError} when `afterEventId` is no record.
 */
export async function* streamEvents(db: Queryable, filter: EventFilter = {}): AsyncGenerator<LedgerRecord, void, undefined> {
  const { organizationId = null, authId = null, model = null, limit = Infinity, superseded = false } = filter
  if (organizationId !== null && !isUuid(organizationId)) return
  if (authId?.includes('\0') === true || model?.includes('\0') === true) return
  let left = limit
  for await (const period of periodsOf(db, filter)) {
    let cursor: Cursor | undefined = period.after
    while (cursor !== undefined && left > 0) {
      const size = Math.min(PAGE, left)
      const { rows }: { readonly rows: readonly EventRow[] } = await db.query<EventRow>(superseded ? WHOLE_PAGE : COUNTED_PAGE, [
        sqlInstant(cursor.instant),
        cursor.eventId,
        period.end,
        organizationId,
        authId,
        model,
        size,
      ])
      for (const row of rows) yield ledgerRecordOf(row)
      left -= rows.length
      const last: EventRow | undefined = rows.at(-1)
      cursor = last === undefined || rows.length < size ? undefined : { instant: last.instant, eventId: last.event_id }
    }
  }
}

/** A row of a statement with {@link RECORD_COLUMNS} and `organization_id`; where it was asked for, also by which act it counts no longer. */
export function ledgerRecordOf(row: EventRow): LedgerRecord {
  const { organization_id: organizationId, act_id: actId = null, act_kind: kind, replacement_event_id: replacement = null } = row
  return {
    record: recordOfRow(row),
    ...(organizationId !== null && { organizationId }),
    ...(actId !== null && {
      // record_act lets no other kind in.
      superseded: { actId, kind: kind as RecordActKind, ...(replacement !== null && { replacementEventId: replacement }) },
    }),
  }
}

type StreamPeriod = { readonly after: Cursor; readonly end: string }

/**
 * The periods to be read, in order. Without a filter by identity it is one. With one, the hours in which the rater has seen such
 * records, those that it has not rated yet, and those of records that it leaves out, if they are wanted: else one quiet organization's page would read through everybody's records.
 */
async function* periodsOf(db: Queryable, filter: EventFilter): AsyncGenerator<StreamPeriod> {
  const start = await startOfStream(db, filter)
  const end = filter.to === undefined ? 'infinity' : formatInstant(filter.to)
  if (filter.organizationId === undefined && filter.authId === undefined) {
    yield { after: start, end }
    return
  }
  const { rows } = await db.query<{ hour: number }>(
    `select hour from usage_hour
     where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and hour < $2::timestamptz
       and ($3::uuid is null or organization_id = $3::uuid)
       and ($4::text is null or (hashtextextended(auth_id, 0) = hashtextextended($4::text, 0) and auth_id = $4::text))
     union
     select hour from dirty_hour where hour >= date_trunc('hour', $1::timestamptz, 'UTC') and hour < $2::timestamptz
     union
     select date_trunc('hour', instant, 'UTC') from superseded_record
     where $5::boolean and instant >= date_trunc('hour', $1::timestamptz, 'UTC') and instant < $2::timestamptz
     order by hour`,
    [sqlInstant(start.instant), end, filter.organizationId ?? null, filter.authId ?? null, filter.superseded === true],
  )
  for (const { hour } of rows) {
    // The first hour may begin in its middle.
    const after = hour > start.instant ? before(hour) : start
    yield { after, end: formatInstant(Math.min(hourOf(hour).end, filter.to ?? Infinity)) }
  }
}

async function startOfStream(db: Queryable, { from = -Infinity, afterEventId, organizationId }: EventFilter): Promise<Cursor> {
  if (afterEventId === undefined) return before(from)
  const instant = await instantOfRecord(db, afterEventId, organizationId)
  return instant < from ? before(from) : { instant, eventId: afterEventId }
}

const INSTANT_SQL = `
select r.instant from usage_record r ${MAPPING_AT_INSTANT}
where r.event_id = $1::uuid
  and ($2::uuid is null or (m.organization_id = $2::uuid and ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')}))`

/** The instant of a record. Another organization's is as unknown as none. @throws {LedgerInputError} */
export async function instantOfRecord(db: Queryable, eventId: string, organizationId: string | undefined): Promise<Instant> {
  const { rows } = isUuid(eventId) ? await db.query<{ instant: number }>(INSTANT_SQL, [eventId, organizationId ?? null]) : { rows: [] }
  const [row] = rows
  if (row === undefined) throw new LedgerInputError(`Cannot go on after event ${eventId}: there is no such record`)
  return row.instant
}

/** The place before the first record of an instant: instants are whole milliseconds. */
function before(instant: Instant): Cursor {
  return { instant: instant - 1, eventId: LAST_ID }
}
