import type { Balance, HealthRule, Place } from './balance.ts'

export type UpstreamSetDeps = {
  /** Milliseconds on a scale that never goes back. */
  readonly now: () => number
  /** From 0 to less than 1. */
  readonly random: () => number
  /** Told once for each change. */
  readonly onChange: (place: Place, change: { readonly isUp: boolean; readonly why: string }) => void
}

type Standing = {
  readonly place: Place
  /** Of the smooth weighted round robin. */
  credit: number
  failures: number
  passes: number
  isDown: boolean
  /** Without checks: from then on one request may try. */
  restsUntil: number
}

/** Long-lived things that start together drift apart by this share. */
const JITTER = 0.2

/** A length of time, more or less a fifth. */
export function jittered(ms: number, random: () => number): number {
  return ms * (1 - JITTER + 2 * JITTER * random())
}

/**
 * The upstreams of one route: whose turn it is, by weight, and which are down. The turns are those of a smooth weighted round robin, so that
 * with weights 3 and 1 every fourth request goes to the second one, and not three hundred in a row to the first.
 */
export class UpstreamSet {
  readonly balance: Balance
  readonly #deps: UpstreamSetDeps
  readonly #standings: readonly Standing[]

  constructor(balance: Balance, deps: UpstreamSetDeps) {
    this.balance = balance
    this.#deps = deps
    this.#standings = balance.places.map((place) => ({ place, credit: 0, failures: 0, passes: 0, isDown: false, restsUntil: 0 }))
  }

  /** Whether a request may be sent at all. */
  get isServable(): boolean {
    const now = this.#deps.now()
    return this.balance.allDown === 'try' || this.#standings.some((each) => this.#mayServe(each, now))
  }

  /** Whose turn it is of those that were not tried; `undefined`: nobody's. Those that are down have one when all are, where the route says so. */
  pick(tried: readonly Place[] = []): Place | undefined {
    const now = this.#deps.now()
    const left = this.#standings.filter(({ place }) => !tried.includes(place))
    const able = left.filter((each) => this.#mayServe(each, now))
    const chosen = this.#turn(able.length > 0 || this.balance.allDown === 'refuse' ? able : left)
    // One request finds out; the others wait for what it finds.
    if (chosen?.isDown === true) chosen.restsUntil = now + jittered(this.#rule.restMs, this.#deps.random)
    return chosen?.place
  }

  /** What a request has met there. */
  report(place: Place, fault: string | undefined): void {
    const standing = this.#standingOf(place)
    if (standing === undefined) return
    if (fault !== undefined) this.#failed(standing, fault)
    else if (this.#rule.check === undefined) this.#up(standing, 'it serves again')
    else standing.failures = 0
  }

  /** What a check has found. */
  checked(place: Place, fault: string | undefined): void {
    const standing = this.#standingOf(place)
    if (standing === undefined) return
    if (fault !== undefined) {
      standing.passes = 0
      this.#failed(standing, fault)
      return
    }
    standing.passes += 1
    if (!standing.isDown) standing.failures = 0
    else if (standing.passes >= (this.#rule.check?.passAfter ?? 1)) this.#up(standing, 'its checks pass')
  }

  isDown(place: Place): boolean {
    return this.#standingOf(place)?.isDown === true
  }

  /** Takes over what another set knows of the same upstreams: a new table must not forget who is down. */
  inherit(before: UpstreamSet): void {
    for (const standing of this.#standings) {
      const known = before.#standings.find(({ place }) => isSame(place, standing.place))
      if (known === undefined) continue
      const { credit, failures, passes, isDown, restsUntil } = known
      Object.assign(standing, { credit, failures, passes, isDown, restsUntil })
    }
  }

  get #rule(): HealthRule {
    return this.balance.health
  }

  #standingOf(place: Place): Standing | undefined {
    return this.#standings.find((each) => each.place === place)
  }

  #mayServe({ isDown, restsUntil }: Standing, now: number): boolean {
    return !isDown || (this.#rule.check === undefined && now >= restsUntil)
  }

  #turn(standings: readonly Standing[]): Standing | undefined {
    let chosen: Standing | undefined
    let total = 0
    for (const each of standings) {
      each.credit += each.place.weight
      total += each.place.weight
      if (chosen === undefined || each.credit > chosen.credit) chosen = each
    }
    if (chosen !== undefined) chosen.credit -= total
    return chosen
  }

  #failed(standing: Standing, why: string): void {
    standing.failures += 1
    if (standing.failures < this.#rule.failAfter) return
    standing.restsUntil = this.#deps.now() + jittered(this.#rule.restMs, this.#deps.random)
    if (standing.isDown) return
    standing.isDown = true
    standing.passes = 0
    this.#deps.onChange(standing.place, { isUp: false, why })
  }

  #up(standing: Standing, why: string): void {
    standing.failures = 0
    if (!standing.isDown) return
    standing.isDown = false
    this.#deps.onChange(standing.place, { isUp: true, why })
  }
}

function isSame(a: Place, b: Place): boolean {
  return a.upstream.origin === b.upstream.origin && a.basePath === b.basePath && a.upstream.ca === b.upstream.ca
}
