import { MintThrottledError } from './errors.ts'

/** Lets so many in at a time; the others wait in the order in which they came. */
export type Turnstile = {
  /** @returns what gives the place back. Rejects with the signal's reason, or at once when the queue is full. */
  enter(signal: AbortSignal): Promise<() => void>
  readonly inside: number
  readonly waiting: number
}

export function createTurnstile({ insideMax, waitingMax }: { readonly insideMax: number; readonly waitingMax: number }): Turnstile {
  let inside = 0
  const queue = new Set<() => void>()
  const leave = (): void => {
    const [next] = queue
    if (next === undefined) inside -= 1
    else {
      // The place goes over to the next one, so that nobody who comes now gets in between.
      queue.delete(next)
      next()
    }
  }
  const once = (): (() => void) => {
    let hasLeft = false
    return () => {
      if (!hasLeft) leave()
      hasLeft = true
    }
  }
  return {
    async enter(signal) {
      signal.throwIfAborted()
      if (inside < insideMax) {
        inside += 1
        return once()
      }
      if (queue.size >= waitingMax)
        throw new MintThrottledError(`Cannot mint a token now: ${queue.size} others wait for their turn`, {
          step: 'local',
          reason: 'queue_full',
          retryAfterMs: 1_000,
        })
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      queue.add(resolve)
      const onAbort = (): void => {
        // Not when the place has been handed over already: then it is ours to give back.
        if (queue.delete(resolve)) reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      await promise.finally(() => signal.removeEventListener('abort', onAbort))
      return once()
    },
    get inside() {
      return inside
    },
    get waiting() {
      return queue.size
    },
  }
}
