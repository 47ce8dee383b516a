import { setTimeout as delay } from 'node:timers/promises'

/** Waits for `ms`, for `signal`, or for `woken`, whatever comes first. Never rejects. */
export async function pause(ms: number, signal: AbortSignal, woken?: Promise<void>): Promise<void> {
  const stop = new AbortController()
  const over = delay(ms, undefined, { signal: AbortSignal.any([signal, stop.signal]) }).catch(() => {})
  await (woken === undefined ? over : Promise.race([woken, over]))
  stop.abort()
}

const BACK_OFF_MS = [100, 250, 500, 1000, 2000] as const
const BACK_OFF_MS_MAX = 5000

/** Waits after the failure number `failures`, counted from 0: 0.1 s at first, 5 s in the end, less when `signal` fires. Never rejects. */
export async function backOff(failures: number, signal: AbortSignal): Promise<void> {
  await pause(BACK_OFF_MS[failures] ?? BACK_OFF_MS_MAX, signal)
}
