import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/** Collects everything that nobody holds. */
export async function collectGarbage(): Promise<void> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    // The engine's own function, which the flag has just put there.
    collect = runInNewContext('gc') as () => void
  }
  // Twice: what is finalized in the first round is free in the second.
  for (let round = 0; round < 2; round += 1) {
    collect()
    await setImmediate()
  }
}

/** JavaScript's heap, garbage included. */
export function usedBytes(): number {
  return process.memoryUsage().heapUsed
}

/** Heap, and buffers outside of it. */
export function heldBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
