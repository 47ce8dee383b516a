import { createHmac } from 'node:crypto'
import type { TokenClock } from './clock.ts'
import { AuditFailedError, MintThrottledError, MintUnavailableError } from './errors.ts'
import type { ImpersonationError, Reason } from './errors.ts'
import { LruMap } from './lru-map.ts'
import { backOffMs } from './windows.ts'

/** How minting goes for one owner. */
export type OwnerReport = {
  readonly ownerUuid: string
  /** Stands for the owner where a UUID would be too much, such as in a log. Differs from process to process unless a key is given. */
  readonly ownerHash: string
  readonly mints: number
  readonly refusals: number
  readonly failures: number
  readonly throttled: number
  /** Of the last thing that went wrong. */
  readonly lastReason: Reason | undefined
  /** How long nothing is minted for this owner; 0 when it may be. */
  readonly backOffMs: number
}

/** One a second, three at once: a second region or a lost token is no flood, a loop over 401 is. */
const BUCKET = { perMs: 1 / 1000, burst: 3 }
const BACK_OFF = { baseMs: 1_000, capMs: 30_000 }

/** Limits and counts of one owner. */
export class Owner {
  readonly ownerUuid: string
  mints = 0
  refusals = 0
  failures = 0
  throttled = 0
  lastReason: Reason | undefined
  #consecutive = 0
  #backOffUntil = 0
  #left: number = BUCKET.burst
  #filledAt: number

  constructor(ownerUuid: string, now: number) {
    this.ownerUuid = ownerUuid
    this.#filledAt = now
  }

  /** @throws {MintThrottledError} when this owner has to wait; takes one from the bucket otherwise */
  admit(now: number): void {
    const restMs = this.backOffMs(now)
    if (restMs > 0) this.#refuse('backing_off', restMs, 'the last attempts failed')
    this.#left = Math.min(BUCKET.burst, this.#left + (now - this.#filledAt) * BUCKET.perMs)
    this.#filledAt = now
    if (this.#left < 1) this.#refuse('owner_rate', (1 - this.#left) / BUCKET.perMs, 'this owner has had too many tokens in a short time')
    this.#left -= 1
  }

  backOffMs(now: number): number {
    return Math.max(0, this.#backOffUntil - now)
  }

  minted(): void {
    this.mints += 1
    this.#consecutive = 0
    this.#backOffUntil = 0
  }

  /** Remembers that it went wrong, and waits before the next time where the peer is in trouble with this owner. */
  failed(
    error: ImpersonationError,
    { now, random, isRefusal }: { readonly now: number; readonly random: number; readonly isRefusal: boolean },
  ): void {
    this.lastReason = error.reason
    if (isRefusal) this.refusals += 1
    else this.failures += 1
    if (!isBackingOff(error)) return
    const ownMs = backOffMs(this.#consecutive, { ...BACK_OFF, random })
    this.#consecutive += 1
    this.#backOffUntil = Math.max(this.#backOffUntil, now + Math.max(ownMs, error.retryAfterMs ?? 0))
  }

  #refuse(reason: 'backing_off' | 'owner_rate', waitMs: number, why: string): never {
    this.throttled += 1
    this.lastReason = reason
    const retryAfterMs = Math.max(1, Math.ceil(waitMs))
    throw new MintThrottledError(`Cannot mint a token for this owner for ${retryAfterMs} ms: ${why}`, {
      step: 'local',
      reason,
      retryAfterMs,
    })
  }
}

/** The network and open circuits are the breaker's business. A journal of audit records that is away must not burn tokens. */
function isBackingOff(error: ImpersonationError): boolean {
  if (error instanceof AuditFailedError) return true
  if (!(error instanceof MintUnavailableError) || (error.step !== 'impersonate' && error.step !== 'profile')) return false
  return error.reason === 'rate_limited' || error.reason === 'server_error' || error.reason === 'timeout'
}

export type Owners = {
  at(ownerUuid: string): Owner
  hashOf(ownerUuid: string): string
  report(): OwnerReport[]
}

export function createOwners({
  clock,
  hashKey,
  max,
}: {
  readonly clock: TokenClock
  readonly hashKey: Buffer
  readonly max: number
}): Owners {
  const owners = new LruMap<Owner>(max)
  const hashOf = (ownerUuid: string): string => createHmac('sha256', hashKey).update(ownerUuid).digest('hex').slice(0, 16)
  return {
    at: (ownerUuid) => owners.at(ownerUuid, () => new Owner(ownerUuid, clock.monotonicMs())),
    hashOf,
    report() {
      const now = clock.monotonicMs()
      return Array.from(owners.entries(), ([ownerUuid, owner]) => {
        const { mints, refusals, failures, throttled, lastReason } = owner
        return {
          ownerUuid,
          ownerHash: hashOf(ownerUuid),
          mints,
          refusals,
          failures,
          throttled,
          lastReason,
          backOffMs: Math.ceil(owner.backOffMs(now)),
        }
      })
    },
  }
}
