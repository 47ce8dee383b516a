import { assert } from '@ascribe/kit'
import type { OauthRealm } from '../oauth/oauth-realm.ts'
import { Bills } from './bill.ts'
import type { SandboxClock } from './clock.ts'
import { ImpersonatedTokens } from './impersonated-tokens.ts'
import type { Knobs } from './knobs.ts'
import type { SeededRandom } from './random.ts'
import { RateLimit } from './rate-limit.ts'
import { RegionState } from './region-state.ts'
import type { RegionTable } from './regions.ts'
import { RunningLog } from './running-log.ts'
import { Schedule } from './schedule.ts'
import { Sessions } from './sessions.ts'
import { type SandboxUser, UserStore } from './users.ts'

export type WorldParts = {
  readonly clock: SandboxClock
  readonly random: SeededRandom
  readonly realm: OauthRealm
  readonly regions: RegionTable
  readonly knobs: Knobs
}

/** All that the sandbox cloud is, at one instant. Handlers read and change it; nothing else keeps state. */
export class World {
  readonly clock: SandboxClock
  readonly random: SeededRandom
  readonly realm: OauthRealm
  readonly regions: RegionTable
  readonly users: UserStore
  readonly tokens: ImpersonatedTokens = new ImpersonatedTokens()
  readonly schedule: Schedule
  readonly bills: Bills
  /** As they stand now: turned in place. */
  readonly knobs: Knobs
  readonly running: RunningLog = new RunningLog()
  readonly sessions: Sessions = new Sessions()
  readonly rateLimit: RateLimit = new RateLimit()
  readonly #states: ReadonlyMap<string, RegionState>

  constructor(parts: WorldParts) {
    this.clock = parts.clock
    this.random = parts.random
    this.realm = parts.realm
    this.regions = parts.regions
    this.knobs = parts.knobs
    this.schedule = new Schedule(parts.clock.now)
    this.bills = new Bills(() => this.now())
    this.#states = new Map(parts.regions.names.map((name) => [name, new RegionState()]))
    this.users = new UserStore({ random: parts.random, now: parts.clock.now })
  }

  /** The instant that counts for whatever is happening. */
  now(): number {
    return this.schedule.now()
  }

  /** What a region holds. */
  state(region: string): RegionState {
    const state = this.#states.get(region)
    // Regions come from the region table only, and every one of it got its state above.
    assert(state !== undefined, `There is no region '${region}'`)
    return state
  }

  /** What is left of what a user paid, over all regions, nano-units. */
  balanceOf(user: SandboxUser): bigint {
    return this.regions.names.reduce((left, region) => left - this.bills.of(user.uuid, region).costNano, user.paidNano)
  }

  /** A uuid for a new object of `kind`, with what the knob forces into it. */
  newUuid(kind: string): string {
    return this.random.uuid(kind, this.knobs.uuidContains)
  }
}
