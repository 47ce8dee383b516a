import type { Series } from './breakdown.ts'
import { sizeOf } from '../format/digits.ts'

/** What changed a total: one key, or everything that is not named. */
export type Driver = { readonly key: string | undefined; readonly now: bigint; readonly before: bigint; readonly change: bigint }

export type Drivers = {
  /** By absolute change, largest first; at the end, without a key, everything else if there is any. They add up to the difference, exactly. */
  readonly list: readonly Driver[]
  readonly change: bigint
}

const DRIVERS_MAX = 10

/** Which keys moved a total from one time to another; keys that are gone and keys that are new count as those that changed. */
export function driversOf(now: readonly Series[], before: readonly Series[]): Drivers {
  const was = new Map(before.map(({ key, total }) => [key, total]))
  const all: Driver[] = now.map(({ key, total }) => driver(key, total, was.get(key) ?? 0n))
  const here = new Set(now.map(({ key }) => key))
  for (const { key, total } of before) if (!here.has(key)) all.push(driver(key, 0n, total))
  const ranked = all
    .filter(({ change }) => change !== 0n)
    .toSorted((one, other) => {
      const [a, b] = [sizeOf(one.change), sizeOf(other.change)]
      return a > b ? -1 : a < b ? 1 : (one.key ?? '') < (other.key ?? '') ? -1 : 1
    })
  const rest = ranked.slice(DRIVERS_MAX)
  const others = rest.reduce((sum, each) => driver(undefined, sum.now + each.now, sum.before + each.before), driver(undefined, 0n, 0n))
  return {
    list: rest.length === 0 ? ranked : [...ranked.slice(0, DRIVERS_MAX), others],
    change: all.reduce((sum, { change }) => sum + change, 0n),
  }
}

function driver(key: string | undefined, now: bigint, before: bigint): Driver {
  return { key, now, before, change: now - before }
}
