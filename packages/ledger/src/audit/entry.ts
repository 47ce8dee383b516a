import { hash, randomFillSync } from 'node:crypto'
import { assert } from '@ascribe/kit'
import { formatInstant, isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { canonicalJson } from '../money/canonical-json.ts'
import type { JsonValue } from '../money/canonical-json.ts'

/** An organization's id, or {@link INSTALLATION_CHAIN}. */
export type Chain = string

/** Of what concerns no single organization: look-ups, keys, the directory as a whole. */
export const INSTALLATION_CHAIN: Chain = 'installation'

/**
 * What a line is about. `read`: data was asked for. `write`: a change was asked for; `write_end`: what became of it. `session`: an acting session
 * began, ended or was refused. `support`: the customer's say in it. `refusal`: neither operator nor organization in doubt, and no. `stream_end`: what
 * left of a reply. `mint`: tokens in somebody's name, counted by the day. `act`: something that was done in a cloud account, on its owner's behalf. `admin`: the installation's own tools. `erasure`: personal fields were taken out.
 * `key`: heads are signed with this key from here on.
 */
export type AuditKind =
  | 'read'
  | 'write'
  | 'write_end'
  | 'session'
  | 'support'
  | 'refusal'
  | 'stream_end'
  | 'mint'
  | 'act'
  | 'admin'
  | 'erasure'
  | 'key'

/** Who did it. */
export type AuditActor = {
  readonly kind: 'operator' | 'user' | 'key' | 'platform' | 'system'
  readonly id: string
  /** By whose word: the Teleport cluster, the identity provider. */
  readonly issuer?: string
  readonly name?: string
  readonly email?: string
  readonly roles?: readonly string[]
  /** How that is known: `teleport`, `bearer`, `cookie`, `api_key`, `admin_key`, `cli`. */
  readonly via: string
  readonly ip?: string
}

/** A line before it is chained. See docs/guides/audit.md for what is sealed. */
export type AuditEntry = {
  readonly chain: Chain
  readonly kind: AuditKind
  readonly at: Instant
  readonly actor: AuditActor
  /** On whose behalf, in RFC 8693's sense: the chain is the subject, the actor acts (R25). */
  readonly act?: { readonly sessionId: string; readonly reason?: string; readonly ticket?: string; readonly expiresAt?: Instant }
  readonly method?: string
  readonly path?: string
  /** Without the question mark. */
  readonly query?: string
  /** About to be sent. */
  readonly status?: number
  readonly requestId?: string
  /** In the line of an organization whose data was in somebody else's reply: the one that was asked about. */
  readonly aboutOrganizationId?: string
  /** Nothing that names a person. */
  readonly detail?: { readonly [name: string]: JsonValue }
  /** What does: each is sealed, under `personal.` and its name. */
  readonly personal?: Readonly<Record<string, string>>
}

/** A line as append_audit() takes it. */
export type EncodedEntry = { readonly chain: Chain; readonly body: string; readonly personal: string }

/** Salt and value of each sealed field of a line. */
export type PersonalFields = Readonly<Record<string, readonly [salt: string, value: string]>>

// What is longer is cut, and ends in "…": a line must hold what a client sends, and must not fail because of it.
const LENGTHS: Readonly<Record<string, number>> = { path: 2048, query: 4096, 'act.reason': 1000 }
const LENGTH_MAX = 1024
const SALT_BYTES = 16

/** The line of an entry: canonical JSON (RFC 8785, whole numbers only) with a commitment in the place of each personal field. */
export function encodeEntry(entry: AuditEntry): EncodedEntry {
  const { chain } = entry
  assert(isChain(chain), 'a chain is an organization or the installation')
  const sealed = sealedFields(entry)
  if (sealed.length === 0) return { chain, body: bodyText(entry, ''), personal: '' }
  let [commitments, personal] = ['', '']
  for (const [name, whole] of sealed) {
    const value = cut(name, whole)
    const salt = nextSalt()
    const key = JSON.stringify(name)
    commitments += `${commitments === '' ? '{' : ','}${key}:"${commitmentOf(name, salt, value)}"`
    personal += `${personal === '' ? '{' : ','}${key}:["${salt}",${JSON.stringify(value)}]`
  }
  return { chain, body: bodyText(entry, `${commitments}}`), personal: `${personal}}` }
}

/**
 * Written member by member, in the order of their names: canonicalJson() of the same took half of the time of a line. A property says that it would
 * give the same text.
 */
function bodyText({ kind, at, actor, act, ...entry }: AuditEntry, sealed: string): string {
  const who = members([
    ['id', isPerson(actor) ? undefined : text('actor.id', actor.id)],
    ['issuer', text('issuer', actor.issuer)],
    ['kind', text('kind', actor.kind)],
    ['roles', actor.roles === undefined ? undefined : JSON.stringify(actor.roles)],
    ['via', text('via', actor.via)],
  ])
  const onBehalf =
    act &&
    members([
      ['expiresAt', act.expiresAt === undefined ? undefined : `"${formatInstant(act.expiresAt)}"`],
      ['session', text('session', act.sessionId)],
    ])
  return members([
    ['about', text('about', entry.aboutOrganizationId)],
    ['act', onBehalf],
    ['actor', who],
    ['at', `"${formatInstant(at)}"`],
    ['detail', entry.detail === undefined ? undefined : canonicalJson(entry.detail)],
    ['kind', text('kind', kind)],
    ['method', text('method', entry.method)],
    ['path', isPersonalPath(entry.path) ? undefined : text('path', entry.path)],
    ['requestId', text('requestId', entry.requestId)],
    ['sealed', sealed === '' ? undefined : sealed],
    ['status', entry.status === undefined ? undefined : canonicalJson(entry.status)],
    ['v', '1'],
  ])
}

function members(pairs: readonly (readonly [name: string, json: string | undefined])[]): string {
  let body = ''
  for (const [name, json] of pairs) if (json !== undefined) body += `${body === '' ? '{' : ','}"${name}":${json}`
  return `${body}}`
}

function text(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : JSON.stringify(cut(name, value))
}

// Drawn in bulk: asking for five salts at a time took as long as hashing them.
const salts = Buffer.alloc(256 * SALT_BYTES)
let saltsUsed = salts.length

function nextSalt(): string {
  if (saltsUsed === salts.length) {
    randomFillSync(salts)
    saltsUsed = 0
  }
  saltsUsed += SALT_BYTES
  return salts.toString('base64url', saltsUsed - SALT_BYTES, saltsUsed)
}

export function isChain(text: string): boolean {
  return text === INSTALLATION_CHAIN || isUuid(text)
}

/** People. A key's id names none. */
function isPerson({ kind }: AuditActor): boolean {
  return kind === 'operator' || kind === 'user'
}

/** Paths have ids of ours in them, and where the platform's ids are mail addresses, people. */
function isPersonalPath(path: string | undefined): boolean {
  return path !== undefined && /@|%40/i.test(path)
}

/** In the order of their names. */
function sealedFields({ actor, act, query, path, personal }: AuditEntry): readonly (readonly [name: string, value: string])[] {
  const fields: [string, string][] = []
  const seal = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') fields.push([name, value])
  }
  seal('act.reason', act?.reason)
  seal('act.ticket', act?.ticket)
  seal('actor.email', actor.email)
  if (isPerson(actor)) seal('actor.id', actor.id)
  seal('actor.ip', actor.ip)
  seal('actor.name', actor.name)
  if (isPersonalPath(path)) seal('path', path)
  for (const name of Object.keys(personal ?? {}).toSorted()) seal(`personal.${name}`, personal?.[name])
  seal('query', query)
  return fields
}

function cut(name: string, value: string): string {
  const max = LENGTHS[name] ?? LENGTH_MAX
  return value.length <= max ? value : `${value.slice(0, max)}…`
}

/**
 * What stands in the chain for a value: SHA-256 of a name of this format, the field, the salt and the value as a JSON string, a line each;
 * base64url. Without the salt, 128 random bits, nobody can try values against it.
 */
export function commitmentOf(field: string, salt: string, value: string): string {
  return hash('sha256', `ascribe-audit-field-1\n${field}\n${salt}\n${JSON.stringify(value)}`, 'base64url')
}

/** The hash before the first line of a chain. */
export const FIRST_PREVIOUS: string = '0'.repeat(64)

export type Link = { readonly chain: Chain; readonly sequence: number; readonly previous: string; readonly body: string }

/** The hash of a line, lower-case hex; append_audit() computes the same. */
export function lineHash({ chain, sequence, previous, body }: Link): string {
  return hash('sha256', `ascribe-audit-line-1\n${chain}\n${sequence}\n${previous}\n${body}`, 'hex')
}
