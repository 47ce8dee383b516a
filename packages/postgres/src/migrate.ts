import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '@ascribe/kit'
import type { Logger } from '@ascribe/kit'
import type { Database, Queryable } from './database.ts'
import { DatabaseError, MigrationError } from './errors.ts'

/** One step forward. Never changed once it is released; there is no way back. */
export type Migration = {
  /** From 1, rising; gaps are allowed. */
  readonly id: number
  /** For people: `create-usage`. */
  readonly name: string
  /**
   * Statements, run in one transaction. If the first line is `-- migrate: no transaction`, each statement runs by itself, as
   * `create index concurrently` demands: see {@link applyStepwise}.
   */
  readonly sql: string
}

type AppliedRow = { readonly id: number; readonly name: string; readonly sha256: string }

const FILE_NAME = /^(\d{4})-([a-z0-9]+(?:-[a-z0-9]+)*)\.sql$/

const CREATE_TABLE = `
create table if not exists schema_migration (
  id integer primary key,
  name text not null,
  sha256 text not null,
  applied_at timestamptz not null default now()
)`

/** The first line of a migration whose statements are committed one by one. */
const NO_TRANSACTION = /^-- migrate: no transaction[ \t]*\r?\n/

/** "asmg" in ASCII: keeps two migrators from the same concurrent build. */
const STEPWISE_LOCK = 0x61736d67
const STEPWISE_LOOK_MS = 50

/** Bound on the wait for other migrators that create the table in the same moment: each round, one of them succeeds. */
const CREATE_ATTEMPTS_MAX = 100

/** Reads the files `NNNN-name.sql` of a folder, by number. Other files that end in `.sql` are refused, all else is ignored. @throws {MigrationError} */
export async function readMigrations(directory: URL): Promise<readonly Migration[]> {
  const folder = directory.href.endsWith('/') ? directory : new URL(`${directory.href}/`)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted()
  const migrations = await Promise.all(
    names.map(async (file): Promise<Migration> => {
      const [, id, name] = FILE_NAME.exec(file) ?? []
      if (id === undefined || name === undefined) {
        throw new MigrationError('MIGRATION_INVALID', `Cannot read migration ${file}: its name must look like 0001-create-usage.sql`)
      }
      return { id: Number(id), name, sql: await readFile(new URL(file, folder), 'utf8') }
    }),
  )
  checkOrder(migrations)
  return migrations
}

/**
 * Applies those of `migrations` that are not applied yet, by rising number, and gives back those that this call applied. A lower number
 * that comes after a higher one was applied (two branches that met) is applied too: each stands on lower numbers alone. Safe to call from
 * any number of processes at once: each migration inserts its row first, inside its transaction, and the others wait there.
 * @throws {MigrationError} when an applied migration has changed, the database is newer than the program, or a migration fails
 *   (that one leaves nothing behind; those before it stay).
 */
export async function migrate(
  db: Database,
  migrations: readonly Migration[],
  options: { readonly logger?: Logger } = {},
): Promise<readonly Migration[]> {
  const { logger = silentLogger } = options
  const pending = await pendingMigrations(db, migrations)
  if (pending.length === 0) return []
  await createTable(db)
  const applied: Migration[] = []
  for (const migration of pending) {
    const apply = NO_TRANSACTION.test(migration.sql) ? applyStepwise : applyMigration
    if (await apply(db, migration)) {
      logger.info('migration applied', { migration: nameOf(migration) })
      applied.push(migration)
    }
  }
  return applied
}

/** The migrations that are not applied yet. Changes nothing. @throws {MigrationError} as {@link migrate}. */
export async function pendingMigrations(db: Queryable, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  checkOrder(migrations)
  const applied = await readApplied(db)
  checkApplied(applied, migrations)
  const done = new Set(applied.map((row) => row.id))
  return migrations.filter((migration) => !done.has(migration.id))
}

async function readApplied(db: Queryable): Promise<readonly AppliedRow[]> {
  try {
    return (await db.query<AppliedRow>('select id, name, sha256 from schema_migration order by id')).rows
  } catch (thrown) {
    if (thrown instanceof DatabaseError && thrown.sqlstate === '42P01') return []
    throw thrown
  }
}

/** `create table if not exists` looks first and creates then: of several at once all but one can fail on the catalogue's unique keys. */
async function createTable(db: Queryable): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.query(CREATE_TABLE)
      return
    } catch (thrown) {
      const raced = thrown instanceof DatabaseError && ['23505', '42P07', '42710'].includes(thrown.sqlstate ?? '')
      if (!raced || attempt === CREATE_ATTEMPTS_MAX) throw thrown
    }
  }
}

async function applyMigration(db: Database, migration: Migration): Promise<boolean> {
  try {
    return await db.transaction(async (tx) => {
      const inserted = await tx.query(
        'insert into schema_migration (id, name, sha256) values ($1::integer, $2::text, $3::text) on conflict (id) do nothing',
        [migration.id, migration.name, hashOf(migration)],
      )
      if (inserted.rowCount === 0) {
        // Another migrator committed it while this one waited on the key. A second statement sees its row.
        checkApplied(await readApplied(tx), [migration], { partial: true })
        return false
      }
      await tx.query(migration.sql)
      return true
    })
  } catch (thrown) {
    if (thrown instanceof MigrationError) throw thrown
    throw new MigrationError('MIGRATION_FAILED', `Cannot apply migration ${nameOf(migration)}${lineOf(thrown, migration)}`, {
      cause: thrown,
    })
  }
}

/**
 * Runs the statements one by one, each committed by itself; a statement ends where a line ends in `;`
 * outside of `$$`. The row is written last, so a migration
 * that was cut off is run again from its beginning: its statements must bear that (`drop index concurrently if exists`, `if not exists`).
 */
async function applyStepwise(db: Database, migration: Migration): Promise<boolean> {
  return db.withConnection(async (session) => {
    // Asked for again and again: who waits inside one statement has a snapshot, and `create index concurrently` waits for all of those.
    while (!(await tryStepwiseLock(session))) await delay(STEPWISE_LOOK_MS)
    const done = await readApplied(session)
    checkApplied(done, [migration], { partial: true })
    if (done.some(({ id }) => id === migration.id)) return false
    for (const statement of statementsOf(migration.sql)) {
      try {
        await session.query(statement)
      } catch (cause) {
        const first = statement.split('\n', 1)[0] ?? ''
        throw new MigrationError('MIGRATION_FAILED', `Cannot apply migration ${nameOf(migration)}, statement "${first}"`, { cause })
      }
    }
    await session.query('insert into schema_migration (id, name, sha256) values ($1::integer, $2::text, $3::text)', [
      migration.id,
      migration.name,
      hashOf(migration),
    ])
    return true
  })
}

async function tryStepwiseLock(session: Queryable): Promise<boolean> {
  const { rows } = await session.query<{ mine: boolean }>('select pg_try_advisory_lock($1::bigint) as mine', [STEPWISE_LOCK])
  return rows[0]?.mine === true
}

/** A statement ends where a line ends in `;`, unless a body in `$$` is open. */
function statementsOf(sql: string): readonly string[] {
  const statements: string[] = []
  let lines: string[] = []
  let isInBody = false
  for (const line of sql.split(/\r?\n/)) {
    if (!isInBody && /^\s*(--.*)?$/.test(line)) continue
    lines.push(line)
    if (line.split('$$').length % 2 === 0) isInBody = !isInBody
    if (isInBody || !line.trimEnd().endsWith(';')) continue
    statements.push(lines.join('\n'))
    lines = []
  }
  return lines.length === 0 ? statements : [...statements, lines.join('\n')]
}

function lineOf(thrown: unknown, migration: Migration): string {
  if (!(thrown instanceof DatabaseError) || thrown.place.position === undefined) return ''
  return `, line ${migration.sql.slice(0, thrown.place.position - 1).split('\n').length}`
}

function checkOrder(migrations: readonly Migration[]): void {
  for (const [index, migration] of migrations.entries()) {
    const previous = migrations[index - 1]
    if (!Number.isSafeInteger(migration.id) || migration.id < 1 || (previous !== undefined && previous.id >= migration.id)) {
      throw new MigrationError('MIGRATION_INVALID', `Cannot use migration ${nameOf(migration)}: numbers must rise, from 1, each used once`)
    }
  }
}

function checkApplied(applied: readonly AppliedRow[], migrations: readonly Migration[], { partial = false } = {}): void {
  const known = new Map(migrations.map((migration) => [migration.id, migration]))
  const lastKnown = migrations.at(-1)
  for (const row of applied) {
    const migration = known.get(row.id)
    if (migration === undefined) {
      if (partial) continue
      throw new MigrationError(
        'MIGRATION_DATABASE_NEWER',
        `Cannot use the database: it has migration ${nameOf(row)}, which this program does not know (it knows up to ${lastKnown === undefined ? 'none' : nameOf(lastKnown)}); run the newer program that applied it`,
      )
    }
    if (hashOf(migration) !== row.sha256) {
      throw new MigrationError(
        'MIGRATION_CHANGED',
        `Cannot use the database: migration ${nameOf(migration)} was changed after it was applied; restore its text and put the change into a new migration`,
      )
    }
  }
}

/** Line ends do not count: a checkout may change them. */
function hashOf(migration: Migration): string {
  return createHash('sha256').update(migration.sql.replaceAll('\r\n', '\n')).digest('hex')
}

function nameOf({ id, name }: { readonly id: number; readonly name: string }): string {
  return `${String(id).padStart(4, '0')}-${name}`
}
