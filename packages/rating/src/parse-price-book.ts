import { createHash } from 'node:crypto'
import { isMap, isScalar } from 'yaml'
import { isCurrency } from '@ascribe/units'
import type { Currency, Rate, RatePer } from '@ascribe/units'
import { PriceBookError } from './errors.ts'
import { present, readPer, readRate } from './parse-decimals.ts'
import { readModelRates } from './parse-rates.ts'
import { applyPremium, describeFault, readPremium } from './premium.ts'
import type { PlacedPremium } from './premium.ts'
import { FINE_TUNE_PREFIX, pricesMachines } from './price-book.ts'
import type { PriceBook, Rates } from './price-book.ts'
import { nearest } from '@ascribe/kit'
import { readAgreements } from './parse-agreements.ts'
import type { KnownOrganizations } from './parse-organization.ts'
import { readOverrides } from './parse-overrides.ts'
import { openYaml } from './yaml-reader.ts'
import type { Entry, Value, YamlReader } from './yaml-reader.ts'

export type ParsePriceBookOptions = {
  /** What problems call the text: the path that a person knows it by. */
  readonly file: string
  /** Default: ids of organizations are not looked up. */
  readonly organizations?: KnownOrganizations
}

const TOP_KEYS = [
  'version',
  'currency',
  'per',
  'base_models',
  'fine_tune_premium',
  'fine_tunes',
  'overrides',
  'minimums',
  'commitments',
  'gpu_floor_rates',
] as const
const DEFAULT_CURRENCY = 'USD'

/**
 * Parses a price book: YAML of version 1 with base models, fine-tunes and the premium between them; a currency, prices for a
 * thousand or a million units, rates of further meters, prices by the total of a month, overrides for organizations, minimums and commitments
 * are optional. Exact: every rate fits 18 places a unit, premium and discount included.
 * @throws {PRICE_BOOK_INVALID} with every problem of the text.
 */
export function parsePriceBook(text: string, { file, organizations }: ParsePriceBookOptions): PriceBook {
  const reader = openYaml(text)
  const book = reader.root === undefined ? undefined : readBook(reader, reader.root, { sha256: bookSha256(text), organizations })
  const problems = reader.problems()
  if (book === undefined || problems.length > 0) throw new PriceBookError(file, problems)
  return book
}

/** SHA-256 of a book's bytes (UTF-8), lower-case hex. Two texts that mean the same but differ in a byte are two books. */
export function bookSha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex')
}

type ReadBook = { readonly sha256: string; readonly organizations: KnownOrganizations | undefined }

function readBook(reader: YamlReader, root: Value, { sha256, organizations }: ReadBook): PriceBook | undefined {
  const top = isMap(root.node) ? reader.entries(root, TOP_KEYS) : undefined
  if (top === undefined) {
    reader.report(0, 'the file is not a mapping', 'start it with "version: 1" and "base_models:"')
    return undefined
  }
  checkVersion(reader, top.get('version'))
  const currency = readCurrency(reader, present(top.get('currency')))
  const per = readPer(reader, present(top.get('per')), 1)
  const baseModels = readBaseModels(reader, top.get('base_models'), per)
  const models = new Map([...baseModels].map(([id, { rates }]) => [id, rates]))
  const placed = readPremium(reader, present(top.get('fine_tune_premium')), per)
  const derived = deriveAll(reader, placed, baseModels)
  const { fineTunes, bases } = readFineTunes({ reader, section: present(top.get('fine_tunes')), per, derived })
  const check = { known: organizations, currency }
  const book = { premium: placed.premium, models, fineTunes, derived }
  return {
    ...book,
    currency,
    sha256,
    overrides: readOverrides(reader, present(top.get('overrides')), { book: { ...book, bases }, per, check }),
    minimums: readAgreements(reader, present(top.get('minimums')), { kind: 'minimum', check }),
    commitments: readAgreements(reader, present(top.get('commitments')), { kind: 'commitment', check }),
    gpuFloorRates: readGpuFloorRates(reader, present(top.get('gpu_floor_rates'))),
  }
}

function checkVersion(reader: YamlReader, entry: Entry | undefined): void {
  if (entry === undefined) {
    reader.report(0, 'version is missing', 'add the line "version: 1"')
  } else if (!isScalar(entry.node) || entry.node.value !== 1) {
    reader.report(entry.place, 'version is not the number 1', 'write "version: 1"; other versions are not known')
  }
}

function readCurrency(reader: YamlReader, entry: Entry | undefined): Currency {
  if (entry === undefined) return DEFAULT_CURRENCY
  const word = isScalar(entry.node) ? entry.node.value : undefined
  if (typeof word === 'string' && isCurrency(word)) return word
  const mend = typeof word === 'string' && isCurrency(word.toUpperCase()) ? word.toUpperCase() : 'a code of three capitals, such as EUR'
  reader.report(entry.place, `currency ${JSON.stringify(word ?? null)} is not an ISO 4217 code`, `write ${mend}`)
  return DEFAULT_CURRENCY
}

type BaseModel = { readonly entry: Entry; readonly rates: Rates }

function readBaseModels(reader: YamlReader, section: Entry | undefined, per: RatePer): ReadonlyMap<string, BaseModel> {
  const models = new Map<string, BaseModel>()
  for (const entry of (section && reader.entries(section)?.values()) ?? []) {
    if (entry.key.startsWith(FINE_TUNE_PREFIX)) {
      const hint = `move it to fine_tunes, or drop the ${FINE_TUNE_PREFIX} prefix`
      reader.report(entry.keyPlace, `${JSON.stringify(entry.key)} is the id of a fine-tune, not of a base model`, hint)
      continue
    }
    models.set(entry.key, { entry, rates: readModelRates(reader, entry, per) })
  }
  if (section === undefined) reader.report(0, 'base_models is missing', 'add it, with at least one model and its rates')
  else if (present(section) === undefined || (isMap(section.node) && section.node.items.length === 0)) {
    reader.report(section.keyPlace, 'base_models is empty, which prices nothing', 'add at least one model and its rates')
  }
  return models
}

/** What a fine-tune of each base model costs. */
function deriveAll(reader: YamlReader, placed: PlacedPremium, baseModels: ReadonlyMap<string, BaseModel>): ReadonlyMap<string, Rates> {
  const { premium, place } = placed
  const derived = new Map<string, Rates>()
  for (const [id, { entry, rates }] of baseModels) {
    // Nothing is tuned from a machine, and another name would count whole hours.
    if (pricesMachines(id, rates)) continue
    const { rates: withPremium, faults } = applyPremium(premium, rates)
    derived.set(id, withPremium)
    // Whatever is wrong with one rate of a model is mostly wrong with all: say it once.
    for (const [meter, fault] of [...faults].slice(0, 1)) {
      const [what, hint] = describeFault(fault)
      const model = `${JSON.stringify(id)} (line ${reader.lineOf(entry.keyPlace)})`
      reader.report(place, `fine_tune_premium makes the ${meter} rate of a fine-tune of ${model} ${what}`, hint)
    }
  }
  return derived
}

type ReadFineTunes = {
  readonly reader: YamlReader
  readonly section: Entry | undefined
  readonly per: RatePer
  readonly derived: ReadonlyMap<string, Rates>
}

type FineTunes = {
  readonly fineTunes: ReadonlyMap<string, Rates>
  /** Of those without a rate of their own. */
  readonly bases: ReadonlyMap<string, string>
}

function readFineTunes({ reader, section, per, derived }: ReadFineTunes): FineTunes {
  const [fineTunes, bases] = [new Map<string, Rates>(), new Map<string, string>()]
  const listed = (section && reader.entries(section)) ?? new Map<string, Entry>()
  for (const entry of listed.values()) {
    if (derived.has(entry.key)) {
      reader.report(entry.keyPlace, `${JSON.stringify(entry.key)} is in base_models too`, 'keep one of the two')
      continue
    }
    const fields = reader.entries(entry, ['derived_from', 'rate'])
    if (fields === undefined) continue
    const own = present(fields.get('rate'))
    const base = present(fields.get('derived_from'))
    if (own === undefined && base === undefined) {
      reader.report(entry.keyPlace, `${entry.path} has no price`, 'add derived_from: with a base model, or rate: with rates of its own')
    }
    const inherited = base && baseRates({ reader, entry: base, derived, listed })
    // A rate of its own wins, premium and all; the base model is checked in any case.
    const rates = own === undefined ? inherited : readModelRates(reader, own, per)
    if (rates !== undefined) fineTunes.set(entry.key, rates)
    if (own === undefined && isScalar(base?.node)) bases.set(entry.key, String(base.node.value))
  }
  return { fineTunes, bases }
}

type BaseRates = {
  readonly reader: YamlReader
  readonly entry: Entry
  readonly derived: ReadonlyMap<string, Rates>
  readonly listed: ReadonlyMap<string, Entry>
}

function baseRates({ reader, entry, derived, listed }: BaseRates): Rates | undefined {
  const id = isScalar(entry.node) ? entry.node.value : undefined
  const rates = typeof id === 'string' ? derived.get(id) : undefined
  if (rates !== undefined) return rates
  if (typeof id === 'string' && (listed.has(id) || id.startsWith(FINE_TUNE_PREFIX))) {
    const hint = 'derive it from the base model itself'
    reader.report(entry.place, `${entry.path} ${JSON.stringify(id)} is a fine-tune: only one hop is allowed`, hint)
    return undefined
  }
  const hint = (): string => {
    const near = typeof id === 'string' ? nearest(id, derived.keys()) : undefined
    return near === undefined ? 'add that model to base_models' : `did you mean ${JSON.stringify(near)}?`
  }
  reader.report(entry.place, `${entry.path} ${JSON.stringify(id ?? null)} is not in base_models`, hint)
  return undefined
}

function readGpuFloorRates(reader: YamlReader, section: Entry | undefined): ReadonlyMap<string, Rate> {
  const rates = new Map<string, Rate>()
  for (const entry of (section && reader.entries(section)?.values()) ?? []) {
    const rate = readRate(reader, entry, 1)
    if (rate !== undefined) rates.set(entry.key, rate)
  }
  return rates
}
