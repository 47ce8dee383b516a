import { setTimeout as delay } from 'node:timers/promises'
import { tryLock } from '@ascribe/service'
import type { ProcessScope } from '@ascribe/service'
import type { Settler } from '@ascribe/settler'

/** Works until the signal fires, then makes a last pass. */
export type Worker = Pick<Settler, 'run'>

const TURN_MS = 25

/** Lets a settler work until it is disposed, which makes a last pass; one at a time on a data directory. If it breaks, the process stops. */
export function settleInBackground(
  settler: Worker,
  { lockPath, scope }: { readonly lockPath: string; readonly scope: Pick<ProcessScope, 'stop'> },
): AsyncDisposable {
  const controller = new AbortController()
  const { signal } = controller

  async function work(): Promise<void> {
    while (!signal.aborted) {
      using lock = tryLock(lockPath)
      // Awaited here: a promise that is only returned leaves this block, and the lock with it, at once.
      if (lock !== undefined) return await settler.run(signal)
      // A command that settles for itself has it for a moment, another settler for long.
      await delay(TURN_MS)
    }
  }

  const working = work().catch((error: unknown) => scope.stop(error))
  return {
    async [Symbol.asyncDispose]() {
      controller.abort()
      await working
    },
  }
}
