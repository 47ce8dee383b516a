import { hourOf } from '@ascribe/units'
import type { Instant, Quantity } from '@ascribe/units'
import type { Level } from './level.ts'
import type { Stretch } from './stretches.ts'

const HOUR_MS = 3_600_000n
/** Meters count in 10^-6 of what their names say (ADR 0088). */
const SCALE = 1_000_000n

/** The meters of a machine: what of its level each counts, and how much of that makes one unit. In this order their remainders are kept. */
const METERS: readonly { readonly meter: string; readonly unit: bigint; readonly of: (level: Level) => number }[] = [
  { meter: 'vm_cpu_mhz_hours', unit: 1n, of: ({ cpu }) => cpu },
  { meter: 'vm_memory_mib_hours', unit: 1n << 20n, of: ({ mem }) => mem },
  { meter: 'vm_disk_gib_hours', unit: 1n << 30n, of: ({ disk }) => disk },
  { meter: 'vm_ip_hours', unit: 1n, of: ({ ip }) => ip },
]

export const NO_REST: readonly bigint[] = METERS.map(() => 0n)

/** A part of a stretch within one UTC hour, and what it comes to. */
export type Part = Stretch & { readonly meters: Readonly<Record<string, Quantity>> }

/**
 * Cuts stretches at UTC hours and counts each part. What does not make a whole unit is carried to the next part, so that all parts of a life add
 * up to what the life comes to, less than one unit short. `rest`: of what came before; the answer has what is left.
 */
export function partsOf(
  stretches: readonly Stretch[],
  rest: readonly bigint[],
): { readonly parts: readonly Part[]; readonly rest: readonly bigint[] } {
  const parts: Part[] = []
  let left = rest
  for (const stretch of stretches.flatMap(byHour)) {
    const ms = BigInt(stretch.end - stretch.start)
    const counted = METERS.map(({ meter, unit, of }, index) => {
      const sum = (left[index] ?? 0n) + BigInt(of(stretch.level)) * ms * SCALE
      const whole = unit * HOUR_MS
      return { meter, quantity: sum / whole, rest: sum % whole, isUsed: of(stretch.level) > 0 }
    })
    left = counted.map((each) => each.rest)
    const meters = Object.fromEntries(counted.filter(({ isUsed }) => isUsed).map(({ meter, quantity }) => [meter, quantity]))
    // A stopped machine without drives uses nothing: there is nothing to write down.
    if (Object.keys(meters).length > 0) parts.push({ ...stretch, meters })
  }
  return { parts, rest: left }
}

/** The parts of a stretch that lie in one UTC hour each. */
function byHour(stretch: Stretch): readonly Stretch[] {
  const parts: Stretch[] = []
  for (let start: Instant = stretch.start; start < stretch.end;) {
    const end = Math.min(stretch.end, hourOf(start).end)
    parts.push({ ...stretch, start, end })
    start = end
  }
  return parts
}
