import { setTimeout as delay } from 'node:timers/promises'
import { RateBucket } from './rate-bucket.ts'
import type { Monotonic } from './rate-bucket.ts'

/** What the cloud publishes, and what we add. One pace for everything that calls as one account in one region. */
export type CloudLimits = {
  /** Calls at a time; more wait in order. Default 8. */
  readonly inFlightMax?: number
  /** Calls that may wait; one more fails at once as `rateLimit`. Default 1000. */
  readonly queueMax?: number
  /** GET, POST and PUT together. Default 10,000, as published. */
  readonly callsPerMinute?: number
  /** DELETE. Default 1000, as published. */
  readonly deletesPerMinute?: number
}

/** A call cannot go in time: the queue is full, or its deadline is before its turn. */
export class PaceExceeded extends Error {
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super('the limit of calls is reached')
    this.retryAfterMs = retryAfterMs
  }
}

export type Pace = {
  /**
   * Waits for this call's turn and gives what ends it. `patienceMs` is how long it can wait at most.
   * @throws {PaceExceeded} at once when that cannot be kept
   */
  enter(method: string, options: { readonly patienceMs: number; readonly signal: AbortSignal }): Promise<Disposable>
  /** The cloud asked for a pause: nothing goes for so long. */
  pause(forMs: number): void
}

export type Wait = (ms: number, signal: AbortSignal) => Promise<void>

export const waitFor: Wait = (ms, signal) => delay(ms, undefined, { signal })

export type PaceOptions = CloudLimits & { readonly now: Monotonic; readonly wait: Wait }

/** Makes a pace. Pass one to several clients that act as the same account in the same region. */
export function createPace(options: PaceOptions): Pace {
  const { inFlightMax = 8, queueMax = 1000, callsPerMinute = 10_000, deletesPerMinute = 1000, now, wait } = options
  const buckets = { calls: new RateBucket(callsPerMinute, now()), deletes: new RateBucket(deletesPerMinute, now()) }
  const waiting = new Set<() => void>()
  let inFlight = 0
  let pausedUntil = 0

  function release(): void {
    const [next] = waiting
    if (next === undefined) {
      inFlight -= 1
      return
    }
    // The place passes on: were it given back first, somebody could slip in before its new holder runs.
    waiting.delete(next)
    next()
  }

  async function slot(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (inFlight < inFlightMax) {
      inFlight += 1
      return
    }
    if (waiting.size >= queueMax) throw new PaceExceeded(0)
    const turn = Promise.withResolvers<void>()
    const leave = (): void => {
      waiting.delete(turn.resolve)
      turn.reject(signal.reason)
    }
    waiting.add(turn.resolve)
    signal.addEventListener('abort', leave, { once: true })
    try {
      await turn.promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  return {
    async enter(method, { patienceMs, signal }) {
      const bucket = method === 'DELETE' ? buckets.deletes : buckets.calls
      const at = now()
      const waitMs = Math.max(bucket.waitMs(at), pausedUntil - at)
      if (waitMs > patienceMs) throw new PaceExceeded(waitMs)
      bucket.take(at)
      if (waitMs > 0) await wait(waitMs, signal)
      await slot(signal)
      return { [Symbol.dispose]: once(release) }
    },
    pause(forMs) {
      pausedUntil = Math.max(pausedUntil, now() + forMs)
    },
  }
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    action()
  }
}
