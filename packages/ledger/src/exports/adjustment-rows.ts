import type { Queryable } from '@ascribe/postgres'
import { hourOf, monthOf, parseRate } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { chargeSubjectOf } from '../charge-columns.ts'
import type { ChargeColumns } from '../charge-columns.ts'
import type { ExportRow } from './export-row.ts'
import { FIRST_ID } from './source-query.ts'
import type { SourceQuery } from './source-query.ts'

type AdjustmentRow = ChargeColumns & {
  readonly adjustment_id: string
  readonly corrects: string
  readonly hour: number | null
  readonly booked: string
  readonly kind: string
  readonly name: string
  readonly currency: string
  readonly rate: string
  readonly quantity: string
  readonly amount_nano: string
  readonly record_count: bigint
  readonly description: string | null
  readonly cause: string
  readonly number: string | null
}

const PAGE_SQL = `
select a.adjustment_id, to_char(a.month, 'YYYY-MM') as corrects, a.hour, to_char(a.booked_month, 'YYYY-MM') as booked, a.kind,
  a.organization_id, o.name, o.currency, a.auth_id, a.user_id, a.group_id, a.resource_id, a.model, a.base_model, a.meter,
  a.price_sequence, a.rate, a.quantity, a.amount_nano, a.record_count, a.description, a.cause, i.number
from adjustment a
join organization o using (organization_id)
left join invoice i on i.organization_id = a.organization_id and i.month = a.booked_month and i.state in ('issued', 'paid')
where a.booked_month = $1::date and ($2::uuid is null or a.organization_id = $2::uuid)
  and (a.organization_id, a.adjustment_id) > ($3::uuid, $4::uuid)
  and ($5::text = 'all' or ($5::text = 'open') = (i.number is null))
order by a.organization_id, a.adjustment_id limit $6::integer`

/** What corrects closed months, by the month on whose statement it stands. */
export async function* streamAdjustmentRows(db: Queryable, query: SourceQuery): AsyncGenerator<ExportRow, void, undefined> {
  const { organizationId, months, select, pageSize } = query
  for (const month of months) {
    let after = { organization: FIRST_ID, id: FIRST_ID }
    for (;;) {
      const { rows }: { readonly rows: readonly AdjustmentRow[] } = await db.query<AdjustmentRow>(PAGE_SQL, [
        month,
        organizationId,
        after.organization,
        after.id,
        select,
        pageSize,
      ])
      for (const row of rows) yield adjustmentRowOf(row)
      const last = rows.at(-1)
      if (last === undefined || rows.length < pageSize) break
      after = { organization: last.organization_id, id: last.adjustment_id }
    }
  }
}

function adjustmentRowOf(row: AdjustmentRow): ExportRow {
  const rate = parseRate(row.rate, 1)
  const isPriced = row.meter !== ''
  return {
    kind: 'adjustment',
    ...chargeSubjectOf(row),
    organizationName: row.name,
    currency: row.currency,
    month: row.booked,
    ...periodOf(row),
    rate: isPriced && typeof rate === 'bigint' ? rate : null,
    quantity: isPriced ? BigInt(row.quantity) : null,
    amount: BigInt(row.amount_nano),
    recordCount: row.record_count,
    corrects: row.corrects,
    description: [row.kind === 'usage' ? '' : row.kind, row.description ?? '', `because of ${row.cause}`]
      .filter((part) => part !== '')
      .join(', '),
    invoice: row.number,
  }
}

/** The hour that is corrected, or the whole month. */
function periodOf({ hour, corrects }: AdjustmentRow): Period {
  if (hour !== null) return hourOf(hour)
  const month = monthOf(corrects)
  if (month === undefined) throw new RangeError(`Cannot export an adjustment: it corrects ${corrects}, which is no month`)
  return month
}
