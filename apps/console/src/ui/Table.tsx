import { Suspense, lazy, useState } from 'react'
import type { ReactNode } from 'react'
import { Icon } from './Icon.tsx'
import { TableRows } from './TableRows.tsx'
import type { RowsProps } from './TableRows.tsx'
import { flatten } from './table-rows.ts'
import type { Column, FlatRow, Sort } from './table-rows.ts'
import { usePhone } from './use-media.ts'
import './table.css'

export type { Column, Sort } from './table-rows.ts'

/** From so many rows on only those in sight are in the document. */
const VIRTUAL_FROM = 200
/** What is there until their list is loaded: few tables are that long. */
const FIRST_ROWS = 60

// A lazy component knows no parameter of type: it takes rows of any kind as they come.
const LazyRows = lazy(async () => ({ default: (await import('./VirtualRows.tsx')).VirtualRows<unknown> }))

function VirtualRows<Row>(props: RowsProps<Row>): ReactNode {
  return (
    <Suspense fallback={<TableRows {...props} flat={props.flat.slice(0, FIRST_ROWS)} />}>
      <LazyRows {...(props as unknown as RowsProps<unknown>)} />
    </Suspense>
  )
}

export type TableProps<Row> = {
  /** What the table is of; read out, not shown. */
  caption: string
  columns: readonly Column<Row>[]
  /** As they are to stand: sorting is the caller's. */
  rows: readonly Row[]
  rowKey: (row: Row) => string
  sort?: Sort | undefined
  onSort?: (sort: Sort) => void
  /** Rows under a row. */
  childrenOf?: (row: Row) => readonly Row[] | undefined
  /** What a row says more when it is open. */
  detail?: (row: Row) => ReactNode
  /** Which are open; without it the table keeps that itself. */
  expanded?: ReadonlySet<string>
  onExpand?: (key: string, isOpen: boolean) => void
  onOpen?: (row: Row) => void
  selected?: string | undefined
  onHover?: (key: string | undefined) => void
  rowClass?: (row: Row) => string | undefined
  id?: string
  virtualFrom?: number
}

/**
 * A real table: sorted by buttons in its head, whose state is said; ↑ and ↓ move between rows, → and ← open and close one, Enter goes into it. On a
 * phone what is not of the first importance moves into the open row.
 */
export function Table<Row>(props: TableProps<Row>): ReactNode {
  const { caption, columns, rows, rowKey, childrenOf, detail, virtualFrom = VIRTUAL_FROM, id } = props
  const isPhone = usePhone()
  const own = useState<ReadonlySet<string>>(() => new Set())
  const expanded = props.expanded ?? own[0]
  const expand = (key: string, isOpen: boolean): void => {
    if (props.onExpand !== undefined) return props.onExpand(key, isOpen)
    const next = new Set(expanded)
    if (isOpen) next.add(key)
    else next.delete(key)
    own[1](next)
  }
  const shown = isPhone ? columns.filter((column) => column.isPhone !== false) : columns
  const rest = isPhone ? columns.filter((column) => column.isPhone === false) : []
  const flat = flatten(rows, { rowKey, childrenOf, expanded })
  const canOpen = ({ row }: FlatRow<Row>): boolean =>
    rest.length > 0 || childrenOf?.(row) !== undefined || (detail !== undefined && detail(row) !== undefined)
  const isVirtual = flat.length >= virtualFrom
  const body = { ...props, columns: shown, rest, flat, expanded, expand, canOpen, hasToggle: flat.some(canOpen) }
  return (
    <div className="ui-table-wrap">
      <table className="ui-table" id={id} {...(isVirtual && { 'aria-rowcount': flat.length + 1 })}>
        <caption className="ui-hidden">{caption}</caption>
        <thead>
          <tr {...(isVirtual && { 'aria-rowindex': 1 })}>
            {shown.map((column) => (
              <Head key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
            ))}
          </tr>
        </thead>
        {isVirtual ? <VirtualRows {...body} /> : <TableRows {...body} />}
        {shown.some(({ foot }) => foot !== undefined) && (
          <tfoot>
            <tr>
              {shown.map((column, index) =>
                index === 0 ? (
                  <th key={column.id} scope="row">
                    {column.foot}
                  </th>
                ) : (
                  <td key={column.id} className={column.isNumber === true ? 'num' : undefined}>
                    {column.foot}
                  </td>
                ),
              )}
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  )
}

function Head<Row>({
  column,
  sort,
  onSort,
}: {
  column: Column<Row>
  sort: Sort | undefined
  onSort: ((sort: Sort) => void) | undefined
}): ReactNode {
  const { id, header, isNumber = false, isSortable = false, width } = column
  const direction = sort?.column === id ? sort.direction : undefined
  const look = { ...(isNumber && { className: 'num' }), ...(width !== undefined && { style: { inlineSize: width } }) }
  if (!isSortable || onSort === undefined)
    return (
      <th scope="col" {...look}>
        {header}
      </th>
    )
  // Numbers begin with the largest, names with A.
  const first = isNumber ? 'descending' : 'ascending'
  const other = first === 'ascending' ? 'descending' : 'ascending'
  return (
    <th scope="col" aria-sort={direction ?? 'none'} {...look}>
      <button type="button" className="ui-sort" onClick={() => onSort({ column: id, direction: direction === first ? other : first })}>
        {header}
        <span className="ui-sort-mark" data-direction={direction ?? 'none'}>
          <Icon name={direction === 'ascending' ? 'chevron-up' : 'chevron-down'} size={12} />
        </span>
      </button>
    </th>
  )
}
