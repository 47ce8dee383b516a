import type { Amount } from './budget.ts'

/** One writer's part of an account, as the ledger knows it. */
export type LeaseRow = {
  readonly writer: string
  /** All that it was ever given. Never lowered. */
  readonly granted: Amount
  /** What it has given back for ever. Never lowered. */
  readonly returned: Amount
  /** What of its usage is in the ledger. */
  readonly consumed: Amount
  /** What it says that it has reserved and settled. */
  readonly used: Amount
  /** What it would need at once and does not have; 0: nothing. */
  readonly wanted: Amount
  /** The last recall that it has followed. */
  readonly recalled: number
  /** Whether it has told of itself lately: only such a writer is given more. */
  readonly live: boolean
  /** Its process is dead and its journal was read to the end: what it did not use by now, it never will. */
  readonly ended: boolean
}

export type GrantPlan = {
  /** Writers that are given more, with all that they have been given then. */
  readonly granted: ReadonlyMap<string, Amount>
  /** A new wish that holders give back what is above `keep`. */
  readonly recall?: { readonly keep: Amount }
}

/** A writer that holds less than this part of its even share is topped up from what others do not need. */
const LOW_PART = 4n
/** Of its even share, so much stays with a writer when others are short: it goes on admitting meanwhile. */
const KEEP_PART = 2n

/** What counts against the limit for a writer: what it may still spend and what it has spent, whatever it does from now on. */
export function heldBy(row: Pick<LeaseRow, 'granted' | 'returned' | 'consumed' | 'used' | 'ended'>): Amount {
  if (row.ended) return row.consumed
  // A request that cost more than it reserved counts in full: it is paid for by what is free, not by another writer's lease.
  return max(row.granted - row.returned, row.used, row.consumed)
}

/** Sum of what all writers have spent or may still spend. It never passes the limit, but for requests that cost more than they reserved. */
export function heldByAll(rows: readonly LeaseRow[]): Amount {
  return rows.reduce((sum, row) => sum + heldBy(row), 0n)
}

/**
 * Gives out what is free of a limit: first to writers that were short for a request, the smallest wish first, then evenly to those
 * that hold less than their share. What lies idle elsewhere is recalled when somebody needs it: in part, so that nobody stops; in
 * full only for a wish that cannot be met otherwise, and when more was given than a lowered limit allows.
 *
 * Adds at most `limit - heldByAll(rows)` in all: the invariant of the whole.
 */
export function planGrants(limit: Amount, rows: readonly LeaseRow[], options: { readonly isRecalling: boolean }): GrantPlan {
  const live = rows.filter((row) => row.live && !row.ended)
  if (live.length === 0) return { granted: new Map() }
  const granted = new Map<string, Amount>()
  let free = limit - heldByAll(rows)
  const spare = new Map(live.map((row) => [row.writer, heldBy(row) - max(row.used, row.consumed)]))
  const left = max(free, 0n) + sum(spare.values())
  const share = left / BigInt(live.length)
  const give = (row: LeaseRow, amount: Amount): void => {
    granted.set(row.writer, (granted.get(row.writer) ?? givenTo(row)) + amount)
    spare.set(row.writer, (spare.get(row.writer) ?? 0n) + amount)
    free -= amount
  }

  let unmet: Amount | undefined
  for (const row of live.toSorted((a, b) => compare(a.wanted, b.wanted))) {
    const short = row.wanted - (spare.get(row.writer) ?? 0n)
    if (short <= 0n) continue
    if (short <= free) give(row, short)
    else unmet ??= row.wanted
  }
  // Those who have least come first, so that one round is as even as can be.
  const poor = live.filter((row) => (spare.get(row.writer) ?? 0n) < share)
  for (const [index, row] of poor.toSorted((a, b) => compare(spare.get(a.writer) ?? 0n, spare.get(b.writer) ?? 0n)).entries()) {
    const part = free / BigInt(poor.length - index)
    const amount = min(part, share - (spare.get(row.writer) ?? 0n))
    if (amount > 0n) give(row, amount)
  }
  const keep = options.isRecalling ? undefined : recallFor()
  return { granted, ...(keep !== undefined && { recall: { keep } }) }

  function recallFor(): Amount | undefined {
    // What meets a wish is left to it until it is used or nobody asks for it any more.
    const idle = live.map((row) => {
      const has = spare.get(row.writer) ?? 0n
      return has >= row.wanted ? has - row.wanted : has
    })
    const richest = max(0n, ...idle)
    if (free < 0n && richest > 0n) return 0n
    const kept = share / KEEP_PART
    const withKept = idle.reduce((total, each) => total + max(0n, each - kept), free)
    if (unmet !== undefined && unmet <= withKept) return kept
    if (unmet !== undefined && unmet <= free + sum(idle)) return 0n
    const isPoor = live.some((row) => (spare.get(row.writer) ?? 0n) * LOW_PART < share)
    return isPoor && richest > share ? share : undefined
  }
}

/** A writer that has overspent starts from what it has used: else the first part of a grant would only fill that hole. */
function givenTo(row: LeaseRow): Amount {
  return max(row.granted, row.returned + max(row.used, row.consumed))
}

/** What a writer may spend at first for a subject that nobody has heard of: a falling part, so that many may come and few are given much. */
export function initialGrant(limit: Amount, given: Amount): Amount {
  const half = limit / 2n
  return given >= half ? 0n : min(limit / 4n, (half - given) / 2n)
}

function compare(a: Amount, b: Amount): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function min(a: Amount, b: Amount): Amount {
  return a < b ? a : b
}

function max(first: Amount, ...rest: readonly Amount[]): Amount {
  return rest.reduce((most, each) => (each > most ? each : most), first)
}

function sum(amounts: Iterable<Amount>): Amount {
  let total = 0n
  for (const amount of amounts) total += amount
  return total
}
