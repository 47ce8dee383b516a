import type { Instant } from '@ascribe/units'
import { BUDGET_PERIODS, BUDGET_SCOPES } from './budget.ts'
import type { Budget } from './budget.ts'
import type { PriceList } from './prices.ts'

/** What a writer may spend of an account. Both only rise. Amounts are decimal digits. */
export type Lease = {
  /** All that it was ever given. */
  readonly granted: string
  /** What of its usage is in the ledger. */
  readonly consumed: string
}

/** A wish that everybody gives back what he holds above `keep`. A higher `sequence` is a newer wish. */
export type Recall = { readonly sequence: number; readonly keep: string }

/** One subject's counter in one window of a budget. */
export type Account = {
  readonly budget: string
  /** `*`: what a writer may spend for a subject that has no account yet. */
  readonly subject: string
  /** Start of the window. */
  readonly start: Instant
  readonly limit: string
  /** In the ledger, of all writers. */
  readonly spent: string
  readonly recall?: Recall
  /** By the name of the writer. */
  readonly leases: Readonly<Record<string, Lease>>
}

/** Whose requests a rate limit bounds: one credential's, or all of an organization's. */
export type LimitScope = 'credential' | 'organization'
export const LIMIT_SCOPES: readonly LimitScope[] = ['credential', 'organization']

/** So many requests and tokens a minute, over all gateways. */
export type RateLimit = {
  readonly scope: LimitScope
  /** An id, or `*`: each one that has no limit of its own. */
  readonly subject: string
  readonly requestsPerMinute?: number
  readonly tokensPerMinute?: number
}

/** All that gateways need to know in order to admit: written whole by the settler, never asked for. */
export type AdmissionSnapshot = {
  /** Which ledger says so; versions of two ledgers do not compare. */
  readonly ledger: string
  /** A higher one of the same ledger is newer. */
  readonly version: number
  /** How often rules have been changed: all changes up to this one are in it. */
  readonly rules?: number
  /** Live gateways, at least 1: each has this part of every rate limit. */
  readonly gateways: number
  readonly budgets: readonly Budget[]
  readonly accounts: readonly Account[]
  readonly limits: readonly RateLimit[]
  /** Of the currencies of budgets in money. */
  readonly prices: readonly PriceList[]
  /** Whose the auth ids are that a trusted edge names, as far as a rule concerns them. */
  readonly subjects: Readonly<Record<string, { readonly organizationId?: string; readonly userId?: string; readonly groupId?: string }>>
}

/** What a gateway tells about one account. `granted`, `returned` and `used` only rise, but for `used` when a reservation was too high. */
export type AccountReport = {
  readonly budget: string
  readonly subject: string
  readonly start: Instant
  /** As far as it knows. */
  readonly granted: string
  /** Given back for ever: it will not be spent. */
  readonly returned: string
  /** Reserved and settled. */
  readonly used: string
  /** The largest reservation that was refused lately for lack of a lease; 0: none. */
  readonly wanted: string
  /** The last wish that was followed. */
  readonly recalled: number
}

/** What a gateway tells of itself, every now and then; nobody waits for it. That it comes shows that the gateway lives. */
export type LeaseReport = {
  /** Name of its journal. */
  readonly writer: string
  /** It takes no more requests: nothing more need be granted to it. */
  readonly closed?: boolean
  /** It takes no new connections: it is given nothing more, and has no share of a rate limit; what it says of its leases still counts. */
  readonly retiring?: boolean
  readonly accounts: readonly AccountReport[]
}

const DIGITS = /^-?[0-9]{1,60}$/

/** Reads a snapshot; `undefined`: it is none. What a newer program added is ignored. */
export function parseSnapshot(text: string): AdmissionSnapshot | undefined {
  const value = parse(text)
  if (value === undefined || typeof value['ledger'] !== 'string' || !Number.isSafeInteger(value['version'])) return undefined
  for (const name of ['budgets', 'accounts', 'limits', 'prices']) if (!Array.isArray(value[name] ?? [])) return undefined
  const accounts = (value['accounts'] ?? []) as readonly Account[]
  if (!accounts.every(isAccount)) return undefined
  // A rule that is not understood would not be enforced: half of them are not what somebody wanted.
  const [budgets, limits] = [(value['budgets'] ?? []) as readonly Budget[], (value['limits'] ?? []) as readonly RateLimit[]]
  if (!budgets.every(isBudget) || !limits.every(isLimit)) return undefined
  const gateways = value['gateways']
  // Whoever wrote it is ours: the shape of what is inside was checked where it was made, the digits here because they become numbers.
  return {
    ...(value as unknown as AdmissionSnapshot),
    gateways: typeof gateways === 'number' && gateways >= 1 ? gateways : 1,
    budgets,
    accounts,
    limits,
    prices: (value['prices'] ?? []) as readonly PriceList[],
    subjects: (value['subjects'] ?? {}) as AdmissionSnapshot['subjects'],
  }
}

/** Reads a report; `undefined`: it is none. */
export function parseReport(text: string): LeaseReport | undefined {
  const value = parse(text)
  if (value === undefined || typeof value['writer'] !== 'string' || !Array.isArray(value['accounts'])) return undefined
  const accounts = value['accounts'] as readonly AccountReport[]
  if (!accounts.every(isAccountReport)) return undefined
  return {
    writer: value['writer'],
    ...(value['closed'] === true && { closed: true }),
    ...(value['retiring'] === true && { retiring: true }),
    accounts,
  }
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isBudget(budget: unknown): boolean {
  if (!isObject(budget)) return false
  const { id, scope, subject, unit, period } = budget
  return [id, subject, unit].every(isText) && isOneOf(scope, BUDGET_SCOPES) && isOneOf(period, BUDGET_PERIODS)
}

function isLimit(limit: unknown): boolean {
  return isObject(limit) && isText(limit['subject']) && isOneOf(limit['scope'], LIMIT_SCOPES)
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isOneOf(value: unknown, known: readonly string[]): boolean {
  return typeof value === 'string' && known.includes(value)
}

function isAccount(account: unknown): boolean {
  if (!isObject(account) || !isObject(account['leases'])) return false
  const { limit, spent, recall, leases } = account
  if (recall !== undefined && (!isObject(recall) || !isDigits(recall['keep']) || !Number.isSafeInteger(recall['sequence']))) return false
  const isLease = (lease: unknown): boolean => isObject(lease) && isDigits(lease['granted']) && isDigits(lease['consumed'])
  return isNamed(account) && isDigits(limit) && isDigits(spent) && Object.values(leases).every(isLease)
}

function isAccountReport(account: unknown): boolean {
  if (!isObject(account)) return false
  const { granted, returned, used, wanted, recalled } = account
  return isNamed(account) && [granted, returned, used, wanted].every(isDigits) && Number.isSafeInteger(recalled)
}

function isNamed({ budget, subject, start }: Readonly<Record<string, unknown>>): boolean {
  return typeof budget === 'string' && typeof subject === 'string' && Number.isSafeInteger(start)
}

function isDigits(text: unknown): boolean {
  return typeof text === 'string' && DIGITS.test(text)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
