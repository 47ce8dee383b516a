import { migrate } from '@ascribe/postgres'
import type { Database, Migration, Queryable, Transaction } from '@ascribe/postgres'
import { formatInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { BackupDecoder, BackupEncoder, MAGIC } from './backup-format.ts'
import type { BackupHead } from './backup-format.ts'
import { BackupError } from './errors.ts'
import { ledgerMigrations } from './schema.ts'

/**
 * Gives the whole ledger to `write`, as it was at one instant, while everything runs on; in bounded memory. Not in it: the secret under
 * which keys are stored, journals, and what is in archives. @throws {DatabaseError}
 */
export async function backupLedger<Result>(
  db: Database,
  { now, write }: { readonly now: Instant; readonly write: (chunks: AsyncIterable<Uint8Array>) => Promise<Result> },
): Promise<Result> {
  // One snapshot for all tables.
  return db.transaction((tx) => write(contentOf(tx, now)), { isolation: 'repeatable read', readOnly: true })
}

async function* contentOf(tx: Transaction, now: Instant): AsyncGenerator<Uint8Array, void, undefined> {
  const encoder = new BackupEncoder()
  const head = await headOf(tx, now)
  yield encoder.line(MAGIC)
  yield encoder.line(JSON.stringify(head))
  for (const { name, columns } of head.tables) {
    const selected = columns.map((column) => EXPORTED.get(`${name}.${column}`) ?? quoted(column))
    yield* encoder.table(name, tx.copyOut(`copy (select ${selected.join(', ')} from ${quoted(name)}) to stdout`))
  }
  yield encoder.end()
}

/** Columns that mean nothing in another database: numbers of transactions. All records are then older than any that will come. */
const EXPORTED: ReadonlyMap<string, string> = new Map([['usage_record.ingest_transaction', '0::bigint']])
/** Made by migrations, and by their own means. */
const NOT_COPIED = ['schema_migration']

async function headOf(tx: Queryable, now: Instant): Promise<BackupHead> {
  const migrations = await tx.query<BackupHead['migrations'][number]>('select id, name, sha256 from schema_migration order by id')
  const ledger = await tx.query<{ ledger_id: string }>('select ledger_id from policy_version')
  const sequences = await tx.query<{ name: string; last: bigint }>(
    'select sequencename::text as name, last_value as last from pg_sequences where schemaname = current_schema() and last_value is not null',
  )
  return {
    created_at: formatInstant(now),
    ledger: ledger.rows[0]?.ledger_id ?? '',
    migrations: migrations.rows,
    tables: await readTables(tx),
    months: await readMonths(tx),
    sequences: Object.fromEntries(sequences.rows.map(({ name, last }) => [name, String(last)])),
  }
}

/** Tables and partitioned tables, not partitions; those that others refer to first. */
async function readTables(tx: Queryable): Promise<BackupHead['tables']> {
  const { rows } = await tx.query<{ name: string; columns: readonly string[]; needs: readonly string[] }>(
    `select c.relname::text as name,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       coalesce((select array_agg(distinct f.relname::text) from pg_constraint k join pg_class f on f.oid = k.confrelid
        where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid), '{}') as needs
     from pg_class c
     where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> all($1::text[])
     order by c.relname collate "C"`,
    [NOT_COPIED],
  )
  const ordered: { name: string; columns: readonly string[] }[] = []
  const done = new Set<string>()
  while (ordered.length < rows.length) {
    const ready = rows.filter(({ name, needs }) => !done.has(name) && needs.every((need) => done.has(need)))
    if (ready.length === 0) throw new Error('tables refer to each other in a circle')
    for (const { name, columns } of ready) {
      done.add(name)
      ordered.push({ name, columns })
    }
  }
  return ordered
}

async function readMonths(tx: Queryable): Promise<readonly string[]> {
  const { rows } = await tx.query<{ partition: string; month: string | null }>(
    'select partition, first_month::text as month from usage_partition order by month nulls first',
  )
  const months = new Set<string>()
  for (const { partition, month } of rows) {
    if (month !== null) {
      months.add(month)
      continue
    }
    const inside = await tx.query<{ month: string }>(
      `select distinct utc_month(event_id_instant(event_id))::text as month from ${quoted(partition)}`,
    )
    for (const found of inside.rows) months.add(found.month)
  }
  return [...months].toSorted()
}

export type Restored = {
  readonly ledger: string
  /** When the backup was made, RFC 3339. */
  readonly createdAt: string
  /** By table. */
  readonly rows: Readonly<Record<string, number>>
  /** Applied after it, because this program is newer than the backup. */
  readonly migrated: readonly string[]
}

/**
 * Makes an empty database the ledger of a backup, and checks every digest before it commits. Its policy counts as newer than any that the lost
 * ledger can have published. @throws {BackupError | DatabaseError} nothing is in the tables then; drop the database and make a new one.
 */
export async function restoreLedger(db: Database, chunks: AsyncIterable<Uint8Array>): Promise<Restored> {
  await refuseUsed(db)
  const decoder = new BackupDecoder(chunks)
  const head = await decoder.head()
  const all = await ledgerMigrations()
  await migrate(db, migrationsOf(head, all))
  await refuseOtherSchema(db, head)
  const rows = await db.transaction((tx) => restoreTables(tx, head, decoder))
  const migrated = await migrate(db, all)
  return { ledger: head.ledger, createdAt: head.created_at, rows, migrated: migrated.map(({ name }) => name) }
}

async function refuseUsed(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ name: string }>(
    `select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm', 'S') order by 1 limit 1`,
  )
  const [used] = rows
  if (used === undefined) return
  throw new BackupError(`Cannot restore into this database: it is not empty, it has a ${used.name} already`, {
    hint: 'Name a new, empty database.',
  })
}

function migrationsOf(head: BackupHead, all: readonly Migration[]): readonly Migration[] {
  const known = new Map(all.map((migration) => [migration.id, migration]))
  return head.migrations.map(({ id, name }) => {
    const migration = known.get(id)
    if (migration === undefined) {
      throw new BackupError(`Cannot restore the backup: it has migration ${id}-${name}, which this program does not know`, {
        hint: 'Restore with the program that made it, or a newer one.',
      })
    }
    return migration
  })
}

async function refuseOtherSchema(db: Queryable, head: BackupHead): Promise<void> {
  const { rows } = await db.query<{ id: number; sha256: string }>('select id, sha256 from schema_migration')
  const made = new Map(rows.map(({ id, sha256 }) => [id, sha256]))
  const other = head.migrations.find(({ id, sha256 }) => made.get(id) !== sha256)
  if (other === undefined) return
  throw new BackupError(`Cannot restore the backup: its migration ${other.id}-${other.name} is not the one of this program`)
}

/**
 * SQL of a version that is above every one that the lost ledger, or one that was restored earlier, can have published: the milliseconds since
 * 1970. Nobody makes a thousand changes a second for long.
 */
const NEWER = 'greatest(version + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)'

async function restoreTables(tx: Transaction, head: BackupHead, decoder: BackupDecoder): Promise<Readonly<Record<string, number>>> {
  const rows: Record<string, number> = {}
  for (const month of head.months) await tx.query('select ensure_usage_partition($1::date)', [month])
  // Ours guard against changes; what comes now was let in by them once. Foreign keys are checked.
  for (const { name } of head.tables) await tx.query(`alter table ${quoted(name)} disable trigger user`)
  for (const { name } of head.tables.toReversed()) await tx.query(`delete from ${quoted(name)}`)
  for (const { name, columns } of head.tables) {
    rows[name] = await tx.copyIn(`copy ${quoted(name)} (${columns.map(quoted).join(', ')}) from stdin`, decoder.table(name))
  }
  await decoder.end()
  for (const { name } of head.tables) await tx.query(`alter table ${quoted(name)} enable trigger user`)
  for (const [name, last] of Object.entries(head.sequences)) {
    await tx.query('select setval(quote_ident($1::text)::regclass, $2::bigint)', [name, last])
  }
  await tx.query(`update policy_version set (version, keys_version) = (select v, v from (select ${NEWER} as v) newer)`)
  if (head.tables.some(({ name }) => name === 'budget_state')) await resetBudgets(tx)
  return rows
}

/** Numbers of transactions mean nothing here: what was spent is counted anew, ends of gateways are found out again; and leases count as newer too. */
async function resetBudgets(tx: Transaction): Promise<void> {
  await tx.query(`update budget_state set counted_below = 1, marker = 'restored', version = ${NEWER}, digest = ''`)
  await tx.query('update gateway_writer set end_transaction = null where not ended')
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
