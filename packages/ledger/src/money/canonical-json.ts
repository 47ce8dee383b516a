import { createHash } from 'node:crypto'

/** What a document may hold. No floats: amounts, rates and quantities are decimal strings. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue | undefined }

/**
 * The one text of a value: names sorted by code unit, no white space, absent members left out (RFC 8785, for integers). Whoever holds
 * the text can check its hash without knowing what it means.
 */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map((element: JsonValue) => canonicalJson(element)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter((entry): entry is [string, JsonValue] => entry[1] !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`Cannot write ${value} into a document: it is no whole number`)
  return JSON.stringify(value)
}

/** SHA-256 of a text, lower-case hex. */
export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
