import { createHash } from 'node:crypto'
import type { Database, Queryable } from '@ascribe/postgres'
import { formatInstant, idOfHash } from '@ascribe/units'
import type { EventId } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { LedgerInputError } from './errors.ts'
import { insertRecords } from './insert-records.ts'
import { lockIngest } from './locks.ts'
import { ensurePartitionsOnce } from './partitions.ts'
import { quarantine } from './quarantine-store.ts'
import { checkRecord } from './record-check.ts'

/** Something that somebody else says was used, under a name of theirs. */
export type ForeignEvent = {
  /** With `id` it names the event within the realm. Text without NUL, like the next two. */
  readonly source: string
  readonly id: string
  readonly type: string
  /** SHA-256 of its content: the same name with another digest is a conflict. */
  readonly digest: Uint8Array
  /** As it came, for the quarantine. */
  readonly text: string
  /** The record, but for its key, which is made from its name and its instant. */
  readonly record: Omit<UsageRecord, 'eventId' | 'requestId'>
}

/**
 * - `accepted`: it is a record now.
 * - `duplicate`: it was one before, with the same content.
 * - `conflicting`: the first content of this name stands; this one is in the quarantine.
 */
export type ForeignOutcome = {
  readonly kind: 'accepted' | 'duplicate' | 'conflicting'
  /** Of the record that stands. */
  readonly eventId: EventId
}

/** Within which `source` and `id` are unique: an organization's id, or what belongs to none. */
export type Realm = string

export type ForeignBatch = {
  readonly realm: Realm
  /** Written into the records, as a journal's name is. */
  readonly writer: string
  readonly events: readonly ForeignEvent[]
  /** The backfill that brings them. */
  readonly actId?: string
}

type Claim = { readonly event: ForeignEvent; readonly record: UsageRecord; readonly key: Buffer; readonly at: number }
type StoredRow = { readonly key: Uint8Array; readonly digest: Uint8Array; readonly event_id: string }

/**
 * Makes records of events, each name once: all of it or nothing. The name is claimed in the transaction that writes the record, so
 * that a retry after any failure is neither swallowed nor counted twice. Outcomes are in the order of the events.
 * @throws {LedgerInputError} for an event that can be no record; nothing was stored.
 * @throws {DatabaseError} nothing was stored, or it is not known whether it was: send again.
 */
export async function ingestForeignEvents(db: Database, batch: ForeignBatch): Promise<readonly ForeignOutcome[]> {
  const claims = batch.events.map((event, at) => claimOf(batch, event, at))
  await ensurePartitionsOnce(
    db,
    claims.map(({ record }) => record),
  )
  return db.transaction((tx) => storeClaims(tx, batch, claims))
}

/** The same in the caller's transaction. */
export async function storeForeignEvents(tx: Queryable, batch: ForeignBatch): Promise<readonly ForeignOutcome[]> {
  return storeClaims(
    tx,
    batch,
    batch.events.map((event, at) => claimOf(batch, event, at)),
  )
}

async function storeClaims(tx: Queryable, batch: ForeignBatch, claims: readonly Claim[]): Promise<readonly ForeignOutcome[]> {
  if (claims.length === 0) return []
  await lockIngest(tx)
  const first = new Map<string, Claim>()
  for (const claim of claims) first.getOrInsert(textOf(claim.key), claim)
  const taken = await takeKeys(tx, batch, [...first.values()])
  const records = [...first].flatMap(([key, { record }]) => (taken.has(key) ? [record] : []))
  const inserted = await insertRecords(tx, records, { writer: batch.writer, ...(batch.actId !== undefined && { cause: 'backfill' }) })
  // An id that is there already, with a key that was free, would be two names with one hash of 74 bits in one millisecond.
  if (inserted !== records.length) throw new Error(`${records.length - inserted} events have the ids of other records`)
  const stored = await readStored(tx, [...first.values()])
  const outcomes = claims.map((claim) => outcomeOf(claim, { taken, stored, first }))
  const conflicts = claims.filter((_, index) => outcomes[index]?.kind === 'conflicting')
  await quarantine(
    tx,
    { writer: batch.writer, position: { segment: 0, offset: 0 } },
    conflicts.map(({ event, record }) => ({
      eventId: stored.get(textOf(keyOf(batch.realm, event)))?.event_id ?? record.eventId,
      payload: event.text,
      reason: `an event with this source and id and other content was stored first: ${event.source} ${event.id}`,
      conflicting: true,
    })),
  )
  return outcomes
}

function outcomeOf(
  { event, key, at }: Claim,
  { taken, stored, first }: { taken: ReadonlySet<string>; stored: ReadonlyMap<string, StoredRow>; first: ReadonlyMap<string, Claim> },
): ForeignOutcome {
  const name = textOf(key)
  const before = stored.get(name)
  if (before === undefined)
    throw new LedgerInputError('Cannot take the events in: a backfill that holds one of them was undone meanwhile; run it again')
  const isFirst = taken.has(name) && first.get(name)?.at === at
  const isSame = Buffer.compare(before.digest, event.digest) === 0
  return { kind: isFirst ? 'accepted' : isSame ? 'duplicate' : 'conflicting', eventId: before.event_id }
}

/** Claims the keys that are free, and gives them. Waits for whoever is claiming one of them just now. */
async function takeKeys(tx: Queryable, { realm, actId }: ForeignBatch, claims: readonly Claim[]): Promise<ReadonlySet<string>> {
  // In one order for all, so that two batches that share some never wait for each other in a circle.
  const sorted = claims.toSorted((a, b) => Buffer.compare(a.key, b.key))
  const { rows } = await tx.query<{ key: Uint8Array }>(
    `insert into foreign_event (key, event_id, source, id, type, digest, realm, act_id)
     select key, event_id, source, id, type, digest, $7::text, $8::uuid
     from unnest($1::bytea[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[]) as e (key, event_id, source, id, type, digest)
     on conflict (key) where not released do nothing returning key`,
    [
      sorted.map(({ key }) => key),
      sorted.map(({ record }) => record.eventId),
      sorted.map(({ event }) => event.source),
      sorted.map(({ event }) => event.id),
      sorted.map(({ event }) => event.type),
      sorted.map(({ event }) => event.digest),
      realm,
      actId ?? null,
    ],
  )
  return new Set(rows.map(({ key }) => textOf(key)))
}

/** A statement of its own: one that began before another transaction committed does not see what that one claimed. */
async function readStored(tx: Queryable, claims: readonly Claim[]): Promise<ReadonlyMap<string, StoredRow>> {
  const { rows } = await tx.query<StoredRow>(
    'select key, digest, event_id from foreign_event where key = any($1::bytea[]) and not released',
    [claims.map(({ key }) => key)],
  )
  return new Map(rows.map((row) => [textOf(row.key), row]))
}

function claimOf(batch: ForeignBatch, event: ForeignEvent, at: number): Claim {
  const key = keyOf(batch.realm, event)
  const eventId = idOfHash(event.record.startedAt, batch.actId === undefined ? key : hashOf([batch.actId, textOf(key)]))
  const record: UsageRecord = { ...event.record, eventId, requestId: event.id }
  // The same check as for journals, so that whatever comes in stands by the same rules.
  const checked = checkRecord(JSON.stringify(record), eventId)
  if (checked.kind === 'fault') {
    throw new LedgerInputError(
      `Cannot make a record of event ${JSON.stringify(event.id)} at ${formatInstant(event.record.startedAt)}: ${checked.reason}`,
    )
  }
  return { event, record: checked.record, key, at }
}

function keyOf(realm: Realm, { source, id }: { readonly source: string; readonly id: string }): Buffer {
  return hashOf([realm, source, id])
}

function hashOf(parts: readonly string[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64')
}
