import { InputError } from '@ascribe/kit'
import type { SeededRandom } from './random.ts'

/** What a call is to a client: one of the three steps of minting, or the API; `oauth` is whatever else is under `/realms/`. */
export type CallStep = 'service-token' | 'rpt' | 'impersonate' | 'oauth' | 'api'

/** Which calls a fault is for. What is absent matches all. */
export type FaultMatch = {
  readonly step?: CallStep
  readonly method?: string
  /** The beginning of the path, or a part of it with `*`. */
  readonly path?: string
  readonly region?: string
  /** E-mail of the user who acts, or who is to be impersonated. */
  readonly user?: string
  /** From the nth matching call on, counted from 1. Default 1. */
  readonly nth?: number
  /** So many calls; default: all from then on. */
  readonly times?: number
  /** Of the calls that are left, this share, by the seed. */
  readonly probability?: number
}

/** What happens to them. */
export type FaultEffect = {
  /** Answers with this instead of doing anything. */
  readonly status?: number
  /** The form of that answer; default the form of the place. */
  readonly body?: 'array' | 'object' | 'html' | 'oauth' | 'empty'
  readonly errorType?: string
  readonly message?: string
  /** Seconds. */
  readonly retryAfterS?: number
  /** Milliseconds of the sandbox's clock, before anything else. */
  readonly delayMs?: number
  /** Never answers. */
  readonly hang?: boolean
  /** Breaks the connection off: before anything was done, or after it (the 201 takes effect, the client sees a reset). */
  readonly drop?: 'before' | 'after'
  /** 307 to this URL. */
  readonly redirect?: string
  /** Sends only so many bytes of a body that announces more. */
  readonly truncateAt?: number
  /** Laid over the JSON of the true answer: `{"access_token": ""}`. A null member removes. */
  readonly set?: Readonly<Record<string, unknown>>
}

export type Fault = { readonly match: FaultMatch; readonly does: FaultEffect }

/** A call as faults see it. */
export type FaultSubject = {
  readonly step: CallStep
  readonly method: string
  readonly path: string
  readonly region?: string
  readonly user?: string
}

type Armed = Fault & { readonly id: number; seen: number; used: number }

type Check = (value: unknown) => boolean

const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isText: Check = (value) => typeof value === 'string'
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.some((each) => each === value)

const MATCH_CHECKS: Readonly<Record<keyof FaultMatch, Check>> = {
  step: oneOf('service-token', 'rpt', 'impersonate', 'oauth', 'api'),
  method: isText,
  path: isText,
  region: isText,
  user: isText,
  nth: isCount,
  times: isCount,
  probability: (value) => typeof value === 'number' && value >= 0 && value <= 1,
}
const EFFECT_CHECKS: Readonly<Record<keyof FaultEffect, Check>> = {
  status: (value) => isCount(value) && Number(value) >= 200 && Number(value) <= 598,
  body: oneOf('array', 'object', 'html', 'oauth', 'empty'),
  errorType: isText,
  message: isText,
  retryAfterS: isCount,
  delayMs: isCount,
  hang: (value) => typeof value === 'boolean',
  drop: oneOf('before', 'after'),
  redirect: isText,
  truncateAt: isCount,
  set: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}
const FAULTS_MAX = 1000

/** Checks a fault as it came over HTTP. @throws {InputError} */
function parseFault(value: unknown): Fault {
  const { match = {}, does, ...rest } = objectOf(value, 'fault')
  checkMembers(rest, {}, 'fault')
  const checkedMatch = checkMembers(objectOf(match, 'match'), MATCH_CHECKS, 'match')
  const checkedEffect = checkMembers(objectOf(does, 'does'), EFFECT_CHECKS, 'does')
  if (Object.keys(checkedEffect).length === 0) throw new InputError('Cannot use a fault: `does` is empty')
  // Every member was checked above.
  return { match: checkedMatch, does: checkedEffect } as Fault
}

type Members = Readonly<Record<string, unknown>>

function objectOf(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError(`Cannot use a fault: \`${what}\` must be an object`)
  return value as Members
}

function checkMembers(members: Members, checks: Readonly<Record<string, Check>>, what: string): Members {
  for (const [name, value] of Object.entries(members)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined)
      throw new InputError(`Cannot use a fault: \`${what}.${name}\` is not known (${Object.keys(checks).join(', ')})`)
    if (!check(value)) throw new InputError(`Cannot use a fault: \`${what}.${name}\` cannot be ${JSON.stringify(value)}`)
  }
  return members
}

/** The faults in force. The first that matches a call and is not used up has it. */
export class FaultList {
  readonly #armed: Armed[] = []
  readonly #random: SeededRandom
  #nextId = 1

  constructor(random: SeededRandom) {
    this.#random = random
  }

  add(fault: Fault): number {
    const checked = parseFault(fault)
    if (this.#armed.length >= FAULTS_MAX) throw new InputError(`Cannot add a fault: ${FAULTS_MAX} are in force; clear some`)
    const id = this.#nextId++
    this.#armed.push({ ...checked, id, seen: 0, used: 0 })
    return id
  }

  /** Removes one fault, or all. */
  clear(id?: number): void {
    if (id === undefined) this.#armed.length = 0
    else this.#armed.splice(0, this.#armed.length, ...this.#armed.filter((each) => each.id !== id))
  }

  list(): readonly (Fault & { readonly id: number; readonly used: number })[] {
    return this.#armed.map(({ id, match, does, used }) => ({ id, match, does, used }))
  }

  /** What happens to this call. Every fault that matches counts it. */
  take(subject: FaultSubject): (FaultEffect & { readonly id: number }) | undefined {
    let taken: Armed | undefined
    for (const fault of this.#armed) {
      if (!matches(fault.match, subject)) continue
      fault.seen += 1
      if (taken !== undefined || fault.seen < (fault.match.nth ?? 1) || fault.used >= (fault.match.times ?? Infinity)) continue
      const { probability } = fault.match
      if (probability !== undefined && this.#random.fraction('fault') >= probability) continue
      fault.used += 1
      taken = fault
    }
    return taken === undefined ? undefined : { ...taken.does, id: taken.id }
  }
}

function matches(match: FaultMatch, subject: FaultSubject): boolean {
  const { step, method, path, region, user } = match
  if (step !== undefined && step !== subject.step) return false
  if (method !== undefined && method.toUpperCase() !== subject.method) return false
  if (region !== undefined && region !== subject.region) return false
  if (user !== undefined && user.toLowerCase() !== subject.user?.toLowerCase()) return false
  return path === undefined || patternOf(path).test(subject.path)
}

/** A path by its beginning; `*` stands for one part of it. */
function patternOf(path: string): RegExp {
  const escaped = path.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')
  return new RegExp(`^${escaped}`)
}
