/** Name, value, name, value, …, as on the wire. */
type RawHeaders = readonly string[]

/** The prefix of identity headers, unless a setting says otherwise. */
export const DEFAULT_HEADER_PREFIX = 'X-Saturn-'

/** What the edge said about a request. Blank is absent. */
export type IdentityHeaders = {
  readonly authId?: string
  readonly resourceId?: string
  readonly resourceType?: string
  readonly userId?: string
  readonly groupId?: string
  readonly baseModel?: string
  readonly claimedOrganizationId?: string
  /** Every other header with the prefix, and the claimed organization's, verbatim, under the names that were sent. */
  readonly others?: Readonly<Record<string, string>>
  /** How many fields had the prefix, blank ones included. */
  readonly count: number
  /** The first name that came more than once: nobody can say which value is meant. */
  readonly repeated?: string
}

/** What the names of identity headers end in. Each has a bit, by which a repeated one is noticed. */
const ENDINGS = [
  { ending: 'auth-id', field: 'authId', bit: 1 },
  { ending: 'user-id', field: 'userId', bit: 2 },
  { ending: 'group-id', field: 'groupId', bit: 4 },
  { ending: 'base-model', field: 'baseModel', bit: 8 },
  { ending: 'resource-id', field: 'resourceId', bit: 16 },
  { ending: 'resource-type', field: 'resourceType', bit: 32 },
] as const

type Found = { -readonly [Name in keyof IdentityHeaders]: IdentityHeaders[Name] } & { count: number }

/** Reads every header that begins with `prefix` (any case). */
export function readIdentityHeaders(headers: RawHeaders, prefix: string = DEFAULT_HEADER_PREFIX): IdentityHeaders {
  const wanted = prefix.toLowerCase()
  let found: Found = NOTHING
  let seen = 0
  let others: Others | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const sent = headers[index] ?? ''
    if (!hasPrefix(sent, wanted)) continue
    if (found === NOTHING) found = { count: 0 }
    found.count += 1
    const value = textOf(headers[index + 1] ?? '')
    const known = endingOf(sent, wanted.length)
    if (known === undefined) {
      others ??= { values: Object.create(null) as Record<string, string>, seen: new Set() }
      takeOther(found, others, { sent, rest: sent.slice(wanted.length).toLowerCase(), value })
      continue
    }
    if ((seen & known.bit) !== 0) found.repeated ??= sent
    seen |= known.bit
    if (value !== '') found[known.field] = value
  }
  if (others !== undefined && !isEmpty(others.values)) found.others = { ...others.values }
  return found
}

const NOTHING: Found = Object.freeze({ count: 0 })

type Others = { readonly values: Record<string, string>; readonly seen: Set<string> }

/** A header that has no field of its own. */
function takeOther(found: Found, others: Others, header: { readonly sent: string; readonly rest: string; readonly value: string }): void {
  const { sent, rest, value } = header
  if (others.seen.has(rest)) found.repeated ??= sent
  others.seen.add(rest)
  if (value === '') return
  if (rest === 'org-id') found.claimedOrganizationId = value
  others.values[sent] = value
}

function isEmpty(values: Readonly<Record<string, string>>): boolean {
  for (const _name in values) return false
  return true
}

/** Which one all of `name` after its first `from` characters is, in any case. */
function endingOf(name: string, from: number): (typeof ENDINGS)[number] | undefined {
  for (const known of ENDINGS) if (name.length === from + known.ending.length && isFolded(name, from, known.ending)) return known
  return undefined
}

/** Whether `lower` stands in `name` at `from`, in any case of the letters of ASCII. Without making a string. */
function isFolded(name: string, from: number, lower: string): boolean {
  for (let index = 0; index < lower.length; index += 1) {
    const code = name.charCodeAt(from + index)
    const folded = code >= 0x41 && code <= 0x5a ? code | 0x20 : code
    if (folded !== lower.charCodeAt(index)) return false
  }
  return true
}

/** A mark of the byte order is a part of the text: without it two ids would be one. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The text that was meant, without white space around it: Node gives each byte as a character of Latin-1, but whoever sends more than ASCII
 * sends UTF-8.
 */
function textOf(value: string): string {
  for (let index = 0; index < value.length; index += 1) if (value.charCodeAt(index) > 0x7f) return decoded(value)
  return copied(value.trim())
}

/** V8 copies shorter texts by itself when it cuts them out of others. */
const CUT_LENGTH_MIN = 13
const scratch = Buffer.alloc(256)

/**
 * The same ASCII text in memory of its own. One that was cut out of a request's head keeps the whole head alive for as long as
 * the request runs, and makes `JSON.stringify` take twice its time.
 */
function copied(value: string): string {
  if (value.length < CUT_LENGTH_MIN || value.length > scratch.length) return value
  return scratch.toString('latin1', 0, scratch.write(value, 'latin1'))
}

function decoded(sent: string): string {
  // `trim()` would take the last byte of an "à", which is a space in Latin-1.
  const value = sent.replace(/^[\t ]+|[\t ]+$/g, '')
  try {
    return UTF8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}

/** Whether a header name begins with `prefixLowerCase`, in any case. */
function hasPrefix(name: string, prefixLowerCase: string): boolean {
  return name.length >= prefixLowerCase.length && isFolded(name, 0, prefixLowerCase)
}

const HYPHEN = 0x2d
const UNDERSCORE = 0x5f

/** The same for whoever takes an underscore for a hyphen, as many a server does that hands headers on as variables. */
export function hasPrefixLoosely(name: string, prefixLowerCase: string): boolean {
  if (name.length < prefixLowerCase.length) return false
  for (let index = 0; index < prefixLowerCase.length; index += 1) {
    if (loose(name.charCodeAt(index)) !== loose(prefixLowerCase.charCodeAt(index))) return false
  }
  return true
}

function loose(code: number): number {
  if (code === UNDERSCORE) return HYPHEN
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code
}
