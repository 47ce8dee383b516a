import type { Instant, Period } from '@ascribe/units'
import { EACH, accountKey, budgetsFor, windowOf } from './budget.ts'
import type { Amount, Budget, BudgetScope, BudgetUnit, Subject } from './budget.ts'
import type { Account, AccountReport, AdmissionSnapshot } from './snapshot.ts'

/** What a reservation takes, or a request has cost, by the unit of a budget. */
export type AmountIn = (unit: BudgetUnit) => Amount

/** What was taken from every budget of one request. Exactly one of the two calls counts, the first; further ones do nothing. */
export type BudgetHold = {
  /** The request has ended: what it really cost takes the place of what was reserved. */
  settle(cost: AmountIn): void
  /** It was never sent. */
  release(): void
}

export type Reserved =
  | { readonly kind: 'held'; readonly hold: BudgetHold }
  /** Less is left than the request may cost, whatever becomes of those in flight. */
  | { readonly kind: 'exhausted'; readonly budget: Budget }
  /** There is enough, but not here and now: others have reserved it, or this gateway has not been given it yet. */
  | { readonly kind: 'reserved'; readonly budget: Budget }

/** A wish for more is repeated for this long after the refusal that raised it: a client that was told to come back does so. */
const WANT_MS = 3000
/** Counters of windows that ended so long ago are forgotten, unless a request is still open. */
const FORGET_MS = 3_600_000
/** How often that is looked after. */
const SWEEP_MS = 60_000

type Counter = {
  readonly budget: Budget
  readonly subject: string
  readonly start: Instant
  readonly end: Instant
  granted: Amount
  returned: Amount
  settled: Amount
  reserved: Amount
  wanted: Amount
  wantedAt: Instant
  recalled: number
}

type Taken = { readonly counter: Counter; readonly amount: Amount }

/**
 * What one gateway may spend: the leases of its writer, and what has been taken from them. All in memory, and nothing in here waits.
 *
 * A counter lives as long as its writer: `settled + reserved` never passes `granted - returned`, but by what a request costs more than
 * it reserved. The ledger grants only what is free of all other writers' grants, so the sum over all gateways keeps the limit.
 */
export class LeaseBook {
  readonly #writer: string
  readonly #counters = new Map<string, Counter>()
  #budgets = new Map<string, Budget[]>()
  #accounts = new Map<string, Account>()
  #sweptAt = 0
  #isGivenBack = false

  constructor(writer: string) {
    this.#writer = writer
  }

  /** Whether any budget is known at all. */
  get isEmpty(): boolean {
    return this.#budgets.size === 0
  }

  /** Takes over a snapshot. What was granted stays granted: an older snapshot takes nothing away, and nothing gives twice. */
  apply(snapshot: Pick<AdmissionSnapshot, 'budgets' | 'accounts'>): void {
    const budgets = new Map<string, Budget[]>()
    for (const budget of snapshot.budgets) {
      budgets.getOrInsertComputed(ruleKey(budget.scope, budget.subject), () => []).push(budget)
    }
    this.#budgets = budgets
    this.#accounts = new Map(snapshot.accounts.map((account) => [accountKey(account.budget, account.subject, account.start), account]))
    for (const counter of this.#counters.values()) this.#refresh(counter)
    const byId = new Map(snapshot.budgets.map((budget) => [budget.id, budget]))
    for (const account of snapshot.accounts) {
      const budget = byId.get(account.budget)
      // What was never asked for can be recalled too, so it must be known.
      if (budget !== undefined && account.subject !== EACH && Object.hasOwn(account.leases, this.#writer)) {
        this.#counterOf(budget, account.subject, windowOf(budget.period, account.start))
      }
    }
  }

  /** The budgets that bound `subject` at `at`. */
  budgetsOf(subject: Subject, at: Instant): readonly { readonly budget: Budget; readonly subject: string }[] {
    return budgetsFor(subject, at, (scope, id) => this.#budgets.get(ruleKey(scope, id)) ?? [])
  }

  /**
   * Takes `amount` from every one of `budgets`, or from none: between the look and the taking nothing else can run, so that check
   * and hold are one step.
   */
  reserve(budgets: readonly { readonly budget: Budget; readonly subject: string }[], amount: AmountIn, at: Instant): Reserved {
    this.#sweep(at)
    const taken = budgets.map(({ budget, subject }): Taken => ({
      counter: this.#counterOf(budget, subject, windowOf(budget.period, at)),
      amount: amount(budget.unit),
    }))
    let short: Budget | undefined
    for (const { counter, amount: wanted } of taken) {
      if (available(counter) >= wanted) continue
      if (this.#left(counter) < wanted) return { kind: 'exhausted', budget: counter.budget }
      if (wanted > counter.wanted) counter.wanted = wanted
      counter.wantedAt = at
      short ??= counter.budget
    }
    if (short !== undefined) return { kind: 'reserved', budget: short }
    for (const { counter, amount: held } of taken) {
      counter.reserved += held
      if (held >= counter.wanted) counter.wanted = 0n
    }
    return { kind: 'held', hold: holdOf(taken) }
  }

  /** Gives back all that is not reserved: this gateway takes no more requests. */
  giveBack(): void {
    this.#isGivenBack = true
    for (const counter of this.#counters.values()) {
      const spare = available(counter)
      if (spare > 0n) counter.returned += spare
    }
  }

  /** What there is to tell about accounts of windows that last. */
  report(at: Instant): readonly AccountReport[] {
    const reports: AccountReport[] = []
    for (const counter of this.#counters.values()) {
      if (counter.end <= at && counter.reserved === 0n) continue
      if (counter.wanted > 0n && at - counter.wantedAt > WANT_MS) counter.wanted = 0n
      const used = counter.settled + counter.reserved
      // Of the many who have a budget each, only those who may soon want more than everybody has at first.
      const isQuiet = !this.#isGivenBack && counter.wanted === 0n && counter.recalled === 0 && used * 2n < counter.granted
      if (counter.budget.subject === EACH && isQuiet) continue
      reports.push({
        budget: counter.budget.id,
        subject: counter.subject,
        start: counter.start,
        granted: String(counter.granted),
        returned: String(counter.returned),
        used: String(used),
        wanted: String(counter.wanted),
        recalled: counter.recalled,
      })
    }
    return reports
  }

  #counterOf(budget: Budget, subject: string, { start, end }: Period): Counter {
    return this.#counters.getOrInsertComputed(accountKey(budget.id, subject, start), () => {
      const counter: Counter = {
        budget,
        subject,
        start,
        end,
        granted: 0n,
        returned: 0n,
        settled: 0n,
        reserved: 0n,
        wanted: 0n,
        wantedAt: 0,
        recalled: 0,
      }
      this.#refresh(counter)
      return counter
    })
  }

  #refresh(counter: Counter): void {
    const { account, initial } = this.#accountOf(counter)
    const lease = account?.leases[this.#writer]
    const granted = BigInt(lease?.granted ?? initial?.leases[this.#writer]?.granted ?? 0n)
    if (granted > counter.granted) counter.granted = granted
    // The ledger's word on what was settled stands where it is more: it knows prices that were not known here yet.
    const consumed = BigInt(lease?.consumed ?? 0n)
    if (consumed > counter.settled) counter.settled = consumed
    const recall = account?.recall
    if (recall === undefined || recall.sequence <= counter.recalled) return
    counter.recalled = recall.sequence
    const has = available(counter)
    // What has come for a request that was told to come back waits for it.
    const promised = has >= counter.wanted ? counter.wanted : 0n
    const keep = BigInt(recall.keep)
    const spare = has - (keep > promised ? keep : promised)
    if (spare > 0n) counter.returned += spare
  }

  #accountOf({ budget, subject, start }: Counter): { readonly account: Account | undefined; readonly initial: Account | undefined } {
    const account = this.#accounts.get(accountKey(budget.id, subject, start))
    const initial = budget.subject === EACH ? this.#accounts.get(accountKey(budget.id, EACH, start)) : undefined
    return { account, initial }
  }

  /** What would be left for a request if all others in flight cost nothing. Infinite where nobody has said what was spent. */
  #left(counter: Counter): Amount {
    const { account, initial } = this.#accountOf(counter)
    if (account === undefined) return initial === undefined ? available(counter) + UNKNOWN : BigInt(initial.limit) - counter.settled
    const mine = BigInt(account.leases[this.#writer]?.consumed ?? 0n)
    return BigInt(account.limit) - (BigInt(account.spent) - mine + counter.settled)
  }

  #sweep(at: Instant): void {
    if (at - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = at
    for (const [key, counter] of this.#counters) if (counter.end + FORGET_MS < at && counter.reserved === 0n) this.#counters.delete(key)
  }
}

/** More than any request wants: nobody is told that a budget is exhausted before somebody has counted it. */
const UNKNOWN: Amount = 10n ** 60n

function ruleKey(scope: BudgetScope, subject: string): string {
  return `${scope} ${subject}`
}

function available(counter: Counter): Amount {
  return counter.granted - counter.returned - counter.settled - counter.reserved
}

function holdOf(taken: readonly Taken[]): BudgetHold {
  let open = true
  return {
    settle(cost) {
      if (!open) return
      open = false
      for (const { counter, amount } of taken) {
        counter.reserved -= amount
        counter.settled += cost(counter.budget.unit)
      }
    },
    release() {
      if (!open) return
      open = false
      for (const { counter, amount } of taken) counter.reserved -= amount
    },
  }
}
