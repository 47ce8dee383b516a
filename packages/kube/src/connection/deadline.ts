import type { Clocks } from '../clocks.ts'

/** Our own deadline passed; tells it from an abort of the caller's. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed'
}

export type Deadline = Disposable & {
  readonly signal: AbortSignal
  /** Begins the time anew. */
  restart(ms: number): void
}

/** Aborts after so long, or with the caller's signal. Disposing leaves no timer and no listener behind. */
export function startDeadline(clocks: Clocks, ms: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController()
  const passed = (): void => controller.abort(new DeadlinePassed('The deadline has passed'))
  const onAbort = (): void => controller.abort(caller?.reason)
  if (caller?.aborted === true) onAbort()
  caller?.addEventListener('abort', onAbort, { once: true })
  let timer = clocks.timer(ms, passed)
  return {
    signal: controller.signal,
    restart(next) {
      timer[Symbol.dispose]()
      timer = clocks.timer(next, passed)
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]()
      caller?.removeEventListener('abort', onAbort)
    },
  }
}
