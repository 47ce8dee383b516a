import { hourOf } from '@ascribe/units'
import type { Instant, Nano } from '@ascribe/units'

/** What is left of a block, and when its money may be spent: on usage of [effectiveFrom, expiresAt), to the hour. */
export type DrawableBlock = {
  readonly id: string
  readonly remaining: Nano
  readonly effectiveFrom: Instant
  /** `undefined`: never. */
  readonly expiresAt: Instant | undefined
  /** Of those that expire together the lowest goes first. */
  readonly priority: number
  readonly createdAt: Instant
}

/** What was charged in the hour that begins at `at`. */
export type HourlySpend = { readonly at: Instant; readonly amount: Nano }

/** So much from this block; positive. */
export type Draw = { readonly blockId: string; readonly amount: Nano }

/** The order in which blocks are drawn: soonest expiry, then lowest priority, then oldest, then id. Those that never expire come last. */
export function compareBlocks(a: DrawableBlock, b: DrawableBlock): number {
  const [expiryA, expiryB] = [a.expiresAt ?? Infinity, b.expiresAt ?? Infinity]
  if (expiryA !== expiryB) return expiryA < expiryB ? -1 : 1
  if (a.priority !== b.priority) return a.priority - b.priority
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt
  return a.id < b.id ? -1 : 1
}

/**
 * Decides what is drawn for a month. Each block in turn pays what is unpaid of the hours in which it was in force, the earliest first,
 * so that a trial that ended in the middle of the month pays for the days before. An hour counts whole for a block that was in force in
 * any part of it. Hours below zero (corrections) lower the latest ones. Never more than is left of a block, nor than was spent.
 */
export function planDraws(blocks: readonly DrawableBlock[], spent: readonly HourlySpend[]): readonly Draw[] {
  const unpaid = withoutNegatives(spent)
  const draws: Draw[] = []
  for (const block of blocks.toSorted(compareBlocks)) {
    const from = hourOf(block.effectiveFrom).start
    let left = block.remaining
    for (const hour of unpaid) {
      if (hour.at < from || hour.at >= (block.expiresAt ?? Infinity)) continue
      const paid = hour.amount < left ? hour.amount : left
      hour.amount -= paid
      left -= paid
      if (left === 0n) break
    }
    if (left < block.remaining) draws.push({ blockId: block.id, amount: block.remaining - left })
  }
  return draws
}

/** The hours in order, none below zero, with the same sum (or nothing, where that is below zero). */
function withoutNegatives(spent: readonly HourlySpend[]): { readonly at: Instant; amount: Nano }[] {
  const hours = spent.toSorted((a, b) => a.at - b.at).map(({ at, amount }) => ({ at, amount: amount > 0n ? amount : 0n }))
  let owed = spent.reduce((sum, { amount }) => (amount < 0n ? sum - amount : sum), 0n)
  for (const hour of hours.toReversed()) {
    const taken = hour.amount < owed ? hour.amount : owed
    hour.amount -= taken
    owed -= taken
  }
  return hours
}
