import type { Database, Queryable } from '@ascribe/postgres'
import { hourOf, idOfHash, isUuid } from '@ascribe/units'
import type { EventId, Instant } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { createHash } from 'node:crypto'
import { LedgerInputError } from './errors.ts'
import { insertRecords, markHours } from './insert-records.ts'
import { lockIngest } from './locks.ts'
import { checkRecord } from './record-check.ts'
import { RECORD_COLUMNS, recordOfRow } from './record-row.ts'
import type { RecordRow } from './record-row.ts'

/** Who acts upon records, and why: both are kept for ever, and shown. */
export type ActAuthor = { readonly actor: string; readonly reason: string }

/** What an act did. `hours` are those whose usage it changed; they are marked to be rated again. */
export type ActDone = { readonly actId: string; readonly hours: readonly Instant[] }

export type VoidOutcome = Partial<ActDone> & {
  /** Those that counted until now. */
  readonly voided: readonly EventId[]
  /** Those that counted no longer: an act is never repeated. */
  readonly already: readonly EventId[]
}

/** Fields of a record that may be put right. Its time is not among them: void it, and bring the right one in by a backfill. */
export type Amendment = Partial<
  Pick<
    UsageRecord,
    'authId' | 'userId' | 'groupId' | 'resourceId' | 'resourceType' | 'model' | 'baseModel' | 'claimedOrganizationId' | 'provenance'
  > &
    Pick<UsageRecord, 'promptTokens' | 'cachedTokens' | 'completionTokens'>
> & {
  /** Quantities by meter; those that are not named stay. 0 takes a meter away. */
  readonly meters?: Readonly<Record<string, number>>
}

export type AmendOutcome =
  | (ActDone & { readonly kind: 'amended'; readonly before: UsageRecord; readonly after: UsageRecord })
  | { readonly kind: 'already_superseded'; readonly actId: string; readonly replacementEventId?: EventId }

const TEXT_LENGTH_MAX = 2000

/** The one order of acts: whoever acts waits for whoever is acting. There are few, and each is short. */
export async function lockActs(tx: Queryable): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock((x'61736372'::bigint << 32) | 6)`)
}

/** Writes down an act; what it does follows in the same transaction. @throws {LedgerInputError} without an actor or a reason */
export async function writeAct(
  tx: Queryable,
  { kind, actor, reason, backfillName = null }: ActAuthor & { readonly kind: string; readonly backfillName?: string | null },
): Promise<string> {
  for (const [name, text] of [
    ['actor', actor],
    ['reason', reason],
  ] as const) {
    if (text.trim() === '' || text.includes('\0') || text.length > TEXT_LENGTH_MAX) {
      throw new LedgerInputError(`Cannot act upon records: the ${name} is empty, holds NUL or is longer than ${TEXT_LENGTH_MAX} characters`)
    }
  }
  const { rows } = await tx.query<{ act_id: string }>(
    `insert into record_act (act_id, kind, actor, reason, backfill_name)
     values (gen_random_uuid(), $1::text, $2::text, $3::text, $4::text) returning act_id`,
    [kind, actor.trim(), reason.trim(), backfillName],
  )
  const [row] = rows
  if (row === undefined) throw new Error('insert into record_act returned no row')
  return row.act_id
}

/**
 * Says of records that they count no longer. They stay readable; reports, charges and exports leave them out from now on, and what was
 * charged for them in closed months comes back as an adjustment. Safe to repeat.
 * @throws {LedgerInputError} for a record that is not there; nothing was done.
 */
export async function voidRecords(db: Database, input: ActAuthor & { readonly eventIds: readonly EventId[] }): Promise<VoidOutcome> {
  return db.transaction((tx) => voidIn(tx, input))
}

/** The same in the caller's transaction. */
export async function voidIn(tx: Queryable, input: ActAuthor & { readonly eventIds: readonly EventId[] }): Promise<VoidOutcome> {
  const eventIds = [...new Set(input.eventIds.map((id) => id.toLowerCase()))]
  if (eventIds.length === 0) throw new LedgerInputError('Cannot void records: none is named')
  await lockActs(tx)
  // Whoever archives waits for it, and then sees the marks.
  await lockIngest(tx)
  const instants = await readInstants(tx, eventIds)
  const before = await tx.query<{ event_id: string }>('select event_id from superseded_record where event_id = any($1::uuid[])', [eventIds])
  const already = new Set(before.rows.map((row) => row.event_id))
  const voided = eventIds.filter((id) => !already.has(id))
  if (voided.length === 0) return { voided, already: eventIds }
  const actId = await writeAct(tx, { ...input, kind: 'void' })
  await tx.query(
    `insert into superseded_record (event_id, instant, act_id)
     select event_id, instant, $2::uuid from usage_record where event_id = any($1::uuid[])`,
    [voided, actId],
  )
  return {
    actId,
    hours: await markInstants(
      tx,
      voided.map((id) => instants.get(id) ?? 0),
    ),
    voided,
    already: [...already],
  }
}

/**
 * Puts a record right: a new one, of the same instant, counts in its place. The first stays readable.
 * @throws {LedgerInputError} for a record that is not there, or a change that changes nothing or makes no record
 */
export async function amendRecord(
  db: Database,
  input: ActAuthor & { readonly eventId: EventId; readonly change: Amendment },
): Promise<AmendOutcome> {
  return db.transaction((tx) => amendIn(tx, input))
}

/** The same in the caller's transaction. */
export async function amendIn(
  tx: Queryable,
  input: ActAuthor & { readonly eventId: EventId; readonly change: Amendment },
): Promise<AmendOutcome> {
  const eventId = input.eventId.toLowerCase()
  await lockActs(tx)
  const before = await readRecord(tx, eventId)
  const { rows } = await tx.query<{ act_id: string; replacement_event_id: string | null }>(
    'select act_id, replacement_event_id from superseded_record where event_id = $1::uuid',
    [eventId],
  )
  const [superseded] = rows
  if (superseded !== undefined) {
    const { act_id: actId, replacement_event_id: replacement } = superseded
    return { kind: 'already_superseded', actId, ...(replacement !== null && { replacementEventId: replacement }) }
  }
  const actId = await writeAct(tx, { ...input, kind: 'amend' })
  const after = amended(before, input.change, actId)
  await insertRecords(tx, [after], { writer: 'amend', cause: 'amend' })
  await tx.query(
    'insert into superseded_record (event_id, instant, act_id, replacement_event_id) select event_id, instant, $2::uuid, $3::uuid from usage_record where event_id = $1::uuid',
    [eventId, actId, after.eventId],
  )
  return { kind: 'amended', actId, hours: [hourOf(before.startedAt).start], before, after }
}

function amended(before: UsageRecord, { meters: quantities, ...fields }: Amendment, actId: string): UsageRecord {
  const meters = { ...before.meters, ...quantities }
  for (const [name, quantity] of Object.entries(quantities ?? {})) if (quantity === 0) delete meters[name]
  const said = { ...before, ...fields, meters }
  if (said.provenance === 'unknown' && quantities !== undefined) {
    throw new LedgerInputError(`Cannot amend ${before.eventId}: its quantities are marked as unknown, and would be held as before`, {
      hint: 'Say how they are known as well: set provenance to reported or estimated.',
    })
  }
  if (JSON.stringify(said) === JSON.stringify(before)) throw new LedgerInputError(`Cannot amend ${before.eventId}: nothing would change`)
  // Of the same time, so that it stands in the same hour and partition.
  const eventId = idOfHash(before.startedAt, createHash('sha256').update(`${actId} ${before.eventId}`).digest())
  const checked = checkRecord(JSON.stringify({ ...said, eventId }), eventId)
  if (checked.kind === 'fault') throw new LedgerInputError(`Cannot amend ${before.eventId}: ${checked.reason}`)
  return checked.record
}

async function readRecord(tx: Queryable, eventId: EventId): Promise<UsageRecord> {
  const { rows } = isUuid(eventId)
    ? await tx.query<RecordRow>(`select ${RECORD_COLUMNS} from usage_record r where r.event_id = $1::uuid`, [eventId])
    : { rows: [] }
  const [row] = rows
  if (row === undefined) throw unknownRecords([eventId])
  return recordOfRow(row)
}

async function readInstants(tx: Queryable, eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, Instant>> {
  const wanted = eventIds.filter(isUuid)
  const { rows } = await tx.query<{ event_id: string; instant: number }>(
    'select event_id, instant from usage_record where event_id = any($1::uuid[])',
    [wanted],
  )
  const instants = new Map(rows.map((row) => [row.event_id, row.instant]))
  const unknown = eventIds.filter((id) => !instants.has(id))
  if (unknown.length > 0) throw unknownRecords(unknown)
  return instants
}

const NAMED_MAX = 5

function unknownRecords(eventIds: readonly EventId[]): LedgerInputError {
  const named = eventIds.slice(0, NAMED_MAX).join(', ')
  const more = eventIds.length > NAMED_MAX ? ` and ${eventIds.length - NAMED_MAX} more` : ''
  return new LedgerInputError(`Cannot act upon records: there is no record ${named}${more}`, {
    hint: '`ascribe events list` shows event ids.',
  })
}

/** Marks the hours of instants to be rated again, and gives them in order. */
async function markInstants(tx: Queryable, instants: readonly Instant[]): Promise<readonly Instant[]> {
  const hours = new Set(instants.map((at) => hourOf(at).start).toSorted((a, b) => a - b))
  await markHours(tx, hours, 'void')
  return [...hours]
}
