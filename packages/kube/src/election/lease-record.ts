import type { Lease, LeaseSpec } from '../resources.ts'

/** RFC 3339 with microseconds, as MicroTime wants. */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z')
}

/** What the others wrote, judged by our own clock from when we saw it change: their clocks do not matter. */
export type Observed = { readonly lease: Lease; readonly at: number }

/** Whether another holder's lease has run out, by our monotonic clock. A lease without holder, or that was released, is free. */
export function isFree({ lease, at }: Observed, now: number): boolean {
  const { holderIdentity = '', leaseDurationSeconds } = lease.spec ?? {}
  if (holderIdentity === '') return true
  return now >= at + (leaseDurationSeconds ?? DURATION_S_DEFAULT) * 1000
}

/** For a lease that does not say. */
const DURATION_S_DEFAULT = 15

type Wish = { readonly identity: string; readonly leaseMs: number; readonly wall: number }

/** The lease as we want it to stand. */
export function heldSpec(current: LeaseSpec | undefined, { identity, leaseMs, wall }: Wish): LeaseSpec {
  const isOurs = current?.holderIdentity === identity
  const now = microTime(wall)
  const acquireTime = isOurs ? (current.acquireTime ?? now) : now
  const transitions = current?.leaseTransitions ?? 0
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseMs / 1000),
    acquireTime,
    renewTime: now,
    leaseTransitions: isOurs || current === undefined ? transitions : transitions + 1,
  }
}

/** Given back: client-go too writes one second and no holder. */
export function releasedSpec(current: LeaseSpec, wall: number): LeaseSpec {
  const now = microTime(wall)
  return { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now, leaseTransitions: current.leaseTransitions ?? 0 }
}

export function isSameRecord(one: Lease, other: Lease): boolean {
  const [a, b] = [one.spec ?? {}, other.spec ?? {}]
  return (
    a.holderIdentity === b.holderIdentity &&
    a.renewTime === b.renewTime &&
    a.acquireTime === b.acquireTime &&
    a.leaseTransitions === b.leaseTransitions
  )
}
