import type { KubeFault, KubeFaultEffect, KubeFaultMatch, KubeLogEntry } from './types.ts'

export type Faults = {
  add(fault: KubeFault): Disposable
  /** What shall happen to a request; counts it. */
  meet(entry: KubeLogEntry): KubeFaultEffect[]
}

export function createFaults(random: () => number): Faults {
  const faults = new Set<{ readonly fault: KubeFault; left: number }>()
  return {
    add(fault) {
      const armed = { fault, left: fault.times ?? Infinity }
      faults.add(armed)
      return { [Symbol.dispose]: () => void faults.delete(armed) }
    },
    meet(entry) {
      const met = [...faults].filter(({ fault }) => matches(fault.match ?? {}, entry) && random() < (fault.probability ?? 1))
      for (const armed of met) {
        armed.left -= 1
        if (armed.left <= 0) faults.delete(armed)
      }
      return met.map(({ fault }) => fault.effect)
    },
  }
}

function matches(match: KubeFaultMatch, entry: KubeLogEntry): boolean {
  const { verb, ...fields } = match
  if (verb !== undefined && !(typeof verb === 'string' ? [verb] : verb).includes(entry.verb)) return false
  return Object.entries(fields).every(([name, value]) => value === undefined || entry[name as keyof typeof fields] === value)
}
