/** A number of JSON text as it was written: `0.10` stays `0.10`, and no digit is lost beyond 2^53. */
export type WrittenNumber = { readonly rawJSON: string }

// ECMAScript 2026; the checker's library does not know them yet, Node 26 does.
type ExactJson = {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): WrittenNumber
  isRawJSON(value: unknown): value is WrittenNumber
}
const EXACT = JSON as unknown as ExactJson

/** Deeper than anybody nests data on purpose; what walks a value calls itself for each level. */
const DEPTH_MAX = 64

/**
 * Parses JSON so that no number is rounded: integers up to 2^53 - 1 that are written as such are numbers, all others stay as they were
 * written. `JSON.stringify` gives them back so. `undefined` for what is no JSON, or is nested deeper than 64 levels.
 */
export function parseExactJson(text: string): { readonly value: unknown } | undefined {
  try {
    const value = EXACT.parse(text, (_key, parsed, { source }) => {
      if (typeof parsed !== 'number' || source === undefined) return parsed
      return Number.isSafeInteger(parsed) && String(parsed) === source ? parsed : EXACT.rawJSON(source)
    })
    return depthOf(value) > DEPTH_MAX ? undefined : { value }
  } catch {
    // A SyntaxError, or a RangeError of what is nested so deep that the reviver cannot follow.
    return undefined
  }
}

export function isWrittenNumber(value: unknown): value is WrittenNumber {
  return EXACT.isRawJSON(value)
}

/** The same text for the same value, whatever the order of its fields. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value)) ?? 'null'
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, ordered(inner)]),
  )
}

function depthOf(value: unknown): number {
  if (Array.isArray(value)) return 1 + value.reduce((deepest: number, inner) => Math.max(deepest, depthOf(inner)), 0)
  if (!isObject(value)) return 0
  return 1 + Object.values(value).reduce((deepest: number, inner) => Math.max(deepest, depthOf(inner)), 0)
}

/** Whether a parsed value is a JSON object, and neither an array nor a number as it was written. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isWrittenNumber(value)
}
