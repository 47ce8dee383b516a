import { memo } from 'react'
import type { ReactNode } from 'react'
import type { Column, DayState, Segment } from '../stack.ts'
import { barPath } from './layout.ts'
import type { Slot, ValueScale } from './layout.ts'
import { textureOf } from './Swatch.tsx'
import type { ChartModel } from './types.ts'

type Props = {
  model: ChartModel
  slots: readonly Slot[]
  scale: ValueScale
  /** Key that a row is pointed at of; `null`: none. Others fade. */
  emphasis: string | undefined | null
}

/** The stacked bars of all days: drawn again when they change, and not when another is pointed at. */
export const Columns = memo(function Columns({ model, slots, scale, emphasis }: Props): ReactNode {
  return model.columns.map((column, index) => {
    const slot = slots[index]
    const state = model.states[index]
    if (slot === undefined || state === undefined) return null
    return (
      <g key={column.day} className="ov-column">
        {model.ghost !== undefined && <Ghost value={model.ghost[index]?.value ?? 0n} slot={slot} scale={scale} />}
        <Bars column={column} slot={slot} scale={scale} model={model} emphasis={emphasis} />
        <Mark column={column} state={state} slot={slot} scale={scale} />
      </g>
    )
  })
})

/** The time before, left of the bar. */
function Ghost({ value, slot, scale }: { value: bigint; slot: Slot; scale: ValueScale }): ReactNode {
  if (value === 0n) return null
  const [zero, at] = [scale.y(0n), scale.y(value)]
  const width = Math.min(3, slot.width / 4)
  return (
    <rect
      className="ov-ghost"
      x={Math.max(slot.left, slot.barLeft - width - 1)}
      y={Math.min(zero, at)}
      width={width}
      height={Math.max(1, Math.abs(zero - at))}
    />
  )
}

function Bars({
  column,
  slot,
  scale,
  model,
  emphasis,
}: { column: Column; slot: Slot; scale: ValueScale } & Pick<Props, 'model' | 'emphasis'>): ReactNode {
  const above = column.segments.filter(({ value }) => value > 0n).at(-1)
  const below = column.segments.filter(({ value }) => value < 0n).at(-1)
  return column.segments.map((segment) => {
    const outer = segment === above ? 'top' : segment === below ? 'bottom' : 'none'
    const look = model.lookOf(segment.key)
    const texture = textureOf(look)
    const path = barPath(boxOf(segment, slot, scale), outer)
    const isFaded = emphasis !== null && emphasis !== segment.key
    return (
      <g key={segment.key ?? 'other'} className={isFaded ? 'ov-segment ov-faded' : 'ov-segment'}>
        <path d={path} className={`ov-bar ov-cat-${look.slot}`} />
        {texture !== undefined && <path d={path} fill={texture} />}
      </g>
    )
  })
}

/** A pixel of surface parts a segment from its neighbour; what is not zero is a pixel high at least. */
function boxOf({ start, end }: Segment, { barLeft, barWidth }: Slot, scale: ValueScale) {
  const [from, to] = [scale.y(start), scale.y(end)]
  const [upper, lower] = [Math.min(from, to), Math.max(from, to)]
  const size = lower - upper
  const gap = start === 0n || size < 2 ? 0 : 1
  const height = Math.max(1, size - gap)
  // The gap is on the side of the axis.
  return { x: barLeft, y: from >= to ? lower - gap - height : upper + gap, width: barWidth, height }
}

/** Over a bar, or where none is: hatch of a partial day, a stub for zero, a dotted line for what nobody has rated. */
function Mark({ column, state, slot, scale }: { column: Column; state: DayState; slot: Slot; scale: ValueScale }): ReactNode {
  const zero = scale.y(0n)
  if (state === 'waiting') return <path className="ov-waiting" d={`M${slot.barLeft},${zero}h${slot.barWidth}`} />
  if (state === 'future') return null
  if (column.segments.length === 0) return <rect className="ov-stub" x={slot.barLeft} y={zero - 2} width={slot.barWidth} height={2} />
  if (state !== 'partial') return null
  const top = scale.y(column.top)
  const bottom = scale.y(column.bottom)
  return (
    <rect className="ov-partial" x={slot.barLeft} y={top} width={slot.barWidth} height={Math.max(1, bottom - top)} fill="url(#ov-hatch)" />
  )
}
