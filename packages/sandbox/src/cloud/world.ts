import type { OauthRealm } from '../oauth/oauth-realm.ts'
import type { SandboxClock } from './clock.ts'
import { ImpersonatedTokens } from './impersonated-tokens.ts'
import type { Knobs } from './knobs.ts'
import type { SeededRandom } from './random.ts'
import type { RegionTable } from './regions.ts'
import { UserStore } from './users.ts'

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
  /** As they stand now: turned in place. */
  readonly knobs: Knobs

  constructor(parts: WorldParts) {
    this.clock = parts.clock
    this.random = parts.random
    this.realm = parts.realm
    this.regions = parts.regions
    this.knobs = parts.knobs
    this.users = new UserStore({ random: parts.random, now: parts.clock.now })
  }

  /** A uuid for a new object of `kind`, with what the knob forces into it. */
  newUuid(kind: string): string {
    return this.random.uuid(kind, this.knobs.uuidContains)
  }
}
