import type { CataloguePageJson, CostDimension } from '@ascribe/contract/reads'
import { meterWords } from '../format/money.ts'
import { dimensionWords } from './state.ts'

const CATEGORIES: Readonly<Record<string, string>> = {
  usage: 'Usage',
  tier: 'Tiered prices',
  package: 'Packages',
  included: 'Beyond what is included',
  minimum: 'Minimum',
  commitment: 'Commitment',
  adjustment: 'Adjustments',
}

/** What a key is called: by the directory, or in words where it is one of ours. `''` is what has none. */
export function labelOf(by: CostDimension, key: string, names: ReadonlyMap<string, string>): string {
  if (key === '')
    return by === 'apiKey' || by === 'model' || by === 'meter' || by === 'price' ? 'Charged by the month' : `No ${dimensionWords(by)}`
  const name = names.get(key)
  if (name !== undefined && name !== '') return name
  if (by === 'category') return CATEGORIES[key] ?? key
  if (by === 'meter') return meterWords(key)
  if (by === 'price') return priceLabel(key)
  return key
}

/** `3:llama:input_tokens`: the model's name may hold colons too. */
function priceLabel(key: string): string {
  const [, sequence = '', model = '', meter = ''] = /^(\d+):(.*):([^:]*)$/s.exec(key) ?? []
  return sequence === '' ? key : `${model}, ${meterWords(meter)}, book ${sequence}`
}

/** What a catalogue says: the order of first use, and names. */
export type Catalogue = { readonly order: ReadonlyMap<string, number>; readonly names: ReadonlyMap<string, string> }

export const NO_CATALOGUE: Catalogue = { order: new Map(), names: new Map() }

export function catalogueOf(entries: CataloguePageJson['data']): Catalogue {
  return {
    order: new Map(entries.map(({ key }, index) => [key, index])),
    names: new Map(entries.flatMap(({ key, name }) => (name === undefined ? [] : [[key, name] as const]))),
  }
}
