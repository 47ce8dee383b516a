import { ApiRefusal } from './api-reply.ts'
import type { Knobs } from './knobs.ts'

const MINUTE_MS = 60_000
const USERS_MAX = 10_000

type Window = { start: number; calls: number; deletes: number }

/** The published limits: so many calls of one user a minute, DELETE counted apart. */
export class RateLimit {
  readonly #windows = new Map<string, Window>()

  /** Counts a call. @throws {ApiRefusal} 429 with the seconds that are left of the minute. */
  count(user: string, { method, now, knobs }: { method: string; now: number; knobs: Knobs }): void {
    const start = Math.floor(now / MINUTE_MS) * MINUTE_MS
    let window = this.#windows.get(user)
    if (window === undefined || window.start !== start) {
      if (this.#windows.size >= USERS_MAX) this.#windows.clear()
      window = { start, calls: 0, deletes: 0 }
      this.#windows.set(user, window)
    }
    const limit = method === 'DELETE' ? knobs.deleteLimitPerMinute : knobs.rateLimitPerMinute
    const used = method === 'DELETE' ? (window.deletes += 1) : (window.calls += 1)
    if (limit === 0 || used <= limit) return
    const retryAfterS = Math.max(1, Math.ceil((start + MINUTE_MS - now) / 1000))
    throw new ApiRefusal(429, 'permission', 'Request rate limit exceeded', { retryAfterS })
  }
}
