import type { Capabilities } from '@ascribe/cloudsigma'
import type { Clocks } from '@ascribe/kube'

/** What each region offers: read once in a while for all machines. */
export type CapabilityBook = { of(region: string, read: () => Promise<Capabilities>): Promise<Capabilities> }

const KEPT_MS = 3_600_000

export function createCapabilityBook(clocks: Pick<Clocks, 'monotonic'>): CapabilityBook {
  const known = new Map<string, { readonly until: number; readonly answer: Promise<Capabilities> }>()
  return {
    of(region, read) {
      const kept = known.get(region)
      if (kept !== undefined && clocks.monotonic() < kept.until) return kept.answer
      const answer = read()
      known.set(region, { until: clocks.monotonic() + KEPT_MS, answer })
      // Whoever asks next tries again; the one that waits is told.
      answer.catch(() => known.delete(region))
      return answer
    },
  }
}
