import { formatNano } from '@ascribe/units'
import type { AsOf, CataloguePageJson, CostReport, UsageReport } from '@ascribe/contract/reads'
import { CURRENCY, HOUR_MS, KEYS, METERS, MODELS, ORGANIZATION, REGIONS, costsOf, daysOf, extraCostsOf, instantText } from './sample.ts'
import type { Extra, SampleCost } from './sample.ts'

/** What selects and shapes a report: the query as it was sent. */
export type ReportInput = {
  readonly query: URLSearchParams
  readonly now: number
  readonly factor: bigint
  readonly heldRecords: number
  readonly lagMs: number
  readonly extra?: Extra | undefined
}

const FIELDS: Readonly<Record<string, (cost: SampleCost) => string>> = {
  organization: () => ORGANIZATION,
  apiKey: ({ key }) => key,
  user: ({ user }) => user,
  group: () => 'research',
  resource: ({ model }) => model,
  region: ({ region }) => region,
  model: ({ model }) => model,
  meter: ({ meter }) => meter,
  category: ({ category = 'usage' }) => category,
  price: ({ model, meter }) => `${model}/${meter}`,
}

export function asOf({ now, heldRecords, lagMs }: ReportInput): AsOf {
  return {
    newestRecordAt: instantText(now - lagMs - 60_000),
    ratedBefore: instantText(Math.floor((now - lagMs) / HOUR_MS) * HOUR_MS),
    heldRecords,
  }
}

function chosen(input: ReportInput, from: string, to: string): readonly SampleCost[] {
  const { query, now, factor, extra } = input
  const filters = Object.entries(FIELDS).flatMap(([name, of]) => {
    const wanted = query.getAll(name)
    return wanted.length === 0 ? [] : [(cost: SampleCost) => wanted.includes(of(cost))]
  })
  return daysOf(from, to)
    .filter((day) => day <= now)
    .flatMap((day) => {
      const costs = costsOf(day, factor)
      return extra === undefined ? costs : [...costs, ...extraCostsOf(day, extra, costs)]
    })
    .filter((cost) => filters.every((fits) => fits(cost)))
}

type Group = {
  readonly start: number
  readonly end: number
  readonly currency: string
  readonly keys: Readonly<Record<string, string>>
  readonly costs: SampleCost[]
}

function grouped(
  input: ReportInput,
  costs: readonly SampleCost[],
  window: { readonly start: number; readonly end: number },
): readonly Group[] {
  const { query } = input
  const by = query.getAll('groupBy').flatMap((value) => value.split(','))
  const isDaily = ['day', 'hour'].includes(query.get('grain') ?? 'day')
  const groups = new Map<string, Group>()
  for (const cost of costs) {
    const keys = Object.fromEntries(by.map((name) => [name, FIELDS[name]?.(cost) ?? '']))
    const { currency = CURRENCY } = cost
    const id = `${isDaily ? cost.day : ''} ${currency} ${Object.values(keys).join('\0')}`
    const start = isDaily ? cost.day : window.start
    groups
      .getOrInsertComputed(id, () => ({ start, end: isDaily ? start + 24 * HOUR_MS : window.end, currency, keys, costs: [] }))
      .costs.push(cost)
  }
  return [...groups.values()]
}

const sum = (costs: readonly SampleCost[]): bigint => costs.reduce((total, { nano }) => total + nano, 0n)
const text = (nano: bigint): string => formatNano(nano as never)

function totalsOf(costs: readonly SampleCost[]): CostReport['totals'] {
  const currencies = [...new Set([CURRENCY, ...costs.map(({ currency = CURRENCY }) => currency)])].toSorted()
  return currencies.map((each) => ({ currency: each, amount: text(sum(costs.filter(({ currency = CURRENCY }) => currency === each))) }))
}

/** `getCosts`. */
export function costReport(input: ReportInput): CostReport {
  const { query } = input
  const today = instantText(input.now).slice(0, 10)
  const [from, to] = [query.get('from') ?? today, query.get('to') ?? today]
  const costs = chosen(input, from, to)
  const window = { start: Date.parse(`${from}T00:00:00Z`), end: Date.parse(`${to}T00:00:00Z`) + 24 * HOUR_MS }
  const length = window.end - window.start
  const before = query.get('compare') === 'previous' ? { start: window.start - length, end: window.start } : undefined
  const beforeCosts =
    before === undefined ? [] : chosen(input, instantText(before.start).slice(0, 10), instantText(before.end - 1).slice(0, 10))
  const shift = (cost: SampleCost): SampleCost => ({ ...cost, day: cost.day + length })
  const previous = new Map(
    grouped(input, beforeCosts.map(shift), window).map((group) => [`${group.start} ${JSON.stringify(group.keys)}`, sum(group.costs)]),
  )
  return {
    start: instantText(window.start),
    end: instantText(window.end),
    totals: totalsOf(costs),
    ...(before !== undefined && {
      previous: {
        start: instantText(before.start),
        end: instantText(before.end),
        totals: totalsOf(beforeCosts),
      },
    }),
    asOf: asOf(input),
    data: grouped(input, costs, window).map((group) => ({
      start: instantText(group.start),
      end: instantText(group.end),
      keys: group.keys,
      currency: group.currency,
      amount: text(sum(group.costs)),
      ...(before !== undefined && { previousAmount: text(previous.get(`${group.start} ${JSON.stringify(group.keys)}`) ?? 0n) }),
    })),
  }
}

/** `getUsage`. */
export function usageReport(input: ReportInput): UsageReport {
  const { query, heldRecords } = input
  const today = instantText(input.now).slice(0, 10)
  const [from, to] = [query.get('from') ?? today, query.get('to') ?? today]
  const window = { start: Date.parse(`${from}T00:00:00Z`), end: Date.parse(`${to}T00:00:00Z`) + 24 * HOUR_MS }
  return {
    start: instantText(window.start),
    end: instantText(window.end),
    asOf: asOf(input),
    data: grouped(
      input,
      chosen(input, from, to).filter(({ quantity }) => quantity > 0n),
      window,
    ).map(({ start, end, keys, costs }) => {
      const meters: Record<string, string> = {}
      for (const { meter, quantity } of costs) meters[meter] = String(BigInt(meters[meter] ?? '0') + quantity)
      return {
        start: instantText(start),
        end: instantText(end),
        keys,
        records: costs.length * 40,
        heldRecords: heldRecords > 0 ? 1 : 0,
        meters,
      }
    }),
  }
}

const NAMES: Readonly<Record<string, readonly { readonly key: string; readonly name?: string }[]>> = {
  model: MODELS.map((key) => ({ key })),
  apiKey: KEYS.map(({ id, name }) => ({ key: id, name })),
  user: KEYS.map(({ user }) => ({ key: user, name: `${user[0]?.toUpperCase()}${user.slice(1)} Demo` })),
  region: REGIONS.map((key) => ({ key })),
  meter: METERS.map((key) => ({ key })),
  group: [{ key: 'research', name: 'Research' }],
  organization: [{ key: ORGANIZATION, name: 'Demo' }],
  resource: MODELS.map((key) => ({ key })),
}

/** `getCatalogue`. */
export function catalogue(dimension: string, { now }: ReportInput): CataloguePageJson {
  const data = (NAMES[dimension] ?? []).map((entry, index) => ({
    ...entry,
    firstUsed: instantText(now - (120 - index) * 24 * HOUR_MS).slice(0, 10),
    lastUsed: instantText(now).slice(0, 10),
  }))
  return { data }
}
