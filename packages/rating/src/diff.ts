import { RATE_PLACES, formatDecimal, formatMeterRate, formatNano, formatRate } from '@ascribe/units'
import type { Measure } from '@ascribe/units'
import type { Agreement } from './agreements.ts'
import { pricesMachines } from './price-book.ts'
import type { MeterPrice, ModelRates, Premium, PriceBook, Rates } from './price-book.ts'

/** A value before and after, written as in a book. */
export type Change = { readonly before: string; readonly after: string }

/**
 * One rate that differs. `before` and `after` are decimals of one unit, or a description of what the total of a month prices; the one
 * that does not exist is absent. With an organization, it differs for that one alone, from what it paid or would pay otherwise.
 */
export type RateChange = {
  readonly change: 'added' | 'removed' | 'changed'
  readonly model: string
  readonly meter: string
  readonly organizationId?: string
  readonly before?: string
  readonly after?: string
}

/** What differs between two books; a premium is written `identity`, `multiplier 1.5` or `markup 0.0000001`. */
export type BookDiff = {
  readonly currency?: Change
  readonly premium?: Change
  readonly rates: readonly RateChange[]
  /** Minimums and commitments that come or go, as people read them. */
  readonly agreements: readonly { readonly change: 'added' | 'removed'; readonly text: string }[]
}

/**
 * Compares what two books cost, by model and meter, in that order. Listed fine-tunes count as models, with the premium in
 * their rates; for the others the premium says it. Without a book before, everything is added.
 */
export function diffBooks(before: PriceBook | undefined, after: PriceBook): BookDiff {
  const rates = ratesDiff(before, after)
  for (const id of sortedKeys(before?.overrides, after.overrides)) {
    // Compared with what everybody pays where the organization had no prices of its own; what changes for all is not said again.
    const own = ratesDiff(before?.overrides.get(id) ?? before, after.overrides.get(id) ?? after)
    const said = new Set(rates.map((each) => JSON.stringify(each)))
    rates.push(...own.filter((each) => !said.has(JSON.stringify(each))).map((each) => ({ ...each, organizationId: id })))
  }
  const currency = change(before?.currency, after.currency)
  const premium = change(before === undefined ? undefined : describePremium(before.premium), describePremium(after.premium))
  return { ...(currency && { currency }), ...(premium && { premium }), rates, agreements: agreementsDiff(before, after) }
}

function ratesDiff(before: ModelRates | undefined, after: ModelRates): RateChange[] {
  const rates: RateChange[] = []
  const [ratesBefore, ratesAfter] = [before === undefined ? new Map<string, Rates>() : allRates(before), allRates(after)]
  for (const model of sortedKeys(ratesBefore, ratesAfter)) {
    const [modelBefore, modelAfter] = [ratesBefore.get(model), ratesAfter.get(model)]
    for (const meter of sortedKeys(modelBefore, modelAfter)) {
      const [before, after] = [modelBefore, modelAfter].map((prices) => priceText(prices, { model, meter }))
      const found = rateChange(before, after)
      if (found !== undefined) rates.push({ model, meter, ...found })
    }
  }
  return rates
}

function priceText(rates: Rates | undefined, { model, meter }: { readonly model: string; readonly meter: string }): string | undefined {
  const price = rates?.get(meter)
  if (rates === undefined || price === undefined) return undefined
  return describePrice(price, pricesMachines(model, rates) ? { model, meter } : NO_MEASURE)
}

function rateChange(textBefore: string | undefined, textAfter: string | undefined): Omit<RateChange, 'model' | 'meter'> | undefined {
  if (textBefore === textAfter) return undefined
  if (textBefore === undefined) return { change: 'added', ...(textAfter !== undefined && { after: textAfter }) }
  if (textAfter === undefined) return { change: 'removed', before: textBefore }
  return { change: 'changed', before: textBefore, after: textAfter }
}

const NO_MEASURE: Measure = { model: undefined, meter: '' }

/** A price as people read it: `0.0000002`, `0.5 beyond 100 included`, `graduated: 0.6 to 1000, 0.4 above`, `5 a block of 1000`. */
export function describePrice(price: MeterPrice, measure: Measure = NO_MEASURE): string {
  if (typeof price === 'bigint') return formatMeterRate(measure, price)
  if (price.kind === 'provider') return `${formatMeterRate(measure, price.rate)} settled by the provider`
  const beyond = price.included === 0n ? '' : ` beyond ${price.included} included`
  switch (price.kind) {
    case 'linear':
      return `${formatRate(price.rate)}${beyond}`
    case 'package':
      return `${formatRate(price.price)} a block of ${price.size}${beyond}`
    case 'graduated':
    case 'volume':
      return `${price.kind}: ${price.tiers.map(({ upTo, rate }) => `${formatRate(rate)} ${upTo === undefined ? 'above' : `to ${upTo}`}`).join(', ')}${beyond}`
  }
}

function agreementsDiff(before: PriceBook | undefined, after: PriceBook): BookDiff['agreements'] {
  const textsOf = (book: PriceBook | undefined): readonly string[] => [
    ...(book?.minimums ?? []).map((each) => describeAgreement('minimum', each)),
    ...(book?.commitments ?? []).map((each) => describeAgreement('commitment', each)),
  ]
  const [old, fresh] = [textsOf(before), textsOf(after)]
  return [
    ...old.filter((text) => !fresh.includes(text)).map((text) => ({ change: 'removed', text }) as const),
    ...fresh.filter((text) => !old.includes(text)).map((text) => ({ change: 'added', text }) as const),
  ]
}

/** A minimum or commitment as people read it: `minimum of 100 a month for all, from 2026-11`. */
export function describeAgreement(kind: 'minimum' | 'commitment', { organizationId, amount, from, to }: Agreement): string {
  const term = [from === undefined ? '' : `, from ${from}`, to === undefined ? '' : `, until ${to}`].join('')
  return `${kind} of ${formatNano(amount)}${kind === 'minimum' ? ' a month' : ''} for ${organizationId ?? 'all'}${term}`
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

function allRates(book: ModelRates): ReadonlyMap<string, Rates> {
  return new Map([...book.models, ...book.fineTunes])
}

function sortedKeys(...maps: readonly (ReadonlyMap<string, unknown> | undefined)[]): readonly string[] {
  return [...new Set(maps.flatMap((map) => [...(map?.keys() ?? [])]))].toSorted()
}
