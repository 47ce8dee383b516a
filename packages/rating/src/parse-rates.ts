import { isMachineModel, meterScale } from '@ascribe/units'
import type { RatePer } from '@ascribe/units'
import { nearest } from '@ascribe/kit'
import { readPer } from './parse-decimals.ts'
import { readPrice } from './parse-period-price.ts'
import { pricesMachines } from './price-book.ts'
import type { MeterPrice, Rates } from './price-book.ts'
import { suggest } from './yaml-reader.ts'
import type { Entry, YamlReader } from './yaml-reader.ts'

/** The keys of a model that price one meter each; those of the reference's book are required, ours are not. */
const METER_OF_KEY: ReadonlyMap<string, string> = new Map([
  ['prompt', 'input_tokens'],
  ['cached', 'cached_input_tokens'],
  ['completion', 'output_tokens'],
  ['reasoning', 'reasoning_tokens'],
  ['cache_write_5m', 'cache_write_5m_tokens'],
  ['cache_write_1h', 'cache_write_1h_tokens'],
  ['input_audio', 'input_audio_tokens'],
  ['input_image', 'input_image_tokens'],
  ['output_audio', 'output_audio_tokens'],
  ['output_image', 'output_image_tokens'],
])
const KEY_OF_METER: ReadonlyMap<string, string> = new Map([...METER_OF_KEY].map(([key, meter]) => [meter, key]))
const REQUIRED_KEYS = ['prompt', 'cached', 'completion'] as const
const MODEL_KEYS: readonly string[] = [...METER_OF_KEY.keys(), 'meters', 'per']
const METER_NAME = /^[a-z][a-z0-9_]{0,62}$/

/**
 * Reads the rates of one model. `prompt`, `cached` and `completion` are required, unless it prices what is no token (characters, sound, images):
 * then tokens without a price are held, not free. Reasoning costs what output costs, and is counted
 * with it, unless it has a price of its own; any other meter without a price stays without, so that its usage is held and not mispriced.
 */
export function readModelRates(reader: YamlReader, model: Entry, per: RatePer): Rates {
  const read = readSomeRates(reader, model, { per })
  if (read === undefined) return new Map()
  // Machines have no tokens to price.
  if (read.isMachine) return read.rates
  const countsTokens = [...read.rates.keys()].every((meter) => meter.endsWith('_tokens'))
  for (const key of REQUIRED_KEYS) {
    if (!countsTokens || read.keys.has(key)) continue
    reader.report(model.keyPlace, `${model.path} has no ${key} rate`, `add ${key}: with a decimal in quotes; "0" makes it free`)
  }
  return withReasoning(read.rates)
}

export type SomeRates = {
  readonly rates: Rates
  readonly keys: ReadonlySet<string>
  /** Whether they are of virtual machines, by the hour. */
  readonly isMachine: boolean
}

/**
 * Reads the prices that are given of a model, by meter, and which keys it has; `undefined` when it is no mapping, which is reported. `base`: what
 * they depart from.
 */
export function readSomeRates(
  reader: YamlReader,
  model: Entry,
  { per, base }: { readonly per: RatePer; readonly base?: Rates },
): SomeRates | undefined {
  const entries = reader.entries(model, MODEL_KEYS, meterHint)
  if (entries === undefined) return undefined
  const modelPer = readPer(reader, entries.get('per'), per)
  // Before machines were sold every model had to price tokens. One that does, whatever its name, means what it meant then: no hour that was
  // served under it is priced in another way.
  const isMachine =
    isMachineModel(model.key) && (base === undefined ? !REQUIRED_KEYS.some((key) => entries.has(key)) : pricesMachines(model.key, base))
  const rates = new Map<string, MeterPrice>()
  const add = (meter: string, entry: Entry | undefined): void => {
    // What counts in millionths is priced by what its name says: an hour is an hour, whatever prices of tokens are for.
    const unit = isMachine && meterScale({ model: model.key, meter }) > 0 ? 1_000_000 : modelPer
    const price =
      entry && readPrice(reader, entry, { per: unit, meter, settledBy: isMachine && model.key === 'vm' ? 'provider' : 'platform' })
    if (price !== undefined) rates.set(meter, price)
  }
  for (const [key, meter] of METER_OF_KEY) add(meter, entries.get(key))
  const meters = entries.get('meters')
  for (const entry of (meters && reader.entries(meters)?.values()) ?? []) {
    if (isMeterName(reader, entry, entries)) add(entry.key, entry)
  }
  return { rates, keys: new Set(entries.keys()), isMachine }
}

/** Prices reasoning as output where it has no price of its own. */
function withReasoning(rates: Rates): Rates {
  const output = rates.get('output_tokens')
  return output === undefined || rates.has('reasoning_tokens') ? rates : new Map([...rates, ['reasoning_tokens', output]])
}

/** Somebody who knows the meters but not the keys is told the key. */
function meterHint(key: string): string | undefined {
  const known = KEY_OF_METER.get(key)
  if (known !== undefined) return `the rate of ${key} is called ${known} here`
  return nearest(key, MODEL_KEYS) === undefined && METER_NAME.test(key)
    ? `a rate of another meter goes under meters: { ${key}: … }`
    : undefined
}

function isMeterName(reader: YamlReader, entry: Entry, model: ReadonlyMap<string, Entry>): boolean {
  const key = KEY_OF_METER.get(entry.key)
  if (key !== undefined && model.has(key)) {
    reader.report(entry.keyPlace, `${entry.path} is priced by ${key} already`, 'keep one of the two')
    return false
  }
  if (!METER_NAME.test(entry.key)) {
    reader.report(
      entry.keyPlace,
      `${entry.path} is not the name of a meter`,
      'write lower-case letters, digits and underscores, such as requests',
    )
    return false
  }
  // A slip in the name of a meter would leave usage without a price until somebody looks.
  const near = key === undefined ? nearest(entry.key, KEY_OF_METER.keys(), 1) : undefined
  if (near !== undefined) reader.report(entry.keyPlace, `unknown meter ${JSON.stringify(entry.key)}`, suggest(entry.key, [near]))
  return near === undefined
}
