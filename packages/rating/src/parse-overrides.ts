import { nearest } from '@ascribe/kit'
import type { RatePer } from '@ascribe/units'
import { present, readFactor } from './parse-decimals.ts'
import { readOrganizationId } from './parse-organization.ts'
import type { OrganizationCheck } from './parse-organization.ts'
import { readSomeRates } from './parse-rates.ts'
import { FACTOR_ONE, applyFactor, applyPremium, describeFault } from './premium.ts'
import type { Derived } from './premium.ts'
import type { ModelRates, Premium, Rates } from './price-book.ts'
import type { Entry, YamlReader } from './yaml-reader.ts'

/** The book that organizations depart from. `bases` has the base model of each fine-tune that has no rates of its own. */
export type OverriddenBook = ModelRates & { readonly premium: Premium; readonly bases: ReadonlyMap<string, string> }

type ReadOverrides = {
  readonly book: OverriddenBook
  readonly per: RatePer
  readonly check: OrganizationCheck
}

/**
 * Reads what organizations pay that have prices of their own: under `models`, prices that replace those of the book, meter by meter;
 * and a `discount`, a factor on every other price. A fine-tune without rates of its own follows its base model's, premium included.
 */
export function readOverrides(reader: YamlReader, section: Entry | undefined, options: ReadOverrides): ReadonlyMap<string, ModelRates> {
  const overrides = new Map<string, ModelRates>()
  for (const entry of (section && reader.entries(section)?.values()) ?? []) {
    const id = readOrganizationId(reader, { text: entry.key, place: entry.keyPlace }, options.check)
    const rates = readOverride(reader, entry, options)
    if (id === undefined || rates === undefined) continue
    if (overrides.has(id)) reader.report(entry.keyPlace, `organization ${id} is in overrides twice`, 'keep one of the two')
    overrides.set(id, rates)
  }
  return overrides
}

function readOverride(reader: YamlReader, entry: Entry, { book, per }: ReadOverrides): ModelRates | undefined {
  const fields = reader.entries(entry, ['discount', 'models'])
  if (fields === undefined) return undefined
  const discount = present(fields.get('discount'))
  const factor = discount && readFactor(reader, discount)
  if (factor === 0n && discount !== undefined) {
    reader.report(discount.place, `${discount.path} makes everything free`, 'write a factor above 0, such as "0.9"')
  }
  const own = readOwnRates(reader, { section: fields.get('models'), book, per })
  const place = discount?.place ?? entry.keyPlace
  const report = (model: string, { rates, faults }: Derived): Rates => {
    for (const [meter, fault] of [...faults].slice(0, 1)) {
      const [what, hint] = describeFault(fault)
      reader.report(place, `${entry.path} makes the ${meter} rate of ${JSON.stringify(model)} ${what}`, hint)
    }
    return rates
  }
  const discounted = (model: string, rates: Rates): Rates =>
    factor === undefined || factor === FACTOR_ONE ? rates : report(model, applyFactor(factor, rates))
  const premiumOn = (model: string, rates: Rates | undefined): Rates | undefined =>
    rates && report(`a fine-tune of ${model}`, applyPremium(book.premium, rates))
  const ownDerived = new Map([...own].filter(([id]) => book.models.has(id)).map(([id, rates]) => [id, premiumOn(id, rates)]))
  return {
    models: mapRates(book.models, (id, rates) => merged(discounted(id, rates), own.get(id))),
    derived: mapRates(book.derived, (id, rates) => merged(discounted(`a fine-tune of ${id}`, rates), ownDerived.get(id))),
    fineTunes: mapRates(book.fineTunes, (id, rates) =>
      merged(merged(discounted(id, rates), ownDerived.get(book.bases.get(id) ?? '')), own.get(id)),
    ),
  }
}

function readOwnRates(
  reader: YamlReader,
  { section, book, per }: { readonly section: Entry | undefined; readonly book: OverriddenBook; readonly per: RatePer },
): ReadonlyMap<string, Rates> {
  const own = new Map<string, Rates>()
  for (const entry of (section && reader.entries(section)?.values()) ?? []) {
    const rates = book.models.get(entry.key) ?? book.fineTunes.get(entry.key)
    if (rates === undefined) {
      const near = nearest(entry.key, [...book.models.keys(), ...book.fineTunes.keys()])
      const hint = near === undefined ? 'add it to base_models or fine_tunes first' : `did you mean ${JSON.stringify(near)}?`
      reader.report(entry.keyPlace, `${JSON.stringify(entry.key)} is neither in base_models nor in fine_tunes`, hint)
      continue
    }
    const read = readSomeRates(reader, entry, { per, base: rates })?.rates
    if (read === undefined) continue
    // Where reasoning follows output in the book, it follows the organization's output too.
    const output = read.get('output_tokens')
    const follows = output !== undefined && !read.has('reasoning_tokens') && rates.get('reasoning_tokens') === rates.get('output_tokens')
    own.set(entry.key, follows ? new Map([...read, ['reasoning_tokens', output]]) : read)
  }
  return own
}

function mapRates(models: ReadonlyMap<string, Rates>, change: (id: string, rates: Rates) => Rates): ReadonlyMap<string, Rates> {
  return new Map([...models].map(([id, rates]) => [id, change(id, rates)]))
}

function merged(rates: Rates, own: Rates | undefined): Rates {
  return own === undefined ? rates : new Map([...rates, ...own])
}
