import { AssertionError } from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'

const LOOK_MS = 10
const WAIT_MS = 20_000

/** Waits for a condition; gives what it gave. `describe` says what there is instead, when it never comes. */
export async function until<T>(
  found: () => T | undefined | false | Promise<T | undefined | false>,
  describe: () => unknown = () => '',
): Promise<T> {
  const end = performance.now() + WAIT_MS
  for (;;) {
    const value = await found()
    if (value !== undefined && value !== false) return value
    if (performance.now() > end) throw new AssertionError({ message: `It did not come to pass: ${JSON.stringify(describe(), null, 1)}` })
    await delay(LOOK_MS)
  }
}
