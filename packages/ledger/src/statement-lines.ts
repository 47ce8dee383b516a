import type { StatementLine } from '@ascribe/contract'
import type { Queryable } from '@ascribe/postgres'
import { formatNano, formatRate } from '@ascribe/units'
import type { Nano, Quantity, Rate } from '@ascribe/units'
import { causesOf, describeCauses } from './causes.ts'
import { CHARGES_BY_DAY } from './charge-days.ts'
import type { LineKind } from './month-lines.ts'
import type { BookShelf } from './price-versions.ts'
import { readMonthLines } from './read-month-lines.ts'
import { storedRate } from './stored-rate.ts'

/** A line, and its amount before it became text. */
export type ExactLine = {
  readonly line: StatementLine
  readonly nano: Nano
  /** Which version of the prices, where a line has one. */
  readonly priceSequence?: number
}

type Sums = { readonly rate: Rate; readonly quantity: Quantity; readonly amount: Nano }
type Row = { readonly model: string; readonly meter: string; readonly rate: string; readonly quantity: string; readonly amount: string }

export type UsageLineRow = Row & { readonly auth_id: string }

/**
 * What hourly charges of the organization `$1` in [`$2`, `$3`) make, by model, key, meter and rate. Rows of one rate become one line, also when
 * the price book changed in between and left that rate alone. A month of 25,920 hourly charges took 54 ms on a busy machine; by day it is
 * one of 1,080.
 */
export const USAGE_LINES: string = `
select model, auth_id, meter, rate::text as rate, sum(quantity)::text as quantity, sum(amount_nano)::text as amount
from ${CHARGES_BY_DAY}
group by model, auth_id, meter, t.rate
order by model collate "C", auth_id collate "C", meter collate "C", t.rate`

export function usageLines(rows: readonly UsageLineRow[]): readonly ExactLine[] {
  return rows.map((row) => exactLine({ kind: 'usage', model: row.model, auth_id: row.auth_id, meter: row.meter }, sumsOf(row)))
}

type LinesOfMonth = { readonly organizationId: string; readonly month: string; readonly provisional: boolean; readonly books: BookShelf }

/** What the total of the month makes: computed while it is open, as it was stored when it was closed. */
export async function readLinesOfMonth(tx: Queryable, query: LinesOfMonth): Promise<readonly ExactLine[]> {
  const { organizationId, month, provisional, books } = query
  if (provisional) {
    const lines = await readMonthLines(tx, { organizationId, month, books, isOpen: true })
    return lines.map(({ kind, model, meter, description, priceSequence, ...sums }) => ({
      ...exactLine({ kind, model, auth_id: '', meter, description }, sums),
      priceSequence,
    }))
  }
  const { rows } = await tx.query<Row & { kind: LineKind; description: string; price_sequence: number }>(
    `select kind, model, meter, price_sequence, rate, quantity, amount_nano as amount, description
     from statement_line where month = $1::date and organization_id = $2::uuid order by position`,
    [`${month}-01`, organizationId],
  )
  return rows.map((row) => {
    const { kind, model, meter, description } = row
    return { ...exactLine({ kind, model, auth_id: '', meter, description }, sumsOf(row)), priceSequence: row.price_sequence }
  })
}

export type AdjustmentLineRow = Row & {
  readonly auth_id: string
  readonly corrects: string
  readonly description: string | null
  readonly cause: string
}

/**
 * Adjustments of the organization `$1` that are booked in the month that begins on `$4`, by the month that they correct. What was corrected
 * there and back is no line, whatever the causes were: a backfill that is undone. Index adjustment_booked.
 */
export const ADJUSTMENT_LINES = `
select to_char(month, 'YYYY-MM') as corrects, model, auth_id, meter, rate::text as rate, description,
  string_agg(distinct cause, ',') as cause,
  sum(quantity)::text as quantity, sum(amount_nano)::text as amount
from adjustment a
where organization_id = $1::uuid and booked_month = $4::date
group by month, model, auth_id, meter, a.rate, description
having sum(quantity) <> 0 or sum(amount_nano) <> 0
order by month, model collate "C", auth_id collate "C", meter collate "C", a.rate, description collate "C" nulls first`

export function adjustmentLines(rows: readonly AdjustmentLineRow[]): readonly ExactLine[] {
  return rows.map((row) => {
    const { model, meter, auth_id, corrects } = row
    const what = row.description === null ? '' : `, ${row.description}`
    const description = `corrects ${corrects}${what}: ${describeCauses(causesOf([row]))}`
    return exactLine({ kind: 'adjustment', model, auth_id, meter, description, corrects }, sumsOf(row))
  })
}

function sumsOf(row: Row): Sums {
  return { rate: storedRate(row.rate), quantity: BigInt(row.quantity), amount: BigInt(row.amount) }
}

type Named = Pick<StatementLine, 'kind' | 'model' | 'auth_id' | 'meter' | 'description' | 'corrects'>

function exactLine(named: Named, { rate, quantity, amount }: Sums): ExactLine {
  const { kind, model, auth_id, meter, description, corrects } = named
  const number = Number(quantity)
  return {
    nano: amount,
    line: {
      kind,
      model,
      auth_id,
      meter,
      quantity: Number.isSafeInteger(number) ? number : String(quantity),
      rate: formatRate(rate),
      amount: formatNano(amount),
      ...(description !== undefined && { description }),
      ...(corrects !== undefined && { corrects }),
    },
  }
}
