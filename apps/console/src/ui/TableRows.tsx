import { useState } from 'react'
import type { KeyboardEvent, ReactNode, Ref } from 'react'
import { Icon } from './Icon.tsx'
import type { TableProps } from './Table.tsx'
import type { Column, FlatRow } from './table-rows.ts'

export type RowsProps<Row> = Omit<TableProps<Row>, 'columns' | 'expanded'> & {
  columns: readonly Column<Row>[]
  /** Columns that do not fit: they stand in the open row. */
  rest: readonly Column<Row>[]
  flat: readonly FlatRow<Row>[]
  expanded: ReadonlySet<string>
  expand: (key: string, isOpen: boolean) => void
  canOpen: (flat: FlatRow<Row>) => boolean
  hasToggle: boolean
}

/** All rows. One of them is in the tab order: the one where one was last. */
export function TableRows<Row>(props: RowsProps<Row>): ReactNode {
  const { flat } = props
  const [current, setCurrent] = useState<string>()
  const active = flat.some(({ key }) => key === current) ? current : flat[0]?.key
  return (
    <tbody>
      {flat.map((each) => (
        <TableRow key={each.key} {...props} each={each} isActive={each.key === active} onFocusRow={setCurrent} />
      ))}
    </tbody>
  )
}

export function TableRow<Row>(
  props: RowsProps<Row> & {
    each: FlatRow<Row>
    isActive: boolean
    onFocusRow: (key: string) => void
    index?: number
    ref?: Ref<HTMLTableRowElement>
  },
): ReactNode {
  const { columns, rest, each, isActive, onFocusRow, onHover, onOpen, detail, rowClass, selected, index, ref, hasToggle, expand } = props
  const { key, row, level, isOpen } = each
  const canOpen = props.canOpen(each)
  // Rows are stops of the keyboard only where a key does something.
  const isStop = onOpen !== undefined || hasToggle
  const more = isOpen ? detail?.(row) : undefined
  const hasMore = isOpen && (rest.length > 0 || more !== undefined)
  const press = (event: KeyboardEvent<HTMLTableRowElement>): void => {
    if (event.target === event.currentTarget)
      handleKey(event, { canOpen, isOpen, open: onOpen && (() => onOpen(row)), expand: (is) => expand(key, is) })
  }
  return (
    <>
      <tr
        ref={ref}
        className={rowClass?.(row)}
        data-key={key}
        data-level={level}
        data-clickable={onOpen !== undefined || undefined}
        aria-selected={selected === key || undefined}
        aria-rowindex={index === undefined ? undefined : index + 2}
        tabIndex={isStop ? (isActive ? 0 : -1) : undefined}
        onKeyDown={press}
        onFocus={() => onFocusRow(key)}
        onMouseEnter={onHover && (() => onHover(key))}
        onMouseLeave={onHover && (() => onHover(undefined))}
        onClick={onOpen && ((event) => isPlainClick(event.target) && onOpen(row))}
      >
        {columns.map((column, at) => {
          const isHeader = column.isRowHeader ?? (at === 0 && !columns.some((other) => other.isRowHeader === true))
          const Cell = isHeader ? 'th' : 'td'
          return (
            <Cell key={column.id} className={column.isNumber === true ? 'num' : undefined} {...(isHeader && { scope: 'row' as const })}>
              {at === 0 && hasToggle ? (
                <span className="ui-row-lead" style={{ paddingInlineStart: `${level * 24}px` }}>
                  <Toggle canOpen={canOpen} isOpen={isOpen} onPress={() => expand(key, !isOpen)} />
                  {column.cell(row, level)}
                </span>
              ) : (
                column.cell(row, level)
              )}
            </Cell>
          )
        })}
      </tr>
      {hasMore && <More row={row} level={level} rest={rest} columns={columns.length} more={more} />}
    </>
  )
}

function More<Row>({
  row,
  level,
  rest,
  columns,
  more,
}: {
  row: Row
  level: number
  rest: readonly Column<Row>[]
  columns: number
  more: ReactNode
}): ReactNode {
  return (
    <tr className="ui-row-more">
      <td colSpan={columns}>
        {rest.length > 0 && (
          <dl className="ui-row-rest">
            {rest.map((column) => (
              <div key={column.id}>
                <dt>{column.title ?? column.header}</dt>
                <dd>{column.cell(row, level)}</dd>
              </div>
            ))}
          </dl>
        )}
        {more}
      </td>
    </tr>
  )
}

function Toggle({ canOpen, isOpen, onPress }: { canOpen: boolean; isOpen: boolean; onPress: () => void }): ReactNode {
  if (!canOpen) return <span className="ui-toggle" aria-hidden="true" />
  return (
    <button type="button" className="ui-toggle" aria-expanded={isOpen} aria-label={isOpen ? 'Show less' : 'Show more'} onClick={onPress}>
      <Icon name={isOpen ? 'chevron-down' : 'chevron-right'} />
    </button>
  )
}

/** What is pressed in a row, buttons and links, does its own; and who marks text to copy it opens nothing. */
function isPlainClick(target: EventTarget): boolean {
  const isControl = target instanceof Element && target.closest('a, button, input, select, label') !== null
  return !isControl && (window.getSelection()?.isCollapsed ?? true)
}

function handleKey(
  event: KeyboardEvent<HTMLTableRowElement>,
  row: {
    readonly canOpen: boolean
    readonly isOpen: boolean
    readonly open: (() => void) | undefined
    readonly expand: (isOpen: boolean) => void
  },
): void {
  switch (event.key) {
    case 'ArrowDown':
      focusRow(event.currentTarget, 1)
      break
    case 'ArrowUp':
      focusRow(event.currentTarget, -1)
      break
    case 'ArrowRight':
      if (row.canOpen && !row.isOpen) row.expand(true)
      break
    case 'ArrowLeft':
      if (row.isOpen) row.expand(false)
      break
    case 'Enter':
      if (row.open !== undefined) row.open()
      else if (row.canOpen) row.expand(!row.isOpen)
      break
    case ' ':
      if (row.canOpen) row.expand(!row.isOpen)
      else row.open?.()
      break
    default:
      return
  }
  event.preventDefault()
}

function focusRow(from: HTMLTableRowElement, step: 1 | -1): void {
  const rows = [...(from.closest('tbody')?.querySelectorAll<HTMLTableRowElement>('tr[data-key]') ?? [])]
  rows[rows.indexOf(from) + step]?.focus()
}
