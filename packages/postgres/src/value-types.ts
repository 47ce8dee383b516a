import pg from 'pg'

// Type oids are fixed for ever: pg_type.dat of the PostgreSQL sources.
const INT8 = 20
const DATE = 1082
const TIMESTAMP = 1114
const TIMESTAMPTZ = 1184
const NUMERIC = 1700
const INTERVAL = 1186
const INT8_ARRAY = 1016
const TIMESTAMP_ARRAY = 1115
const DATE_ARRAY = 1182
const TIMESTAMPTZ_ARRAY = 1185
const INTERVAL_ARRAY = 1187
const NUMERIC_ARRAY = 1231

const INSTANT = /^(\d{4,})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?\+00( BC)?$/

/**
 * Epoch milliseconds of a `timestamptz` in the server's text form. The session's time zone is UTC and its date style ISO.
 * Fractions of a millisecond, which we never write, are cut off towards the past. `infinity` is `Infinity`.
 */
export function parseInstant(text: string): number {
  if (text === 'infinity') return Infinity
  if (text === '-infinity') return -Infinity
  const match = INSTANT.exec(text)
  if (match === null) throw new RangeError('Cannot read an instant: the session is not in UTC with the ISO date style')
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction = '', bc] = match
  const date = new Date(0)
  // setUTCFullYear, not Date.UTC: that takes the years 0 to 99 for 1900 to 1999. 1 BC is the year 0.
  date.setUTCFullYear(bc === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)))
  return date.getTime()
}

/**
 * The text form of an instant, epoch milliseconds, for a parameter of type `timestamptz`; the years 4713 BC to 275760.
 * @throws {RangeError} when it is no instant
 */
export function formatInstant(epochMs: number): string {
  const date = new Date(epochMs)
  // The ISO form of years outside 0 to 9999, which PostgreSQL does not take, differs in the year alone.
  const monthToZ = date.toISOString().slice(-'-12-31T23:59:59.999Z'.length)
  const year = date.getUTCFullYear()
  return year > 0 ? `${String(year).padStart(4, '0')}${monthToZ}` : `${String(1 - year).padStart(4, '0')}${monthToZ} BC`
}

const asText = (text: string): string => text

function arrayOf<T>(parse: (text: string) => T): (text: string) => (T | null)[] {
  return (text) => parseArray(text, parse)
}

/** Reads an array literal of one dimension. Elements of these types hold neither commas nor quotes, but those with a space are quoted. */
function parseArray<T>(text: string, parse: (element: string) => T): (T | null)[] {
  const body = text.startsWith('[') ? text.slice(text.indexOf('=') + 1) : text
  const inner = body.slice(1, -1)
  if (inner === '') return []
  return inner.split(',').map((element) => {
    if (element === 'NULL') return null
    return parse(element.startsWith('"') ? element.slice(1, -1) : element)
  })
}

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [INT8, BigInt],
  [NUMERIC, asText],
  [DATE, asText],
  [TIMESTAMP, asText],
  [INTERVAL, asText],
  [TIMESTAMPTZ, parseInstant],
  [INT8_ARRAY, arrayOf(BigInt)],
  [NUMERIC_ARRAY, arrayOf(asText)],
  [DATE_ARRAY, arrayOf(asText)],
  [TIMESTAMP_ARRAY, arrayOf(asText)],
  [INTERVAL_ARRAY, arrayOf(asText)],
  [TIMESTAMPTZ_ARRAY, arrayOf(parseInstant)],
])

/**
 * How result columns become values: `int8` a bigint, `numeric` its digits as text, `timestamptz` epoch milliseconds,
 * `date`, `timestamp` and `interval` text; all else as `pg` does. Arrays of these, of one dimension, likewise.
 */
export const VALUE_TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    const parser = format === 'binary' ? undefined : PARSERS.get(oid)
    return parser ?? pg.types.getTypeParser(oid, format)
  }) as typeof pg.types.getTypeParser, // pg declares one overload for each builtin oid; ours covers them all by number.
}
