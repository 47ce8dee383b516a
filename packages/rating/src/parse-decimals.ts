import { isScalar } from 'yaml'
import { RATE_PLACES, parseDecimal, parseNano, parseRate } from '@ascribe/units'
import type { DecimalFault, Nano, Quantity, Rate, RatePer } from '@ascribe/units'
import { isNothing } from './yaml-reader.ts'
import type { Entry, Value, YamlReader } from './yaml-reader.ts'

const PER_WORDS: ReadonlyMap<unknown, RatePer> = new Map<unknown, RatePer>([
  ['unit', 1],
  ['thousand', 1000],
  ['million', 1_000_000],
  [1, 1],
  [1000, 1000],
  [1_000_000, 1_000_000],
])

/** More units than anybody uses, and few enough that a product with any rate fits the ledger. */
const COUNT = /^[1-9][0-9]{0,17}$/

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

/** Every amount is below this, in nano-units: 10^18 of its currency, which the ledger can hold as the rate of a line. */
const AMOUNT_LIMIT: Nano = 10n ** 27n

/** Reads an amount of money, a quoted decimal of at least 0 and at most 9 places, below {@link AMOUNT_LIMIT}. */
export function readAmount(reader: YamlReader, value: Value): Nano | undefined {
  const text = readDecimalText(reader, value)
  if (text === undefined) return undefined
  const amount = parseNano(text)
  if (typeof amount === 'bigint' && amount >= AMOUNT_LIMIT) {
    reader.report(value.place, `${value.path} ${JSON.stringify(text)} is larger than any amount`, 'write less than 1000000000000000000')
    return undefined
  }
  return checkedDecimal({ reader, value, text, decimal: amount })
}

/** Reads a whole number of at least 1: a number of units, as a YAML number or in quotes. */
export function readCount(reader: YamlReader, value: Value): Quantity | undefined {
  const found = isScalar(value.node) ? value.node.value : undefined
  const text = typeof found === 'number' && Number.isSafeInteger(found) ? String(found) : found
  if (typeof text === 'string' && COUNT.test(text)) return BigInt(text)
  if (value.node !== undefined) reader.report(value.place, `${value.path} is not a whole number of units`, 'write digits, 1 or more')
  return undefined
}

/** Reads what was left empty as absent, as the reference does for sections whose lines are all comments. */
export function present(entry: Entry | undefined): Entry | undefined {
  return entry === undefined || isNothing(entry.node) ? undefined : entry
}
