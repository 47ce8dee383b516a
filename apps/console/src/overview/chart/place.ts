/** Pixels between a column and what is said of it, and between that and the edge of the window. */
const GAP = 8

/** A side of something, in pixels of the window. */
type Span = { readonly start: number; readonly end: number }

/**
 * Where the words for a column begin: beside it, on the side where there is more room, and never outside of what can be seen. What is larger than
 * the window begins at its edge.
 */
export function beside({ start, end }: Span, size: number, room: Span): number {
  const before = start - GAP - size
  const after = end + GAP
  const wanted = (start + end) / 2 > (room.start + room.end) / 2 ? before : after
  return clamp(wanted, size, room)
}

/** As near to where it would be as the window allows. */
export function clamp(wanted: number, size: number, { start, end }: Span): number {
  return Math.max(start + GAP, Math.min(wanted, end - GAP - size))
}
