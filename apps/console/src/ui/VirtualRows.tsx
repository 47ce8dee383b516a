import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useRef, useState } from 'react'
import type { ReactNode } from 'react'
import { TableRow } from './TableRows.tsx'
import type { RowsProps } from './TableRows.tsx'

/** Height of a row in ui.css; open ones are measured. */
const ROW_PX = 36
const OVERSCAN = 12

/** The rows in sight, and two empty ones as high as what is above and below. */
export function VirtualRows<Row>(props: RowsProps<Row>): ReactNode {
  const { flat, columns } = props
  const body = useRef<HTMLTableSectionElement>(null)
  const [top, setTop] = useState(0)
  const [current, setCurrent] = useState<string>()
  useLayoutEffect(() => {
    if (body.current !== null) setTop(body.current.getBoundingClientRect().top + window.scrollY)
  }, [])
  // oxlint-disable-next-line react/incompatible-library -- The virtual list redraws by itself when it scrolls; the React compiler is not in use.
  const virtual = useWindowVirtualizer({
    count: flat.length,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    scrollMargin: top,
    getItemKey: (index) => flat[index]?.key ?? index,
  })
  const items = virtual.getVirtualItems()
  const before = (items[0]?.start ?? top) - top
  const after = virtual.getTotalSize() - ((items.at(-1)?.end ?? top) - top)
  const active = items.some(({ index }) => flat[index]?.key === current) ? current : flat[items[0]?.index ?? 0]?.key
  return (
    <tbody ref={body}>
      <Gap height={before} columns={columns.length} />
      {items.map(({ index }) => {
        const each = flat[index]
        if (each === undefined) return null
        return <TableRow key={each.key} {...props} each={each} index={index} isActive={each.key === active} onFocusRow={setCurrent} />
      })}
      <Gap height={after} columns={columns.length} />
    </tbody>
  )
}

function Gap({ height, columns }: { height: number; columns: number }): ReactNode {
  if (height <= 0) return null
  return (
    <tr aria-hidden="true" className="ui-row-gap">
      {/* oxlint-disable-next-line jsx-a11y/control-has-associated-label -- Room for rows out of sight; it is hidden from all but the eye. */}
      <td colSpan={columns} style={{ blockSize: height }} />
    </tr>
  )
}
