import { periodOfDays, readCosts, windowBefore, dayText } from '@ascribe/ledger/views'
import type { CostQuery, CostRow, Costs, DayWindow, RowPlace } from '@ascribe/ledger/views'
import { monthOf } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import type { OrganizationContext } from '../handler.ts'

const DAY_MS = 86_400_000

/** What a report is compared with. */
export type Previous = { readonly period: Period; readonly costs: Costs; readonly amounts: ReadonlyMap<string, bigint> }

/** More groups than any page has. */
const PREVIOUS_ROWS = 50_000

/** The same question of as many days right before; of a whole month, of the month before. */
export async function readPrevious({ db }: OrganizationContext, asked: CostQuery): Promise<Previous> {
  const { after: _after, ...first } = asked
  const window = previousWindow(asked.window)
  const costs = await readCosts(db, { ...first, window, limit: PREVIOUS_ROWS })
  // A group that was not read would be told as one that cost nothing.
  if (costs.next !== undefined) {
    throw new Refusal(
      'invalid_request',
      `Cannot use the query: compare: the time before has more than ${PREVIOUS_ROWS} groups. Group by less.`,
    )
  }
  return {
    period: periodOfDays(window),
    costs,
    amounts: new Map(costs.rows.map((row) => [nameOf(row), row.amount])),
  }
}

function previousWindow(window: DayWindow): DayWindow {
  const { start, end } = periodOfDays(window)
  const month = monthOf(dayText(start).slice(0, 7))
  if (month?.start !== start || month.end !== end) return windowBefore(window)
  const before = dayText(start - DAY_MS)
  return { from: `${before.slice(0, 7)}-01`, to: before }
}

/** A page, and where the next one begins. */
type Page = { readonly rows: readonly CostRow[]; readonly next: RowPlace | undefined }

/**
 * Adds to a page of groups those of the time before that are gone, with an amount of 0, each at its place in the order, so that previous amounts
 * over all pages add up to the previous total. Between where a page begins and where it ends, every group of now is on it: whatever else was
 * there before is gone.
 */
export function withVanished(
  now: Page,
  before: readonly CostRow[],
  { after, limit }: { readonly after: RowPlace | undefined; readonly limit: number },
): Page {
  const here = new Set(now.rows.map(nameOf))
  const gone = before.filter((row) => {
    const place = placeOf(row)
    if (here.has(nameOf(row)) || (after !== undefined && compare(place, after) <= 0)) return false
    return now.next === undefined || compare(place, now.next) <= 0
  })
  if (gone.length === 0) return now
  const merged = [...now.rows, ...gone.map((row) => ({ ...row, amount: 0n }))].toSorted((one, other) =>
    compare(placeOf(one), placeOf(other)),
  )
  const rows = merged.slice(0, limit)
  const last = rows.at(-1)
  return { rows, next: merged.length > limit && last !== undefined ? placeOf(last) : now.next }
}

/** Tells groups apart whatever their names hold. */
export function nameOf({ currency, keys }: CostRow): string {
  return JSON.stringify([currency, ...keys])
}

function placeOf({ start, currency, keys }: CostRow): RowPlace {
  return [start, currency, ...keys]
}

/** In the order of the ledger's pages: collation "C", which is that of the bytes of UTF-8 and not of JavaScript's units. */
function compare(one: RowPlace, other: RowPlace): number {
  for (const [index, text] of one.entries()) {
    const order = Buffer.compare(Buffer.from(text), Buffer.from(other[index] ?? ''))
    if (order !== 0) return order
  }
  return 0
}
