import { getCatalogue, getCosts, getFreshness, getUsage } from '@ascribe/contract/reads'
import type {
  AsOf,
  CataloguePageJson,
  CatalogueName,
  CatalogueQuery,
  CostReport,
  CostsQuery,
  FreshnessQuery,
  ReportFilter,
  ReportGrain,
  ReportKeys,
  ReportQuery,
  Total,
  UsageDimension,
  UsageQuery,
  UsageReport,
} from '@ascribe/contract/reads'
import { dayText, periodOfDays, readCatalogue, readCosts, readFreshness, readUsage } from '@ascribe/ledger/views'
import type { CostQuery, Costs, CursorScope, DayWindow } from '@ascribe/ledger/views'
import { formatInstant, formatNano, monthOf } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { organizationRoute } from '../handler.ts'
import type { OrganizationContext, Route } from '../handler.ts'
import { nameOf, readPrevious, withVanished } from './compare.ts'
import { nextOf, placeOrRefuse } from './paging.ts'
import { FILTERS, filterOf, subjectsOf } from './report-scope.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Of a report by the hour: beyond, days say as much, and hours are read one by one. */
const HOURLY_DAYS_MAX = 31

/** Costs and usage by any dimensions, what their dimensions have, and how new it all is. */
export const reportRoutes: readonly Route[] = [
  organizationRoute(getCosts, (context, { query }) => readCostReport(context, query)),
  organizationRoute(getUsage, (context, { query }) => readUsageReport(context, query)),
  organizationRoute(getFreshness, (context, { query }) => readFreshnessOf(context, query)),
  organizationRoute(getCatalogue, (context, { params, query }) => readCatalogueOf(context, params.dimension, query)),
]

function checkGrain({ grain, ...window }: ReportQuery): Period {
  const period = periodOfDays(window)
  if (grain === 'hour' && period.end - period.start > HOURLY_DAYS_MAX * DAY_MS) {
    throw new Refusal('invalid_request', `Cannot use the query: grain: hours can be had of ${HOURLY_DAYS_MAX} days at most.`)
  }
  return period
}

async function readCostReport(context: OrganizationContext, query: CostsQuery): Promise<CostReport> {
  const { db, organizationId, clock } = context
  const { from, to, grain, groupBy, limit, compare } = query
  const period = checkGrain(query)
  if (compare !== undefined && grain !== 'total') {
    throw new Refusal('invalid_request', 'Cannot use the query: compare: needs grain=total; for days, ask for both windows.')
  }
  const scope = scopeOf('getCosts', organizationId, query)
  const after = placeOrRefuse(scope, query.cursor)
  const organizationIds = await subjectsOf(context, query.children)
  const asked: CostQuery = {
    organizationIds,
    window: { from, to },
    grain,
    by: groupBy,
    filter: filterOf(query),
    now: clock(),
    limit,
    ...(after !== undefined && { after }),
  }
  const [found, asOf, before] = await Promise.all([
    readCosts(db, asked),
    asOfPeriod(context, organizationIds, period),
    compare === undefined ? undefined : readPrevious(context, asked),
  ])
  const page = before === undefined ? found : withVanished(found, before.costs.rows, { after, limit })
  const boundsOf = rowBounds(grain, period)
  return {
    start: formatInstant(period.start),
    end: formatInstant(period.end),
    totals: totalsOf(found),
    ...(before !== undefined && {
      previous: { start: formatInstant(before.period.start), end: formatInstant(before.period.end), totals: totalsOf(before.costs) },
    }),
    asOf,
    data: page.rows.map((row) => ({
      ...boundsOf(row.start),
      keys: keysOf(groupBy, row.keys),
      currency: row.currency,
      amount: formatNano(row.amount),
      ...(before !== undefined && { previousAmount: formatNano(before.amounts.get(nameOf(row)) ?? 0n) }),
    })),
    ...nextOf(scope, page.next),
  }
}

async function readUsageReport(context: OrganizationContext, query: UsageQuery): Promise<UsageReport> {
  const { db, organizationId } = context
  const { from, to, grain, groupBy, limit } = query
  const period = checkGrain(query)
  const scope = scopeOf('getUsage', organizationId, query)
  const after = placeOrRefuse(scope, query.cursor)
  const organizationIds = await subjectsOf(context, query.children)
  const [found, asOf] = await Promise.all([
    readUsage(db, {
      organizationIds,
      window: { from, to },
      grain,
      by: groupBy,
      filter: filterOf(query),
      limit,
      ...(after !== undefined && { after }),
    }),
    asOfPeriod(context, organizationIds, period),
  ])
  const boundsOf = rowBounds(grain, period)
  return {
    start: formatInstant(period.start),
    end: formatInstant(period.end),
    asOf,
    data: found.rows.map((row) => ({
      ...boundsOf(row.start),
      keys: keysOf<UsageDimension>(groupBy, row.keys),
      records: Number(row.records),
      heldRecords: Number(row.heldRecords),
      meters: Object.fromEntries(Object.entries(row.meters).map(([meter, quantity]) => [meter, String(quantity)])),
    })),
    ...nextOf(scope, found.next),
  }
}

/** Everything that decides which rows come in which order. */
function scopeOf(
  operation: string,
  organizationId: string,
  query: ReportQuery & ReportFilter & { readonly groupBy: readonly string[] },
): CursorScope {
  const filters = FILTERS.map((name) => query[name]?.toSorted())
  return [operation, organizationId, query.from, query.to, query.grain, query.children, query.groupBy, ...filters]
}

function totalsOf({ totals }: Costs): readonly Total[] {
  return totals.map(({ currency, amount }) => ({ currency, amount: formatNano(amount) }))
}

function keysOf<Name extends string>(by: readonly Name[], keys: readonly string[]): ReportKeys<Name> {
  // One entry for each name of the dimensions that were asked for.
  return Object.fromEntries(by.map((name, index) => [name, keys[index] === '' ? null : keys[index]])) as ReportKeys<Name>
}

/** The half-open period that a row is of, by its start: many rows have the same. */
function rowBounds(grain: ReportGrain, period: Period): (start: string) => { readonly start: string; readonly end: string } {
  const known = new Map<string, { readonly start: string; readonly end: string }>()
  return (text) =>
    known.getOrInsertComputed(text, () => {
      const { start, end } = rowPeriod(text, grain, period)
      return { start: formatInstant(start), end: formatInstant(end) }
    })
}

function rowPeriod(start: string, grain: ReportGrain, period: Period): Period {
  switch (grain) {
    case 'hour':
      return { start: Date.parse(start), end: Date.parse(start) + HOUR_MS }
    case 'day':
      return { start: Date.parse(start), end: Date.parse(start) + DAY_MS }
    case 'month': {
      const month = monthOf(start) ?? period
      return { start: Math.max(month.start, period.start), end: Math.min(month.end, period.end) }
    }
    case 'total':
      return period
  }
}

async function asOfPeriod({ db, clock }: OrganizationContext, organizationIds: readonly string[], period: Period): Promise<AsOf> {
  const { newestRecordAt, ratedBefore, heldRecords } = await readFreshness(db, { organizationIds, period, now: clock() })
  return {
    ...(newestRecordAt !== undefined && { newestRecordAt: formatInstant(newestRecordAt) }),
    ratedBefore: formatInstant(ratedBefore),
    heldRecords: Number(heldRecords),
  }
}

async function readFreshnessOf(context: OrganizationContext, query: FreshnessQuery): Promise<AsOf> {
  return asOfPeriod(context, await subjectsOf(context, query.children), periodOfDays(windowOrMonth(query, context.clock())))
}

/** The days that are asked for; by default those of this month until today. */
export function windowOrMonth(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: number,
): DayWindow {
  const last = to ?? dayText(now)
  return { from: from ?? `${last.slice(0, 7)}-01`, to: last }
}

async function readCatalogueOf(context: OrganizationContext, dimension: CatalogueName, query: CatalogueQuery): Promise<CataloguePageJson> {
  const { db, organizationId, clock } = context
  const scope = ['getCatalogue', organizationId, dimension, query.children]
  const after = placeOrRefuse(scope, query.cursor)
  const organizationIds = await subjectsOf(context, query.children)
  const { entries, next } = await readCatalogue(db, {
    organizationIds,
    dimension,
    today: dayText(clock()),
    limit: query.limit,
    ...(after !== undefined && { after }),
  })
  return { data: entries, ...nextOf(scope, next) }
}
