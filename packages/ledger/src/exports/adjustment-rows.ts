import type { Queryable } from '@ascribe/postgres'
import { hourOf, monthOf, parseRate } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { chargeSubjectOf } from '../charge-columns.ts'
import type { ChargeColumns } from '../charge-columns.ts'
import type { ExportRow } from './export-row.ts'
import { narrowSql } from './narrow-rows.ts'
import type { NarrowSql } from './narrow-rows.ts'
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

const PAGE_PARAMETERS = 6

const pageSql = ({ sql, join }: NarrowSql): string => `
select t.adjustment_id, to_char(t.month, 'YYYY-MM') as corrects, t.hour, to_char(t.booked_month, 'YYYY-MM') as booked, t.kind,
  t.organization_id, o.name, o.currency, t.auth_id, t.user_id, t.group_id, t.resource_id, t.model, t.base_model, t.meter,
  t.price_sequence, t.rate, t.quantity, t.amount_nano, t.record_count, t.description, t.cause, i.number
from adjustment t
join organization o using (organization_id)
left join invoice i on i.organization_id = t.organization_id and i.month = t.booked_month and i.state in ('issued', 'paid')
${join}
where t.booked_month = $1::date and ($2::uuid is null or t.organization_id = $2::uuid)
  and (t.organization_id, t.adjustment_id) > ($3::uuid, $4::uuid)
  and ($5::text = 'all' or ($5::text = 'open') = (i.number is null))${sql}
order by t.organization_id, t.adjustment_id limit $6::integer`

/** What corrects closed months, by the month on whose statement it stands. */
export async function* streamAdjustmentRows(db: Queryable, query: SourceQuery): AsyncGenerator<ExportRow, void, undefined> {
  const { organizationId, months, select, pageSize } = query
  const narrowed = narrowSql(query.filter, { category: 'adjustment', first: PAGE_PARAMETERS + 1 })
  if (narrowed === undefined) return
  const page = pageSql(narrowed)
  for (const month of months) {
    let after = { organization: FIRST_ID, id: FIRST_ID }
    for (;;) {
      const { rows }: { readonly rows: readonly AdjustmentRow[] } = await db.query<AdjustmentRow>(page, [
        month,
        organizationId,
        after.organization,
        after.id,
        select,
        pageSize,
        ...narrowed.values,
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
