import type { Clocks } from '@ascribe/kube'
import { BrokerRefusal } from './refusals.ts'

/** A driver that attaches fifty volumes at once passes; one that spins does not. */
const BURST = 50
const PER_SECOND = 10
const REMEMBERED_MAX = 2000

/** So many requests for each program: one that spins must not use up its owner's rate at the cloud. */
export function createTurns(clocks: Clocks): { take(program: string): void } {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    take(program) {
      const now = clocks.monotonic()
      const known = buckets.get(program) ?? { tokens: BURST, at: now }
      const tokens = Math.min(BURST, known.tokens + ((now - known.at) / 1000) * PER_SECOND)
      buckets.delete(program)
      buckets.set(program, { tokens: Math.max(0, tokens - 1), at: now })
      const oldest = buckets.size > REMEMBERED_MAX ? buckets.keys().next().value : undefined
      if (oldest !== undefined) buckets.delete(oldest)
      if (tokens < 1) throw new BrokerRefusal(429, 'rate', { message: 'Cannot answer so many requests', retryAfterS: 1 })
    },
  }
}
