import { createHash } from 'node:crypto'
import type { Queryable } from '@ascribe/postgres'
import { formatInstant, isUuid } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
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
  /** Lines of this time, half-open. */
  readonly from?: Instant
  readonly until?: Instant
  readonly kinds?: readonly string[]
  /** Kinds of actors. */
  readonly by?: readonly string[]
  /** Part of a name, an id, an e-mail address, a reason or a ticket, in any case. What was erased matches nothing. */
  readonly text?: string
}

export type AccessLogPage = { readonly entries: readonly AccessLogEntry[]; readonly nextCursor?: string }

const LIMIT = 100
const LIMIT_MAX = 1000
/** Lines that one page looks through for those that are asked for: 30 ms of work, however long the log is and however rare they are. */
const SCAN_MAX = 10_000

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
  { chain, cursor, limit = LIMIT, ...filter }: Omit<AccessLogQuery, 'organizationId'> & { readonly chain: Chain },
): Promise<AccessLogPage | 'bad_cursor'> {
  const before = cursor === undefined ? undefined : readCursor(chain, cursor)
  if (cursor !== undefined && before === undefined) return 'bad_cursor'
  const count = Math.min(Math.max(Math.trunc(limit), 1), LIMIT_MAX)
  // From the newest of those that are looked through to the oldest: where too few are found, the next page goes on below the last of them.
  const { rows } = await db.query<LineRow & { readonly lowest: bigint | null }>(
    `with scanned as (
       select sequence, body, hash from audit_line
       where chain = $1::text and ($2::bigint is null or sequence < $2::bigint)
       order by sequence desc limit ${SCAN_MAX}
     )
     select l.sequence, l.body, l.hash, p.fields, (select min(sequence) from scanned having count(*) = ${SCAN_MAX}) as lowest
     from (values (1)) one left join (
       select s.* from scanned s left join audit_personal p on p.chain = $1::text and p.sequence = s.sequence
       where ${MATCHES}
       order by s.sequence desc limit $3::integer
     ) l on true left join audit_personal p on p.chain = $1::text and p.sequence = l.sequence
     order by l.sequence desc`,
    [chain, before ?? null, count + 1, ...matchValues(filter)],
  )
  const lowest = rows[0]?.lowest ?? undefined
  const found = rows.filter(({ sequence }) => sequence !== null)
  const page = found.slice(0, count)
  const last = page.at(-1)
  const next = found.length > count ? last?.sequence : lowest
  return { entries: page.map(entryOf), ...(next !== undefined && { nextCursor: makeCursor(chain, next) }) }
}

/** What narrows a log. A line that is no JSON any more matches no filter but is in the log as a whole: whoever changed it by hand hides nothing. */
const MATCHES = `
  ($4::timestamptz is null or (s.body::json->>'at')::timestamptz >= $4::timestamptz)
  and ($5::timestamptz is null or (s.body::json->>'at')::timestamptz < $5::timestamptz)
  and ($6::text[] is null or s.body::json->>'kind' = any($6::text[]))
  and ($7::text[] is null or s.body::json->'actor'->>'kind' = any($7::text[]))
  and ($8::text is null or position(lower($8::text) in lower(coalesce(s.body::json->'actor'->>'id', ''))) > 0 or exists (
    select from json_each(case when p.fields is json object then p.fields::json end) f
    where f.key in ('actor.id', 'actor.name', 'actor.email', 'act.reason', 'act.ticket') and position(lower($8::text) in lower(f.value->>1)) > 0
  ))`

type Filter = Pick<AccessLogQuery, 'from' | 'until' | 'kinds' | 'by' | 'text'>

function matchValues({ from, until, kinds, by, text }: Filter): readonly (string | readonly string[] | null)[] {
  return [
    from === undefined ? null : formatInstant(from),
    until === undefined ? null : formatInstant(until),
    kinds ?? null,
    by ?? null,
    text ?? null,
  ]
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
