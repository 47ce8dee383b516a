import type { Database, Queryable, Transaction } from '@ascribe/postgres'
import { formatInstant, hourOf } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { LedgerInputError } from './errors.ts'
import { lockIngestAlone, lockRating } from './locks.ts'
import { readClosedThrough } from './periods.ts'

/** One partition of the records. */
export type RecordPartition = {
  readonly name: string
  /** `2026-11`; absent: everything before `endMonth`. */
  readonly firstMonth?: string
  /** The first month that is not in it. */
  readonly endMonth: string
  /** As the database estimates. */
  readonly records: number
  /** With its indexes. */
  readonly bytes: number
  /** `open`: read and written. Else it is on its way into an archive, or there: see the table usage_archive. */
  readonly state: 'open' | 'closing' | 'detached' | 'archived'
  readonly file?: string
  readonly sha256?: string
}

/** All partitions, those in archives too, oldest first. */
export async function listPartitions(db: Queryable): Promise<readonly RecordPartition[]> {
  const { rows } = await db.query<{
    name: string
    first_month: string | null
    end_month: string
    records: bigint
    bytes: bigint | null
    state: RecordPartition['state']
    file: string | null
    sha256: string | null
  }>(
    `select coalesce(p.partition, a.partition) as name, to_char(p.first_month, 'YYYY-MM') as first_month,
       to_char(coalesce(p.end_month, event_id_instant(a.upper_id) at time zone 'UTC'), 'YYYY-MM') as end_month,
       coalesce(nullif(a.record_count, 0), greatest(c.reltuples, 0)::bigint, 0) as records, pg_total_relation_size(c.oid) as bytes,
       coalesce(a.state, 'open') as state, a.file, a.sha256
     from usage_partition p full join usage_archive a on a.partition = p.partition left join pg_class c on c.oid = p.relation
     order by end_month, first_month nulls first`,
  )
  return rows.map((row) => ({
    name: row.name,
    ...(row.first_month === null ? {} : { firstMonth: row.first_month }),
    endMonth: row.end_month,
    records: Number(row.records),
    bytes: Number(row.bytes ?? 0n),
    state: row.state,
    ...(row.file === null ? {} : { file: row.file }),
    ...(row.sha256 === null ? {} : { sha256: row.sha256 }),
  }))
}

/** Where an archive goes; it is whole and durable when the promise resolves, and reads back with this digest. */
export type ArchiveWriter = (
  partition: string,
  chunks: AsyncIterable<Uint8Array>,
) => Promise<{ readonly file: string; readonly sha256: string }>

export type ArchiveOutcome = { readonly partition: string; readonly records: number; readonly file: string; readonly sha256: string }

/**
 * Moves a partition into a file and drops it: first nobody writes to it any more, then it is copied (CSV with a head line, in order of
 * event ids), and only when the file is whole it is detached and dropped. Its months have to be closed and rated. From then on their
 * hours are never rated again, and what comes late for them is quarantined. A run that was cut off is finished by the next.
 * @throws {LedgerInputError} when it may not be archived; nothing has changed.
 */
export async function archivePartition(
  db: Database,
  { partition, write, archivedBy }: { readonly partition: string; readonly write: ArchiveWriter; readonly archivedBy: string },
): Promise<ArchiveOutcome> {
  const found = (await listPartitions(db)).find(({ name }) => name === partition)
  if (found === undefined) throw new LedgerInputError(`Cannot archive ${partition}: there is no such partition`)
  if (found.state === 'archived') throw new LedgerInputError(`Cannot archive ${partition}: it has been archived, as ${found.file}`)
  if (found.state === 'open' || found.state === 'closing') {
    await refuseOpenMonths(db, found)
    await closePartition(db, partition, archivedBy)
    await freezeHours(db, partition)
    const { file, sha256 } = await db.transaction((tx) => write(partition, recordsOf(tx, partition)), {
      isolation: 'repeatable read',
      readOnly: true,
    })
    await db.query(`update usage_archive set state = 'detached', file = $2::text, sha256 = $3::text where partition = $1::text`, [
      partition,
      file,
      sha256,
    ])
  }
  await dropPartition(db, partition)
  const { rows } = await db.query<{ record_count: bigint; file: string; sha256: string }>(
    `update usage_archive set state = 'archived', archived_at = clock_timestamp() where partition = $1::text returning record_count, file, sha256`,
    [partition],
  )
  const [row] = rows
  if (row === undefined) throw new Error(`${partition} has no row in usage_archive`)
  return { partition, records: Number(row.record_count), file: row.file, sha256: row.sha256 }
}

/** Early, so that a partition is not closed in vain; the hours' own months are looked at again in {@link freezeHours}. */
async function refuseOpenMonths(db: Queryable, { name, endMonth }: RecordPartition): Promise<void> {
  const through = await readClosedThrough(db)
  const { rows } = await db.query<{ month: string }>(`select to_char($1::date - interval '1 month', 'YYYY-MM') as month`, [
    `${endMonth}-01`,
  ])
  const last = rows[0]?.month ?? endMonth
  if (through !== undefined && last <= through) return
  throw new LedgerInputError(`Cannot archive ${name}: its last month, ${last}, is not closed`)
}

/** From here on nobody adds to it: who is just ingesting ends first, who comes later is refused by the trigger. */
async function closePartition(db: Database, partition: string, archivedBy: string): Promise<void> {
  await db.transaction(async (tx) => {
    await lockIngestAlone(tx)
    const begun = await tx.query(
      `insert into usage_archive (partition, lower_id, upper_id, state, record_count, archived_by)
       select p.partition, coalesce(event_id_at(p.first_month::timestamp at time zone 'UTC'), '00000000-0000-0000-0000-000000000000'),
         event_id_at(p.end_month::timestamp at time zone 'UTC'), 'closing', 0, $2::text
       from usage_partition p where p.partition = $1::text
       on conflict (partition) do nothing`,
      [partition, archivedBy],
    )
    if (begun.rowCount === 0) return
    await tx.query(
      `create trigger refuse_archived before insert on ${quoted(partition)} for each row execute function refuse_archived_record()`,
    )
  })
}

/**
 * Makes sure that the hours of a closed partition are rated for good, and that nothing marks them again. Else the partition is opened again.
 * @throws {LedgerInputError}
 */
async function freezeHours(db: Database, partition: string): Promise<void> {
  const { rows } = await db.query<{ first: number | null; last: number | null; records: bigint }>(
    `select min(instant) as first, max(instant) as last, count(*) as records from ${quoted(partition)}`,
  )
  const { first = null, last = null, records = 0n } = rows[0] ?? {}
  const refusal = await db.transaction(async (tx) => {
    // Nobody rates or marks meanwhile: ingest of other months marks its own hours only.
    await lockRating(tx)
    await lockIngestAlone(tx)
    if (first === null || last === null) return undefined
    const hours = [hourOf(first).start, hourOf(last).start].map(formatInstant)
    const why = await refusalOf(tx, hours)
    if (why !== undefined) return why
    await tx.query(
      `update usage_archive set first_hour = $2::timestamptz, last_hour = $3::timestamptz, record_count = $4::bigint where partition = $1::text`,
      [partition, ...hours, records],
    )
    return undefined
  })
  if (refusal === undefined) return
  await reopen(db, partition)
  throw new LedgerInputError(`Cannot archive ${partition}: ${refusal}`)
}

async function refusalOf(tx: Queryable, hours: readonly string[]): Promise<string | undefined> {
  const { rows } = await tx.query<{ open: string | null; dirty: number | null; lines: string | null }>(
    `select to_char(utc_month($2::timestamptz), 'YYYY-MM') as open,
       (select min(hour) from dirty_hour where hour between $1::timestamptz and $2::timestamptz) as dirty,
       (select to_char(min(month), 'YYYY-MM') from dirty_period where month between utc_month($1::timestamptz) and utc_month($2::timestamptz)) as lines`,
    [...hours],
  )
  const [row] = rows
  const through = await readClosedThrough(tx)
  if (row === undefined || row.open === null) return 'its instants cannot be read'
  if (through === undefined || row.open > through) return `it has records of ${row.open}, which is not closed`
  if (row.dirty !== null) return `the hour ${formatInstant(row.dirty)} waits to be rated; run ascribe rate`
  if (row.lines !== null) return `the lines of ${row.lines} wait to be looked at again; run ascribe rate`
  return undefined
}

async function reopen(db: Database, partition: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.query(`drop trigger if exists refuse_archived on ${quoted(partition)}`)
    await tx.query('delete from usage_archive where partition = $1::text', [partition])
  })
}

function recordsOf(tx: Transaction, partition: string): AsyncGenerator<Uint8Array, void, undefined> {
  return tx.copyOut(`copy (select * from ${quoted(partition)} order by event_id) to stdout with (format csv, header)`)
}

/** Takes it off without stopping readers (`concurrently`), and drops it. */
async function dropPartition(db: Database, partition: string): Promise<void> {
  const { rows } = await db.query<{ pending: boolean | null }>(
    `select (select inhdetachpending from pg_inherits i where i.inhrelid = c.oid) as pending from pg_class c where c.oid = to_regclass($1::text)`,
    [quoted(partition)],
  )
  const [table] = rows
  if (table === undefined) return
  if (table.pending === true) await db.query(`alter table usage_record detach partition ${quoted(partition)} finalize`)
  else if (table.pending === false) await db.query(`alter table usage_record detach partition ${quoted(partition)} concurrently`)
  await db.query(`drop table ${quoted(partition)}`)
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** What {@link purge} deleted, by table. */
export type Purged = Readonly<
  Record<'usage_quarantine' | 'writer_position' | 'budget_lease' | 'budget_account' | 'budget_alert' | 'gateway_writer', number>
>

// A window that began before this is over and read by nobody: the longest is a month. The margin is for gateways whose clocks are behind.
const OVER: string = `window_start > 'epoch' and window_start < least($1::timestamptz, date_trunc('month', clock_timestamp(), 'UTC') - interval '1 day')`

/** In this order: a writer's leases go before it does. */
const PURGES: readonly { readonly table: keyof Purged; readonly where: string }[] = [
  { table: 'usage_quarantine', where: 'replayed_at < $1::timestamptz' },
  {
    table: 'writer_position',
    where: 'updated_at < $1::timestamptz and not exists (select from writer_range r where r.writer = writer_position.writer)',
  },
  // Of windows that are over; and of prepaid budgets what writers had that are gone and spent nothing of it. What was spent stays, whoever did.
  {
    table: 'budget_lease',
    where: `(${OVER}) or (consumed = 0 and window_start = 'epoch' and exists (
      select from gateway_writer w where w.writer = budget_lease.writer and w.ended and w.seen_at < $1::timestamptz))`,
  },
  { table: 'budget_account', where: OVER },
  // One is made once for a window: not while it is open.
  { table: 'budget_alert', where: `(delivered_at is not null or given_up_at is not null) and ${OVER}` },
  { table: 'gateway_writer', where: 'ended and seen_at < $1::timestamptz' },
]

/**
 * Deletes what has served its purpose before an instant: deliveries that were replayed; positions of journals that have long come to their end;
 * leases, recalls and alerts of budget windows that are over; gateways that are gone. A journal that comes back after that is taken in again,
 * and its records are found to be there; a gateway that comes back is a new one.
 */
export async function purge(db: Database, before: Instant): Promise<Purged> {
  return db.transaction(async (tx) => {
    // Nobody counts budgets meanwhile.
    await tx.query('select from budget_state for update')
    const purged: Partial<Record<keyof Purged, number>> = {}
    for (const { table, where } of PURGES) {
      purged[table] = (await tx.query(`delete from ${table} where ${where}`, [formatInstant(before)])).rowCount
    }
    return purged as Purged
  })
}
