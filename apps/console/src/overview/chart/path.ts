/** A place in pixels of an SVG. */
export type Point = { readonly x: number; readonly y: number }

const at = ({ x, y }: Point): string => `${short(x)},${short(y)}`
/** No screen shows a thousandth of a pixel. */
const short = (value: number): number => Math.round(value * 1000) / 1000

/** Straight from point to point. Nothing without points. */
export function linePath(points: readonly Point[]): string {
  return points.length === 0 ? '' : `M${points.map(at).join('L')}`
}

/** Level from each point to where the next one is, and there up or down to it. */
export function stepPath([first, ...rest]: readonly Point[]): string {
  return first === undefined ? '' : `M${at(first)}${rest.map(({ x, y }) => `H${short(x)}V${short(y)}`).join('')}`
}

/** What lies between two lines. */
export function bandPath(points: readonly { readonly x: number; readonly low: number; readonly high: number }[]): string {
  if (points.length === 0) return ''
  const upper = points.map(({ x, high }) => ({ x, y: high }))
  const lower = points.map(({ x, low }) => ({ x, y: low })).toReversed()
  return `${linePath([...upper, ...lower])}Z`
}
