import { backOffMs } from './windows.ts'

/** `closed`: everybody passes. `open`: nobody. `half_open`: one probe is under way, nobody else passes. */
export type BreakerState = 'closed' | 'open' | 'half_open'
type Event = 'success' | 'failure' | 'tripped' | 'rest_over' | 'probe_lost'

/** What follows what. `failure` below the threshold leaves a closed breaker closed: then it is no `tripped`. */
const TRANSITIONS: Readonly<Record<BreakerState, Readonly<Record<Event, BreakerState>>>> = {
  closed: { success: 'closed', failure: 'closed', tripped: 'open', rest_over: 'closed', probe_lost: 'closed' },
  // Calls that were under way when it opened come back here, and change nothing: the probe decides.
  open: { success: 'open', failure: 'open', tripped: 'open', rest_over: 'half_open', probe_lost: 'open' },
  half_open: { success: 'closed', failure: 'open', tripped: 'open', rest_over: 'half_open', probe_lost: 'open' },
}

const FAILURES_MAX = 5
const REST_MS_BASE = 10_000
const REST_MS_MAX = 60_000

/** Leaves a peer alone that fails again and again, and asks once in a while whether it is back. Pure but for its own state. */
export class Breaker {
  #state: BreakerState = 'closed'
  #failures = 0
  #rests = 0
  #restUntil = 0

  get state(): BreakerState {
    return this.#state
  }

  /** How long it lets nobody through from `now` on; 0 when the next one may try. */
  restMs(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#restUntil - now) : 0
  }

  /** Whether the caller may call, and then has to report how it went. After a rest exactly one may. */
  tryEnter(now: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'half_open' || this.#restUntil > now) return false
    this.#state = TRANSITIONS[this.#state].rest_over
    return true
  }

  succeeded(): void {
    this.#state = TRANSITIONS[this.#state].success
    if (this.#state === 'closed') this.#failures = this.#rests = 0
  }

  /** @param retryAfterMs what the peer itself asked for: it is left alone for so long at once */
  failed(now: number, { random, retryAfterMs }: { readonly random: number; readonly retryAfterMs?: number | undefined }): void {
    this.#failures += 1
    const isTripped = this.#failures >= FAILURES_MAX || retryAfterMs !== undefined
    const wasOpen = this.#state === 'open'
    this.#state = TRANSITIONS[this.#state][isTripped ? 'tripped' : 'failure']
    if (this.#state !== 'open' || (wasOpen && retryAfterMs === undefined)) return
    // Half of the rest is certain, the other half is jitter: a probe at once would be no rest.
    const full = Math.min(REST_MS_MAX, REST_MS_BASE * 2 ** Math.min(this.#rests, 10))
    this.#rests += 1
    this.#restUntil = now + Math.max(retryAfterMs ?? 0, full / 2 + backOffMs(0, { baseMs: full / 2, capMs: full, random }))
  }

  /** The call ended without saying anything about the peer: its caller left. */
  abandoned(now: number): void {
    if (this.#state === 'half_open') this.#restUntil = now
    this.#state = TRANSITIONS[this.#state].probe_lost
  }
}
