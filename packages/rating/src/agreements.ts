import type { Nano } from '@ascribe/units'

/**
 * An amount of money that an organization pays at least, in nano-units of the book's currency: in every month of [from, to) for a
 * minimum, in all of them together for a commitment. Months are written `2026-11`.
 */
export type Agreement = {
  /** Absent on a minimum: of every organization that has none of its own and has used something. */
  readonly organizationId?: string
  readonly amount: Nano
  /** Absent: from the beginning. */
  readonly from?: string
  /** Not included. Absent: for ever; a commitment always has one. */
  readonly to?: string
}

/** What is missing to an agreed amount; never negative. */
export function shortfall(agreed: Nano, spent: Nano): Nano {
  return agreed > spent ? agreed - spent : 0n
}

/** The minimum of an organization in a month: its own, else that of everybody if it `hasUsage`. */
export function minimumOf(
  minimums: readonly Agreement[],
  { organizationId, month, hasUsage }: { readonly organizationId: string; readonly month: string; readonly hasUsage: boolean },
): Agreement | undefined {
  const inForce = minimums.filter((each) => covers(each, month))
  const own = inForce.find((each) => each.organizationId === organizationId)
  if (own !== undefined) return own
  return hasUsage ? inForce.find((each) => each.organizationId === undefined) : undefined
}

/** The commitment of an organization whose term ends with a month: then what is missing is due. */
export function commitmentDue(
  commitments: readonly Agreement[],
  { organizationId, month }: { readonly organizationId: string; readonly month: string },
): Agreement | undefined {
  return commitments.find((each) => each.organizationId === organizationId && each.to !== undefined && each.to === monthAfter(month))
}

/** Whether a month lies in the term. */
export function covers({ from, to }: Pick<Agreement, 'from' | 'to'>, month: string): boolean {
  return (from === undefined || from <= month) && (to === undefined || month < to)
}

/** The months of [from, to), in order. */
export function monthsOf({ from, to }: { readonly from: string; readonly to: string }): readonly string[] {
  const months: string[] = []
  for (let month = from; month < to; month = monthAfter(month)) months.push(month)
  return months
}

/** `2026-12` gives `2027-01`. */
export function monthAfter(month: string): string {
  const [year = 0, number = 1] = month.split('-').map(Number)
  const next = number === 12 ? [year + 1, 1] : [year, number + 1]
  return `${String(next[0]).padStart(4, '0')}-${String(next[1]).padStart(2, '0')}`
}
