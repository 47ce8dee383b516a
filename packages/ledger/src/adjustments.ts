import { createHash } from 'node:crypto'
import type { Queryable } from '@ascribe/postgres'
import { formatRate } from '@ascribe/units'
import type { Instant, Nano, Quantity, Rate } from '@ascribe/units'
import type { LineKind } from './month-lines.ts'
import { readBookedMonth } from './periods.ts'
import { bitsOfDigest } from './records-digest.ts'
import type { RecordsDigest } from './records-digest.ts'
import { sqlInstant } from './instants.ts'

/** What corrects a charge, or a line, of a closed month. Quantity, amount and number of records are signed. */
export type Adjustment = {
  readonly id: string
  /** The month that it corrects, `2026-10`. */
  readonly month: string
  /** Null: it corrects a line of the whole month. */
  readonly hour: Instant | null
  readonly kind: LineKind
  readonly organizationId: string
  readonly authId: string
  readonly userId: string | null
  readonly groupId: string | null
  readonly resourceId: string
  readonly model: string
  readonly baseModel: string | null
  readonly meter: string
  readonly priceSequence: number
  readonly rate: Rate
  readonly quantity: Quantity
  readonly amount: Nano
  readonly recordCount: bigint
  readonly digest: RecordsDigest
  readonly description: string | null
  readonly cause: string
}

/** Rows sent at once; the bound on the size of a statement. */
const ROWS_MAX = 5000

const INSERT = `
insert into adjustment (adjustment_id, month, hour, booked_month, kind, organization_id, auth_id, user_id, group_id, resource_id, model,
  base_model, meter, price_sequence, rate, quantity, amount_nano, record_count, records_digest, description, cause)
select adjustment_id, month, hour, $1::date, kind, organization_id, auth_id, user_id, group_id, resource_id, model,
  base_model, meter, price_sequence, rate, quantity, amount_nano, record_count, records_digest, description, cause
from json_to_recordset($2::json) as r (adjustment_id uuid, month date, hour timestamptz, kind text, organization_id uuid, auth_id text,
  user_id text, group_id text, resource_id text, model text, base_model text, meter text, price_sequence integer, rate numeric,
  quantity numeric, amount_nano numeric, record_count bigint, records_digest bit(128), description text, cause text)`

/**
 * An id that follows from what is corrected and how often it was before (a UUID of version 8): two raters that would book the same thing
 * cannot both do so.
 */
export function adjustmentId(parts: readonly string[]): string {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** Books adjustments into the oldest open month. */
export async function insertAdjustments(tx: Queryable, adjustments: readonly Adjustment[]): Promise<void> {
  if (adjustments.length === 0) return
  const booked = `${await readBookedMonth(tx)}-01`
  for (let start = 0; start < adjustments.length; start += ROWS_MAX) {
    await tx.query(INSERT, [booked, JSON.stringify(adjustments.slice(start, start + ROWS_MAX).map(jsonOf))])
  }
}

function jsonOf(row: Adjustment): object {
  return {
    adjustment_id: row.id,
    month: `${row.month}-01`,
    hour: row.hour === null ? null : sqlInstant(row.hour),
    kind: row.kind,
    organization_id: row.organizationId,
    auth_id: row.authId,
    user_id: row.userId,
    group_id: row.groupId,
    resource_id: row.resourceId,
    model: row.model,
    base_model: row.baseModel,
    meter: row.meter,
    price_sequence: row.priceSequence,
    rate: formatRate(row.rate),
    quantity: String(row.quantity),
    amount_nano: String(row.amount),
    record_count: String(row.recordCount),
    records_digest: bitsOfDigest(row.digest),
    description: row.description,
    cause: row.cause,
  }
}
