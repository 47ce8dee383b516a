import type { Queryable } from '@ascribe/postgres'
import type { Instant } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import type { Realm } from './foreign-events.ts'
import type { RecordActKind } from './list-acts.ts'
import { RECORD_COLUMNS, recordOfRow } from './record-row.ts'
import type { RecordRow } from './record-row.ts'

/** An event as it was taken in, and the record that it became. */
export type StoredEvent = {
  readonly source: string
  readonly id: string
  readonly type: string
  readonly receivedAt: Instant
  readonly record: UsageRecord
  /** What was done to the record since; absent: it counts. */
  readonly superseded?: RecordActKind
}

type StoredRow = RecordRow & {
  readonly foreign_source: string
  readonly foreign_id: string
  readonly foreign_type: string
  readonly received_at: number
  readonly act_kind: string | null
}

const LIST = `
select ${RECORD_COLUMNS}, f.source as foreign_source, f.id as foreign_id, f.type as foreign_type, f.received_at, a.kind as act_kind
from foreign_event f
join usage_record r on r.event_id = f.event_id
left join superseded_record s on s.event_id = f.event_id
left join record_act a on a.act_id = s.act_id
where f.realm = $1::text and ($2::text is null or f.id = $2::text) and ($3::text is null or r.auth_id = $3::text)
order by f.received_at desc, f.event_id limit $4::integer`

/** The events of a realm that came last, newest first. */
export async function listForeignEvents(
  db: Queryable,
  query: { readonly realm: Realm; readonly limit: number; readonly id?: string; readonly authId?: string },
): Promise<readonly StoredEvent[]> {
  const { realm, limit, id = null, authId = null } = query
  if (id?.includes('\0') === true || authId?.includes('\0') === true) return []
  const { rows } = await db.query<StoredRow>(LIST, [realm, id, authId, limit])
  return rows.map((row) => ({
    source: row.foreign_source,
    id: row.foreign_id,
    type: row.foreign_type,
    receivedAt: row.received_at,
    record: recordOfRow(row),
    // record_act lets no other kind in.
    ...(row.act_kind !== null && { superseded: row.act_kind as RecordActKind }),
  }))
}
