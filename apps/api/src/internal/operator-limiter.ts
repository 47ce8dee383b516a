import { Refusal } from '../errors.ts'

export type OperatorLimits = {
  /** Requests a second that one operator may make in the long run. */
  readonly ratePerSecond: number
  /** And so many at once. */
  readonly burst: number
}

type Bucket = { left: number; at: number }

/** Names that are remembered; beyond, the one that was seen longest ago is forgotten, which is whole again by then. */
const OPERATORS_MAX = 10_000

/**
 * Bounds what one operator asks for, whatever script uses the proxy's session: a bucket that fills up again. In this process; several have
 * as many buckets.
 */
export function createOperatorLimiter({ ratePerSecond, burst }: OperatorLimits, clock: () => number): (operator: string) => void {
  const buckets = new Map<string, Bucket>()
  return (operator) => {
    const now = clock()
    const before = buckets.get(operator) ?? { left: burst, at: now }
    const left = Math.min(burst, before.left + (Math.max(0, now - before.at) / 1000) * ratePerSecond)
    // Put back as the newest.
    buckets.delete(operator)
    buckets.set(operator, { left: Math.max(0, left - 1), at: now })
    if (buckets.size > OPERATORS_MAX) buckets.delete(buckets.keys().next().value ?? '')
    if (left >= 1) return
    const seconds = Math.ceil((1 - left) / ratePerSecond)
    throw new Refusal('too_many_requests', 'You ask for more than one operator may.', { headers: { 'retry-after': String(seconds) } })
  }
}
