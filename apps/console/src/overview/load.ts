import type { AsOf, CostDimension, CostReport, CostsQuery, Total, UsageDimension, UsageQuery, UsageReport } from '@ascribe/contract/reads'
import { meterScale } from '@ascribe/units'
import type { Day } from '../format/dates.ts'
import { nanoOf } from '../format/money.ts'
import { breakdownOf, largeBreakdownOf } from './breakdown.ts'
import type { Breakdown, Cell } from './breakdown.ts'
import { filtersOf, isOfUsage } from './state.ts'
import type { Filters, Metric } from './state.ts'

/** The two reports, as the API has them: whose is known to whoever made this. */
export type ReportSource = {
  readonly costs: (query: Partial<CostsQuery>, signal?: AbortSignal) => Promise<CostReport>
  readonly usage: (query: Partial<UsageQuery>, signal?: AbortSignal) => Promise<UsageReport>
}

export type Question = {
  readonly from: Day
  readonly to: Day
  readonly by: CostDimension
  readonly filters: Filters
  /** Also of the organizations under this one. */
  readonly children: boolean
}

/** Costs of a range by one dimension: one breakdown for each currency, for those are never added. */
export type LoadedCosts = {
  readonly totals: readonly Total[]
  readonly asOf: AsOf
  readonly byCurrency: ReadonlyMap<string, Breakdown>
}

/** Rows of one request; the API's bound. Below it, days and keys come in one. */
const ROWS = 5000
/** Of a dimension: more than these are an export. */
const PAGES_MAX = 40
/** Keys whose days are read where not all are: as many as one filter takes. */
const DETAILED_KEYS = 60

/** Reads costs by day and key: in one request where that holds them all; else totals by key, totals by day, and the days of the largest. */
export async function loadCosts(source: ReportSource, question: Question, signal?: AbortSignal): Promise<LoadedCosts> {
  const { from, to, by, filters, children } = question
  const base = { from, to, children, limit: ROWS, ...filters }
  const first = await source.costs({ ...base, grain: 'day', groupBy: [by] }, signal)
  const { totals, asOf } = first
  const currencies = totals.map(({ currency }) => currency)
  if (first.nextCursor === undefined) {
    return { totals, asOf, byCurrency: split(currencies, (currency) => breakdownOf(question, cellsOf(first.data, { by, currency }))) }
  }
  const [sums, days] = await Promise.all([
    allPages((cursor) => source.costs({ ...base, grain: 'total', groupBy: [by], ...cursor }, signal)),
    allPages((cursor) => source.costs({ ...base, grain: 'day', groupBy: [], ...cursor }, signal)),
  ])
  const largest = sums
    .map(({ keys, amount }) => ({ key: keys[by] ?? '', value: nanoOf(amount) }))
    .toSorted((one, other) => (size(one.value) > size(other.value) ? -1 : 1))
    .slice(0, DETAILED_KEYS)
    .map(({ key }) => key)
  const detailed = await allPages((cursor) =>
    source.costs({ ...base, grain: 'day', groupBy: [by], [by]: [...new Set(largest)], ...cursor }, signal),
  )
  return {
    totals,
    asOf,
    byCurrency: split(currencies, (currency) =>
      largeBreakdownOf(question, {
        totals: sums.filter((row) => row.currency === currency).map(({ keys, amount }) => ({ key: keys[by] ?? '', value: nanoOf(amount) })),
        dayTotals: days
          .filter((row) => row.currency === currency)
          .map(({ start, amount }) => ({ day: start.slice(0, 10), value: nanoOf(amount) })),
        cells: cellsOf(detailed, { by, currency }),
      }),
    ),
  }
}

const size = (value: bigint): bigint => (value < 0n ? -value : value)

function split(currencies: readonly string[], of: (currency: string) => Breakdown): ReadonlyMap<string, Breakdown> {
  return new Map(currencies.map((currency) => [currency, of(currency)]))
}

function cellsOf(rows: CostReport['data'], { by, currency }: { readonly by: CostDimension; readonly currency: string }): readonly Cell[] {
  return rows
    .filter((row) => row.currency === currency)
    .map(({ start, keys, amount }) => ({ day: start.slice(0, 10), key: keys[by] ?? '', value: nanoOf(amount) }))
}

type Page<Row> = { readonly data: readonly Row[]; readonly nextCursor?: string | undefined }

/** Every row of a list. @throws {RangeError} when there are more than a page can show */
async function allPages<Row>(ask: (cursor: { readonly cursor?: string }) => Promise<Page<Row>>): Promise<readonly Row[]> {
  const rows: Row[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await ask(cursor === undefined ? {} : { cursor })
    rows.push(...page.data)
    cursor = page.nextCursor
    if (cursor === undefined) return rows
  }
  throw new RangeError(`Cannot show so many rows: more than ${PAGES_MAX * ROWS}. Choose filters, or export.`)
}

export type LoadedUsage = {
  readonly asOf: AsOf
  /** Tokens, or 10^-{@link HOUR_PLACES} hours. */
  readonly breakdown: Breakdown
  /** Which meters of that kind there are: tokens add up, hours of two meters do not. */
  readonly meters: readonly string[]
  /** Of those, what is shown. Empty: all. */
  readonly meter: string | undefined
  /** Records of the range, free and held ones too. */
  readonly records: bigint
}

export type UsageQuestion = Question & { readonly metric: Exclude<Metric, 'cost'> }

/** Whether a meter counts what a metric is of. Classes of tokens are disjoint, so that they add up. */
export function isOfMetric(meter: string, metric: Metric): boolean {
  return metric === 'tokens' ? meter.endsWith('tokens') : metric === 'hours' ? meter.endsWith('_hours') : true
}

/** Reads quantities by day and key. A category or a price is not of usage: the page says that these do not narrow it. */
export async function loadUsage(source: ReportSource, question: UsageQuestion, signal?: AbortSignal): Promise<LoadedUsage> {
  const { from, to, by, metric, children } = question
  const { used } = filtersOf(metric, question.filters)
  // What a meter of hours counts in depends on the model.
  const dimensions = [...(isRecordDimension(by) ? [by] : []), ...(metric === 'hours' ? (['model'] as const) : [])]
  const groupBy: readonly UsageDimension[] = [...new Set(dimensions)]
  const base = { from, to, children, limit: ROWS, ...used }
  let asOf: AsOf | undefined
  const days = await allPages(async (cursor) => {
    const page = await source.usage({ ...base, grain: 'day', groupBy, ...cursor }, signal)
    asOf ??= page.asOf
    return page
  })
  if (asOf === undefined) throw new RangeError('Cannot show usage: the API gave no page')
  const meters = [...new Set(days.flatMap((row) => Object.keys(row.meters)))].filter((meter) => isOfMetric(meter, metric)).toSorted()
  // Hours of a processor and hours of a disk have no sum.
  const meter = metric === 'hours' ? mainMeter(meters) : undefined
  const wanted = new Set(meter === undefined ? meters : [meter])
  const cells = days.flatMap(({ start, keys, meters: used }): Cell[] => {
    const day = start.slice(0, 10)
    const found = Object.entries(used)
      .filter(([name]) => wanted.has(name))
      .map(
        ([meter, quantity]) => [meter, metric === 'hours' ? microHours({ model: keys.model, meter }, quantity) : BigInt(quantity)] as const,
      )
    if (by === 'meter') return found.map(([key, value]) => ({ day, key, value }))
    const value = found.reduce((sum, [, each]) => sum + each, 0n)
    const key = isRecordDimension(by) ? (keys[by] ?? '') : ''
    return value === 0n ? [] : [{ day, key, value }]
  })
  return {
    asOf,
    breakdown: breakdownOf(question, cells),
    meters,
    meter,
    records: days.reduce((sum, { records }) => sum + BigInt(records), 0n),
  }
}

/** Decimal places in which hours are summed: those of virtual machines come in millionths, others in whole ones. */
export const HOUR_PLACES = 6

function microHours(measure: { readonly model: string | null | undefined; readonly meter: string }, quantity: string): bigint {
  return BigInt(quantity) * 10n ** BigInt(HOUR_PLACES - meterScale(measure))
}

/** Of several meters of hours the one of a machine as such, `vm_hours`, else that of its processor: the others say of what part. */
function mainMeter(meters: readonly string[]): string | undefined {
  const rank = (meter: string): number => (/^[a-z]+_hours$/.test(meter) ? 0 : meter.includes('cpu') ? 1 : 2)
  return meters.toSorted((one, other) => rank(one) - rank(other) || one.length - other.length)[0]
}

function isRecordDimension(by: CostDimension): by is UsageDimension {
  return isOfUsage(by) && by !== 'meter'
}

export type LoadedTokens = {
  /** Tokens by key; `undefined` where the dimension is not of usage. */
  readonly byKey: ReadonlyMap<string, bigint> | undefined
  /** Records of the range, free and held ones too. */
  readonly records: bigint
}

/** Reads tokens of each key of a range, for the column beside its cost. */
export async function loadTokens(source: ReportSource, question: Question, signal?: AbortSignal): Promise<LoadedTokens> {
  const { from, to, by, filters, children } = question
  const { used } = filtersOf('tokens', filters)
  const groupBy = isRecordDimension(by) ? [by] : []
  const rows = await allPages((cursor) =>
    source.usage({ from, to, children, limit: ROWS, ...used, grain: 'total', groupBy, ...cursor }, signal),
  )
  const found = new Map<string, bigint>()
  let records = 0n
  for (const { keys, meters, records: count } of rows) {
    records += BigInt(count)
    for (const [meter, quantity] of Object.entries(meters)) {
      if (!isOfMetric(meter, 'tokens')) continue
      const key = isRecordDimension(by) ? (keys[by] ?? '') : meter
      found.set(key, (found.get(key) ?? 0n) + BigInt(quantity))
    }
  }
  return { byKey: isOfUsage(by) ? found : undefined, records }
}
