import { buildPartitionIndexes, migrate, pendingMigrations, readMigrations } from '@ascribe/postgres'
import type { Database, Migration, Queryable } from '@ascribe/postgres'
import type { Logger } from '@ascribe/kit'

const DIRECTORY = new URL('../migrations/', import.meta.url)

/** The ledger's migrations, in order. For a template database of tests. */
export function ledgerMigrations(): Promise<readonly Migration[]> {
  return readMigrations(DIRECTORY)
}

/**
 * Brings the database to this program's schema; gives back what this call applied. Safe from any number of processes at once. An index on
 * records is begun by a migration, `create index … on only usage_record …`, and finished here, partition by partition, concurrently.
 */
export async function migrateLedger(db: Database, options: { readonly logger?: Logger } = {}): Promise<readonly Migration[]> {
  const applied = await migrate(db, await ledgerMigrations(), options)
  await buildPartitionIndexes(db)
  return applied
}

/** What {@link migrateLedger} would apply. */
export async function pendingLedgerMigrations(db: Queryable): Promise<readonly Migration[]> {
  return pendingMigrations(db, await ledgerMigrations())
}
