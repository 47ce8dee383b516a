import type { Queryable } from '@ascribe/postgres'
import { formatRate } from '@ascribe/units'
import type { Instant, Nano, Quantity } from '@ascribe/units'
import { adjustmentId, insertAdjustments } from './adjustments.ts'
import type { Adjustment } from './adjustments.ts'
import { chargeSubjectOf } from './charge-columns.ts'
import type { ChargeColumns } from './charge-columns.ts'
import { sqlInstant } from './instants.ts'
import { monthOfInstant } from './periods.ts'
import type { ChargeRow } from './rate-groups.ts'
import { digestOfBits } from './records-digest.ts'
import type { RecordsDigest } from './records-digest.ts'
import { storedRate } from './stored-rate.ts'

// Charges and what corrected them, by identity. Indexes charge_once and adjustment_corrects.
const BOOKED = `
select organization_id, auth_id, user_id, group_id, resource_id, model, base_model, meter, price_sequence, rate,
  sum(quantity) as quantity, sum(amount_nano) as amount, sum(record_count)::bigint as record_count,
  case when bool_and(records_digest is not null) then bit_xor(records_digest)::text end as digest,
  count(*) filter (where is_adjustment) as adjusted
from (
  select organization_id, auth_id, user_id, group_id, resource_id, model, base_model, meter, price_sequence, rate, quantity, amount_nano,
    record_count, records_digest, false as is_adjustment
  from charge where hour = $1::timestamptz
  union all
  select organization_id, auth_id, user_id, group_id, resource_id, model, base_model, meter, price_sequence, rate, quantity, amount_nano,
    record_count, records_digest, true
  from adjustment where month = $2::date and hour = $1::timestamptz
) booked
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`

type BookedRow = ChargeColumns & {
  readonly rate: string
  readonly quantity: string
  readonly amount: string
  readonly record_count: bigint
  /** Null: a charge of before there were digests. */
  readonly digest: string | null
  readonly adjusted: bigint
}

type Sums = { readonly quantity: Quantity; readonly amount: Nano; readonly recordCount: bigint; readonly digest: RecordsDigest | undefined }
type Booked = { readonly row: ChargeRow; readonly sums: Sums; readonly adjusted: bigint }

/**
 * Books what an hour of a closed month should be charged now, less what has been charged and adjusted: nothing when that is the same, so
 * that doing it again adds nothing. Gives the organizations that have an adjustment of it.
 */
export async function adjustHour(
  tx: Queryable,
  hour: Instant,
  { charges, cause }: { readonly charges: readonly ChargeRow[]; readonly cause: string },
): Promise<ReadonlySet<string>> {
  const month = monthOfInstant(hour)
  const { rows } = await tx.query<BookedRow>(BOOKED, [sqlInstant(hour), `${month}-01`])
  const booked = new Map(rows.map((row) => [identityOf(chargeOf(row)), bookedOf(row)]))
  const wanted = new Map(charges.map((row) => [identityOf(row), row]))
  const adjustments: Adjustment[] = []
  for (const key of [...new Set([...booked.keys(), ...wanted.keys()])].toSorted()) {
    const [before, now] = [booked.get(key), wanted.get(key)]
    const row = now ?? before?.row
    if (row === undefined) continue
    const difference = differenceOf(now, before?.sums)
    if (difference === undefined) continue
    adjustments.push({
      ...row,
      ...difference,
      id: adjustmentId([sqlInstant(hour), key, String(before?.adjusted ?? 0n)]),
      kind: 'usage',
      month,
      hour,
      description: null,
      cause,
    })
  }
  await insertAdjustments(tx, adjustments)
  return new Set(adjustments.map(({ organizationId }) => organizationId))
}

function differenceOf(now: ChargeRow | undefined, before: Sums | undefined): (Sums & { readonly digest: RecordsDigest }) | undefined {
  const quantity = (now?.quantity ?? 0n) - (before?.quantity ?? 0n)
  const amount = (now?.amount ?? 0n) - (before?.amount ?? 0n)
  const recordCount = (now?.recordCount ?? 0n) - (before?.recordCount ?? 0n)
  // Of a charge that has none, only what comes after it can be told.
  const known = before === undefined || before.digest !== undefined
  const digest = known ? (now?.digest ?? 0n) ^ (before?.digest ?? 0n) : 0n
  const isSame = quantity === 0n && amount === 0n && recordCount === 0n && digest === 0n
  return isSame ? undefined : { quantity, amount, recordCount, digest }
}

function identityOf(row: ChargeRow): string {
  const { organizationId, authId, userId, groupId, resourceId, model, baseModel, meter, priceSequence, rate } = row
  return JSON.stringify([organizationId, authId, userId, groupId, resourceId, model, baseModel, meter, priceSequence, formatRate(rate)])
}

function bookedOf(row: BookedRow): Booked {
  const { quantity, amount, recordCount, digest } = chargeOf(row)
  return {
    row: chargeOf(row),
    sums: { quantity, amount, recordCount, digest: row.digest === null ? undefined : digest },
    adjusted: row.adjusted,
  }
}

function chargeOf(row: BookedRow): ChargeRow {
  return {
    ...chargeSubjectOf(row),
    rate: storedRate(row.rate),
    quantity: BigInt(row.quantity),
    amount: BigInt(row.amount),
    recordCount: row.record_count,
    digest: row.digest === null ? 0n : digestOfBits(row.digest),
  }
}
