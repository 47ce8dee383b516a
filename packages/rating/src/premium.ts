import { RATE_LIMIT, RATE_PLACES, divideExact } from '@ascribe/units'
import type { Rate, RatePer } from '@ascribe/units'
import { isScalar } from 'yaml'
import { present, readFactor, readRate } from './parse-decimals.ts'
import type { MeterPrice, Premium, Rates } from './price-book.ts'
import { suggest } from './yaml-reader.ts'
import type { Entry, Place, YamlReader } from './yaml-reader.ts'

const POLICIES = ['identity', 'multiplier', 'markup'] as const
const PARAMETER_OF_POLICY = { identity: undefined, multiplier: 'factor', markup: 'markup' } as const
/** A factor of 1. */
export const FACTOR_ONE: bigint = 10n ** BigInt(RATE_PLACES)

/** A premium, and where its parameter stands. */
export type PlacedPremium = { readonly premium: Premium; readonly place: Place }

const NONE: PlacedPremium = { premium: { policy: 'identity' }, place: 0 }

/** Reads the one rule that turns a base model's rates into a fine-tune's; without one, they are the same. */
export function readPremium(reader: YamlReader, section: Entry | undefined, per: RatePer): PlacedPremium {
  if (section === undefined) return NONE
  const entries = reader.entries(section, ['policy', 'factor', 'markup'])
  if (entries === undefined) return NONE
  const policy = readPolicy(reader, entries.get('policy'))
  if (policy === undefined) return NONE
  const parameter = PARAMETER_OF_POLICY[policy]
  for (const key of ['factor', 'markup'] as const) {
    const entry = entries.get(key)
    if (entry !== undefined && key !== parameter) {
      const other = parameter === undefined ? 'it takes no parameter' : `it takes ${parameter}`
      reader.report(entry.keyPlace, `${entry.path} does not go with policy ${policy}: ${other}`, `remove ${key}, or change the policy`)
    }
  }
  if (parameter === undefined) return NONE
  const entry = present(entries.get(parameter))
  if (entry === undefined) {
    reader.report(
      section.keyPlace,
      `${section.path} has policy ${policy} but no ${parameter}`,
      `add ${parameter}: with a decimal in quotes`,
    )
    return NONE
  }
  if (parameter === 'factor') {
    const factor = readFactor(reader, entry)
    return factor === undefined ? NONE : { premium: { policy: 'multiplier', factor }, place: entry.place }
  }
  const markup = readRate(reader, entry, per)
  return markup === undefined ? NONE : { premium: { policy: 'markup', markup }, place: entry.place }
}

function readPolicy(reader: YamlReader, entry: Entry | undefined): (typeof POLICIES)[number] | undefined {
  if (present(entry) === undefined || entry === undefined) return 'identity'
  const word = isScalar(entry.node) ? entry.node.value : undefined
  const policy = POLICIES.find((known) => known === word)
  if (policy === undefined) {
    const hint = typeof word === 'string' ? suggest(word, POLICIES) : `use one of ${POLICIES.join(', ')}`
    reader.report(entry.place, `${entry.path} ${JSON.stringify(word ?? null)} is not a policy`, hint)
  }
  return policy
}

/** Why a rate cannot have the premium: it would be free, be rounded, or be larger than a rate may be. */
export type PremiumFault = 'zeroed' | 'too_precise' | 'too_large'

const FAULTS: Readonly<Record<PremiumFault, readonly [string, string]>> = {
  zeroed: ['0', 'write a factor above 0; a model that is free on purpose has rates of "0"'],
  too_precise: ['have more than 18 decimal places a unit', 'rates are never rounded, so write fewer places in the factor or the rate'],
  too_large: ['larger than any price', 'write a smaller factor or markup'],
}

/** What a fault does to a rate ("makes the rate …"), and how to mend it. */
export function describeFault(fault: PremiumFault): readonly [string, string] {
  return FAULTS[fault]
}

/** The rates with the premium, and the fault of each meter that cannot have it. */
export type Derived = { readonly rates: Rates; readonly faults: ReadonlyMap<string, PremiumFault> }

/**
 * Applies a premium, exactly. A multiplier goes on every price; a markup, which is money for a token, on those of tokens.
 * A premium that makes a price free, or that needs more than 18 places a unit, is a fault: it is not rounded.
 */
export function applyPremium(premium: Premium, base: Rates): Derived {
  return changeRates(base, (rate, { meter, units }) => premiumRate(premium, { meter, rate, units }))
}

/** Multiplies every price by a factor in 10^-18, exactly; the faults are those of a premium. */
export function applyFactor(factor: bigint, base: Rates): Derived {
  return changeRates(base, (rate) => divideExact(rate * factor, FACTOR_ONE))
}

/** Where a rate stands: for how many units it is, which is more than one for the blocks of a package. */
type Change = (rate: Rate, at: { readonly meter: string; readonly units: bigint }) => Rate | undefined

function changeRates(base: Rates, change: Change): Derived {
  const rates = new Map<string, MeterPrice>()
  const faults = new Map<string, PremiumFault>()
  for (const [meter, price] of base) {
    const changed = changePrice(price, (rate, units) => {
      const result = change(rate, { meter, units })
      const fault = result === undefined ? 'too_precise' : faultOf(rate, result)
      if (fault !== undefined && !faults.has(meter)) faults.set(meter, fault)
      return result ?? rate
    })
    if (!faults.has(meter)) rates.set(meter, changed)
  }
  return { rates, faults }
}

function faultOf(before: Rate, after: Rate): PremiumFault | undefined {
  if (after === 0n && before !== 0n) return 'zeroed'
  return after >= RATE_LIMIT ? 'too_large' : undefined
}

function changePrice(price: MeterPrice, change: (rate: Rate, units: bigint) => Rate): MeterPrice {
  if (typeof price === 'bigint') return change(price, 1n)
  switch (price.kind) {
    case 'linear':
    case 'provider':
      return { ...price, rate: change(price.rate, 1n) }
    case 'package':
      return { ...price, price: change(price.price, price.size) }
    case 'graduated':
    case 'volume':
      return { ...price, tiers: price.tiers.map((tier) => ({ ...tier, rate: change(tier.rate, 1n) })) }
  }
}

function premiumRate(
  premium: Premium,
  { meter, rate, units }: { readonly meter: string; readonly rate: Rate; readonly units: bigint },
): Rate | undefined {
  switch (premium.policy) {
    case 'identity':
      return rate
    case 'multiplier':
      return divideExact(rate * premium.factor, FACTOR_ONE)
    case 'markup':
      return meter.endsWith('_tokens') ? rate + premium.markup * units : rate
  }
}
