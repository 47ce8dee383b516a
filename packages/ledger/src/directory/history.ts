import type { Database, Queryable } from '@ascribe/postgres'
import type { TermsScope } from '@ascribe/identity'
import { isUuid } from '@ascribe/units'
import { lockDirectory } from '../locks.ts'
import { changesOf } from './sync-sections.ts'
import type { SyncChange } from './sync-sections.ts'
import { directoryNow, endTimeline, readTimeline } from './timeline.ts'
import type { TimelineEntry, TimelineName } from './timeline.ts'

/** What has a history, and by which id it is asked for. */
export type HistorySubject = 'organization' | 'user' | 'group' | 'resource' | 'auth-id' | 'owner'
export const HISTORY_SUBJECTS: readonly HistorySubject[] = ['organization', 'user', 'group', 'resource', 'auth-id', 'owner']

/** One thing that was said: from when on it holds, when it was said and by whom, and what; the last is by column. */
export type HistoryEntry = {
  /** Of what it speaks: `parent`, `group_member`, `mapping`, `secret`, … */
  readonly kind: string
  /** UTC epoch milliseconds; -Infinity: since ever. */
  readonly validFrom: number
  /** Above 0: it overrules what was said before for the same instant. */
  readonly revision: number
  readonly recordedAt: number
  readonly recordedBy?: string
  readonly says: Readonly<Record<string, unknown>>
}

/** Everything that was ever said of something, in the order of when it holds. Empty: nobody has ever heard of it. */
export async function readHistory(db: Queryable, subject: HistorySubject, id: string): Promise<readonly HistoryEntry[]> {
  if (id.includes('\0') || ((subject === 'organization' || subject === 'owner') && !isUuid(id))) return []
  const entries = await read(db, subject, id)
  return entries.toSorted((a, b) => compare(a.validFrom, b.validFrom) || a.recordedAt - b.recordedAt || a.revision - b.revision)
}

/** Numbers with infinities, whose difference is none. */
function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

async function read(db: Queryable, subject: HistorySubject, id: string): Promise<readonly HistoryEntry[]> {
  switch (subject) {
    case 'organization':
      return [...(await timelines(db, ['organization', 'parent'], { column: 'organization_id', id })), ...(await terms(db, subject, id))]
    case 'user':
      return timelines(db, ['user', 'organization_member', 'group_member'], { column: 'user_id', id })
    case 'group':
      return [...(await timelines(db, ['group', 'group_member'], { column: 'group_id', id })), ...(await terms(db, subject, id))]
    case 'resource':
      return timelines(db, ['resource'], { column: 'resource_id', id })
    case 'owner':
      return timelines(db, ['cloud_owner'], { column: 'user_id', id })
    case 'auth-id':
      return [...(await mappings(db, id)), ...(await secrets(db, id)), ...(await terms(db, 'credential', id))]
  }
}

function entryOf(kind: string, row: TimelineEntry): HistoryEntry {
  const { valid_from: validFrom, revision, recorded_at: recordedAt, recorded_by: recordedBy, kind: _kind, ...says } = row
  return { kind, validFrom, revision, recordedAt, ...(recordedBy !== null && { recordedBy }), says }
}

async function timelines(
  db: Queryable,
  names: readonly TimelineName[],
  by: { readonly column: string; readonly id: string },
): Promise<readonly HistoryEntry[]> {
  const found: HistoryEntry[] = []
  for (const name of names) found.push(...(await readTimeline(db, name, by)).map((row) => entryOf(name, row)))
  return found
}

async function terms(db: Queryable, scope: TermsScope, id: string): Promise<readonly HistoryEntry[]> {
  return (await timelines(db, ['terms'], { column: 'subject', id })).filter(({ says }) => says['scope'] === scope)
}

async function mappings(db: Queryable, authId: string): Promise<readonly HistoryEntry[]> {
  const { rows } = await db.query<TimelineEntry>(
    `select valid_from, revision, organization_id, user_id, group_id, created_at as recorded_at, recorded_by
     from auth_mapping where auth_id = $1::text`,
    [authId],
  )
  return rows.map((row) => entryOf('mapping', row))
}

async function secrets(db: Queryable, authId: string): Promise<readonly HistoryEntry[]> {
  const { rows } = await db.query<TimelineEntry & { readonly kind: string }>(
    `with mine as (
       select * from credential_secret where auth_id = $1::text
     )
     select 'key_made' as kind, created_at as valid_from, 0 as revision, created_at as recorded_at, created_by as recorded_by, public_id,
       null as cause from mine
     union all
     select 'key_ends', e.ends_at, 0, e.recorded_at, e.recorded_by, e.public_id, e.cause
     from mine join credential_secret_end e on e.public_id = mine.public_id
     union all
     select 'credential_revoked', revoked_at, 0, revoked_at, null, null, null from credential where auth_id = $1::text and revoked_at is not null`,
    [authId],
  )
  return rows.map((row) => entryOf(row.kind, row))
}

/** Says that there is no such user, group or resource any more, from now on. Its history and its usage stay. */
export async function endEntry(
  db: Database,
  entry: { readonly kind: 'user' | 'group' | 'resource'; readonly id: string; readonly recordedBy?: string },
): Promise<readonly SyncChange[]> {
  const { kind, id, recordedBy } = entry
  if (id.includes('\0')) return []
  return db.transaction(async (tx) => {
    await lockDirectory(tx)
    const at = await directoryNow(tx)
    return changesOf(kind, await endTimeline(tx, kind, { rows: [{ [`${kind}_id`]: id }], at, recordedBy }))
  })
}
