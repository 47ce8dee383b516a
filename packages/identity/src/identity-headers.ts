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

type Field = 'authId' | 'resourceId' | 'resourceType' | 'userId' | 'groupId' | 'baseModel'

const FIELDS: ReadonlyMap<string, Field> = new Map([
  ['auth-id', 'authId'],
  ['resource-id', 'resourceId'],
  ['resource-type', 'resourceType'],
  ['user-id', 'userId'],
  ['group-id', 'groupId'],
  ['base-model', 'baseModel'],
])

/** Reads every header that begins with `prefix` (any case). */
export function readIdentityHeaders(headers: RawHeaders, prefix: string = DEFAULT_HEADER_PREFIX): IdentityHeaders {
  const wanted = prefix.toLowerCase()
  const found: { -readonly [Name in keyof IdentityHeaders]: IdentityHeaders[Name] } & { count: number } = { count: 0 }
  let others: Record<string, string> | undefined
  let seen: Set<string> | undefined
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const sent = headers[index] ?? ''
    if (!hasPrefix(sent, wanted)) continue
    const name = sent.toLowerCase()
    found.count += 1
    seen ??= new Set()
    if (seen.has(name)) found.repeated ??= sent
    seen.add(name)
    const value = textOf((headers[index + 1] ?? '').trim())
    if (value === '') continue
    const rest = name.slice(wanted.length)
    const field = FIELDS.get(rest)
    if (field !== undefined) {
      found[field] = value
      continue
    }
    if (rest === 'org-id') found.claimedOrganizationId = value
    others ??= Object.create(null) as Record<string, string>
    others[sent] = value
  }
  if (others !== undefined) found.others = { ...others }
  return found
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The text that was meant: Node gives each byte as a character of Latin-1, but whoever sends more than ASCII sends UTF-8. */
function textOf(value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/^[\u0000-\u007F]*$/.test(value)) return value
  try {
    return UTF8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}

/** Whether a header name begins with `prefixLowerCase`, in any case. */
export function hasPrefix(name: string, prefixLowerCase: string): boolean {
  // The first character decides nearly always, without making a string.
  const first = name.charCodeAt(0) | 0x20
  return (
    first === prefixLowerCase.charCodeAt(0) &&
    name.length >= prefixLowerCase.length &&
    name.slice(0, prefixLowerCase.length).toLowerCase() === prefixLowerCase
  )
}
