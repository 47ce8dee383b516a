export { openDatabase } from './database.ts'
export type { Database, DatabaseOptions, QueryResult, Queryable, Transaction, TransactionOptions } from './database.ts'
export type { DatabaseTarget, SocketTarget } from './connection.ts'
export type { Notice, NoticeHandler, Subscription } from './listen.ts'
export { formatInstant } from './value-types.ts'
export { migrate, pendingMigrations, readMigrations } from './migrate.ts'
export type { Migration } from './migrate.ts'
export { buildPartitionIndexes } from './partition-indexes.ts'
export {
  DataVersionError,
  DatabaseError,
  DatabaseUrlError,
  EmbeddedFailedError,
  EmbeddedUnavailableError,
  MigrationError,
} from './errors.ts'
export type { DatabaseErrorCode, DatabaseErrorKind, DatabaseErrorPlace, MigrationErrorCode } from './errors.ts'
export { startEmbedded } from './embedded/embedded.ts'
export type { EmbeddedOptions, EmbeddedPostgres } from './embedded/embedded.ts'
export type { StartKind } from './embedded/server-folder.ts'
export type { ServerSettings } from './embedded/cluster.ts'
