import type { Queryable } from '@ascribe/postgres'
import type { EventId, Instant } from '@ascribe/units'

export type RecordActKind = 'backfill' | 'undo' | 'amend' | 'void'

/** An act upon records, as it was written down. */
export type RecordAct = {
  readonly id: string
  readonly kind: RecordActKind
  readonly actor: string
  readonly reason: string
  readonly at: Instant
  /** Of a backfill, or of the one that was undone. */
  readonly backfillName?: string
  /** Records that it made. */
  readonly brought: bigint
  /** Records that count no longer because of it. */
  readonly superseded: bigint
}

/** That a record counts no longer. */
export type Superseded = {
  readonly actId: string
  readonly kind: RecordActKind
  /** The record that counts in its place. */
  readonly replacementEventId?: EventId
}

type ActRow = {
  readonly act_id: string
  readonly kind: string
  readonly actor: string
  readonly reason: string
  readonly at: number
  readonly backfill_name: string | null
  readonly brought: bigint
  readonly superseded: bigint
}

const LIMIT = 100

/** The newest acts first; those upon one record with `eventId`. */
export async function listRecordActs(
  db: Queryable,
  options: { readonly limit?: number; readonly eventId?: EventId } = {},
): Promise<readonly RecordAct[]> {
  const { limit = LIMIT, eventId = null } = options
  const { rows } = await db.query<ActRow>(
    `select a.act_id, a.kind, a.actor, a.reason, a.at, a.backfill_name,
       (select count(*) from foreign_event f where f.act_id = a.act_id)
         + (select count(*) from superseded_record s where s.act_id = a.act_id and s.replacement_event_id is not null) as brought,
       (select count(*) from superseded_record s where s.act_id = a.act_id) as superseded
     from record_act a
     where $2::uuid is null
       or exists (select from superseded_record s where s.act_id = a.act_id and $2::uuid in (s.event_id, s.replacement_event_id))
       or a.act_id = (select act_id from foreign_event f where f.event_id = $2::uuid)
     order by a.at desc, a.act_id limit $1::integer`,
    [limit, eventId],
  )
  return rows.map((row) => ({
    id: row.act_id,
    // The table lets no other in.
    kind: row.kind as RecordActKind,
    actor: row.actor,
    reason: row.reason,
    at: row.at,
    ...(row.backfill_name !== null && { backfillName: row.backfill_name }),
    brought: row.brought,
    superseded: row.superseded,
  }))
}
