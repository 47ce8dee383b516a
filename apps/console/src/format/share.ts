import { MINUS, NBSP, NOTHING, grouped, sizeOf } from './digits.ts'

/** Tenths of a per cent, half away from zero. `whole` is not zero. */
function tenths(part: bigint, whole: bigint): bigint {
  const size = sizeOf(whole)
  const signed = whole < 0n ? -part : part
  const rounded = (sizeOf(signed) * 2000n + size) / (size * 2n)
  return signed < 0n ? -rounded : rounded
}

function percent(count: bigint): string {
  const text = sizeOf(count).toString().padStart(2, '0')
  return `${count < 0n ? MINUS : ''}${grouped(text.slice(0, -1))}.${text.slice(-1)}${NBSP}%`
}

/** A part of a whole with one decimal: `34.0 %`, `< 0.1 %`. Of a whole that is zero: `0.0 %`. */
export function formatShare(part: bigint, whole: bigint): string {
  if (whole === 0n || part === 0n) return percent(0n)
  const count = tenths(part, whole)
  if (count === 0n) return part < 0n === whole < 0n ? `<${NBSP}0.1${NBSP}%` : `>${NBSP}${MINUS}0.1${NBSP}%`
  // Not the whole, though it rounds to it.
  if (count === 1000n && part !== whole) return `>${NBSP}99.9${NBSP}%`
  return percent(count)
}

export type ChangeDirection = 'up' | 'down' | 'same' | 'new' | 'none'

/** How a value stands to the one before. */
export type Change = { readonly direction: ChangeDirection; readonly text: string; readonly spoken: string }

/** Beyond, a percentage says nothing. */
const PERCENT_MAX = 99_999n

/** The change against the time before: `▲ 8.2 %`, `new` where there was nothing, `–` where neither is anything or nothing can be said. */
export function changeOf(now: bigint, before: bigint | undefined): Change {
  if (before === undefined || (now === 0n && before === 0n)) return { direction: 'none', text: NOTHING, spoken: 'no comparison' }
  if (before === 0n) return { direction: 'new', text: 'new', spoken: 'new' }
  // Per cent of an amount below zero has no meaning that people agree on.
  if (before < 0n || now < 0n) return { direction: 'none', text: NOTHING, spoken: 'no comparison' }
  const count = tenths(now - before, before)
  if (now === before) return { direction: 'same', text: percent(0n), spoken: 'unchanged' }
  const direction = now > before ? 'up' : 'down'
  const mark = direction === 'up' ? '▲' : '▼'
  const size = sizeOf(count)
  const text =
    size === 0n ? `<${NBSP}0.1${NBSP}%` : size > PERCENT_MAX * 10n ? `>${NBSP}${grouped(String(PERCENT_MAX))}${NBSP}%` : percent(size)
  return { direction, text: `${mark}${NBSP}${text}`, spoken: `${direction} ${text}` }
}
