/** Fields that hold money: kept as the text that was written, since a float is no money (`0E-16` is a documented value). */
const MONEY = new Set(['balance', 'price', 'amount', 'cost', 'initial_balance', 'total'])

/** The value of a whole JSON text; `undefined` when it is none. (Its parser's error is not kept: it quotes the text.) */
export function parseJson(bytes: Buffer, { hasMoney }: { readonly hasMoney: boolean }): { readonly value: unknown } | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    // The reviver costs as much as parsing; only answers with money need it.
    return { value: hasMoney ? JSON.parse(text, moneyAsText) : JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** Node gives a reviver the number as it was written; the checker's library does not know of it yet, so it is optional here. */
function moneyAsText(key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && MONEY.has(key) ? context?.source : value
}

/** A field may be missing, null, or of another type than documented: all of that is `undefined`. */
export function fieldOf(from: unknown, name: string): unknown {
  if (typeof from !== 'object' || from === null || !Object.hasOwn(from, name)) return undefined
  return (from as Record<string, unknown>)[name] ?? undefined
}

export function textOf(from: unknown, name: string): string | undefined {
  const value = fieldOf(from, name)
  return typeof value === 'string' ? value : undefined
}

/** Numbers arrive as `1073741824`, `1073741824.0`, or as text. */
export function numberOf(from: unknown, name: string): number | undefined {
  const value = fieldOf(from, name)
  const read = typeof value === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value) ? Number(value) : value
  return typeof read === 'number' && Number.isFinite(read) ? read : undefined
}

export function booleanOf(from: unknown, name: string): boolean | undefined {
  const value = fieldOf(from, name)
  return typeof value === 'boolean' ? value : undefined
}

export function listOf(from: unknown, name: string): readonly unknown[] {
  const value = fieldOf(from, name)
  return Array.isArray(value) ? value : []
}

/** A reference is sent as a text and comes back as an object `{uuid, resource_uri}`; some documents show texts both ways. */
export function referenceOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : textOf(value, 'uuid')
}

export function referencesOf(from: unknown, name: string): readonly string[] {
  return listOf(from, name).flatMap((each) => referenceOf(each) ?? [])
}

/** A decimal as people write it: `0E-16` is `0`, `1.50E+1` is `15.0`. Exact: digits are moved, nothing is computed. */
export function moneyOf(from: unknown, name: string): string | undefined {
  const value = fieldOf(from, name)
  const match = typeof value === 'string' ? /^(-?)(\d{1,60})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,2}))?$/.exec(value) : null
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  const padded = digits.padStart(digits.length + Math.max(0, 1 - point), '0').padEnd(Math.max(digits.length, point), '0')
  const at = Math.max(1, point)
  const before = padded.slice(0, at).replace(/^0+(?=\d)/, '')
  const after = padded.slice(at)
  const isZero = !/[1-9]/.test(digits)
  if (isZero) return '0'
  return `${sign}${before}${after === '' ? '' : `.${after}`}`
}
