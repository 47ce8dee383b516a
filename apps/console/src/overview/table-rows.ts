import type { Breakdown, Series } from './breakdown.ts'
import { OTHER_KEY } from './stack.ts'
import type { Stack } from './stack.ts'
import { changeOf } from '../format/share.ts'
import type { SortBy } from './state.ts'

/** A row of the table: a key, or all others with theirs under it. */
export type Row = {
  readonly key: string
  readonly total: bigint
  readonly byDay: Series['byDay']
  readonly before: bigint | undefined
  readonly tokens: bigint | undefined
  readonly children: readonly Row[] | undefined
}

type Facts = {
  /** Totals of the time before, by key; `undefined`: not compared. */
  readonly before: ReadonlyMap<string, bigint> | undefined
  readonly tokens: ReadonlyMap<string, bigint> | undefined
}

/** The rows of a stack: what is drawn, and one for the rest. They add up to the breakdown. */
export function rowsOf({ shown, others }: Pick<Stack, 'shown' | 'others'>, { before, tokens }: Facts): readonly Row[] {
  const row = ({ key, total, byDay }: Series): Row => ({
    key,
    total,
    byDay,
    before: before === undefined ? undefined : (before.get(key) ?? 0n),
    tokens: tokens === undefined ? undefined : (tokens.get(key) ?? 0n),
    children: undefined,
  })
  const rows = shown.map(row)
  if (others.length === 0) return rows
  const rest = others.map(row)
  return [
    ...rows,
    {
      key: OTHER_KEY,
      total: sum(rest.map(({ total }) => total)),
      byDay: undefined,
      before: before === undefined ? undefined : sum(rest.map((each) => each.before ?? 0n)),
      tokens: tokens === undefined ? undefined : sum(rest.map((each) => each.tokens ?? 0n)),
      children: rest,
    },
  ]
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n)

/** Sorts rows, and those under the last one, which stays last: it is no key. */
export function sortRows(rows: readonly Row[], { column, direction }: SortBy, labelOf: (key: string) => string): readonly Row[] {
  const sign = direction === 'ascending' ? 1 : -1
  const compare = (one: Row, other: Row): number => {
    if (one.key === OTHER_KEY || other.key === OTHER_KEY) return one.key === OTHER_KEY ? 1 : -1
    const order = orderOf(column, one, other, labelOf)
    // Ties by key, whatever the direction: rows keep their places.
    return order === 0 ? (one.key < other.key ? -1 : 1) : order * sign
  }
  return rows.toSorted(compare).map((row) => (row.children === undefined ? row : { ...row, children: row.children.toSorted(compare) }))
}

function orderOf(column: SortBy['column'], one: Row, other: Row, labelOf: (key: string) => string): number {
  switch (column) {
    case 'name':
      return labelOf(one.key).localeCompare(labelOf(other.key), 'en')
    case 'quantity':
      return order(one.tokens ?? 0n, other.tokens ?? 0n)
    case 'change':
      return order(changeScore(one), changeScore(other))
    case 'amount':
      return order(one.total, other.total)
  }
}

const order = (one: bigint, other: bigint): number => (one < other ? -1 : one > other ? 1 : 0)

const NEW = 10n ** 40n

/** Per mille of change; what is new is above everything, what cannot be compared below. */
function changeScore({ total, before }: Row): bigint {
  switch (changeOf(total, before).direction) {
    case 'new':
      return NEW
    case 'none':
      return -NEW
    default:
      return before === undefined || before === 0n ? -NEW : ((total - before) * 1_000_000n) / before
  }
}

/** What the foot of the table says: all of it, hidden keys too. */
export function totalRow({ total }: Pick<Breakdown, 'total'>, { before, tokens }: Facts): Omit<Row, 'key' | 'byDay' | 'children'> {
  return {
    total,
    before: before === undefined ? undefined : sum([...before.values()]),
    tokens: tokens === undefined ? undefined : sum([...tokens.values()]),
  }
}
