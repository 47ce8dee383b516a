import { InputError } from '@ascribe/kit'
import type { ClientChange } from '../oauth/realm.ts'
import type { Bill } from './bill.ts'
import type { LoggedCall } from './call-log.ts'
import type { SandboxClock } from './clock.ts'
import type { CloudServer } from './cloud-server.ts'
import type { Server } from './entities.ts'
import type { Fault } from './faults.ts'
import { addAccount } from './initial.ts'
import { type Knobs, parseKnobs } from './knobs.ts'
import { type OutsideEvent, happen } from './outside-events.ts'
import type { RunningInterval } from './running-log.ts'
import type { SandboxUser, SandboxUserSpec, UserChange } from './users.ts'
import type { World } from './world.ts'

/** A server as those who run the sandbox see it. */
export type SeenServer = Pick<Server, 'uuid' | 'name' | 'status' | 'cpu' | 'smp' | 'mem'> & {
  readonly region: string
  readonly owner: string | null
  readonly addresses: readonly string[]
  readonly diskBytes: number
}

/** An account as those who run the sandbox see it. */
export type SeenAccount = {
  readonly email: string
  readonly uuid: string
  readonly state: string
  readonly isPlatform: boolean
  readonly currency: string
  readonly balanceNano: bigint
  readonly costNanoPerHour: bigint
}

/** What can be done to a running sandbox from outside of its protocols; the control listener does the same over HTTP. */
export type CloudHandles = {
  readonly clients: readonly { readonly id: string; readonly secret: string }[]
  readonly users: readonly Pick<SandboxUser, 'email' | 'uuid' | 'password' | 'state' | 'isPlatform'>[]
  readonly clock: Pick<SandboxClock, 'now' | 'advance' | 'freeze' | 'run' | 'mode'>
  readonly knobs: Knobs
  /** @throws {InputError} where a name or value is none. */
  setKnobs(knobs: Partial<Knobs>): void
  /** Arms a fault and gives its id. @throws {InputError} */
  addFault(fault: Fault): number
  faults(): readonly (Fault & { readonly id: number; readonly used: number })[]
  clearFaults(id?: number): void
  /** Every call so far, oldest first. */
  calls(): readonly LoggedCall[]
  forgetCalls(): void
  addUser(spec: SandboxUserSpec): SandboxUser
  changeUser(email: string, change: UserChange): void
  changeClient(id: string, change: ClientChange): void
  removeClient(id: string): void
  /** `notBefore`, epoch seconds: tokens of earlier are refused, and every answer of the token endpoint says so. */
  changeRealm(change: { readonly notBefore?: number }): void
  /** Ends impersonated tokens at once: one, those of one user, or all; gives how many were alive. */
  revokeTokens(of?: { readonly user?: string; readonly token?: string }): number
  /** Adds a signing key that signs from now on. `keep` also drops all others, or it again, with the tokens they signed. */
  rotateKeys(options?: { readonly keep?: 'all' | 'newest' | 'oldest' }): Promise<void>
  /** Lets something happen that no client of yours did. @throws {InputError} */
  happen(event: OutsideEvent): void
  /** What an account has used and what it comes to, by region; exact, up to now. @throws {InputError} for an unknown user. */
  bill(email: string): Readonly<Record<string, Bill>>
  /** Every time that a machine ran, of all accounts or of one; deleted machines too. @throws {InputError} for an unknown user. */
  intervals(email?: string): readonly RunningInterval[]
  accounts(): readonly SeenAccount[]
  servers(): readonly SeenServer[]
  /** Runs something after so many milliseconds of the sandbox's clock; what fails then is in `failures`. */
  plan(afterMs: number, run: () => unknown): void
  /** What of the planned things failed, oldest first. */
  failures(): readonly string[]
}

/** The handles of a world. */
export function handlesOf(world: World, server: CloudServer): CloudHandles {
  const { realm, users, clock } = world
  const failures: string[] = []
  return {
    get clients() {
      return [...realm.clients.values()].flatMap(({ id, secret }) => (secret === undefined ? [] : [{ id, secret }]))
    },
    get users() {
      return users.list()
    },
    get knobs() {
      return { ...world.knobs }
    },
    clock,
    setKnobs: (knobs) => void Object.assign(world.knobs, parseKnobs(knobs)),
    addFault: (fault) => server.faults.add(fault),
    faults: () => server.faults.list(),
    clearFaults: (id) => server.faults.clear(id),
    calls: () => server.calls.list(),
    forgetCalls: () => server.calls.clear(),
    addUser: (spec) => addAccount(world, spec),
    changeUser: (email, change) => void users.change(email, change),
    changeClient: (id, change) => void realm.changeClient(id, change),
    removeClient: (id) => void realm.clients.delete(id),
    changeRealm: ({ notBefore }) => void (realm.notBefore = notBefore ?? realm.notBefore),
    revokeTokens: ({ user, token } = {}) => {
      if (token !== undefined) return world.tokens.revoke(token, clock.now())
      return world.tokens.revokeAll(clock.now(), user === undefined ? undefined : known(world, user).uuid)
    },
    rotateKeys: async ({ keep = 'all' } = {}) => {
      if (keep !== 'oldest') await realm.keys.rotate(clock.now())
      if (keep !== 'all') realm.keys.keepOnly(keep)
    },
    happen: (event) => happen(world, event),
    bill: (email) => billOf(world, email),
    intervals: (email) => settled(world).running.list(email === undefined ? undefined : known(world, email).uuid),
    accounts: () =>
      settled(world)
        .users.list()
        .map((user) => accountOf(world, user)),
    servers: () => world.regions.names.flatMap((region) => serversOf(settled(world), region)),
    plan: (afterMs, run) =>
      // Not thrown: whoever happens to look at the world when it is due has not asked for it.
      world.schedule.after(afterMs, () => void Promise.try(run).catch((error: unknown) => noteFailure(failures, error))),
    failures: () => [...failures],
  }
}

const FAILURES_MAX = 1000

function noteFailure(failures: string[], error: unknown): void {
  if (failures.length < FAILURES_MAX) failures.push(error instanceof Error ? error.message : String(error))
}

function settled(world: World): World {
  world.schedule.settle()
  return world
}

function known(world: World, email: string): SandboxUser {
  const user = world.users.byEmail(email)
  if (user === undefined) throw new InputError(`Cannot find ${email === '' ? 'a user without a name' : email}: there is no such user`)
  return user
}

function billOf(world: World, email: string): Readonly<Record<string, Bill>> {
  const user = known(settled(world), email)
  return Object.fromEntries(world.regions.names.map((region) => [region, world.bills.of(user.uuid, region)]))
}

function accountOf(world: World, user: SandboxUser): SeenAccount {
  const { email, uuid, state, isPlatform, currency } = user
  const costNanoPerHour = world.regions.names.reduce((sum, region) => sum + world.bills.of(uuid, region).costNanoPerHour, 0n)
  return { email, uuid, state, isPlatform, currency, balanceNano: world.balanceOf(user), costNanoPerHour }
}

function serversOf(world: World, region: string): readonly SeenServer[] {
  const state = world.state(region)
  return [...state.servers.values()].map(({ uuid, name, status, cpu, smp, mem, owner, nics, mounts }) => ({
    uuid,
    name,
    status,
    cpu,
    smp,
    mem,
    region,
    owner: world.users.get(owner ?? '')?.email ?? owner,
    addresses: nics.flatMap(({ address }) => address ?? []),
    diskBytes: mounts.reduce((sum, { drive }) => sum + (state.drives.get(drive)?.size ?? 0), 0),
  }))
}
