import type { CostDimension, RecordState } from '@ascribe/contract/reads'
import { parseDay } from '../format/dates.ts'
import type { Day } from '../format/dates.ts'
import { parseSteps, printSteps } from './drill.ts'
import { checkRange, rangeOtherwise } from './ranges.ts'
import type { Range, RangeFault } from './ranges.ts'
import { DIMENSIONS, hasFilters } from './state.ts'
import type { Comparison, Filters, Metric, OverviewState, SortBy, SortColumn, Step, View, Provenance, RecordFilter } from './state.ts'

/** Whether a value of the URL was no good, and what stands in its place. */
export type Dropped = { readonly name: string; readonly because: RangeFault | 'unknown' }

export type ParsedOverview = { readonly state: OverviewState; readonly dropped: readonly Dropped[] }

/** Search parameters as a router gives them: text, or what it took for a number. */
export type Search = Readonly<Record<string, unknown>>

const METRICS: readonly Metric[] = ['cost', 'tokens', 'hours']
const VIEWS: readonly View[] = ['daily', 'cumulative']
const COMPARISONS: readonly Comparison[] = ['previous', 'year', 'none']
const COLUMNS: readonly SortColumn[] = ['name', 'quantity', 'change', 'amount']
const SORT_OTHERWISE: SortBy = { column: 'amount', direction: 'descending' }
/** Of one filter, as the API has it. */
const KEYS_MAX = 100

/**
 * Reads the page's state from the URL. What is no good is dropped, told, and replaced by what the page shows without it: a link never fails.
 * `today` is a UTC day.
 */
export function parseOverview(search: Search, { today }: { readonly today: Day }): ParsedOverview {
  const dropped: Dropped[] = []
  const text = (name: string): string | undefined => textOf(search[name])
  function known<Value>(name: string, parse: (value: string) => Value | undefined, otherwise: Value): Value {
    const given = text(name)
    if (given === undefined || given === '') return otherwise
    const value = parse(given)
    if (value === undefined) dropped.push({ name, because: 'unknown' })
    return value ?? otherwise
  }
  const range = rangeIn(text('from'), text('to'), { today, dropped })
  const state: OverviewState = {
    ...range,
    by: known('by', oneOf(DIMENSIONS), 'model'),
    filters: known<Filters>('f', parseFilters, {}),
    metric: known('metric', oneOf(METRICS), 'cost'),
    view: known('view', oneOf(VIEWS), 'daily'),
    compare: known('cmp', oneOf(COMPARISONS), 'previous'),
    sort: known('sort', parseSort, SORT_OTHERWISE),
    hidden: known<readonly string[]>('hide', parseKeys, []),
    currency: known<string | undefined>('cur', (value) => (/^[A-Z]{3}$/.test(value) ? value : undefined), undefined),
    day: known<Day | undefined>(
      'day',
      (value) => (value >= range.from && value <= range.to && isDay(value) ? value : undefined),
      undefined,
    ),
    open: known<readonly Step[]>('open', parseSteps, []),
    records: known<RecordFilter>('rec', parseRecords, { state: [], provenance: [] }),
  }
  return { state, dropped }
}

function rangeIn(
  from: string | undefined,
  to: string | undefined,
  { today, dropped }: { readonly today: Day; readonly dropped: Dropped[] },
): Range {
  if (from === undefined && to === undefined) return rangeOtherwise(today)
  const fault = checkRange(from ?? '', to ?? '')
  if (fault === undefined && from !== undefined && to !== undefined) return { from, to }
  dropped.push({ name: 'from', because: fault ?? 'none' })
  return rangeOtherwise(today)
}

const isDay = (text: string): boolean => parseDay(text) !== undefined

/** Routers read `2026` as a number. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

function oneOf<Value extends string>(values: readonly Value[]): (text: string) => Value | undefined {
  return (text) => values.find((value) => value === text)
}

function parseSort(text: string): SortBy | undefined {
  const column = COLUMNS.find((each) => each === text.replace(/^-/, ''))
  return column === undefined ? undefined : { column, direction: text.startsWith('-') ? 'descending' : 'ascending' }
}

function parseKeys(text: string): readonly string[] | undefined {
  try {
    return text.split(',').map((part) => decodeURIComponent(part === NO_KEY ? '' : part))
  } catch {
    return undefined
  }
}

/** How the empty key is written; `encodeURIComponent` gives no `~` of its own for it, and a key `~` is written `%7E`. */
const NO_KEY = '~'

function printKey(key: string): string {
  return key === '' ? NO_KEY : encodeURIComponent(key).replaceAll('~', '%7E')
}

/** `model:llama,model:mistral,region:eu-west`. Half a filter is none: it would show more than was meant. */
function parseFilters(text: string): Filters | undefined {
  const found: Partial<Record<CostDimension, string[]>> = {}
  for (const part of text.split(',')) {
    const colon = part.indexOf(':')
    const dimension = DIMENSIONS.find((each) => each === part.slice(0, Math.max(0, colon)))
    const [key] = parseKeys(part.slice(colon + 1)) ?? []
    if (dimension === undefined || key === undefined) return undefined
    const keys = (found[dimension] ??= [])
    if (!keys.includes(key)) keys.push(key)
    if (keys.length > KEYS_MAX) return undefined
  }
  return found
}

function printFilters(filters: Filters): string {
  return DIMENSIONS.flatMap((dimension) => (filters[dimension] ?? []).map((key) => `${dimension}:${printKey(key)}`)).join(',')
}

const RECORD_STATES: readonly RecordState[] = ['charged', 'free', 'unpriced', 'unattributed', 'unknown']
const PROVENANCES: readonly Provenance[] = ['reported', 'continuous', 'estimated', 'unknown']

/** `state:unpriced,provenance:estimated`. */
function parseRecords(text: string): RecordFilter | undefined {
  const state: RecordState[] = []
  const provenance: Provenance[] = []
  for (const part of text.split(',')) {
    const [name, value] = part.split(':')
    const word = name === 'state' ? oneOf(RECORD_STATES)(value ?? '') : undefined
    const how = name === 'provenance' ? oneOf(PROVENANCES)(value ?? '') : undefined
    if (word !== undefined && !state.includes(word)) state.push(word)
    else if (how !== undefined && !provenance.includes(how)) provenance.push(how)
    else return undefined
  }
  return { state, provenance }
}

function printRecords({ state, provenance }: RecordFilter): string {
  return [...state.map((each) => `state:${each}`), ...provenance.map((each) => `provenance:${each}`)].join(',')
}

/** Writes the state as search parameters. The range is always there, in absolute days; what is as it would be without is left out. */
export function overviewSearch(state: OverviewState): Readonly<Record<string, string>> {
  const { from, to, by, filters, metric, view, compare, sort, hidden, currency, day, open, records } = state
  const sortText = `${sort.direction === 'descending' ? '-' : ''}${sort.column}`
  return {
    from,
    to,
    ...(by !== 'model' && { by }),
    ...(hasFilters(filters) && { f: printFilters(filters) }),
    ...(metric !== 'cost' && { metric }),
    ...(view !== 'daily' && { view }),
    ...(compare !== 'previous' && { cmp: compare }),
    ...(sortText !== '-amount' && { sort: sortText }),
    ...(hidden.length > 0 && { hide: hidden.map(printKey).join(',') }),
    ...(currency !== undefined && { cur: currency }),
    ...(day !== undefined && { day }),
    ...(open.length > 0 && { open: printSteps(open) }),
    ...(printRecords(records) !== '' && { rec: printRecords(records) }),
  }
}
