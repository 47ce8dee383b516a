import { FencedError } from '../errors.ts'
import type { Clocks } from '../clocks.ts'
import type { Fence } from './types.ts'

/** Passes always: for a process that was started without leader election, which whoever starts two of has to answer for. */
export const openFence: Fence = { check: () => {}, remainingMs: () => Number.MAX_SAFE_INTEGER }

/** When a lease ends, by both clocks, counted from before the request that took it was sent. */
export type LeaseEnd = { readonly monotonic: number; readonly wall: number }

/**
 * A lease that was taken at `t` for `d` is seen by the others at some time after `t`, and they wait for `d` from there by their own
 * clocks; so nobody else may lead before `t + d`. A request that is begun while `now + deadline + margin < t + d` is over by then. The
 * wall clock is asked too: the monotonic one stands still while a machine sleeps.
 */
export function createFence(options: {
  readonly clocks: Clocks
  readonly marginMs: number
  readonly leaseEnd: () => LeaseEnd | undefined
}): Fence {
  const { clocks, marginMs, leaseEnd } = options
  const remainingMs = (): number => {
    const end = leaseEnd()
    if (end === undefined) return -Infinity
    return Math.min(end.monotonic - clocks.monotonic(), end.wall - clocks.wall()) - marginMs
  }
  return {
    remainingMs,
    check(deadlineMs) {
      const left = remainingMs()
      if (left > deadlineMs) return
      const why =
        left === -Infinity
          ? 'this process does not hold the lease'
          : `the lease is ours for ${Math.round(left)} ms more, and it may take ${deadlineMs} ms`
      throw new FencedError(`Cannot act: ${why}`)
    },
  }
}
