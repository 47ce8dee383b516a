import type { Nano } from '@ascribe/units'

/** What one invoice has to do with usage and credits, or a closed month that has none. Usage only: no minimums, no commitments. */
export type BilledMonth = {
  /** `2026-11`. */
  readonly month: string
  /** What it was charged when it was closed. */
  readonly own: Nano
  /** Corrections that are booked in it, by the month that they correct. */
  readonly corrections: ReadonlyMap<string, Nano>
  /** What its invoice drew, and gave back; positive. */
  readonly drawn: Nano
  readonly returned: Nano
}

/** A month whose invoice credits paid beyond what is left of it. */
export type Excess = { readonly month: string; readonly amount: Nano }

/**
 * Says how much credits have paid for usage that corrections took back, as of the last of the months, which come in order and without gaps in
 * their corrections. What is taken back of a month comes off what was billed of it last: a late record that is voided comes off the invoice
 * that billed it, not off the first one. The customer's own money counts as what it is owed first. What a month took back but did not give,
 * because new usage outweighed it, has paid for that usage.
 */
export function creditExcess(months: readonly BilledMonth[]): readonly Excess[] {
  // By the month that was used: what invoices billed of it and still stands, the latest last.
  const billed = new Map<string, { readonly invoice: string; amount: Nano }[]>()
  // By the month that was invoiced: what of it credits have paid.
  const paid = new Map<string, Nano>()
  let excess: readonly Excess[] = []
  for (const { month, own, corrections, drawn, returned } of months) {
    billed.set(month, [{ invoice: month, amount: own }])
    for (const [used, amount] of corrections)
      correct(
        billed.getOrInsertComputed(used, () => []),
        { invoice: month, amount },
      )
    const standing = standingByInvoice(billed)
    excess = [...paid].flatMap(([invoice, amount]) => {
      const beyond = amount - (standing.get(invoice) ?? 0n)
      return beyond > 0n ? [{ month: invoice, amount: beyond }] : []
    })
    for (const each of excess) paid.set(each.month, (paid.get(each.month) ?? 0n) - each.amount)
    const moved = excess.reduce((sum, { amount }) => sum + amount, 0n) - returned
    paid.set(month, drawn + (moved > 0n ? moved : 0n))
  }
  return excess
}

function correct(standing: { readonly invoice: string; amount: Nano }[], { invoice, amount }: { invoice: string; amount: Nano }): void {
  if (amount >= 0n) {
    standing.push({ invoice, amount })
    return
  }
  let left = 0n - amount
  for (const each of standing.toReversed()) {
    const taken = each.amount < left ? each.amount : left
    each.amount -= taken
    left -= taken
  }
}

function standingByInvoice(
  billed: ReadonlyMap<string, readonly { readonly invoice: string; readonly amount: Nano }[]>,
): ReadonlyMap<string, Nano> {
  const standing = new Map<string, Nano>()
  for (const { invoice, amount } of [...billed.values()].flat()) standing.set(invoice, (standing.get(invoice) ?? 0n) + amount)
  return standing
}
