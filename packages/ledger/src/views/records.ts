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
import { holdsNul, keysOrAll, regionSql } from './row-filter.ts'
import type { RowFilter } from './row-filter.ts'
import { unseen } from './unseen.ts'

/** A record, and what became of it. */
export type ViewedRecord = LedgerRecord & { readonly fate: Fate }

/** Where a page of records ended. */
export type RecordPlace = { readonly instant: Instant; readonly eventId: string }

export type RecordQuery = {
  readonly organizationId: string
  readonly period: Period
  /** As on charges; of meters, records that have one of them. Default: all. */
  readonly filter?: RowFilter
  /** Only those of which it is true, by what became of them. */
  readonly matches?: (found: ViewedRecord) => boolean
  /** Only what comes after it, that is, earlier ones. */
  readonly after?: RecordPlace
  readonly limit: number
}

export type RecordPage = { readonly records: readonly ViewedRecord[]; readonly next: RecordPlace | undefined }

/** Hours that one page looks through at most, so that a page costs the same where hardly any record fits; the next one goes on from there. */
const HOURS_MAX = 48
/** And statements that read them, where few of an hour's records fit. */
const PAGES_MAX = 64
const HOUR_MS = 3_600_000
/** Of an hour that nobody has counted yet, this share of what is wanted is expected: so many of those are read at once. */
const UNCOUNTED_SHARE = 4
/** Rows of a statement: one of few, so that few statements are kept prepared, each with a plan for its size. */
const SIZES = [26, 51, 101, 201, 501, 1001] as const
/** More is looked for than is wanted, because an hour's records are not spread evenly; each time that it was too little, four times as much. */
const MARGIN = 1.5
/** Where what fits is decided here, of each row. */
const FILTERED_SIZE = 201
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

// Only hours in which the rater has seen such records, the newest first, with how many, and those that it has not rated since. Each list has a bound
// of its own, so that the first is read backwards on the index usage_hour_organization only as far as it is needed.
const BOUNDS = `hour >= ${unseen(2, 'timestamptz')} and hour <= ${unseen(3, 'timestamptz')} and hour < ${unseen(4, 'timestamptz')}`
const isWantedSql = (column: string, parameter: number): string =>
  `(${unseen(parameter, 'text[]')} is null or ${column} = any(${unseen(parameter, 'text[]')}))`
const HOURS = `
select hour, max(records)::float8 as records from (
  (select hour, sum(record_count) as records from usage_hour
   where organization_id = ${unseen(1, 'uuid')} and ${BOUNDS}
     and ${isWantedSql('auth_id', 5)} and ${isWantedSql('resource_id', 6)} and ${isWantedSql("coalesce(model, '')", 7)}
     and ${isWantedSql("coalesce(user_id, '')", 8)} and ${isWantedSql("coalesce(group_id, '')", 9)} and (${unseen(10, 'text[]')} is null or meters ?| ${unseen(10, 'text[]')})
   group by hour order by hour desc limit ${HOURS_MAX + 1})
  union all
  (select distinct hour, null::numeric from dirty_hour where ${BOUNDS} order by hour desc limit ${HOURS_MAX + 1})
) h group by hour order by hour desc limit ${HOURS_MAX + 1}`

/** Which records a filter lets through. The model is any that a record could be priced by; which one it is, its fate says. */
const FILTER_SQL = {
  resourceIds: 'r.resource_id',
  regions: regionSql('r.resource_id'),
  userIds: "coalesce(m.user_id, '')",
  groupIds: "coalesce(m.group_id, '')",
  models: "coalesce(r.model, r.model_asked, '')",
} as const
const FILTERS = ['resourceIds', 'regions', 'userIds', 'groupIds', 'models'] as const
const PAGE_PARAMETERS = 5

// By the index (instant, event_id), all of each stretch of time. Other organizations' records are passed over by their auth id, before a mapping is
// looked up. Who an auth id belonged to is decided at each record's own instant, as the rater does. The second bound by `until` says nothing new; with
// it the planner takes this index and not the one of ids, whose bounds are hours wider.
function pageSql(asked: readonly (keyof typeof FILTER_SQL)[], size: number): string {
  const filters = asked.map((name, index) => `and ${FILTER_SQL[name]} = any(${unseen(PAGE_PARAMETERS + 1 + index, 'text[]')})`)
  return `
select p.* from unnest(${unseen(2, 'timestamptz[]')}, ${unseen(3, 'timestamptz[]')}, ${unseen(4, 'uuid[]')}) f (start, until, until_id)
cross join lateral (
  select ${RECORD_COLUMNS}, m.organization_id
  from usage_record r ${MAPPING_AT_INSTANT}
  where (r.instant, r.event_id) < (f.until, f.until_id) and r.instant <= f.until and r.instant >= f.start
    and ${idBoundsSql('f.start', 'f.until')} and r.auth_id = any(${unseen(5, 'text[]')})
    and m.organization_id = ${unseen(1, 'uuid')} and ${claimAgreesSql('r.claimed_organization_id', 'm.organization_id')}
    and ${countedSql({ start: 'f.start', end: "(f.until + interval '1 millisecond')" })} ${filters.join(' ')}
  order by r.instant desc, r.event_id desc limit ${size}
) p
order by p.instant desc, p.event_id desc limit ${size}`
}

/** An hour of which something may be on the page. */
type Hour = {
  readonly hour: Instant
  /** About how many of its records fit; null: nobody has counted. */
  readonly records: number | null
}

/** Reads the usage records of an organization in a period, the newest first, each with what became of it and the price that applied. */
export async function readRecords(db: Database, query: RecordQuery): Promise<RecordPage> {
  const { organizationId, period, limit, after, filter = {} } = query
  if (!isUuid(organizationId) || holdsNul(filter)) return { records: [], next: undefined }
  const [onlyKey, ...otherKeys] = filter.authIds ?? []
  const from = after ?? { instant: period.end, eventId: FIRST_ID }
  const [recount, hours] = await Promise.all([
    createRecount(db, { organizationId, books: shelfOf(db), ...(onlyKey !== undefined && otherKeys.length === 0 && { authId: onlyKey }) }),
    readHours(db, query, from),
  ])
  const authIds = recount.authIds.filter((authId) => filter.authIds?.includes(authId) ?? true)
  if (authIds.length === 0) return { records: [], next: undefined }
  const found: ViewedRecord[] = []
  const size = sizeOf(query)
  let place = from
  let rest = hours.slice(0, HOURS_MAX)
  for (let pages = 0; rest.length > 0; pages += 1) {
    if (pages === PAGES_MAX) return { records: found, next: place }
    const { stretches, cut, whole } = enoughOf(rest, { wanted: limit + 1 - found.length, margin: MARGIN * 4 ** pages, place, period })
    const page = await readPage(db, query, { authIds, stretches, size })
    found.push(...page.map((record) => ({ ...record, fate: recount.fateOf(record.record) })).filter((each) => isWanted(each, query)))
    if (found.length > limit) return { records: found.slice(0, limit), next: placeOfRecord(found[limit - 1]) }
    const last = page.length === size ? page.at(-1)?.record : undefined
    place = last === undefined ? { instant: cut, eventId: FIRST_ID } : { instant: last.startedAt, eventId: last.eventId }
    rest = last === undefined ? rest.slice(whole) : rest.filter(({ hour }) => hour <= last.startedAt)
  }
  const lastHour = hours[HOURS_MAX - 1]?.hour
  return { records: found, next: hours.length > HOURS_MAX && lastHour !== undefined ? { instant: lastHour, eventId: FIRST_ID } : undefined }
}

async function readHours(db: Queryable, query: RecordQuery, from: RecordPlace): Promise<readonly Hour[]> {
  const { organizationId, period, filter = {} } = query
  const { rows } = await db.query<Hour>(HOURS, [
    organizationId,
    sqlInstant(hourOf(period.start).start),
    sqlInstant(from.instant),
    sqlInstant(period.end),
    ...[filter.authIds, filter.resourceIds, filter.models, filter.userIds, filter.groupIds, filter.meters].map(keysOrAll),
  ])
  return rows
}

/** From an instant on until right before a place. */
type Stretch = { readonly start: Instant; readonly until: RecordPlace }

type Wanted = {
  readonly wanted: number
  /** How many times that is looked for. */
  readonly margin: number
  readonly place: RecordPlace
  readonly period: Period
}

type Enough = {
  /** The newest first; neighbouring hours are one. */
  readonly stretches: readonly Stretch[]
  /** Where the last one starts. */
  readonly cut: Instant
  /** Hours that are in them to their start. */
  readonly whole: number
}

/** The time before a place that should hold as many records as are wanted. Should it not, more is read: counts only save reading. */
function enoughOf(hours: readonly Hour[], { wanted, margin, place, period }: Wanted): Enough {
  const stretches: Stretch[] = []
  let [cut, whole, missing] = [place.instant, 0, wanted]
  for (const { hour, records } of hours) {
    if (missing <= 0) break
    const end = hour + HOUR_MS
    const until = place.instant < end ? place : { instant: end, eventId: FIRST_ID }
    const expected = records ?? Math.ceil(wanted / UNCOUNTED_SHARE)
    const part = until.instant - Math.ceil((HOUR_MS * missing * margin) / Math.max(1, expected))
    const start = Math.max(hour, period.start)
    cut = records === null ? start : Math.max(start, part)
    const before = stretches.at(-1)
    if (before?.start === end) stretches[stretches.length - 1] = { ...before, start: cut }
    else stretches.push({ start: cut, until })
    if (cut > start) break
    whole += 1
    missing -= expected
  }
  return { stretches, cut, whole }
}

function sizeOf(query: RecordQuery): number {
  const size = SIZES.find((each) => each > query.limit) ?? query.limit + 1
  return isFiltered(query) ? Math.max(FILTERED_SIZE, size) : size
}

/** Whether some of what a page of the database holds may be passed over. */
function isFiltered({ filter, matches }: RecordQuery): boolean {
  return filter?.meters !== undefined || matches !== undefined
}

function isWanted(found: ViewedRecord, { filter, matches }: RecordQuery): boolean {
  const { models, meters } = filter ?? {}
  if (models !== undefined && !models.includes(found.fate.model ?? '')) return false
  if (meters !== undefined && !meters.some((meter) => (found.record.meters[meter] ?? 0) > 0)) return false
  return matches?.(found) ?? true
}

function placeOfRecord(found: ViewedRecord | undefined): RecordPlace | undefined {
  return found === undefined ? undefined : { instant: found.record.startedAt, eventId: found.record.eventId }
}

type Part = { readonly authIds: readonly string[]; readonly stretches: readonly Stretch[]; readonly size: number }

async function readPage(db: Queryable, query: RecordQuery, { authIds, stretches, size }: Part): Promise<readonly LedgerRecord[]> {
  const { filter = {} } = query
  const asked = FILTERS.filter((name) => filter[name] !== undefined)
  const { rows } = await db.query<RecordRow & { readonly organization_id: string }>(pageSql(asked, size), [
    query.organizationId,
    stretches.map(({ start }) => sqlInstant(start)),
    stretches.map(({ until }) => sqlInstant(until.instant)),
    stretches.map(({ until }) => until.eventId),
    [...authIds],
    ...asked.map((name) => keysOrAll(filter[name])),
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
