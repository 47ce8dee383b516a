import { InputError } from '@ascribe/kit'
import type { SeededRandom } from './random.ts'

export type UserState = 'REGULAR' | 'TRIAL' | 'SUSPENDED' | 'UNVERIFIED'
export type CloneNaming = 'NONE' | 'COUNTER' | 'DATE' | 'TIMESTAMP'

/** An account of the cloud. It is the same in every region; what it owns is not. */
export type SandboxUser = {
  readonly uuid: string
  email: string
  /** For HTTP Basic. */
  password: string
  state: UserState
  /** No longer there: tokens die, impersonating answers as for an unknown user. */
  removed: boolean
  /** The service account's default user: whoever a bearer acts as on the wrong host. */
  readonly isPlatform: boolean
  readonly currency: string
  /** What was paid in, nano-units of the currency. The balance is this less the bill. */
  paidNano: bigint
  cloneNaming: CloneNaming
  readonly createdAt: number
}

/** What a user is made of; all but the e-mail has a default. */
export type SandboxUserSpec = {
  readonly email: string
  readonly uuid?: string
  readonly password?: string
  readonly state?: UserState
  readonly isPlatform?: boolean
  /** A whole amount of the currency; default 1000. */
  readonly paid?: number
}

/** What may change of one while the sandbox runs. */
export type UserChange = {
  readonly email?: string
  readonly state?: UserState
  readonly removed?: boolean
  readonly paid?: number
  readonly cloneNaming?: CloneNaming
}

const STATES: readonly unknown[] = ['REGULAR', 'TRIAL', 'SUSPENDED', 'UNVERIFIED'] satisfies UserState[]
const NAMINGS: readonly unknown[] = ['NONE', 'COUNTER', 'DATE', 'TIMESTAMP'] satisfies CloneNaming[]
const NANO = 1_000_000_000n
const PAID = 1000

/** Who is there when nobody is named: two customers, a suspended one, and the platform. */
export const DEFAULT_USERS: readonly SandboxUserSpec[] = [
  { email: 'user@example.com' },
  { email: 'other@example.com' },
  { email: 'suspended@example.com', state: 'SUSPENDED' },
  { email: 'platform@example.com', isPlatform: true },
]

/** The accounts, by uuid and by e-mail (without regard to case, as mail systems and CloudSigma do). */
export class UserStore {
  readonly #users = new Map<string, SandboxUser>()
  readonly #random: SeededRandom
  readonly #now: () => number

  constructor({ random, now }: { random: SeededRandom; now: () => number }) {
    this.#random = random
    this.#now = now
  }

  /** @throws {InputError} where the e-mail or uuid is taken. */
  add(spec: SandboxUserSpec): SandboxUser {
    const uuid = spec.uuid ?? this.#random.uuid('user')
    if (typeof spec.email !== 'string' || !spec.email.includes('@'))
      throw new InputError('Cannot add a user: `email` must be an e-mail address')
    if (this.byEmail(spec.email) !== undefined || this.#users.has(uuid))
      throw new InputError(`Cannot add ${spec.email}: there is such a user`)
    checkChange(spec)
    const user: SandboxUser = {
      uuid,
      email: spec.email,
      password: spec.password ?? `${spec.email.split('@', 1)[0]}-password`,
      state: spec.state ?? 'REGULAR',
      removed: false,
      isPlatform: spec.isPlatform ?? false,
      currency: 'USD',
      paidNano: BigInt(spec.paid ?? PAID) * NANO,
      cloneNaming: 'NONE',
      createdAt: this.#now(),
    }
    this.#users.set(uuid, user)
    return user
  }

  /** @throws {InputError} */
  change(email: string, change: UserChange): SandboxUser {
    const user = this.byEmail(email)
    if (user === undefined) throw new InputError(`Cannot change ${email}: there is no such user`)
    checkChange(change)
    const { paid, ...rest } = change
    Object.assign(user, rest)
    if (paid !== undefined) user.paidNano = BigInt(paid) * NANO
    return user
  }

  get(uuid: string): SandboxUser | undefined {
    const user = this.#users.get(uuid)
    return user?.removed === false ? user : undefined
  }

  byEmail(email: string): SandboxUser | undefined {
    const wanted = email.toLowerCase()
    return this.list().find((user) => user.email.toLowerCase() === wanted)
  }

  /** Whom a bearer acts as on the wrong host. */
  platform(): SandboxUser | undefined {
    return this.list().find((user) => user.isPlatform)
  }

  /** All that are there. */
  list(): readonly SandboxUser[] {
    return [...this.#users.values()].filter((user) => !user.removed)
  }
}

function checkChange(change: UserChange | SandboxUserSpec): void {
  const { email, state, paid } = change
  const naming = 'cloneNaming' in change ? change.cloneNaming : undefined
  if (email !== undefined && !email.includes('@')) throw new InputError(`Cannot use ${JSON.stringify(email)} as the e-mail of a user`)
  if (state !== undefined && !STATES.includes(state))
    throw new InputError(`Cannot set the state of a user: it is one of ${STATES.join(', ')}`)
  if (paid !== undefined && !Number.isSafeInteger(paid)) throw new InputError('Cannot set what a user has paid: it must be a whole amount')
  if (naming !== undefined && !NAMINGS.includes(naming)) throw new InputError(`Cannot set clone naming: it is one of ${NAMINGS.join(', ')}`)
}
