import { useEffect, useLayoutEffect, useMemo, useRef } from 'react'
import type { ReactNode, RefObject } from 'react'
import { formatDayShort } from '../../format/dates.ts'
import { usePhone } from '../../ui/use-media.ts'
import { Columns } from './Columns.tsx'
import { MARGIN, PHONE_DAYS, labelledDays, slotsOf, valueScale } from './layout.ts'
import type { Slot, ValueScale } from './layout.ts'
import { BudgetLine, CumulativeLine, ForecastLine } from './Lines.tsx'
import { Tooltip } from './Tooltip.tsx'
import { beside, clamp } from './place.ts'
import { spokenDay } from './spoken.ts'
import type { ChartModel } from './types.ts'
import { useChosenDay } from './use-chosen-day.ts'
import type { Chosen, ChosenDay } from './use-chosen-day.ts'
import { useWidth } from './use-size.ts'

type Props = {
  model: ChartModel
  /** What the figure is of, for those who hear it. */
  caption: string
  /** Of the table that says the same in numbers. */
  tableId: string
  emphasis: string | undefined | null
  onOpenDay: (index: number) => void
  /** The one stop of the keyboard: focus comes back to it from the drawer. */
  stopRef: RefObject<HTMLDivElement | null>
}

/** Bars of days, or one line of their sums: SVG in real pixels, one stop of the keyboard, and a table beside it that says the same. */
export function Chart({ model, caption, tableId, emphasis, onOpenDay, stopRef }: Props): ReactNode {
  const isPhone = usePhone()
  const height = isPhone ? 180 : 240
  const { ref, width } = useWidth<HTMLDivElement>()
  const count = model.columns.length + model.forecast.length
  const room = Math.max(0, width - MARGIN.left - (isPhone ? 0 : MARGIN.right))
  const plotWidth = isPhone && count > PHONE_DAYS ? Math.round((room / PHONE_DAYS) * count) : room
  // What is drawn changes less often than what is pointed at.
  const slots = useMemo(() => slotsOf(count, plotWidth), [count, plotWidth])
  const scale = useMemo(() => valueScale(reachOf(model), { height, count: isPhone ? 2 : 4 }), [model, height, isPhone])
  const chosen = useChosenDay(model, { count, onOpen: onOpenDay })
  // Today, and a little of what is foreseen, at the right edge.
  const latest = slots[Math.min(count, model.states.findLastIndex((state) => state !== 'future') + 3) - 1]
  const scroller = useLatestInView(plotWidth > room && latest !== undefined ? latest.left + latest.width - room : 0)
  return (
    <figure className="ov-chart" ref={ref} style={{ minBlockSize: height }} aria-details={tableId}>
      <figcaption className="visually-hidden">{caption}</figcaption>
      {width > 0 && (
        <div className="ov-chart-body" style={{ height }}>
          <Axis scale={scale} model={model} height={height} />
          <div
            className="ov-scroller"
            ref={scroller}
            data-scrolls={plotWidth > room || undefined}
            onScroll={() => chosen.chosen?.by === 'touch' && chosen.leave()}
          >
            <Stop model={model} chosen={chosen} caption={caption} stopRef={stopRef} width={plotWidth}>
              <svg width={plotWidth} height={height} className="ov-plot" aria-hidden="true" focusable="false">
                <Grid scale={scale} width={plotWidth} />
                <Pointed slots={slots} chosen={chosen.chosen} height={height} />
                {model.view === 'daily' ? (
                  <Columns model={model} slots={slots} scale={scale} emphasis={emphasis} />
                ) : (
                  <CumulativeLine model={model} slots={slots} scale={scale} />
                )}
                <ForecastLine model={model} slots={slots} scale={scale} />
                <BudgetLine model={model} width={plotWidth} scale={scale} />
                <DayLabels model={model} slots={slots} height={height} width={plotWidth} />
                <Targets
                  slots={slots}
                  height={height}
                  chosen={chosen}
                  onOpen={(index) => index < model.columns.length && onOpenDay(index)}
                />
              </svg>
              {plotWidth > room && <SnapPoints slots={slots} />}
            </Stop>
          </div>
          <TooltipBox model={model} slots={slots} chosen={chosen.chosen} scroller={scroller} onOpen={onOpenDay} onLeave={chosen.leave} />
        </div>
      )}
    </figure>
  )
}

/** How far values reach, with everything that is drawn. */
function reachOf(model: ChartModel): { readonly top: bigint; readonly bottom: bigint; readonly one: bigint } {
  const values = [
    ...(model.view === 'daily' ? model.columns.flatMap(({ top, bottom }) => [top, bottom]) : model.cumulative),
    ...(model.ghost?.slice(0, model.columns.length).map(({ value }) => value) ?? []),
    ...model.forecast.map(({ high }) => high),
  ]
  let [top, bottom] = [0n, 0n]
  for (const value of values) {
    if (value > top) top = value
    if (value < bottom) bottom = value
  }
  const budget = model.budget?.value ?? 0n
  // A budget far above would press the bars flat: its line is then out of sight, its figure is not.
  if (budget > top && budget <= top * 3n) top = budget
  return { top, bottom, one: model.format.one }
}

/** A swipe comes to rest where a day ends. */
function SnapPoints({ slots }: { slots: readonly Slot[] }): ReactNode {
  return slots.map(({ left, width }) => <span key={left} className="ov-snap" style={{ left, width }} aria-hidden="true" />)
}

/** The part that scrolls begins at its end: the latest day first. */
function useLatestInView(left: number): RefObject<HTMLDivElement | null> {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (ref.current !== null && left > 0) ref.current.scrollLeft = left
  }, [left])
  return ref
}

function Axis({ scale, model, height }: { scale: ValueScale; model: ChartModel; height: number }): ReactNode {
  return (
    <svg width={MARGIN.left} height={height} className="ov-axis" aria-hidden="true" focusable="false">
      {scale.ticks.map(({ value, at }) => (
        <text key={String(value)} x={MARGIN.left - 8} y={at} dy="0.32em" textAnchor="end">
          {model.format.tick(value)}
        </text>
      ))}
    </svg>
  )
}

function Grid({ scale, width }: { scale: ValueScale; width: number }): ReactNode {
  return scale.ticks.map(({ value, at }) => (
    <path key={String(value)} className={value === 0n ? 'ov-zero' : 'ov-grid'} d={`M0,${Math.round(at) + 0.5}H${width}`} />
  ))
}

/** Pixels between the middles of "22 Nov, partial" and the label beside it. */
const PARTIAL_LABEL = 76

function DayLabels({
  model,
  slots,
  height,
  width,
}: {
  model: ChartModel
  slots: readonly Slot[]
  height: number
  width: number
}): ReactNode {
  const days = [...model.columns.map(({ day }) => day), ...model.forecast.map(({ day }) => day)]
  const partial = model.states.lastIndexOf('partial')
  const isLastPartial = partial !== -1 && partial === days.length - 1
  const labelled = labelledDays(days.length, width, isLastPartial)
  // The partial day is always named; what stands too near makes room.
  const near = (index: number): boolean => Math.abs(index - partial) * (width / days.length) < PARTIAL_LABEL
  const shown = partial === -1 || isLastPartial ? labelled : [...labelled.filter((index) => !near(index)), partial]
  return shown.map((index) => {
    const slot = slots[index]
    if (slot === undefined) return null
    const isPartial = index === partial
    const text = `${formatDayShort(days[index] ?? '')}${isPartial ? ', partial' : ''}`
    // The outermost labels would be cut off.
    const isAtEnd = slot.center > width - 26 || (isPartial && isLastPartial)
    const isAtStart = slot.center < 20
    return (
      <text
        key={days[index]}
        className="ov-day-label"
        x={isAtEnd ? Math.min(width - 1, slot.left + slot.width) : isAtStart ? slot.left : slot.center}
        y={height - 8}
        textAnchor={isAtEnd ? 'end' : isAtStart ? 'start' : 'middle'}
      >
        {text}
      </text>
    )
  })
}

function Pointed({ slots, chosen, height }: { slots: readonly Slot[]; chosen: Chosen | undefined; height: number }): ReactNode {
  const slot = chosen === undefined ? undefined : slots[chosen.index]
  return (
    slot && (
      <rect className="ov-pointed" x={slot.left} y={MARGIN.top - 8} width={slot.width} height={height - MARGIN.top - MARGIN.bottom + 8} />
    )
  )
}

/** The whole column is what one points at. */
function Targets({
  slots,
  height,
  chosen,
  onOpen,
}: {
  slots: readonly Slot[]
  height: number
  chosen: ChosenDay
  onOpen: (index: number) => void
}): ReactNode {
  const touched = useRef(false)
  return (
    <g onPointerLeave={({ pointerType }) => pointerType !== 'touch' && chosen.leave()}>
      {slots.map((slot, index) => (
        <rect
          // oxlint-disable-next-line react/no-array-index-key -- A slot is its place.
          key={index}
          className="ov-target"
          x={slot.left}
          y={0}
          width={slot.width}
          height={height}
          onPointerDown={({ pointerType }) => (touched.current = pointerType === 'touch')}
          onPointerEnter={({ pointerType }) => pointerType !== 'touch' && chosen.point(index, 'pointer')}
          // The first touch shows the day, its button opens it.
          onClick={() => (touched.current ? chosen.point(index, 'touch') : onOpen(index))}
        />
      ))}
    </g>
  )
}

function Stop({
  model,
  chosen,
  caption,
  stopRef,
  width,
  children,
}: {
  model: ChartModel
  chosen: ChosenDay
  caption: string
  stopRef: RefObject<HTMLDivElement | null>
  width: number
  children: ReactNode
}): ReactNode {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- An application: its keys are its own.
    <div
      ref={stopRef}
      className="ov-stop"
      style={{ width }}
      role="application"
      aria-roledescription="chart"
      aria-label={`${caption}. Arrow keys: days and parts. Enter: open day.`}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- An application takes focus.
      tabIndex={0}
      onKeyDown={chosen.onKeyDown}
      onFocus={(event) => event.target === event.currentTarget && event.currentTarget.matches(':focus-visible') && chosen.onFocus()}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && chosen.onBlur()}
    >
      {children}
      <p className="visually-hidden" role="status">
        {chosen.chosen?.by === 'keyboard' ? spokenDay(model, chosen.chosen) : ''}
      </p>
    </div>
  )
}

function TooltipBox({
  model,
  slots,
  chosen,
  scroller,
  onOpen,
  onLeave,
}: {
  model: ChartModel
  slots: readonly Slot[]
  chosen: Chosen | undefined
  /** What the columns scroll in. */
  scroller: RefObject<HTMLDivElement | null>
  onOpen: (index: number) => void
  onLeave: () => void
}): ReactNode {
  const box = useRef<HTMLDivElement>(null)
  const slot = chosen === undefined ? undefined : slots[chosen.index]
  const isTouched = chosen?.by === 'touch'
  // Where it stands depends on how large it is, and on where the page is scrolled to.
  useLayoutEffect(() => {
    if (box.current === null || scroller.current === null || slot === undefined) return
    if (chosen?.by === 'keyboard') scrollTo(scroller.current, slot)
    place(box.current, scroller.current, slot)
  })
  useEffect(() => {
    if (!isTouched) return undefined
    const leave = ({ target }: PointerEvent): void => {
      if (target instanceof Node && box.current?.closest('figure')?.contains(target) !== true) onLeave()
    }
    document.addEventListener('pointerdown', leave)
    return () => document.removeEventListener('pointerdown', leave)
  }, [isTouched, onLeave])
  if (chosen === undefined || slot === undefined) return null
  return (
    <div ref={box} className="ov-tooltip" data-touch={isTouched || undefined}>
      <Tooltip model={model} index={chosen.index} segment={chosen.segment} onOpen={isTouched ? () => onOpen(chosen.index) : undefined} />
    </div>
  )
}

/** A day that is chosen by keys is in sight. */
function scrollTo(scroller: HTMLElement, { left, width }: Slot): void {
  if (left < scroller.scrollLeft) scroller.scrollLeft = left
  else if (left + width > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = left + width - scroller.clientWidth
}

/** Beside its column, and nowhere outside of the window. */
function place(box: HTMLElement, scroller: HTMLElement, slot: Slot): void {
  const origin = box.offsetParent?.getBoundingClientRect()
  if (origin === undefined) return
  const { left, top } = scroller.getBoundingClientRect()
  const start = left + slot.left - scroller.scrollLeft
  const column = { start, end: start + slot.width }
  const { clientWidth, clientHeight } = document.documentElement
  box.style.left = `${beside(column, box.offsetWidth, { start: 0, end: clientWidth }) - origin.left}px`
  box.style.top = `${clamp(top, box.offsetHeight, { start: stickyTop(), end: clientHeight }) - origin.top}px`
}

/** Height of what sticks at the window's top. */
function stickyTop(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--sticky-top')) || 0
}
