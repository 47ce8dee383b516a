import type { TokenClock } from './clock.ts'
import { MintUnavailableError } from './errors.ts'

/** One piece of work that any number of callers wait for. */
export type Flight<T> = {
  /** Waits for the result, or leaves when `signal` aborts. The last to leave ends the work; nobody else's leaving does. */
  join(signal?: AbortSignal): Promise<T>
  /** Ends the work, for everybody. */
  abort(reason: Error): void
  readonly waiters: number
  /** It was ended and only has to land: who comes now starts another one. */
  readonly isEnding: boolean
}

export type FlightOptions = {
  readonly clock: TokenClock
  /** The work's own deadline; it does not depend on who waits. */
  readonly deadlineMs: number
  /** Told whenever somebody joins or leaves. */
  readonly onWaiters?: (change: 1 | -1) => void
}

/** Starts the work at once. The promise it makes is always handled, also when nobody joins. */
export function startFlight<T>(work: (signal: AbortSignal) => Promise<T>, options: FlightOptions): Flight<T> {
  const { clock, deadlineMs, onWaiters } = options
  const ending = new AbortController()
  let waiters = 0
  let isLanded = false
  const disarm = clock.schedule(deadlineMs, () => ending.abort(tooLong(deadlineMs)))
  // Work that does not listen, such as somebody else's audit sink, holds nobody up beyond the deadline.
  const result = unlessAborted(work(ending.signal), ending.signal).finally(() => {
    isLanded = true
    disarm()
  })
  result.catch(() => {})

  const leave = (): void => {
    waiters -= 1
    onWaiters?.(-1)
    if (waiters === 0 && !isLanded) ending.abort(new DOMException('Nobody waits for this token any more', 'AbortError'))
  }
  return {
    async join(signal) {
      signal?.throwIfAborted()
      waiters += 1
      onWaiters?.(1)
      try {
        return await (signal === undefined ? result : unlessAborted(result, signal))
      } finally {
        leave()
      }
    },
    abort: (reason) => ending.abort(reason),
    get waiters() {
      return waiters
    },
    get isEnding() {
      return ending.signal.aborted
    },
  }
}

/** Gives the result, or rejects with the signal's reason when that comes first. The work itself is not ended by it. */
export function unlessAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const onAbort = (): void => reject(signal.reason as Error)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  result.then(resolve, reject)
  return promise.finally(() => signal.removeEventListener('abort', onAbort))
}

function tooLong(deadlineMs: number): MintUnavailableError {
  return new MintUnavailableError(`Cannot mint a token: it took longer than ${deadlineMs} ms`, { step: 'local', reason: 'timeout' })
}

/** Runs something under a signal that also aborts after `deadlineMs`. */
export async function withDeadline<T>(
  { signal, clock, deadlineMs }: { readonly signal: AbortSignal; readonly clock: TokenClock; readonly deadlineMs: number },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController()
  const disarm = clock.schedule(deadlineMs, () => ending.abort(tooLong(deadlineMs)))
  try {
    return await run(AbortSignal.any([signal, ending.signal]))
  } finally {
    disarm()
  }
}

/** Waits on the given clock. Rejects with the signal's reason when that comes first. */
export function pause(delayMs: number, { clock, signal }: { clock: TokenClock; signal: AbortSignal }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.schedule(delayMs, resolve)
  const onAbort = (): void => {
    cancel()
    reject(signal.reason as Error)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return promise.finally(() => signal.removeEventListener('abort', onAbort))
}
