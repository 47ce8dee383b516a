import { NBSP, compact, fixed, grouped, sizeOf } from './digits.ts'

/** From here on a table says M or B: six digits are read as fast as two, nine are not. */
const FULL_BELOW = 100_000n
const BILLION = 1_000_000_000n
const TRILLION = 1_000_000_000_000n

/** A count for a table: all digits below 100,000, else millions or billions with one decimal: `432.6 M`. Its exact value stands in a hint. */
export function formatCount(count: bigint): string {
  const size = sizeOf(count)
  if (size < FULL_BELOW) return fixed(count, { places: 0, shown: 0 })
  // 999,950,000 and more would be 1,000.0 M.
  if (size < BILLION - 50_000n) return `${fixed(count, { places: 6, shown: 1 })}${NBSP}M`
  if (size < TRILLION - 50_000_000n) return `${fixed(count, { places: 9, shown: 1 })}${NBSP}B`
  return `${fixed(count, { places: 12, shown: 1 })}${NBSP}T`
}

/** All digits, for hints: `432,600,118`. */
export function formatCountExact(count: bigint): string {
  return `${count < 0n ? '\u2212' : ''}${grouped(sizeOf(count).toString())}`
}

/** A count on an axis: `432 M`, `1.2 k`. */
export function formatCountCompact(count: bigint): string {
  return compact(count, { places: 0, gap: NBSP })
}

/** Bytes of a file, for progress: `1.4 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes}${NBSP}B`
  if (bytes < 1_000_000) return `${fixed(BigInt(bytes), { places: 3, shown: 0 })}${NBSP}kB`
  return `${fixed(BigInt(bytes), { places: 6, shown: 1 })}${NBSP}MB`
}
