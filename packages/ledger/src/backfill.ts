import type { Database, Queryable } from '@ascribe/postgres'
import { hourOf } from '@ascribe/units'
import type { EventId, Instant } from '@ascribe/units'
import { previewAct } from './act-effect.ts'
import type { ActEffect } from './act-effect.ts'
import type { BackfillLine } from './backfill-line.ts'
import { LedgerInputError } from './errors.ts'
import { attributeEvents, findOwners } from './event-subjects.ts'
import type { Attribution, EventClaim, EventSender } from './event-subjects.ts'
import { storeForeignEvents } from './foreign-events.ts'
import type { ForeignEvent } from './foreign-events.ts'
import { foreignEventOf } from './ingest-cloud-events.ts'
import { markHours } from './insert-records.ts'
import { lockIngest } from './locks.ts'
import { lockActs, writeAct } from './record-acts.ts'
import type { ActAuthor, ActDone } from './record-acts.ts'

export type BackfillInput = ActAuthor & {
  /** What people call it. The same name goes on where a run broke off; 1 to 200 bytes. */
  readonly name: string
  /** Without faults: see `readBackfillLine`. */
  readonly lines: AsyncIterable<Exclude<BackfillLine, { readonly kind: 'fault' }>>
}

/** What became of the lines; the four add up to their number. */
export type BackfillSummary = {
  readonly actId: string
  readonly accepted: number
  /** Imported before, with the same content. */
  readonly duplicates: number
  /** Imported before with other content: that stands, and this is in the quarantine. */
  readonly conflicting: number
  /** Records of this ledger already, by their event id: exported here, and not imported again. */
  readonly present: number
}

export type UndoOutcome =
  | (ActDone & { readonly kind: 'undone'; readonly records: number })
  | { readonly kind: 'already_undone' }
  | { readonly kind: 'unknown' }

type Line = Exclude<BackfillLine, { readonly kind: 'fault' }>
type Act = { readonly id: string; readonly isUndone: boolean }

/** Lines of one transaction. */
const BATCH = 5000
/** All backfills share one: the same line is not imported twice under two names. */
const REALM = 'backfill'
const SENDER: EventSender = { kind: 'installation', name: REALM }
const NAME_BYTES_MAX = 200

/**
 * Imports records of the past, in transactions of some thousand lines. Each line is imported once, however often and in however many
 * pieces this runs; a run that broke off goes on under the same name. Undone as a whole by {@link undoBackfill}.
 * @throws {LedgerInputError} for a name that cannot be used, or of a backfill that was undone
 */
export async function importBackfill(db: Database, input: BackfillInput): Promise<BackfillSummary> {
  const actId = await db.transaction((tx) => beginBackfill(tx, input))
  let summary: BackfillSummary = { actId, accepted: 0, duplicates: 0, conflicting: 0, present: 0 }
  for await (const lines of batchesOf(input.lines)) {
    const owners = await attributeEvents(db, SENDER, claimsOf(lines))
    const done = await db.transaction((tx) => importLines(tx, { input, actId, lines, owners }))
    summary = added(summary, done)
  }
  return summary
}

/** Says what {@link importBackfill} would do, and what that would come to. Reads all lines in one transaction; changes nothing. */
export async function previewBackfill(
  db: Database,
  input: BackfillInput,
): Promise<{ readonly result: BackfillSummary; readonly effect: ActEffect }> {
  return previewAct(db, async (tx) => {
    const actId = await beginBackfill(tx, input)
    let summary: BackfillSummary = { actId, accepted: 0, duplicates: 0, conflicting: 0, present: 0 }
    const hours = new Set<Instant>()
    for await (const lines of batchesOf(input.lines)) {
      const { owners } = await findOwners(tx, SENDER, claimsOf(lines))
      summary = added(summary, await importLines(tx, { input, actId, lines, owners }))
      for (const line of lines) hours.add(hourOf(line.kind === 'record' ? line.event.record.startedAt : line.usage.time).start)
    }
    return { result: summary, hours: [...hours].toSorted((a, b) => a - b) }
  })
}

/**
 * Takes a backfill back: none of its records counts any longer, nor does one that amends them. They stay readable. Its lines may be
 * imported again, under another name.
 */
export async function undoBackfill(db: Database, input: ActAuthor & { readonly name: string }): Promise<UndoOutcome> {
  return db.transaction((tx) => undoIn(tx, input))
}

/** The same in the caller's transaction. */
export async function undoIn(tx: Queryable, input: ActAuthor & { readonly name: string }): Promise<UndoOutcome> {
  await lockActs(tx)
  // Whoever archives waits for it, and then sees the marks.
  await lockIngest(tx)
  const act = await readBackfill(tx, input.name)
  if (act === undefined) return { kind: 'unknown' }
  if (act.isUndone) return { kind: 'already_undone' }
  const actId = await writeAct(tx, { ...input, kind: 'undo', backfillName: input.name })
  const { rows } = await tx.query<{ instant: number }>(UNDO, [act.id, actId])
  await tx.query('update foreign_event set released = true where act_id = $1::uuid', [act.id])
  const hours = new Set(rows.map(({ instant }) => hourOf(instant).start).toSorted((a, b) => a - b))
  await markHours(tx, hours, 'undo')
  return { kind: 'undone', actId, hours: [...hours], records: rows.length }
}

// What it brought, and whatever was put in the place of that since.
const UNDO = `
with recursive brought (event_id) as (
  select event_id from foreign_event where act_id = $1::uuid
  union
  select s.replacement_event_id from superseded_record s join brought b on b.event_id = s.event_id where s.replacement_event_id is not null
)
insert into superseded_record (event_id, instant, act_id)
select r.event_id, r.instant, $2::uuid from usage_record r join brought using (event_id)
on conflict (event_id) do nothing returning instant`

async function beginBackfill(tx: Queryable, { name, actor, reason }: BackfillInput): Promise<string> {
  if (name.trim() === '' || name.includes('\0') || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw new LedgerInputError(`Cannot import: the name of a backfill has 1 to ${NAME_BYTES_MAX} bytes and no NUL`)
  }
  await lockActs(tx)
  const act = await readBackfill(tx, name)
  if (act === undefined) return writeAct(tx, { kind: 'backfill', actor, reason, backfillName: name })
  if (act.isUndone) throw undone(name)
  return act.id
}

async function readBackfill(tx: Queryable, name: string): Promise<Act | undefined> {
  const { rows } = await tx.query<{ act_id: string; undone: boolean }>(
    `select act_id, exists (select from record_act u where u.backfill_name = a.backfill_name and u.kind = 'undo') as undone
     from record_act a where backfill_name = $1::text and kind = 'backfill'`,
    [name],
  )
  const [row] = rows
  return row === undefined ? undefined : { id: row.act_id, isUndone: row.undone }
}

function undone(name: string): LedgerInputError {
  return new LedgerInputError(`Cannot import: backfill ${JSON.stringify(name)} was undone, and stays so`, {
    hint: 'Import the lines again under another name.',
  })
}

async function importLines(
  tx: Queryable,
  { input, actId, lines, owners }: { input: BackfillInput; actId: string; lines: readonly Line[]; owners: readonly Attribution[] },
): Promise<Omit<BackfillSummary, 'actId'>> {
  await lockActs(tx)
  if ((await readBackfill(tx, input.name))?.isUndone !== false) throw undone(input.name)
  const present = await readPresent(tx, lines)
  let place = 0
  const events: ForeignEvent[] = []
  for (const line of lines) {
    if (line.kind === 'cloud_event') {
      const owner = owners[place++]
      if (owner?.kind !== 'owner')
        throw new LedgerInputError(`Cannot import event ${JSON.stringify(line.event.id)}: ${owner?.reason ?? 'it has no owner'}`)
      events.push(foreignEventOf(line, owner.owner))
    } else if (line.eventId === undefined || !present.has(line.eventId)) events.push(line.event)
  }
  const outcomes = await storeForeignEvents(tx, { realm: REALM, writer: `backfill:${input.name}`, events, actId })
  const count = (kind: string): number => outcomes.filter((outcome) => outcome.kind === kind).length
  return {
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    conflicting: count('conflicting'),
    present: lines.length - events.length,
  }
}

/** Lines that are records of this ledger under their own ids. */
async function readPresent(tx: Queryable, lines: readonly Line[]): Promise<ReadonlySet<EventId>> {
  const ids = lines.flatMap((line) => (line.kind === 'record' && line.eventId !== undefined ? [line.eventId] : []))
  if (ids.length === 0) return new Set()
  const { rows } = await tx.query<{ event_id: string }>('select event_id from usage_record where event_id = any($1::uuid[])', [ids])
  return new Set(rows.map((row) => row.event_id))
}

function claimsOf(lines: readonly Line[]): readonly EventClaim[] {
  return lines.flatMap((line) =>
    line.kind === 'cloud_event' ? [{ subject: line.event.subject, takenFor: line.rule.subject, time: line.usage.time }] : [],
  )
}

function added(a: BackfillSummary, b: Omit<BackfillSummary, 'actId'>): BackfillSummary {
  return {
    actId: a.actId,
    accepted: a.accepted + b.accepted,
    duplicates: a.duplicates + b.duplicates,
    conflicting: a.conflicting + b.conflicting,
    present: a.present + b.present,
  }
}

async function* batchesOf(lines: AsyncIterable<Line>): AsyncGenerator<readonly Line[]> {
  let batch: Line[] = []
  for await (const line of lines) {
    batch.push(line)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
