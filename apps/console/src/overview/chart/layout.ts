import { scaleLinear } from 'd3-scale'
import type { ScaleLinear } from 'd3-scale'

/** Pixels around the plot. */
export const MARGIN = { top: 14, bottom: 26, left: 60, right: 10 } as const
/** Bars are this part of their slot, and no wider than this. */
const BAR_PART = 0.72
const BAR_MAX = 28
/** Between labels of days, so that no two touch. */
const LABEL_PITCH = 64
/** Days in view on a phone; the others are swiped to. */
export const PHONE_DAYS = 14

export type Slot = {
  readonly left: number
  readonly width: number
  readonly center: number
  readonly barLeft: number
  readonly barWidth: number
}

/** Where each day stands. */
export function slotsOf(count: number, width: number): readonly Slot[] {
  const slot = width / Math.max(1, count)
  const barWidth = Math.max(1, Math.min(BAR_MAX, slot * BAR_PART))
  return Array.from({ length: count }, (_, index) => {
    const left = index * slot
    const center = left + slot / 2
    return { left, width: slot, center, barLeft: center - barWidth / 2, barWidth }
  })
}

/** Values to pixels. Only here a value becomes a floating number: where a line stands needs no cents. */
export type ValueScale = {
  readonly y: (value: bigint) => number
  readonly ticks: readonly { readonly value: bigint; readonly at: number }[]
}

/** `top` and `bottom` are the furthest values; zero is always in. All zero: an axis from zero to `one`. */
export function valueScale(
  { top, bottom, one }: { readonly top: bigint; readonly bottom: bigint; readonly one: bigint },
  { height, count }: { readonly height: number; readonly count: number },
): ValueScale {
  const isEmpty = top <= 0n && bottom >= 0n
  const scale: ScaleLinear<number, number> = scaleLinear()
    .domain([Number(bottom < 0n ? bottom : 0n), Number(isEmpty ? one : top)])
    .range([height - MARGIN.bottom, MARGIN.top])
    .nice(isEmpty ? 1 : count)
  return {
    y: (value) => scale(Number(value)),
    // A count has no half.
    ticks: scale
      .ticks(isEmpty ? 1 : count)
      .filter((tick) => Number.isInteger(tick))
      .map((tick) => ({ value: BigInt(tick), at: scale(tick) })),
  }
}

/** Which days have a label: the last, and from there every so many, as many as there is room for. `wide`: the last takes twice the room. */
export function labelledDays(count: number, width: number, wide: boolean): readonly number[] {
  if (count === 0) return []
  const step = Math.max(1, Math.ceil((LABEL_PITCH * count) / Math.max(1, width)))
  const found: number[] = []
  for (let index = count - 1; index >= 0; index -= step) {
    if (wide && index !== count - 1 && (count - 1 - index) * (width / count) < LABEL_PITCH * 1.6) continue
    found.push(index)
  }
  return found.toReversed()
}

/** A bar's outline with its outer corners rounded. `y` is the smaller one; `outer` says on which side the stack ends. */
export function barPath(
  { x, y, width, height }: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  outer: 'top' | 'bottom' | 'none',
): string {
  const radius = outer === 'none' ? 0 : Math.min(2, width / 2, height)
  const [right, bottom] = [x + width, y + height]
  if (radius === 0) return `M${x},${y}H${right}V${bottom}H${x}Z`
  return outer === 'top'
    ? `M${x},${bottom}V${y + radius}Q${x},${y} ${x + radius},${y}H${right - radius}Q${right},${y} ${right},${y + radius}V${bottom}Z`
    : `M${x},${y}H${right}V${bottom - radius}Q${right},${bottom} ${right - radius},${bottom}H${x + radius}Q${x},${bottom} ${x},${bottom - radius}Z`
}
