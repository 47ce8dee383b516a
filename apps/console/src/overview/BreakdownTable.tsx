import { useMemo } from 'react'
import type { ReactNode } from 'react'
import type { CostDimension } from '@ascribe/contract/reads'
import type { Day } from '../format/dates.ts'
import { NOTHING } from '../format/digits.ts'
import { formatCount, formatCountExact } from '../format/quantity.ts'
import { changeOf, formatShare } from '../format/share.ts'
import { Table } from '../ui/Table.tsx'
import type { Column } from '../ui/Table.tsx'
import { usePhone } from '../ui/use-media.ts'
import { Swatch } from './chart/Swatch.tsx'
import type { Look } from './look.ts'
import { Sparkline } from './Sparkline.tsx'
import { OTHER_KEY } from './stack.ts'
import { DIMENSION_NAMES, dimensionWords } from './state.ts'
import type { OverviewState, SortBy } from './state.ts'
import { sortRows } from './table-rows.ts'
import type { Row } from './table-rows.ts'
import type { UnitFormat } from './view-model.ts'

export const TABLE_ID = 'overview-table'

type Props = {
  rows: readonly Row[]
  total: Omit<Row, 'key' | 'byDay' | 'children'>
  days: readonly Day[]
  by: CostDimension
  format: UnitFormat
  isMoney: boolean
  isCompared: boolean
  /** Tokens are on their way: their column is there, and empty. */
  isCounting: boolean
  state: Pick<OverviewState, 'sort' | 'hidden'>
  labelOf: (key: string) => string
  lookOf: (key: string) => Look
  onSort: (sort: SortBy) => void
  onHide: (hidden: readonly string[]) => void
  onOpen: (row: Row) => void
  onHover: (key: string | undefined) => void
}

/** The numbers of the chart; its first column is the chart's legend. */
export function BreakdownTable(props: Props): ReactNode {
  const { rows, by, state, labelOf, onSort, onOpen, onHover } = props
  const isPhone = usePhone()
  const sorted = useMemo(() => sortRows(rows, state.sort, labelOf), [rows, state.sort, labelOf])
  return (
    <Table
      id={TABLE_ID}
      caption={`${props.format.title} by ${dimensionWords(by)}`}
      columns={columnsOf(props, isPhone)}
      rows={sorted}
      rowKey={({ key }) => key}
      sort={state.sort}
      onSort={({ column, direction }) => onSort({ column: SORTS.find((each) => each === column) ?? 'amount', direction })}
      childrenOf={({ children }) => children}
      onOpen={onOpen}
      onHover={onHover}
    />
  )
}

const SORTS = ['name', 'quantity', 'change', 'amount'] as const

function columnsOf(props: Props, isPhone: boolean): readonly Column<Row>[] {
  const { total, days, by, format, isMoney, isCompared, isCounting, labelOf } = props
  const amount = (row: Pick<Row, 'total'>): ReactNode => <span title={format.exact(row.total)}>{format.cell(row.total)}</span>
  const tokens = (row: Pick<Row, 'tokens'>): ReactNode =>
    row.tokens === undefined || row.tokens === 0n ? NOTHING : <span title={formatCountExact(row.tokens)}>{formatCount(row.tokens)}</span>
  const change = (row: Pick<Row, 'total' | 'before'>): ReactNode => <Change now={row.total} before={row.before} />
  return [
    {
      id: 'name',
      header: DIMENSION_NAMES[by],
      cell: (row, level) => <Name {...props} row={row} isChild={level > 0} isPhone={isPhone} label={nameOf(row, labelOf)} />,
      isSortable: true,
      foot: 'Total',
    },
    ...(isMoney && (total.tokens !== undefined || isCounting)
      ? [{ id: 'quantity', header: 'Tokens', cell: tokens, isNumber: true, isSortable: true, isPhone: false, foot: tokens(total) }]
      : []),
    {
      id: 'share',
      header: 'Share',
      cell: (row) => formatShare(row.total, total.total),
      isNumber: true,
      foot: formatShare(total.total, total.total),
    },
    {
      id: 'trend',
      header: 'Trend',
      cell: ({ byDay }) => (byDay === undefined || days.length < 2 ? null : <Sparkline days={days} byDay={byDay} />),
      isPhone: false,
    },
    ...(isCompared
      ? [{ id: 'change', header: 'Change', cell: change, isNumber: true, isSortable: true, isPhone: false, foot: change(total) }]
      : []),
    { id: 'amount', header: format.title, cell: amount, isNumber: true, isSortable: true, foot: amount(total) },
    // Two hands for one row: on a phone it stands in the open one.
    ...(isPhone
      ? [
          {
            id: 'shown',
            header: 'In the chart',
            cell: (row: Row, level: number) =>
              level > 0 ? 'as part of Other' : <ShownBox {...props} row={row} label={nameOf(row, labelOf)} />,
            isPhone: false,
          },
        ]
      : []),
  ]
}

function nameOf({ key, children }: Row, labelOf: (key: string) => string): string {
  return key === OTHER_KEY ? `Other (${children?.length ?? 0})` : labelOf(key)
}

/** The legend: how a key is drawn, what it is called, and whether it is. */
function Name(props: Props & { row: Row; isChild: boolean; isPhone: boolean; label: string }): ReactNode {
  const { row, isChild, isPhone, label, lookOf } = props
  return (
    <span className="ov-name">
      {!isChild && !isPhone && <ShownBox {...props} />}
      <Swatch look={lookOf(isChild ? OTHER_KEY : row.key)} />
      <span className="ov-label" title={row.key === OTHER_KEY ? undefined : row.key}>
        {label}
      </span>
    </span>
  )
}

function ShownBox({
  row: { key },
  label,
  state: { hidden },
  onHide,
}: Pick<Props, 'state' | 'onHide'> & { row: Row; label: string }): ReactNode {
  const isHidden = hidden.includes(key)
  return (
    <input
      type="checkbox"
      className="ov-shown"
      checked={!isHidden}
      aria-label={`Show ${label} in the chart`}
      onChange={() => onHide(isHidden ? hidden.filter((each) => each !== key) : [...hidden, key])}
    />
  )
}

function Change({ now, before }: { now: bigint; before: bigint | undefined }): ReactNode {
  const { text, spoken } = changeOf(now, before)
  return (
    <span className="ov-change">
      <span aria-hidden="true">{text}</span>
      <span className="visually-hidden">{spoken}</span>
    </span>
  )
}
