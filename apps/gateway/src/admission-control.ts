import { LeaseBook, PriceTable, RateLimiter, TOKENS, estimateTokens, isTokenMeter, outputBound, reservationOf } from '@ascribe/admission'
import type { AccountReport, AdmissionSnapshot, Budget, BudgetHold, LimitHold, LimitsLeft, Subject } from '@ascribe/admission'
import type { PolicyKey } from '@ascribe/identity'
import type { RawHeaders, Reply } from '@ascribe/relay'
import type { Intent, RequestFacts, Settlement } from '@ascribe/usage'
import type { SnapshotNews } from './admission-files.ts'
import type { Caller } from './admission.ts'
import {
  exhaustedReply,
  limitedReply,
  reservedReply,
  unavailableReply,
  unboundedByReply,
  unboundedReply,
  unpricedReply,
} from './budget-replies.ts'
import { mediaReservation, unboundedMediaReply } from './endpoint-bounds.ts'
import { limitHeaders } from './limit-headers.ts'
import type { Route } from './routes.ts'

/** A request that is about to be sent, as far as budgets and limits are concerned. */
export type Asking = {
  readonly caller: Caller
  /** The key that named the caller; `undefined`: a trusted edge did. */
  readonly key: PolicyKey | undefined
  readonly facts: RequestFacts
  readonly body: Buffer
  readonly route: Route
  /** The record's instant: to its window the request belongs. UTC epoch milliseconds. */
  readonly startedAt: number
}

/** What a request holds of budgets and limits until it has ended. */
export type RequestHold = {
  /** With its record: what was used takes the place of what was reserved. */
  settle(intent: Intent, settlement: Settlement): void
  /** It was never sent. */
  release(): void
  /** What a reply tells of rate limits; `undefined`: there are none. */
  headers(): RawHeaders | undefined
}

export type Control =
  | { readonly kind: 'held'; readonly hold: RequestHold }
  /** `reason` is for the counter of refusals. */
  | { readonly kind: 'refused'; readonly reason: string; readonly reply: Reply }

export type ControlOptions = {
  readonly writer: string
  readonly ownerOf: (authId: string) => Omit<Subject, 'authId'> | undefined
  readonly gateways?: number
  readonly limits?: LimitsLeft | undefined
}

/** Budgets and rate limits of one gateway: all in memory, nothing waits. */
export class AdmissionControl {
  readonly #leases: LeaseBook
  readonly #ownerOf: (authId: string) => Omit<Subject, 'authId'> | undefined
  readonly #limits: RateLimiter
  /** Gateways that are known to live beside this one. */
  readonly #gateways: number
  #prices = new Map<string, PriceTable>()
  #subjects: AdmissionSnapshot['subjects'] = {}
  #state: 'idle' | 'active' | 'unreadable' = 'idle'
  #followed = false
  /** Requests that were told to come back within the second that began at `from`. */
  readonly #crowd = { from: 0, count: 0 }

  /**
   * `gateways`: so many live at least, whatever a snapshot that is older than them says. `limits`: what one before this one had left of rate
   * limits. `ownerOf`: to whom an auth id belongs that an edge names, where it has a key here too: such ones are not among the
   * snapshot's subjects.
   */
  constructor({ writer, ownerOf, gateways = 1, limits }: ControlOptions) {
    this.#leases = new LeaseBook(writer)
    this.#ownerOf = ownerOf
    this.#gateways = gateways
    this.#limits = new RateLimiter(limits)
  }

  /** What is left of rate limits here, for one that takes over. */
  limitsLeft(): LimitsLeft {
    return this.#limits.left(performance.now())
  }

  /** Gives back what of its leases is not reserved. */
  giveBack(): void {
    this.#leases.giveBack()
  }

  /** Whether any rule is known: else there is nothing to ask. */
  get isActive(): boolean {
    return this.#state !== 'idle'
  }

  /** Takes over what the settler says. Throws for what is written in another way than this program reads; what is in force stays so then. */
  follow(news: SnapshotNews): void {
    if (news.kind === 'unreadable') {
      this.#state = 'unreadable'
      return
    }
    const { snapshot } = news
    const prices = new Map(
      [...Map.groupBy(snapshot.prices, ({ currency }) => currency)].map(([currency, lists]) => [currency, new PriceTable(lists)]),
    )
    this.#leases.apply(snapshot)
    this.#limits.apply(snapshot.limits, Math.max(snapshot.gateways, this.#gateways))
    this.#prices = prices
    this.#subjects = snapshot.subjects
    this.#followed = true
    this.#state = this.#leases.isEmpty && this.#limits.isEmpty ? 'idle' : 'active'
  }

  /** What there is to tell of leases; `undefined` before any rule was made. */
  report(at: number): readonly AccountReport[] | undefined {
    return this.#followed ? this.#leases.report(at) : undefined
  }

  /** Reserves what a request may use of everything that bounds it, or says why not. `undefined`: nothing bounds it. */
  take(asking: Asking): Control | undefined {
    if (this.#state === 'idle') return undefined
    if (this.#state === 'unreadable') return refused('admission_unavailable', unavailableReply())
    const subject = this.#subjectOf(asking)
    // What costs nothing is held against nothing; a rate limit counts it all the same.
    const budgets = asking.facts.api === 'free' ? [] : this.#leases.budgetsOf(subject, asking.startedAt)
    const outputTokens = outputOf(asking)
    // A file is not read as text.
    const textBytes = asking.facts.media === undefined ? asking.body.length : asking.facts.promptBytes
    const tokens = estimateTokens(textBytes, outputTokens)
    const limited = this.#limits.pass(subject, tokens, performance.now())
    if (limited?.kind === 'limited') return refused('rate_limited', limitedReply(limited))
    const reserved = budgets.length === 0 ? undefined : this.#reserve(asking, { subject, budgets, outputTokens })
    if (reserved !== undefined && 'reason' in reserved) {
      limited?.hold.release(performance.now())
      return withHeaders(reserved, limited?.hold)
    }
    if (limited === undefined && reserved === undefined) return undefined
    return {
      kind: 'held',
      hold: this.#holdOf({ limits: limited?.hold, budgets: reserved, organizationId: subject.organizationId }),
    }
  }

  /** As the directory knows the caller, else as the edge says: so does the ledger. */
  #subjectOf({ caller, key }: Asking): Subject {
    const known = key ?? this.#ownerOf(caller.authId) ?? this.#subjects[caller.authId]
    return {
      authId: caller.authId,
      organizationId: known?.organizationId,
      userId: known?.userId ?? caller.userId,
      groupId: known?.groupId ?? caller.groupId,
    }
  }

  #reserve(asking: Asking, { subject, budgets, outputTokens }: Bounded): BudgetHold | Refused {
    const { unboundedBy, api } = asking.facts
    if (unboundedBy !== undefined && api !== 'embeddings') return refused('budget_unbounded', unboundedByReply(unboundedBy, api))
    const { body, caller, facts, startedAt: at, route } = asking
    const { organizationId } = subject
    const { media } = facts
    if (outputTokens === undefined && media === undefined) return refused('budget_unbounded', unboundedReply(route.id, api))
    const model = { model: facts.model, baseModel: caller.baseModel, organizationId }
    const amounts = new Map<string, bigint>()
    for (const { budget } of budgets) {
      const pricing = { prices: this.#prices.get(budget.unit), at }
      if (media !== undefined) {
        const size = { facts, media, bodyBytes: body.length, route }
        const reservation = mediaReservation(size, budget.unit, { model, ...pricing })
        if (reservation.kind === 'unpriced') return refused('budget_unpriced', unpricedReply(budget))
        if (reservation.kind === 'unbounded') return refused('budget_unbounded', unboundedMediaReply(route.id, size))
        amounts.set(budget.unit, reservation.amount)
        continue
      }
      const amount = reservationOf({ ...model, bodyBytes: body.length, outputTokens: outputTokens ?? 0 }, budget.unit, pricing)
      if (amount === undefined) return refused('budget_unpriced', unpricedReply(budget))
      amounts.set(budget.unit, amount)
    }
    const outcome = this.#leases.reserve(budgets, (unit) => amounts.get(unit) ?? 0n, at)
    switch (outcome.kind) {
      case 'held':
        return outcome.hold
      case 'exhausted':
        return refused('budget_exhausted', exhaustedReply(outcome.budget))
      case 'reserved':
        return refused('budget_reserved', reservedReply(outcome.budget, this.#countCrowd(performance.now())))
    }
  }

  #countCrowd(now: number): number {
    if (now - this.#crowd.from > 1000) {
      this.#crowd.from = now
      this.#crowd.count = 0
    }
    this.#crowd.count += 1
    return this.#crowd.count
  }

  #holdOf({ limits, budgets, organizationId }: Held): RequestHold {
    return {
      settle: (intent, settlement) => {
        const used = tokensOf(settlement)
        budgets?.settle((unit) => (unit === TOKENS ? used : this.#costOf(unit, intent, settlement, organizationId)))
        limits?.settle(isKnown(settlement) ? Number(used) : undefined, performance.now())
      },
      release() {
        budgets?.release()
        limits?.release(performance.now())
      },
      headers: () => (limits === undefined ? undefined : limitHeaders(limits.states(performance.now()))),
    }
  }

  /** As the ledger will price it. */
  #costOf(unit: string, intent: Intent, settlement: Settlement, organizationId: string | undefined): bigint {
    const { model, outcome, provenance, meters } = settlement
    const isCut = outcome !== 'completed' || provenance === 'estimated' || provenance === 'continuous'
    const usage = {
      model: model ?? (isCut ? intent.modelAsked : undefined),
      baseModel: intent.baseModel,
      organizationId,
      meters: Object.entries(meters).map(([meter, count]) => [meter, BigInt(count)] as const),
    }
    return this.#prices.get(unit)?.cost(usage, intent.startedAt) ?? 0n
  }
}

type Bounded = {
  readonly subject: Subject
  readonly budgets: readonly { readonly budget: Budget; readonly subject: string }[]
  readonly outputTokens: number | undefined
}

type Held = {
  readonly limits: LimitHold | undefined
  readonly budgets: BudgetHold | undefined
  readonly organizationId: string | undefined
}

type Refused = Extract<Control, { kind: 'refused' }>

function refused(reason: string, reply: Reply): Refused {
  return { kind: 'refused', reason, reply }
}

function withHeaders(refusal: Refused, limits: LimitHold | undefined): Refused {
  if (limits === undefined) return refusal
  const { reply } = refusal
  return { ...refusal, reply: { ...reply, headers: [...reply.headers, ...limitHeaders(limits.states(performance.now()))] } }
}

function outputOf({ facts, route }: Asking): number | undefined {
  const { api, maxTokens, choices, prompts } = facts
  if (facts.media !== undefined) return undefined
  return outputBound({ api, maxTokens, choices, prompts, routeMax: route.maxOutputTokens })
}

function tokensOf({ meters }: Settlement): bigint {
  let tokens = 0n
  for (const meter in meters) if (isTokenMeter(meter)) tokens += BigInt(meters[meter] ?? 0)
  return tokens
}

/** Whether a limit may believe what was counted: a request whose usage nobody knows has not used nothing, unless the upstream refused it. */
function isKnown({ provenance, outcome }: Settlement): boolean {
  return provenance !== 'unknown' || outcome === 'upstream_error'
}
