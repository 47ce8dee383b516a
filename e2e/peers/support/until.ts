import { setTimeout as delay } from 'node:timers/promises'

const PATIENCE_MS = 20_000
const POLL_MS = 20

/** Waits for a state of another process, which tells nobody when it gets there. @throws with `what` when it does not */
export async function until(
  holds: () => Promise<boolean>,
  what: string,
  { patienceMs = PATIENCE_MS }: { readonly patienceMs?: number } = {},
): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${patienceMs / 1000} s in vain until ${what}`)
    await delay(POLL_MS)
  }
}
