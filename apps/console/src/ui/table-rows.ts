import type { ReactNode } from 'react'

export type Column<Row> = {
  readonly id: string
  readonly header: ReactNode
  /** The same as plain text, for the list of a phone; default: `header`. */
  readonly title?: string
  readonly cell: (row: Row, level: number) => ReactNode
  /** Right-aligned, with figures of one width. */
  readonly isNumber?: boolean
  readonly isSortable?: boolean
  /** False: on a phone it moves into the open row. */
  readonly isPhone?: boolean
  readonly width?: string
  /** Names the row. Default: the first column does. */
  readonly isRowHeader?: boolean
  readonly foot?: ReactNode
}

export type Sort = { readonly column: string; readonly direction: 'ascending' | 'descending' }

/** A row as it stands in the table: how deep, and whether what is under it is shown. */
export type FlatRow<Row> = { readonly key: string; readonly row: Row; readonly level: number; readonly isOpen: boolean }

/** Levels below this are not shown: a tree that holds itself ends. */
const LEVELS_MAX = 8

/** Rows with those under the open ones, in the order in which they stand. */
export function flatten<Row>(
  rows: readonly Row[],
  options: {
    readonly rowKey: (row: Row) => string
    readonly childrenOf?: ((row: Row) => readonly Row[] | undefined) | undefined
    readonly expanded: ReadonlySet<string>
  },
): readonly FlatRow<Row>[] {
  const flat: FlatRow<Row>[] = []
  const add = (some: readonly Row[], level: number): void => {
    for (const row of some) {
      const key = options.rowKey(row)
      const isOpen = options.expanded.has(key)
      flat.push({ key, row, level, isOpen })
      if (isOpen && level < LEVELS_MAX) add(options.childrenOf?.(row) ?? [], level + 1)
    }
  }
  add(rows, 0)
  return flat
}
