import { isObject } from '../exact-json.ts'
import { canonicalJson } from '../money/canonical-json.ts'
import type { JsonValue } from '../money/canonical-json.ts'
import { isChain } from './entry.ts'
import type { SignedHead } from './keys.ts'
import type { LineBody } from './stored-line.ts'

/** A line of an export, checked as far as its shape goes. */
export type ParsedLine = {
  readonly chain: string
  readonly sequence: number
  readonly previous: string
  readonly hash: string
  /** What is hashed. */
  readonly body: string
  /** Absent where what is stored is no line any more. */
  readonly line?: LineBody
  readonly personal: Readonly<Record<string, { readonly salt: string; readonly value: string }>>
}

const HASH = /^[0-9a-f]{64}$/
const LINE_MEMBERS = new Set(['type', 'chain', 'sequence', 'previous', 'hash', 'line', 'personal'])
const HEAD_MEMBERS = new Set(['type', 'chain', 'sequence', 'hash', 'at', 'keyId', 'signature'])
const FIELD_MEMBERS = new Set(['salt', 'value'])

/**
 * What a line of text of an export is; `undefined`: nothing of the kind. What no hash covers must not stand in it, nor a member twice, of which
 * one program reads the first and another one the last.
 */
export function parseExported(text: string): { readonly line: ParsedLine } | { readonly head: SignedHead } | undefined {
  const value = parseJson(text)
  if (!isObject(value) || countOfNames(text) !== countOfMembers(value)) return undefined
  if (value['type'] === 'line') {
    const line = hasOnly(value, LINE_MEMBERS) ? lineOf(value) : undefined
    return line && { line }
  }
  const head = value['type'] === 'head' && hasOnly(value, HEAD_MEMBERS) ? parseHead(value) : undefined
  return head && { head }
}

function hasOnly(value: object, members: ReadonlySet<string>): boolean {
  return Object.keys(value).every((name) => members.has(name))
}

/** Names of members as they stand in the text, those that come twice counted twice. */
function countOfNames(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"[ \t\r\n]*(:?)/g)].filter(([, colon]) => colon === ':').length
}

function countOfMembers(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, inner) => sum + countOfMembers(inner), 0)
  if (!isObject(value)) return 0
  return Object.values(value).reduce((sum: number, inner) => sum + 1 + countOfMembers(inner), 0)
}

/** A signed head, wherever it comes from: an export, the log of a process, or an access log. */
function parseHead(value: unknown): SignedHead | undefined {
  if (!isObject(value)) return undefined
  const { chain, sequence, hash, at, keyId, signature } = value
  if (!isChainText(chain) || !isSequence(sequence) || !isHash(hash)) return undefined
  if (typeof at !== 'string' || typeof keyId !== 'string' || typeof signature !== 'string') return undefined
  return { chain, sequence, hash, at, keyId, signature }
}

/**
 * The heads in a text: JSON lines of any kind that have the members of one, themselves or under `head` (exports, replies of the access log) or
 * `fields` (a log); other lines are passed over.
 */
export function findHeads(text: string): readonly SignedHead[] {
  const whole = parseJson(text)
  const values = whole === undefined ? text.split('\n').map(parseJson) : Array.isArray(whole) ? whole : [whole]
  return values.flatMap((value) => {
    if (!isObject(value)) return []
    const head = parseHead(value) ?? parseHead(value['head']) ?? parseHead(value['fields'])
    return head === undefined ? [] : [head]
  })
}

function lineOf(value: Readonly<Record<string, unknown>>): ParsedLine | undefined {
  const { chain, sequence, previous, hash, line, personal } = value
  if (!isChainText(chain) || !isSequence(sequence) || !isHash(previous) || !isHash(hash)) return undefined
  const fields = personalFields(personal)
  if (fields === undefined) return undefined
  if (typeof line === 'string') return { chain, sequence, previous, hash, body: line, personal: fields }
  const body = isObject(line) ? canonical(line) : undefined
  if (body === undefined) return undefined
  // Its members are read with care: it is what its hash says, which need not be what we would have written.
  return { chain, sequence, previous, hash, body, line: line as LineBody, personal: fields }
}

function personalFields(value: unknown): ParsedLine['personal'] | undefined {
  if (!isObject(value)) return undefined
  const isField = (field: unknown): boolean =>
    isObject(field) && hasOnly(field, FIELD_MEMBERS) && typeof field['salt'] === 'string' && typeof field['value'] === 'string'
  return Object.values(value).every(isField) ? (value as ParsedLine['personal']) : undefined
}

function canonical(line: object): string | undefined {
  try {
    return canonicalJson(line as JsonValue)
  } catch {
    return undefined
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const isChainText = (value: unknown): value is string => typeof value === 'string' && isChain(value)
const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0
const isHash = (value: unknown): value is string => typeof value === 'string' && HASH.test(value)
