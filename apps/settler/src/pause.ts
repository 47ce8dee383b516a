import { setTimeout as delay } from 'node:timers/promises'

/** Waits for `ms`, for `signal`, or for `woken`, whatever comes first. Never rejects. */
export async function pause(ms: number, signal: AbortSignal, woken?: Promise<void>): Promise<void> {
  const stop = new AbortController()
  const over = delay(ms, undefined, { signal: AbortSignal.any([signal, stop.signal]) }).catch(() => {})
  await (woken === undefined ? over : Promise.race([woken, over]))
  stop.abort()
}
