import type { Database, Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import { sqlInstant } from '../instants.ts'

/** A person who is signed in. What is sealed is the caller's: the ledger cannot read it. */
export type WebSession = {
  readonly issuer: string
  readonly subject: string
  /** The one that is looked at; absent: not chosen yet. */
  readonly organizationId?: string
  readonly sealed: Buffer
  /** Of `sealed`. */
  readonly version: number
  readonly seenAt: Instant
  readonly endsAt: Instant
  /** From when on the tokens inside are to be refreshed; absent: they cannot be. */
  readonly refreshAt?: Instant
}

export type NewWebSession = Omit<WebSession, 'version' | 'seenAt'> & {
  /** SHA-256 of the cookie's value. */
  readonly hash: Buffer
  readonly issuerSession?: string
}

/** When sessions are over that nobody has used. */
export type SessionTime = { readonly now: Instant; readonly idleMs: number }

/** Rows that one sign-in clears away at most; sign-ins are rarer than that, and so nothing piles up. */
const CLEARED_MAX = 100

/** Remembers somebody who has just signed in, and forgets some whose time is over. */
export async function createWebSession(db: Database, session: NewWebSession, { now, idleMs }: SessionTime): Promise<void> {
  await db.query(
    `with over as (
       select session_hash from web_session where ends_at <= $1::timestamptz or seen_at <= $2::timestamptz limit ${CLEARED_MAX} for update skip locked
     )
     delete from web_session w using over where w.session_hash = over.session_hash`,
    [sqlInstant(now), sqlInstant(now - idleMs)],
  )
  const { hash, issuer, subject, issuerSession = null, organizationId = null, sealed, endsAt, refreshAt } = session
  await db.query(
    `insert into web_session (session_hash, issuer, subject, issuer_session, organization_id, sealed, created_at, seen_at, ends_at, refresh_at)
     values ($1::bytea, $2::text, $3::text, $4::text, $5::uuid, $6::bytea, $7::timestamptz, $7::timestamptz, $8::timestamptz, $9::timestamptz)`,
    [
      hash,
      issuer,
      subject,
      issuerSession,
      organizationId,
      sealed,
      sqlInstant(now),
      sqlInstant(endsAt),
      refreshAt === undefined ? null : sqlInstant(refreshAt),
    ],
  )
}

type Row = {
  readonly issuer: string
  readonly subject: string
  readonly organization_id: string | null
  readonly sealed: Buffer
  readonly version: number
  readonly seen_at: number
  readonly ends_at: number
  readonly refresh_at: number | null
}

/** The session of a cookie, if it is not over. */
export async function findWebSession(db: Queryable, hash: Buffer, { now, idleMs }: SessionTime): Promise<WebSession | undefined> {
  const { rows } = await db.query<Row>(
    `select issuer, subject, organization_id, sealed, version, seen_at, ends_at, refresh_at from web_session
     where session_hash = $1::bytea and ends_at > $2::timestamptz and seen_at > $3::timestamptz`,
    [hash, sqlInstant(now), sqlInstant(now - idleMs)],
  )
  const [row] = rows
  if (row === undefined) return undefined
  return {
    issuer: row.issuer,
    subject: row.subject,
    ...(row.organization_id !== null && { organizationId: row.organization_id }),
    sealed: row.sealed,
    version: row.version,
    seenAt: row.seen_at,
    endsAt: row.ends_at,
    ...(row.refresh_at !== null && { refreshAt: row.refresh_at }),
  }
}

/** Notes that somebody is there. */
export async function touchWebSession(db: Queryable, hash: Buffer, now: Instant): Promise<void> {
  await db.query('update web_session set seen_at = $2::timestamptz where session_hash = $1::bytea and seen_at < $2::timestamptz', [
    hash,
    sqlInstant(now),
  ])
}

/** Notes which organization is looked at. The caller knows that it is one of his. */
export async function chooseOrganization(db: Queryable, hash: Buffer, organizationId: string): Promise<void> {
  await db.query('update web_session set organization_id = $2::uuid where session_hash = $1::bytea', [hash, organizationId])
}

export type RefreshClaim = { readonly hash: Buffer; readonly version: number; readonly now: Instant; readonly untilMs: number }

/** Takes the right to refresh the tokens of this version, of all processes for one; `false`: another one has it, or has done it. */
export async function claimRefresh(db: Queryable, { hash, version, now, untilMs }: RefreshClaim): Promise<boolean> {
  const { rowCount } = await db.query(
    `update web_session set refreshing_until = $4::timestamptz
     where session_hash = $1::bytea and version = $2::integer and (refreshing_until is null or refreshing_until <= $3::timestamptz)`,
    [hash, version, sqlInstant(now), sqlInstant(now + untilMs)],
  )
  return rowCount === 1
}

export type Refreshed = {
  readonly hash: Buffer
  /** That was refreshed. */
  readonly version: number
  readonly sealed: Buffer
  readonly refreshAt: Instant | undefined
}

/** Puts fresh tokens in the place of those of `version`; `false`: the session has ended meanwhile. */
export async function storeRefreshed(db: Queryable, { hash, version, sealed, refreshAt }: Refreshed): Promise<boolean> {
  const { rowCount } = await db.query(
    `update web_session set sealed = $3::bytea, refresh_at = $4::timestamptz, refreshing_until = null, version = version + 1
     where session_hash = $1::bytea and version = $2::integer`,
    [hash, version, sealed, refreshAt === undefined ? null : sqlInstant(refreshAt)],
  )
  return rowCount === 1
}

/** Gives the right to refresh back, from an instant on: the issuer could not be asked. */
export async function postponeRefresh(
  db: Queryable,
  { hash, version, until }: { hash: Buffer; version: number; until: Instant },
): Promise<void> {
  await db.query('update web_session set refreshing_until = $3::timestamptz where session_hash = $1::bytea and version = $2::integer', [
    hash,
    version,
    sqlInstant(until),
  ])
}

/** Ends a session for all processes. */
export async function endWebSession(db: Queryable, hash: Buffer): Promise<boolean> {
  const { rowCount } = await db.query('delete from web_session where session_hash = $1::bytea', [hash])
  return rowCount === 1
}

export type IssuerSignOut = { readonly issuer: string; readonly subject?: string; readonly issuerSession?: string }

/** Ends what an issuer says is over: one of its sessions, or all of a user. Gives how many. */
export async function endWebSessionsOf(db: Queryable, { issuer, subject, issuerSession }: IssuerSignOut): Promise<number> {
  const { rowCount } = await db.query(
    `delete from web_session where issuer = $1::text
     and case when $3::text is not null then issuer_session = $3::text else subject = $2::text end`,
    [issuer, subject ?? null, issuerSession ?? null],
  )
  return rowCount ?? 0
}
