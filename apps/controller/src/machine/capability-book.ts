import type { Capabilities } from '@ascribe/cloudsigma'
import type { Clocks } from '@ascribe/kube'

/** What each region offers: read once in a while for all machines. By its host, since two tables may have one name for two places. */
export type CapabilityBook = { of(origin: string, read: () => Promise<Capabilities>): Promise<Capabilities> }

const KEPT_MS = 3_600_000

export function createCapabilityBook(clocks: Pick<Clocks, 'monotonic'>): CapabilityBook {
  const known = new Map<string, { readonly until: number; readonly answer: Promise<Capabilities> }>()
  return {
    of(origin, read) {
      const kept = known.get(origin)
      if (kept !== undefined && clocks.monotonic() < kept.until) return kept.answer
      const answer = read()
      known.set(origin, { until: clocks.monotonic() + KEPT_MS, answer })
      // Whoever asks next tries again; the one that waits is told.
      answer.catch(() => known.delete(origin))
      return answer
    },
  }
}
