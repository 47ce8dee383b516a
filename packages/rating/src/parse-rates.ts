import { isScalar } from 'yaml'
import { RATE_PLACES, parseDecimal, parseRate } from '@ascribe/units'
import type { DecimalFault, Rate, RatePer } from '@ascribe/units'
import { nearest } from '@ascribe/kit'
import type { Rates } from './price-book.ts'
import { isNothing, suggest } from './yaml-reader.ts'
import type { Entry, Value, YamlReader } from './yaml-reader.ts'

/** The keys of a model that price one meter each; those of the reference's book are required, ours are not. */
const METER_OF_KEY: ReadonlyMap<string, string> = new Map([
  ['prompt', 'input_tokens'],
  ['cached', 'cached_input_tokens'],
  ['completion', 'output_tokens'],
  ['reasoning', 'reasoning_tokens'],
  ['input_audio', 'input_audio_tokens'],
  ['output_audio', 'output_audio_tokens'],
])
const KEY_OF_METER: ReadonlyMap<string, string> = new Map([...METER_OF_KEY].map(([key, meter]) => [meter, key]))
const REQUIRED_KEYS = ['prompt', 'cached', 'completion'] as const
const MODEL_KEYS: readonly string[] = [...METER_OF_KEY.keys(), 'meters', 'per']
const METER_NAME = /^[a-z][a-z0-9_]{0,62}$/

const PER_WORDS: ReadonlyMap<unknown, RatePer> = new Map<unknown, RatePer>([
  ['unit', 1],
  ['thousand', 1000],
  ['million', 1_000_000],
  [1, 1],
  [1000, 1000],
  [1_000_000, 1_000_000],
])

const FAULTS: Readonly<Record<DecimalFault, readonly [string, string]>> = {
  malformed: ['is not a plain decimal', 'write digits with at most one point and no exponent, such as "0.0000002"'],
  too_precise: ['has too many decimal places', 'rates are never rounded, so write fewer'],
  too_large: ['is larger than any price', 'write a rate below 1000000000000 a unit'],
}

/** Reads how many units prices are for; `fallback` where the key is absent or wrong. */
export function readPer(reader: YamlReader, entry: Entry | undefined, fallback: RatePer): RatePer {
  if (entry === undefined) return fallback
  const per = isScalar(entry.node) ? PER_WORDS.get(entry.node.value) : undefined
  if (per === undefined)
    reader.report(entry.place, `${entry.path} is none of the units that prices are for`, 'write unit, thousand or million')
  return per ?? fallback
}

/** Reads a quoted decimal; `undefined` when there is none, which is reported. */
function readDecimalText(reader: YamlReader, value: Value): string | undefined {
  if (isScalar(value.node) && typeof value.node.value === 'string') return value.node.value
  if (isScalar(value.node) && typeof value.node.value === 'number') {
    const source = value.node.source ?? String(value.node.value)
    reader.report(value.place, `${value.path} is the number ${source}, which a YAML reader may round`, `put it in quotes: "${source}"`)
  } else if (value.node !== undefined) {
    reader.report(value.place, `${value.path} is not a quoted decimal`, 'write a decimal in quotes, such as "0.0000002"')
  }
  return undefined
}

/** Reads a rate that is quoted for `per` units. Reports anything but a decimal of at least 0 and at most 18 places a unit. */
export function readRate(reader: YamlReader, value: Value, per: RatePer): Rate | undefined {
  const text = readDecimalText(reader, value)
  if (text === undefined) return undefined
  const rate = parseRate(text, per)
  if (rate === 'too_precise') {
    const places = RATE_PLACES - (per.toString().length - 1)
    const unit = per === 1 ? 'a unit' : `per ${per}`
    reader.report(
      value.place,
      `${value.path} ${JSON.stringify(text)} has more than ${places} decimal places ${unit}`,
      FAULTS.too_precise[1],
    )
    return undefined
  }
  return checkedDecimal({ reader, value, text, decimal: rate })
}

/** Reads a factor of at least 0 and at most 18 places, in 10^-18. */
export function readFactor(reader: YamlReader, value: Value): bigint | undefined {
  const text = readDecimalText(reader, value)
  return text === undefined ? undefined : checkedDecimal({ reader, value, text, decimal: parseDecimal(text, RATE_PLACES) })
}

type CheckedDecimal = {
  readonly reader: YamlReader
  readonly value: Value
  readonly text: string
  readonly decimal: bigint | DecimalFault
}

function checkedDecimal({ reader, value, text, decimal }: CheckedDecimal): bigint | undefined {
  if (typeof decimal === 'string') {
    const [fault, hint] = FAULTS[decimal]
    reader.report(value.place, `${value.path} ${JSON.stringify(text.slice(0, 100))} ${fault}`, hint)
    return undefined
  }
  if (decimal >= 0n) return decimal
  reader.report(value.place, `${value.path} ${JSON.stringify(text)} is negative`, 'write 0 or more: usage never earns credit')
  return undefined
}

/**
 * Reads the rates of one model. `prompt`, `cached` and `completion` are required. Reasoning costs what output costs unless
 * it has a rate of its own; any other meter without a rate stays without, so that its usage is held and not mispriced.
 */
export function readModelRates(reader: YamlReader, model: Entry, per: RatePer): Rates {
  const entries = reader.entries(model, MODEL_KEYS, meterHint)
  if (entries === undefined) return new Map()
  const modelPer = readPer(reader, entries.get('per'), per)
  const rates = new Map<string, Rate>()
  for (const key of REQUIRED_KEYS) {
    if (entries.has(key)) continue
    reader.report(model.keyPlace, `${model.path} has no ${key} rate`, `add ${key}: with a decimal in quotes; "0" makes it free`)
  }
  for (const [key, meter] of METER_OF_KEY) {
    const entry = entries.get(key)
    const rate = entry && readRate(reader, entry, modelPer)
    if (rate !== undefined) rates.set(meter, rate)
  }
  const meters = entries.get('meters')
  for (const entry of (meters && reader.entries(meters)?.values()) ?? []) {
    if (!isMeterName(reader, entry, entries)) continue
    const rate = readRate(reader, entry, modelPer)
    if (rate !== undefined) rates.set(entry.key, rate)
  }
  const output = rates.get('output_tokens')
  if (output !== undefined && !rates.has('reasoning_tokens')) rates.set('reasoning_tokens', output)
  return rates
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

/** Reads what was left empty as absent, as the reference does for sections whose lines are all comments. */
export function present(entry: Entry | undefined): Entry | undefined {
  return entry === undefined || isNothing(entry.node) ? undefined : entry
}
