import { SCOPES } from '@ascribe/identity'
import { nearest } from '@ascribe/kit'
import { isCurrency, isUuid, parseInstant } from '@ascribe/units'
import { SECTIONS, SECTION_NAMES } from './document.ts'
import type { DirectoryDocument, DocumentProblem, Field, MappingEntry, SectionName } from './document.ts'
import { idFault } from './ids.ts'

/** Entries as they were read, by section. */
export type RawDocument = Readonly<Partial<Record<SectionName, readonly unknown[]>>>

/** More problems than anybody reads. */
const PROBLEMS_MAX = 100
/** What somebody might call a key in plain; none of it may ever be in such a file. */
const PLAIN_KEY_FIELDS: ReadonlySet<string> = new Set(['key', 'api_key', 'secret', 'token', 'password'])
const API_KEY = /ask_[0-9a-z]{12}_[0-9a-z]{32}/
const PLAIN_KEY_HINT = 'a key never stands in a file: import public_id and hmac, or make a new key with `ascribe keys create`'

/** Turns what was read into a document, or into all that is wrong with it (the first hundred problems). */
export function checkDocument(raw: RawDocument): {
  readonly document: DirectoryDocument
  readonly problems: readonly DocumentProblem[]
} {
  const problems: DocumentProblem[] = []
  const report = (problem: DocumentProblem): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(problem)
  }
  const document: Partial<Record<SectionName, readonly object[]>> = {}
  for (const section of SECTION_NAMES) {
    const entries = raw[section]
    if (entries === undefined) continue
    document[section] = entries.map((entry, index) => checkEntry(entry, { section, index, report }))
  }
  // The fields of every entry are what SECTIONS says, which is what the types say; where that is not so, there is a problem.
  const checked = document as DirectoryDocument
  if (problems.length === 0) checkWhole(checked, report)
  return { document: checked, problems }
}

type EntryPlace = { readonly section: SectionName; readonly index: number; readonly report: (problem: DocumentProblem) => void }

function checkEntry(entry: unknown, { section, index, report }: EntryPlace): object {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    report({ place: { section, index }, message: `an entry of ${section} is not a mapping`, hint: 'write its fields as "key: value"' })
    return {}
  }
  const fields = SECTIONS[section]
  const checked: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(entry)) {
    const place = { section, index, field: name }
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined) report({ place, message: `unknown key ${JSON.stringify(name)} in ${section}`, hint: hintFor(name, fields) })
    else if (typeof value === 'string' && API_KEY.test(value)) report({ place, message: `${name} holds an API key`, hint: PLAIN_KEY_HINT })
    else {
      const read = readValue(value, field)
      if ('fault' in read) report({ place, message: `${name} ${read.fault}`, hint: read.hint })
      else if (read.value !== undefined) checked[name] = read.value
    }
  }
  for (const [name, { required }] of Object.entries(fields)) {
    if (required === true && !Object.hasOwn(entry, name))
      report({ place: { section, index }, message: `an entry of ${section} has no ${name}`, hint: `add ${name}` })
  }
  return checked
}

function hintFor(name: string, fields: Readonly<Record<string, Field>>): string {
  if (PLAIN_KEY_FIELDS.has(name)) return PLAIN_KEY_HINT
  const near = nearest(name, Object.keys(fields))
  return near === undefined ? `use one of ${Object.keys(fields).join(', ')}` : `did you mean ${JSON.stringify(near)}?`
}

type Read = { readonly value: unknown } | { readonly fault: string; readonly hint: string }

const TEXT_LENGTH_MAX = 1024

function readValue(value: unknown, { type, nullable }: Field): Read {
  if (value === null || value === undefined) {
    return nullable === true ? { value: null } : { fault: 'has no value', hint: 'give it one, or leave the key out' }
  }
  switch (type) {
    case 'ids':
    case 'uuids':
    case 'words':
      return readList(value, type)
    case 'uuid':
      return typeof value === 'string' && isUuid(value.toLowerCase())
        ? { value: value.toLowerCase() }
        : { fault: `is ${shown(value)}, which is no UUID`, hint: 'organizations have UUIDs' }
    case 'role':
      return value === 'admin' || value === 'viewer'
        ? { value }
        : { fault: `is ${shown(value)}, which is no role`, hint: 'a viewer reads, an admin changes as well' }
    case 'currency':
      return typeof value === 'string' && isCurrency(value)
        ? { value }
        : { fault: `is ${shown(value)}, which is no currency`, hint: 'three capital letters, such as USD' }
    case 'instant': {
      const at = typeof value === 'string' ? parseInstant(value, { allowDate: true }) : undefined
      return at === undefined
        ? { fault: `is ${shown(value)}, which is no instant`, hint: 'RFC 3339, such as 2026-11-22T06:00:00Z, or a day, 2026-11-22' }
        : { value: at }
    }
    case 'public id':
      return typeof value === 'string' && /^[0-9a-z]{12}$/.test(value)
        ? { value }
        : { fault: 'is no public id of a key', hint: 'the 12 characters between ask_ and the next _' }
    case 'hmac':
      return typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)
        ? { value }
        : { fault: 'is no HMAC-SHA-256 in base64url', hint: 'HMAC of the whole key under the server secret, 43 characters' }
    case 'id':
    case 'text':
      return readText(value, type)
  }
}

function readText(value: unknown, type: 'id' | 'text'): Read {
  if (typeof value !== 'string') return { fault: `is ${shown(value)}, which is not text`, hint: 'put it in double quotes' }
  const fault = type === 'id' ? idFault(value) : textFault(value)
  return fault === undefined ? { value } : { fault: `cannot be used: ${fault}`, hint: 'give it the id or text that your platform shows' }
}

function textFault(value: string): string | undefined {
  if (value.trim() === '') return 'it is empty'
  if (value.includes('\0') || !value.isWellFormed()) return 'it holds NUL or half a character'
  return value.length > TEXT_LENGTH_MAX ? `it has more than ${TEXT_LENGTH_MAX} characters` : undefined
}

function readList(value: unknown, type: 'ids' | 'uuids' | 'words'): Read {
  if (!Array.isArray(value)) return { fault: `is ${shown(value)}, which is not a list`, hint: 'write [one, two]' }
  const element: Field = { type: type === 'uuids' ? 'uuid' : 'id' }
  const values: unknown[] = []
  for (const [index, each] of value.entries()) {
    const read = readValue(each, element)
    if ('fault' in read) return { ...read, fault: `has at number ${index + 1} what ${read.fault}` }
    if (values.includes(read.value)) return { fault: `names ${shown(each)} twice`, hint: 'name it once' }
    if (type === 'words' && !SCOPES.includes(read.value as never))
      return { fault: `names ${shown(each)}, which is no scope`, hint: `use ${SCOPES.join(', ')}` }
    values.push(read.value)
  }
  return { value: values }
}

function shown(value: unknown): string {
  const text = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : typeof value
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** What can be wrong between entries, without a look at the ledger. */
function checkWhole(document: DirectoryDocument, report: (problem: DocumentProblem) => void): void {
  for (const section of ['organizations', 'groups', 'users', 'resources', 'keys'] as const) {
    const key = section === 'keys' ? 'auth_id' : 'id'
    const seen = new Map<string, number>()
    for (const [index, entry] of (document[section] ?? []).entries()) {
      const id = (entry as Readonly<Record<string, string>>)[key] ?? ''
      const first = seen.get(id)
      if (first === undefined) seen.set(id, index)
      else
        report({
          place: { section, index, field: key },
          message: `${section} has ${shown(id)} twice, first as entry ${first + 1}`,
          hint: 'keep one of the two',
        })
    }
  }
  for (const [index, { id, parent }] of (document.organizations ?? []).entries()) {
    if (id === parent)
      report({
        place: { section: 'organizations', index, field: 'parent' },
        message: `organization ${id} is its own parent`,
        hint: 'name another one',
      })
  }
  checkMappings(document.mappings ?? [], report)
}

function checkMappings(mappings: readonly MappingEntry[], report: (problem: DocumentProblem) => void): void {
  const byAuthId = Map.groupBy(mappings.entries(), ([, { auth_id: authId }]) => authId)
  for (const entries of byAuthId.values()) {
    for (const [index, { from, to, organization, user, group }] of entries) {
      const place = { section: 'mappings' as const, index }
      if (to !== undefined && (from === undefined || to <= from))
        report({ place: { ...place, field: 'to' }, message: 'to is not after from', hint: 'give a period [from, to)' })
      if (organization === null && (user !== undefined || group !== undefined))
        report({ place, message: 'a mapping to nobody has a user or group', hint: 'leave them out, or name the organization' })
      if (entries.length > 1 && from === undefined)
        report({ place, message: 'an auth id has several mappings, and this one has no from', hint: 'say from when on each one holds' })
    }
    const dated = entries.filter(([, { from }]) => from !== undefined).toSorted(([, a], [, b]) => (a.from ?? 0) - (b.from ?? 0))
    for (const [place, [index, mapping]] of dated.entries()) {
      const next = dated[place + 1]
      if (next !== undefined && (mapping.to ?? mapping.from ?? 0) > (next[1].from ?? 0) - (mapping.to === undefined ? 1 : 0))
        report({
          place: { section: 'mappings', index },
          message: `this mapping and entry ${next[0] + 1} of the same auth id overlap`,
          hint: 'let one end where the other begins',
        })
    }
  }
}
