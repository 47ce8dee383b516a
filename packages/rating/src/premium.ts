import { RATE_LIMIT, RATE_PLACES, divideExact } from '@ascribe/units'
import type { Rate, RatePer } from '@ascribe/units'
import { isScalar } from 'yaml'
import { present, readFactor, readRate } from './parse-rates.ts'
import type { Premium, Rates } from './price-book.ts'
import { suggest } from './yaml-reader.ts'
import type { Entry, Place, YamlReader } from './yaml-reader.ts'

const POLICIES = ['identity', 'multiplier', 'markup'] as const
const PARAMETER_OF_POLICY = { identity: undefined, multiplier: 'factor', markup: 'markup' } as const
const FACTOR_ONE = 10n ** BigInt(RATE_PLACES)

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

/** The rates with the premium, and the fault of each meter that cannot have it. */
export type Derived = { readonly rates: Rates; readonly faults: ReadonlyMap<string, PremiumFault> }

/**
 * Applies a premium, exactly. A multiplier goes on every rate; a markup, which is money for a token, on those of tokens.
 * A premium that makes a rate free, or that needs more than 18 places a unit, is a fault: it is not rounded.
 */
export function applyPremium(premium: Premium, base: Rates): Derived {
  const rates = new Map<string, Rate>()
  const faults = new Map<string, PremiumFault>()
  for (const [meter, rate] of base) {
    const derived = premiumRate(premium, meter, rate)
    if (derived === undefined) faults.set(meter, 'too_precise')
    else if (derived === 0n && rate !== 0n) faults.set(meter, 'zeroed')
    else if (derived >= RATE_LIMIT) faults.set(meter, 'too_large')
    else rates.set(meter, derived)
  }
  return { rates, faults }
}

function premiumRate(premium: Premium, meter: string, rate: Rate): Rate | undefined {
  switch (premium.policy) {
    case 'identity':
      return rate
    case 'multiplier':
      return divideExact(rate * premium.factor, FACTOR_ONE)
    case 'markup':
      return meter.endsWith('_tokens') ? rate + premium.markup : rate
  }
}
