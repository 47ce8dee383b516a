import type { Queryable } from '@ascribe/postgres'
import { formatRate } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { adjustHour } from './adjust-hour.ts'
import { forgetChargeDay } from './charge-days.ts'
import { sqlInstant } from './instants.ts'
import { isMonthClosed, monthOfInstant } from './periods.ts'
import type { ChargeRow, PeriodQuantityRow, RatedUsage, UsageRow } from './rate-groups.ts'
import { bitsOfDigest } from './records-digest.ts'

/** Rows sent at once; the bound on the size of a statement. */
const ROWS_MAX = 5000

const INSERT_USAGE = `
insert into usage_hour (hour, state, organization_id, claimed_organization_id, auth_id, user_id, group_id, resource_id, model, base_model,
  price_sequence, meters, record_count, first_instant, last_instant)
select $1::timestamptz, state, organization_id, claimed_organization_id, auth_id, user_id, group_id, resource_id, model, base_model,
  price_sequence, meters, record_count, first_instant, last_instant
from json_to_recordset($2::json) as r (state text, organization_id uuid, claimed_organization_id text, auth_id text, user_id text,
  group_id text, resource_id text, model text, base_model text, price_sequence integer, meters jsonb, record_count bigint,
  first_instant timestamptz, last_instant timestamptz)`

const CHARGED = `organization_id, auth_id, user_id, group_id, resource_id, model, base_model, meter, price_sequence, quantity,
  record_count, records_digest`
const CHARGED_TYPES = `organization_id uuid, auth_id text, user_id text, group_id text, resource_id text, model text, base_model text,
  meter text, price_sequence integer, quantity numeric, record_count bigint, records_digest bit(128)`

const INSERT_CHARGES = `
insert into charge (hour, ${CHARGED}, rate, amount_nano)
select $1::timestamptz, ${CHARGED}, rate, amount_nano
from json_to_recordset($2::json) as r (${CHARGED_TYPES}, rate numeric, amount_nano numeric)`

const INSERT_MEMOS = `
insert into provider_charge (hour, ${CHARGED}, rate, amount_nano)
select $1::timestamptz, ${CHARGED}, rate, amount_nano
from json_to_recordset($2::json) as r (${CHARGED_TYPES}, rate numeric, amount_nano numeric)`

const INSERT_PERIOD = `
insert into period_quantity (hour, ${CHARGED})
select $1::timestamptz, ${CHARGED} from json_to_recordset($2::json) as r (${CHARGED_TYPES})`

/**
 * Replaces what is stored of an hour. The charges of a closed month stay as they are; what they should be now, less what they and earlier
 * adjustments are, is booked as adjustments, for which `cause` says why the hour was rated again.
 */
export async function replaceHour(
  tx: Queryable,
  hour: Instant,
  { rated, cause }: { readonly rated: RatedUsage; readonly cause: string },
): Promise<void> {
  const at = sqlInstant(hour)
  const month = monthOfInstant(hour)
  const isClosed = await isMonthClosed(tx, month)
  const changed = isClosed ? await changedTotals(tx, hour, rated.period) : new Set<string>()
  // Of a closed month too: its charges stay, what was used is what is known now.
  await forgetChargeDay(tx, hour)
  await tx.query('delete from usage_hour where hour = $1::timestamptz', [at])
  await tx.query('delete from period_quantity where hour = $1::timestamptz', [at])
  await insertRows(tx, { sql: INSERT_USAGE, hour: at, rows: rated.usage.map(usageJson) })
  await insertRows(tx, { sql: INSERT_PERIOD, hour: at, rows: rated.period.map(quantityJson) })
  // Owed to nobody, so that no closing freezes it.
  await tx.query('delete from provider_charge where hour = $1::timestamptz', [at])
  await insertRows(tx, { sql: INSERT_MEMOS, hour: at, rows: rated.memos.map(chargeJson) })
  if (isClosed) {
    const adjusted = await adjustHour(tx, hour, { charges: rated.charges, cause })
    await markMonth(tx, { month, cause, organizationIds: [...adjusted.union(changed)] })
    return
  }
  await tx.query('delete from charge where hour = $1::timestamptz', [at])
  await insertRows(tx, { sql: INSERT_CHARGES, hour: at, rows: rated.charges.map(chargeJson) })
}

/** The organizations of which an hour's quantities that the month prices are other ones than those that are stored. */
async function changedTotals(tx: Queryable, hour: Instant, period: readonly PeriodQuantityRow[]): Promise<ReadonlySet<string>> {
  const { rows } = await tx.query<StoredQuantity>(
    'select organization_id, model, base_model, meter, price_sequence, quantity from period_quantity where hour = $1::timestamptz',
    [sqlInstant(hour)],
  )
  const sums = new Map<string, { readonly organizationId: string; quantity: bigint }>()
  const add = (key: readonly unknown[], organizationId: string, quantity: bigint): void => {
    sums.getOrInsertComputed(JSON.stringify(key), () => ({ organizationId, quantity: 0n })).quantity += quantity
  }
  for (const { organization_id: id, model, base_model: base, meter, price_sequence: sequence, quantity } of rows) {
    add([id, model, base, meter, sequence], id, -BigInt(quantity))
  }
  for (const { organizationId: id, model, baseModel, meter, priceSequence, quantity } of period) {
    add([id, model, baseModel, meter, priceSequence], id, quantity)
  }
  return new Set([...sums.values()].filter(({ quantity }) => quantity !== 0n).map(({ organizationId }) => organizationId))
}

type StoredQuantity = {
  readonly organization_id: string
  readonly model: string
  readonly base_model: string | null
  readonly meter: string
  readonly price_sequence: number
  readonly quantity: string
}

type Mark = { readonly month: string; readonly cause: string; readonly organizationIds: readonly string[] }

async function markMonth(tx: Queryable, { month, cause, organizationIds }: Mark): Promise<void> {
  if (organizationIds.length === 0) return
  await tx.query('insert into dirty_period (month, cause, organization_id) select $1::date, $2::text, unnest($3::uuid[])', [
    `${month}-01`,
    cause,
    [...organizationIds],
  ])
}

async function insertRows(
  tx: Queryable,
  { sql, hour, rows }: { readonly sql: string; readonly hour: string; readonly rows: readonly object[] },
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_MAX) {
    await tx.query(sql, [hour, JSON.stringify(rows.slice(start, start + ROWS_MAX))])
  }
}

function usageJson(row: UsageRow): object {
  return {
    state: row.state,
    organization_id: row.organizationId,
    claimed_organization_id: row.claimedOrganizationId,
    auth_id: row.authId,
    user_id: row.userId,
    group_id: row.groupId,
    resource_id: row.resourceId,
    model: row.model,
    base_model: row.baseModel,
    price_sequence: row.priceSequence,
    meters: Object.fromEntries(Object.entries(row.meters).map(([meter, quantity]) => [meter, String(quantity)])),
    record_count: String(row.recordCount),
    first_instant: sqlInstant(row.firstInstant),
    last_instant: sqlInstant(row.lastInstant),
  }
}

function quantityJson(row: PeriodQuantityRow): object {
  return {
    organization_id: row.organizationId,
    auth_id: row.authId,
    user_id: row.userId,
    group_id: row.groupId,
    resource_id: row.resourceId,
    model: row.model,
    base_model: row.baseModel,
    meter: row.meter,
    price_sequence: row.priceSequence,
    quantity: String(row.quantity),
    record_count: String(row.recordCount),
    records_digest: bitsOfDigest(row.digest),
  }
}

function chargeJson(row: ChargeRow): object {
  return { ...quantityJson(row), rate: formatRate(row.rate), amount_nano: String(row.amount) }
}
