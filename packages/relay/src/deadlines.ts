import { OpenSessions } from './open-sessions.ts'
import type { Listed } from './open-sessions.ts'

/** What may have to be done by some instant. */
export type Timed = Listed & {
  /** On the scale of `performance.now()`; 0: nothing is waited for. */
  deadlineMs: number
  /** The deadline has passed. */
  timedOut(): void
}

/** Time-outs are noticed up to a quarter of their length late, and at most this much. */
const CHECK_MS_MAX = 1_000
const CHECK_MS_MIN = 5

/**
 * The deadlines of many connections, looked at all together now and then. To set one is to write a number: a timer of node's
 * for each request costs more than reading its head does, and hardly any of these ever runs out.
 *
 * Time in which this process did not run is nobody's silence: what has come meanwhile waits in the kernel. So a look that comes late
 * moves every deadline by as much, and a deadline that has passed counts only when everything that had come by then has been read.
 */
export class Deadlines<T extends Timed> {
  readonly #members = new OpenSessions<T>()
  #checkMs = CHECK_MS_MAX
  #checkedAt = 0
  #timer: NodeJS.Timeout | undefined
  #isActing = false

  add(member: T): void {
    this.#members.add(member)
    this.#timer ??= this.#start()
  }

  remove(member: T): void {
    this.#members.remove(member)
  }

  all(): T[] {
    return this.#members.all()
  }

  /** Says that deadlines this far away will be set. */
  expect(timeoutMs: number): void {
    const checkMs = Math.min(CHECK_MS_MAX, Math.max(CHECK_MS_MIN, Math.ceil(timeoutMs / 4)))
    if (checkMs >= this.#checkMs) return
    this.#checkMs = checkMs
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = this.#start()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #start(): NodeJS.Timeout {
    this.#checkedAt = performance.now()
    return setInterval(() => this.#check(), this.#checkMs).unref()
  }

  #check(): void {
    const now = performance.now()
    const lateMs = now - this.#checkedAt - this.#checkMs
    this.#checkedAt = now
    const isLate = lateMs > this.#checkMs
    let passed = false
    for (const member of this.#members.all()) {
      if (member.deadlineMs === 0) continue
      if (isLate) member.deadlineMs += lateMs
      passed ||= member.deadlineMs <= now
    }
    if (!passed || this.#isActing) return
    this.#isActing = true
    // Timers run before sockets are read, immediates after it.
    setImmediate(() => this.#act(now))
  }

  #act(at: number): void {
    this.#isActing = false
    for (const member of this.#members.all()) if (member.deadlineMs !== 0 && member.deadlineMs <= at) member.timedOut()
  }
}
