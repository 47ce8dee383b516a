import type { Database, Queryable } from '@ascribe/postgres'
import { hourOf, isUuid } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import { MAPPING_AT_INSTANT, claimAgreesSql } from '../attribution-sql.ts'
import { countedSql } from '../counted-sql.ts'
import type { LedgerRecord } from '../event-json.ts'
import { sqlInstant } from '../instants.ts'
import { idBoundsSql } from '../partitions.ts'
import { shelfOf } from '../price-versions.ts'
import { createRecount } from '../recount.ts'
import type { Fate } from '../recount.ts'
import { RECORD_COLUMNS, recordOfRow } from '../record-row.ts'
import type { RecordRow } from '../record-row.ts'

/** A record, and what became of it. */
export type ViewedRecord = LedgerRecord & { readonly fate: Fate }

/** Where a page of records ended. */
export type RecordPlace = { readonly instant: Instant; readonly eventId: string }

export type RecordQuery = {
  readonly organizationId: string
  readonly period: Period
  /** As on a charge. Default: all. */
  readonly authId?: string
  readonly userId?: string
  readonly groupId?: string
  readonly resourceId?: string
  readonly model?: string
  /** Only records that have this meter. */
  readonly meter?: string
  /** Only those of which it is true, by what became of them. */
  readonly matches?: (found: ViewedRecord) => boolean
  /** Only what comes after it, that is, earlier ones. */
  readonly after?: RecordPlace
  readonly limit: number
}

export type RecordPage = { readonly records: readonly ViewedRecord[]; readonly next: RecordPlace | undefined }

/** Hours that one page looks through at most, so that a page costs the same where hardly any record fits; the next one goes on from there. */
const HOURS_MAX = 48
/** And pages that it reads, where few of an hour's records fit. */
const PAGES_MAX = 64
const PAGE_ROWS = 200
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

// Only hours in which the rater has seen such records, the newest first, and those that it has not rated yet. Each list has a bound of its own, so
// that the first is read backwards on the index usage_hour_organization only as far as it is needed.
const BOUNDS = 'hour >= $2::timestamptz and hour <= $3::timestamptz and hour < $4::timestamptz'
const HOURS = `
select hour from (
  (select distinct hour from usage_hour
   where organization_id = $1::uuid and ${BOUNDS}
     and ($5::text is null or auth_id = $5::text) and ($6::text is null or resource_id = $6::text) and ($7::text is null or model = $7::text)
     and ($8::text is null or user_id = $8::text) and ($9::text is null or group_id = $9::text) and ($10::text is null or meters ? $10::text)
   order by hour desc limit ${HOURS_MAX + 1})
  union
  (select distinct hour from dirty_hour where ${BOUNDS} order by hour desc limit ${HOURS_MAX + 1})
) h order by hour desc limit ${HOURS_MAX + 1}`

// Backwards on the index (instant, event_id). Other organizations' records of the hour are passed over by their auth id, before a mapping is
// looked up. Who an auth id belonged to is decided at each record's own instant, as the rater does.
const PAGE = `
select ${RECORD_COLUMNS}, m.organization_id
from usage_record r ${MAPPING_AT_INSTANT}
where (r.instant, r.event_id) < ($2::timestamptz, $3::uuid) and r.instant >= $4::timestamptz and ${idBoundsSql('$4::timestamptz', '$2::timestamptz')}
  and r.auth_id = any($5::text[]) and m.organization_id = $1::uuid and ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')}
  and ${countedSql({ start: '$4::timestamptz', end: "($2::timestamptz + interval '1 millisecond')" })}
  and ($6::text is null or r.resource_id = $6::text)
  and ($7::text is null or m.user_id = $7::text) and ($8::text is null or m.group_id = $8::text)
order by r.instant desc, r.event_id desc limit $9::integer`

/** Reads the usage records of an organization in a period, the newest first, each with what became of it and the price that applied. */
export async function readRecords(db: Database, query: RecordQuery): Promise<RecordPage> {
  const { organizationId, period, limit, after } = query
  const filters = [query.authId, query.userId, query.groupId, query.resourceId, query.model, query.meter]
  if (!isUuid(organizationId) || filters.some((text) => text?.includes('\0') === true)) return { records: [], next: undefined }
  const recount = await createRecount(db, {
    organizationId,
    books: shelfOf(db),
    ...(query.authId !== undefined && { authId: query.authId }),
  })
  const { authIds } = recount
  if (authIds.length === 0) return { records: [], next: undefined }
  const from = after ?? { instant: period.end, eventId: FIRST_ID }
  const { rows: hours } = await db.query<{ hour: number }>(HOURS, [
    organizationId,
    sqlInstant(hourOf(period.start).start),
    sqlInstant(from.instant),
    sqlInstant(period.end),
    ...[query.authId, query.resourceId, query.model, query.userId, query.groupId, query.meter].map((text) => text ?? null),
  ])
  const found: ViewedRecord[] = []
  let pages = 0
  for (const { hour } of hours.slice(0, HOURS_MAX)) {
    const { end } = hourOf(hour)
    let place: RecordPlace = from.instant < end ? from : { instant: end, eventId: FIRST_ID }
    const size = isFiltered(query) ? Math.max(PAGE_ROWS, limit + 1) : limit + 1
    for (let isMore = true; isMore;) {
      if (pages === PAGES_MAX) return { records: found, next: place }
      pages += 1
      const page = await readPage(db, query, { authIds, place, start: Math.max(hour, period.start), size })
      found.push(...page.map((record) => ({ ...record, fate: recount.fateOf(record.record) })).filter((each) => isWanted(each, query)))
      if (found.length > limit) return { records: found.slice(0, limit), next: placeOfRecord(found[limit - 1]) }
      const last = page.at(-1)
      isMore = last !== undefined && page.length === size
      if (last !== undefined) place = { instant: last.record.startedAt, eventId: last.record.eventId }
    }
  }
  const lastHour = hours[HOURS_MAX - 1]?.hour
  return { records: found, next: hours.length > HOURS_MAX && lastHour !== undefined ? { instant: lastHour, eventId: FIRST_ID } : undefined }
}

/** Whether some of what a page of the database holds may be passed over. */
function isFiltered({ model, meter, matches }: RecordQuery): boolean {
  return model !== undefined || meter !== undefined || matches !== undefined
}

function isWanted(found: ViewedRecord, { model, meter, matches }: RecordQuery): boolean {
  if (model !== undefined && found.fate.model !== model) return false
  if (meter !== undefined && (found.record.meters[meter] ?? 0) === 0) return false
  return matches?.(found) ?? true
}

function placeOfRecord(found: ViewedRecord | undefined): RecordPlace | undefined {
  return found === undefined ? undefined : { instant: found.record.startedAt, eventId: found.record.eventId }
}

type Part = { readonly authIds: readonly string[]; readonly place: RecordPlace; readonly start: Instant; readonly size: number }

async function readPage(db: Queryable, query: RecordQuery, { authIds, place, start, size }: Part): Promise<readonly LedgerRecord[]> {
  const { rows } = await db.query<RecordRow & { readonly organization_id: string }>(PAGE, [
    query.organizationId,
    sqlInstant(place.instant),
    place.eventId,
    sqlInstant(start),
    [...authIds],
    query.resourceId ?? null,
    query.userId ?? null,
    query.groupId ?? null,
    size,
  ])
  return rows.map((row) => ({ record: recordOfRow(row), organizationId: row.organization_id }))
}

const ONE = `
select ${RECORD_COLUMNS}, m.organization_id
from usage_record r ${MAPPING_AT_INSTANT}
where r.event_id = $2::uuid and m.organization_id = $1::uuid and ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')}
  and ${countedSql()}`

/** One record of an organization, with what became of it; `undefined` also for another organization's. */
export async function readRecord(
  db: Database,
  { organizationId, eventId }: { readonly organizationId: string; readonly eventId: string },
): Promise<ViewedRecord | undefined> {
  if (!isUuid(organizationId) || !isUuid(eventId)) return undefined
  const { rows } = await db.query<RecordRow & { readonly organization_id: string }>(ONE, [organizationId, eventId])
  const [row] = rows
  if (row === undefined) return undefined
  const record = recordOfRow(row)
  const recount = await createRecount(db, { organizationId, authId: record.authId, books: shelfOf(db) })
  return { record, organizationId: row.organization_id, fate: recount.fateOf(record) }
}
