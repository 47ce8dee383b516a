import type { Queryable } from '@ascribe/postgres'
import { formatInstant, formatRate, hourOf, isUuid, parseInstant } from '@ascribe/units'
import type { Nano, Period, Quantity } from '@ascribe/units'
import { chargeSubjectOf } from '../charge-columns.ts'
import type { ChargeColumns } from '../charge-columns.ts'
import { sqlInstant } from '../instants.ts'
import { digestOfBits } from '../records-digest.ts'
import { storedRate } from '../stored-rate.ts'
import type { ViewedRecord } from './records.ts'
import { holdsNul, keysOrAll, regionSql } from './row-filter.ts'
import type { RowFilter } from './row-filter.ts'

/** An hourly charge: a quantity of one meter at one price, rounded once. */
export type ViewedCharge = {
  /** Of the hour and what it is of; the same as long as the hour is charged for the same. */
  readonly id: string
  readonly organizationId: string
  readonly period: Period
  readonly authId: string
  readonly userId: string | null
  readonly groupId: string | null
  readonly resourceId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
  /** Decimal. */
  readonly rate: string
  readonly quantity: Quantity
  readonly amount: Nano
  readonly recordCount: bigint
  /** Exclusive or of the ids of its records, hex; absent on charges of before it was kept. */
  readonly recordsDigest?: string
}

export type ChargePlace = { readonly hour: number; readonly key: string }

export type ChargeQuery = {
  readonly organizationId: string
  readonly period: Period
  readonly filter?: RowFilter
  readonly after?: ChargePlace
  readonly limit: number
}

export type ChargePage = { readonly charges: readonly ViewedCharge[]; readonly next: ChargePlace | undefined }

type Row = ChargeColumns & {
  readonly hour: number
  readonly key: string
  readonly rate: string
  readonly quantity: string
  readonly amount_nano: string
  readonly record_count: bigint
  readonly digest: string | null
}

const KEY = `md5(row(c.price_sequence, c.auth_id, c.user_id, c.group_id, c.resource_id, c.model, c.base_model, c.meter)::text)::uuid`
const COLUMNS = `c.hour, ${KEY} as key, c.organization_id, c.auth_id, c.user_id, c.group_id, c.resource_id, c.model, c.base_model, c.meter,
  c.price_sequence, c.rate::text as rate, c.quantity, c.amount_nano, c.record_count, c.records_digest::text as digest`

// By the hour, so that only the charges of an hour are sorted by their key. Index charge_organization.
const PAGE = `
select ${COLUMNS} from charge c
where c.organization_id = $1::uuid and c.hour >= $2::timestamptz and c.hour < $3::timestamptz and (c.hour, ${KEY}) > ($4::timestamptz, $5::uuid)
  and c.hour >= $4::timestamptz
  and ($6::text[] is null or c.auth_id = any($6::text[])) and ($7::text[] is null or coalesce(c.user_id, '') = any($7::text[]))
  and ($8::text[] is null or coalesce(c.group_id, '') = any($8::text[])) and ($9::text[] is null or c.resource_id = any($9::text[]))
  and ($10::text[] is null or ${regionSql('c.resource_id')} = any($10::text[]))
  and ($11::text[] is null or c.model = any($11::text[])) and ($12::text[] is null or c.meter = any($12::text[]))
order by c.hour, key limit $13::integer`

const FIRST_KEY = '00000000-0000-0000-0000-000000000000'

/** The hourly charges of an organization whose hours begin in a period, by hour. */
export async function readCharges(db: Queryable, query: ChargeQuery): Promise<ChargePage> {
  const { organizationId, period, filter = {}, limit, after } = query
  if (!isUuid(organizationId) || holdsNul(filter)) return { charges: [], next: undefined }
  const { authIds, userIds, groupIds, resourceIds, regions, models, meters } = filter
  const { rows } = await db.query<Row>(PAGE, [
    organizationId,
    sqlInstant(period.start),
    sqlInstant(period.end),
    sqlInstant(after?.hour ?? -Infinity),
    after?.key ?? FIRST_KEY,
    ...[authIds, userIds, groupIds, resourceIds, regions, models, meters].map(keysOrAll),
    limit + 1,
  ])
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    charges: page.map(chargeOf),
    next: rows.length > limit && last !== undefined ? { hour: last.hour, key: last.key } : undefined,
  }
}

const ONE = `select ${COLUMNS} from charge c where c.organization_id = $1::uuid and c.hour = $2::timestamptz and ${KEY} = $3::uuid`
const ID = /^(\d{4}-\d\d-\d\dT\d\d)-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/

/** One charge of an organization by its id; `undefined` also for another organization's. */
export async function findCharge(
  db: Queryable,
  { organizationId, chargeId }: { readonly organizationId: string; readonly chargeId: string },
): Promise<ViewedCharge | undefined> {
  const [, hour = '', key = ''] = ID.exec(chargeId) ?? []
  const at = parseInstant(`${hour}:00:00Z`)
  if (!isUuid(organizationId) || at === undefined) return undefined
  const { rows } = await db.query<Row>(ONE, [organizationId, sqlInstant(at), key])
  return rows.map(chargeOf)[0]
}

function chargeOf(row: Row): ViewedCharge {
  return {
    id: `${formatInstant(row.hour).slice(0, 13)}-${row.key}`,
    ...chargeSubjectOf(row),
    period: hourOf(row.hour),
    rate: formatRate(storedRate(row.rate)),
    quantity: BigInt(row.quantity),
    amount: BigInt(row.amount_nano),
    recordCount: row.record_count,
    ...(row.digest !== null && { recordsDigest: digestOfBits(row.digest).toString(16).padStart(32, '0') }),
  }
}

/** Whether a record is one of those that a charge covers, as things stand now. */
export function isOfCharge(charge: ViewedCharge, { record, fate }: ViewedRecord): boolean {
  return (
    fate.state === 'charged' &&
    fate.price?.sequence === charge.priceSequence &&
    fate.model === charge.model &&
    fate.baseModel === charge.baseModel &&
    fate.userId === charge.userId &&
    fate.groupId === charge.groupId &&
    record.resourceId === charge.resourceId &&
    (record.meters[charge.meter] ?? 0) > 0
  )
}
