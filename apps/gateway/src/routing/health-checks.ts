import type { UpstreamProbe } from '@ascribe/relay'
import type { HealthCheck, Place } from './balance.ts'
import { headerOfCredential, valueOfCredential } from './upstream-credential.ts'
import { jittered } from './upstream-set.ts'
import type { UpstreamSet } from './upstream-set.ts'

/** How often it is looked which checks are due. */
const LOOK_MS = 100
/** Checks under way at once, of all upstreams: a table of thousands must not open thousands of connections in one moment. */
const CHECKS_MAX = 32

type Checked = { readonly set: UpstreamSet; readonly place: Place; readonly check: HealthCheck; dueAt: number; isUnderWay: boolean }

export type HealthCheckDeps = {
  readonly probe: UpstreamProbe
  /** Milliseconds on a scale that never goes back. */
  readonly now: () => number
  readonly random: () => number
}

/** Asks upstreams how they are, each in its interval, and tells their sets. */
export class HealthChecks implements Disposable {
  readonly #deps: HealthCheckDeps
  #checked: readonly Checked[] = []
  #underWay = 0
  #timer: NodeJS.Timeout | undefined

  constructor(deps: HealthCheckDeps) {
    this.#deps = deps
  }

  /** Looks after these from now on, and after no other. The first checks are spread over an interval. */
  follow(sets: Iterable<UpstreamSet>): void {
    const now = this.#deps.now()
    const checked: Checked[] = []
    for (const set of sets) {
      const { check } = set.balance.health
      if (check === undefined) continue
      for (const place of set.balance.places)
        checked.push({ set, place, check, dueAt: now + check.intervalMs * this.#deps.random(), isUnderWay: false })
    }
    this.#checked = checked
    if (checked.length === 0) this[Symbol.dispose]()
    else this.#timer ??= setInterval(() => this.look(), LOOK_MS).unref()
  }

  /** Begins the checks that are due. */
  look(): void {
    const now = this.#deps.now()
    for (const each of this.#checked) {
      if (this.#underWay >= CHECKS_MAX) return
      if (each.isUnderWay || each.dueAt > now) continue
      each.isUnderWay = true
      this.#underWay += 1
      void this.#check(each).finally(() => {
        each.isUnderWay = false
        each.dueAt = this.#deps.now() + jittered(each.check.intervalMs, this.#deps.random)
        this.#underWay -= 1
      })
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #check({ set, place, check: { path, timeoutMs } }: Checked): Promise<void> {
    // A connection of its own, whose bounds are the check's.
    const upstream = {
      ...place.upstream,
      connectionsMax: 1,
      connectTimeoutMs: timeoutMs,
      headTimeoutMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
    }
    const headers = place.credential === undefined ? [] : [headerOfCredential(place.credential), valueOfCredential(place.credential)]
    const answer = await this.#deps.probe.ask(upstream, { target: path, headers })
    const isWell = typeof answer === 'number' && answer >= 200 && answer < 400
    set.checked(place, isWell ? undefined : `its check says ${answer}`)
  }
}
