import { RATE_PLACES, formatDecimal, formatRate } from '@ascribe/units'
import type { Rate } from '@ascribe/units'
import type { Premium, PriceBook, Rates } from './price-book.ts'

/** A value before and after, written as in a book. */
export type Change = { readonly before: string; readonly after: string }

/** One rate that differs. `before` and `after` are decimals of one unit; the one that does not exist is absent. */
export type RateChange = {
  readonly change: 'added' | 'removed' | 'changed'
  readonly model: string
  readonly meter: string
  readonly before?: string
  readonly after?: string
}

/** What differs between two books; a premium is written `identity`, `multiplier 1.5` or `markup 0.0000001`. */
export type BookDiff = { readonly currency?: Change; readonly premium?: Change; readonly rates: readonly RateChange[] }

/**
 * Compares what two books cost, by model and meter, in that order. Listed fine-tunes count as models, with the premium in
 * their rates; for the others the premium says it. Without a book before, everything is added.
 */
export function diffBooks(before: PriceBook | undefined, after: PriceBook): BookDiff {
  const rates: RateChange[] = []
  const [ratesBefore, ratesAfter] = [before === undefined ? new Map<string, Rates>() : allRates(before), allRates(after)]
  for (const model of sortedKeys(ratesBefore, ratesAfter)) {
    const [modelBefore, modelAfter] = [ratesBefore.get(model), ratesAfter.get(model)]
    for (const meter of sortedKeys(modelBefore, modelAfter)) {
      const change = rateChange(modelBefore?.get(meter), modelAfter?.get(meter))
      if (change !== undefined) rates.push({ model, meter, ...change })
    }
  }
  const currency = change(before?.currency, after.currency)
  const premium = change(before === undefined ? undefined : describePremium(before.premium), describePremium(after.premium))
  return { ...(currency && { currency }), ...(premium && { premium }), rates }
}

function rateChange(before: Rate | undefined, after: Rate | undefined): Omit<RateChange, 'model' | 'meter'> | undefined {
  if (before === after) return undefined
  if (before === undefined) return { change: 'added', after: formatRate(after ?? 0n) }
  if (after === undefined) return { change: 'removed', before: formatRate(before) }
  return { change: 'changed', before: formatRate(before), after: formatRate(after) }
}

function change(before: string | undefined, after: string): Change | undefined {
  return before === undefined || before === after ? undefined : { before, after }
}

function describePremium(premium: Premium): string {
  switch (premium.policy) {
    case 'identity':
      return 'identity'
    case 'multiplier':
      return `multiplier ${formatDecimal(premium.factor, RATE_PLACES)}`
    case 'markup':
      return `markup ${formatRate(premium.markup)}`
  }
}

function allRates(book: PriceBook): ReadonlyMap<string, Rates> {
  return new Map([...book.models, ...book.fineTunes])
}

function sortedKeys(...maps: readonly (ReadonlyMap<string, unknown> | undefined)[]): readonly string[] {
  return [...new Set(maps.flatMap((map) => [...(map?.keys() ?? [])]))].toSorted()
}
