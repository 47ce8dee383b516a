import type { StatementMemo } from '@ascribe/contract'
import type { Queryable } from '@ascribe/postgres'
import { formatMeterQuantity, formatMeterRate, formatNano } from '@ascribe/units'
import { storedRate } from './stored-rate.ts'

type Row = {
  readonly model: string
  readonly auth_id: string
  readonly meter: string
  readonly rate: string
  readonly quantity: string
  readonly amount: string
}

// Index provider_charge_organization.
const MEMOS = `
select model, auth_id, meter, rate::text as rate, sum(quantity)::text as quantity, sum(amount_nano)::text as amount
from provider_charge where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz
group by model, auth_id, meter, provider_charge.rate order by model collate "C", auth_id collate "C", meter collate "C", provider_charge.rate`

/** What somebody else bills of a month, at list prices; `undefined`: nothing. `bounds`: `[start, end)`, as SQL takes them. */
export async function readStatementMemo(
  db: Queryable,
  { organizationId, bounds }: { readonly organizationId: string; readonly bounds: readonly [string, string] },
): Promise<StatementMemo | undefined> {
  const { rows } = await db.query<Row>(MEMOS, [organizationId, ...bounds])
  if (rows.length === 0) return undefined
  return {
    total: formatNano(rows.reduce((sum, { amount }) => sum + BigInt(amount), 0n)),
    lines: rows.map(({ model, auth_id, meter, rate, quantity, amount }) => ({
      model,
      auth_id,
      meter,
      quantity: formatMeterQuantity({ model, meter, authId: auth_id }, BigInt(quantity)),
      rate: formatMeterRate({ model, meter, authId: auth_id }, storedRate(rate)),
      amount: formatNano(BigInt(amount)),
    })),
  }
}
