import { createHash } from 'node:crypto'
import type { Queryable } from '@ascribe/postgres'
import { isUuid } from '@ascribe/units'
import type { JsonValue } from '../money/canonical-json.ts'
import { bodyOf, erasedFields, personalOf } from './stored-line.ts'
import type { LineRow } from './stored-line.ts'
import type { AuditKind, Chain, PersonalFields } from './entry.ts'
import { INSTALLATION_CHAIN } from './entry.ts'

/** One line as a customer reads it: who, when, why, and what was opened (R28). */
export type AccessLogEntry = {
  readonly sequence: number
  /** RFC 3339. */
  readonly at: string
  readonly kind: AuditKind
  readonly actor: {
    readonly kind: string
    /** Absent: erased. */
    readonly id?: string
    readonly issuer?: string
    readonly name?: string
    readonly email?: string
    readonly roles: readonly string[]
    readonly via: string
  }
  readonly act?: { readonly sessionId: string; readonly reason?: string; readonly ticket?: string; readonly expiresAt?: string }
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly status?: number
  readonly requestId?: string
  readonly aboutOrganizationId?: string
  readonly detail?: { readonly [name: string]: JsonValue }
  readonly personal?: Readonly<Record<string, string>>
  /** Of the line, lower-case hex. */
  readonly hash: string
  /** Fields that were taken out since. */
  readonly erased: readonly string[]
}

export type AccessLogQuery = {
  readonly organizationId: string
  /** Of an earlier page of the same organization. */
  readonly cursor?: string
  /** Default 100, at most 1000. */
  readonly limit?: number
}

export type AccessLogPage = { readonly entries: readonly AccessLogEntry[]; readonly nextCursor?: string }

const LIMIT = 100
const LIMIT_MAX = 1000

/** The log of one organization, newest first. A cursor of another one is `'bad_cursor'`, and never a way into its log. */
export async function readAccessLog(db: Queryable, query: AccessLogQuery): Promise<AccessLogPage | 'bad_cursor'> {
  return isUuid(query.organizationId) ? readChain(db, { ...query, chain: query.organizationId }) : { entries: [] }
}

/** The same of the installation, for those who run it. */
export async function readInstallationLog(
  db: Queryable,
  query: Omit<AccessLogQuery, 'organizationId'> = {},
): Promise<AccessLogPage | 'bad_cursor'> {
  return readChain(db, { ...query, chain: INSTALLATION_CHAIN })
}

async function readChain(
  db: Queryable,
  { chain, cursor, limit = LIMIT }: Omit<AccessLogQuery, 'organizationId'> & { readonly chain: Chain },
): Promise<AccessLogPage | 'bad_cursor'> {
  const before = cursor === undefined ? undefined : readCursor(chain, cursor)
  if (cursor !== undefined && before === undefined) return 'bad_cursor'
  const count = Math.min(Math.max(Math.trunc(limit), 1), LIMIT_MAX)
  const { rows } = await db.query<LineRow>(
    `select l.sequence, l.body, l.hash, p.fields
     from audit_line l left join audit_personal p on p.chain = l.chain and p.sequence = l.sequence
     where l.chain = $1::text and ($2::bigint is null or l.sequence < $2::bigint)
     order by l.sequence desc limit $3::integer`,
    [chain, before ?? null, count + 1],
  )
  const page = rows.slice(0, count)
  const last = page.at(-1)
  return {
    entries: page.map(entryOf),
    ...(rows.length > count && last !== undefined && { nextCursor: makeCursor(chain, last.sequence) }),
  }
}

// A cursor names its chain by a digest, so that one that was made for another log is known as such. It gives no right: the chain that is
// read is always the caller's.
function makeCursor(chain: Chain, sequence: bigint): string {
  return Buffer.from(`${chainMark(chain)}.${sequence}`).toString('base64url')
}

function readCursor(chain: Chain, cursor: string): string | undefined {
  const [, mark, sequence] = /^([\w-]{22})\.(\d{1,18})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? []
  return mark === chainMark(chain) ? sequence : undefined
}

function chainMark(chain: Chain): string {
  return createHash('sha256').update(`access log ${chain}`).digest('base64url').slice(0, 22)
}

function entryOf(row: LineRow): AccessLogEntry {
  const body = bodyOf(row)
  const fields = personalOf(row)
  const value = (name: string): string | undefined => fields[name]?.[1]
  const { actor, act } = body
  return defined({
    sequence: Number(row.sequence),
    at: body.at,
    kind: body.kind,
    // Not the address: it says where an operator sits, and nothing of what was opened.
    actor: defined({
      kind: actor.kind,
      id: actor.id ?? value('actor.id'),
      issuer: actor.issuer,
      name: value('actor.name'),
      email: value('actor.email'),
      roles: actor.roles ?? [],
      via: actor.via,
    }),
    act: act && defined({ sessionId: act.session, reason: value('act.reason'), ticket: value('act.ticket'), expiresAt: act.expiresAt }),
    method: body.method,
    path: body.path ?? value('path'),
    query: value('query'),
    status: body.status,
    requestId: body.requestId,
    aboutOrganizationId: body.about,
    detail: body.detail,
    personal: namedPersonal(fields),
    hash: row.hash.toString('hex'),
    erased: erasedFields(body, fields),
  })
}

const PERSONAL = 'personal.'

function namedPersonal(fields: PersonalFields): Readonly<Record<string, string>> | undefined {
  const named = Object.entries(fields).filter(([name]) => name.startsWith(PERSONAL))
  return named.length === 0 ? undefined : Object.fromEntries(named.map(([name, [, value]]) => [name.slice(PERSONAL.length), value]))
}

type Defined<T> = { [Name in keyof T as undefined extends T[Name] ? never : Name]: T[Name] } & {
  [Name in keyof T as undefined extends T[Name] ? Name : never]?: Exclude<T[Name], undefined>
}

/** Without the members that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>
}
