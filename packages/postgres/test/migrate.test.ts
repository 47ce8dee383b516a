import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openDatabase } from '../src/database.ts'
import { DatabaseError, MigrationError } from '../src/errors.ts'
import type { MigrationErrorCode } from '../src/errors.ts'
import { migrate, pendingMigrations, readMigrations } from '../src/migrate.ts'
import type { Migration } from '../src/migrate.ts'
import { testDatabase } from '../src/testing.ts'
import { temporaryFolder } from './fixture.ts'

const FIRST: Migration = { id: 1, name: 'first', sql: 'create table first (n int);\ninsert into first values (1);' }
const SECOND: Migration = { id: 2, name: 'second', sql: 'insert into first values (2)' }
const FIFTH: Migration = { id: 5, name: 'fifth', sql: 'alter table first add column m int' }

const failsWith =
  (code: MigrationErrorCode, text: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof MigrationError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, text)
    return true
  }

const ids = (migrations: readonly Migration[]): readonly number[] => migrations.map((migration) => migration.id)

test('migrate() applies what is pending, in order, once', async () => {
  await using db = await testDatabase()
  assert.deepEqual(ids(await pendingMigrations(db, [FIRST, SECOND])), [1, 2])
  assert.deepEqual(ids(await migrate(db, [FIRST, SECOND])), [1, 2])
  assert.deepEqual(ids(await migrate(db, [FIRST, SECOND])), [])
  assert.deepEqual(ids(await pendingMigrations(db, [FIRST, SECOND, FIFTH])), [5])
  assert.deepEqual(ids(await migrate(db, [FIRST, SECOND, FIFTH])), [5])
  const applied = await db.query('select id, name, length(sha256) as size, applied_at <= now() as past from schema_migration order by id')
  assert.deepEqual(applied.rows, [
    { id: 1, name: 'first', size: 64, past: true },
    { id: 2, name: 'second', size: 64, past: true },
    { id: 5, name: 'fifth', size: 64, past: true },
  ])
})

test('migrate() run by 20 at once applies each migration once', async () => {
  await using db = await testDatabase()
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, async () => {
      await using own = openDatabase({ ...db.target, max: 1 })
      return await migrate(own, [FIRST, SECOND, FIFTH])
    }),
  )
  assert.deepEqual(
    ids(outcomes.flat()).toSorted((a, b) => a - b),
    [1, 2, 5],
  )
  assert.deepEqual((await db.query('select n from first order by n')).rows, [{ n: 1 }, { n: 2 }])
})

test('migrate() refuses a migration that was changed after it was applied, by name', async () => {
  await using db = await testDatabase()
  await migrate(db, [FIRST])
  const changed = { ...FIRST, sql: `${FIRST.sql} -- changed` }
  await assert.rejects(migrate(db, [changed, SECOND]), failsWith('MIGRATION_CHANGED', /0001-first was changed/))
  await assert.rejects(pendingMigrations(db, [changed]), failsWith('MIGRATION_CHANGED', /0001-first/))
  assert.deepEqual(ids(await migrate(db, [{ ...FIRST, sql: FIRST.sql.replaceAll('\n', '\r\n') }, SECOND])), [2])
})

test('migrate() refuses a database that is newer than the program', async () => {
  await using db = await testDatabase()
  await migrate(db, [FIRST, SECOND])
  await assert.rejects(
    migrate(db, [FIRST]),
    failsWith('MIGRATION_DATABASE_NEWER', /has migration 0002-second.*up to 0001-first.*newer program/),
  )
})

test('migrate() applies a lower number that comes after a higher one, once', async () => {
  await using db = await testDatabase()
  await migrate(db, [FIRST, FIFTH])
  assert.deepEqual(ids(await pendingMigrations(db, [FIRST, SECOND, FIFTH])), [2])
  assert.deepEqual(ids(await migrate(db, [FIRST, SECOND, FIFTH])), [2])
  assert.deepEqual(ids(await migrate(db, [FIRST, SECOND, FIFTH])), [])
  assert.deepEqual((await db.query('select n from first order by n')).rows, [{ n: 1 }, { n: 2 }])
})

const CONCURRENT: Migration = {
  id: 6,
  name: 'index',
  sql: `-- migrate: no transaction
-- A cut-off build leaves an invalid index behind; hence the drop.
drop index concurrently if exists first_n;
create index concurrently first_n
  on first (n);
`,
}

test('litellm-11683: migrate() builds an index concurrently, once, whoever else migrates', async () => {
  await using db = await testDatabase()
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, async () => {
      await using own = openDatabase({ ...db.target, max: 1 })
      return await migrate(own, [FIRST, CONCURRENT])
    }),
  )
  assert.deepEqual(
    ids(outcomes.flat()).toSorted((a, b) => a - b),
    [1, 6],
  )
  const found = await db.query("select indisvalid as valid from pg_index where indexrelid = 'first_n'::regclass")
  assert.deepEqual(found.rows, [{ valid: true }])
})

test('litellm-11683: migrate() lets others write while an index is built, and goes on after it was cut off', async () => {
  await using db = await testDatabase()
  await migrate(db, [FIRST])
  await using own = openDatabase({ ...db.target, max: 1 })
  let building: Promise<unknown> | undefined
  await db.transaction(async (tx) => {
    await tx.query('insert into first values (2)')
    building = migrate(own, [FIRST, CONCURRENT])
    building.catch(() => {})
    // It waits for this transaction with an index that is not valid yet, and holds up nobody.
    for (;;) {
      const { rows } = await db.query<{ pid: number }>(
        "select pid from pg_stat_activity where datname = current_database() and query like 'create index%' and state = 'active' and pid <> pg_backend_pid() and exists (select from pg_class where relname = 'first_n')",
      )
      if (rows[0] === undefined) continue
      await db.query('insert into first values (3)')
      await db.query('select pg_terminate_backend($1::integer)', [rows[0].pid])
      break
    }
  })
  await assert.rejects(building ?? Promise.resolve(), failsWith('MIGRATION_FAILED', /0006-index, statement "create index concurrently/))
  assert.deepEqual(ids(await migrate(db, [FIRST, CONCURRENT])), [6])
  const found = await db.query("select indisvalid as valid from pg_index where indexrelid = 'first_n'::regclass")
  assert.deepEqual(found.rows, [{ valid: true }])
})

test('migrate() leaves nothing of a migration that fails, and says where it failed', async () => {
  await using db = await testDatabase()
  const broken = { id: 2, name: 'broken', sql: 'create table half (n int);\ninsert into first values (1);\nselect from nowhere;' }
  await assert.rejects(migrate(db, [FIRST, broken]), (error) => {
    assert.ok(error instanceof MigrationError && error.cause instanceof DatabaseError)
    assert.equal(error.cause.sqlstate, '42P01')
    return failsWith('MIGRATION_FAILED', /0002-broken, line 3$/)(error)
  })
  const left = await db.query(
    "select (select count(*) from first) as firsts, to_regclass('half') as half, (select max(id) from schema_migration) as id",
  )
  assert.deepEqual(left.rows, [{ firsts: 1n, half: null, id: 1 }])
  assert.deepEqual(ids(await migrate(db, [FIRST, SECOND])), [2])
})

test('migrate() refuses numbers that do not rise', async () => {
  await using db = await testDatabase()
  for (const list of [[SECOND, FIRST], [FIRST, FIRST], [{ ...FIRST, id: 0 }]]) {
    await assert.rejects(migrate(db, list), failsWith('MIGRATION_INVALID', /numbers must rise/))
  }
})

test('readMigrations() reads the numbered files of a folder and nothing else', async () => {
  await using folder = await temporaryFolder()
  const migrations = join(folder.path, 'with space')
  await mkdir(migrations)
  await writeFile(join(migrations, '0010-second-step.sql'), 'select 2')
  await writeFile(join(migrations, '0002-first.sql'), 'select 1')
  await writeFile(join(migrations, 'index.js'), '')
  const expected = [
    { id: 2, name: 'first', sql: 'select 1' },
    { id: 10, name: 'second-step', sql: 'select 2' },
  ]
  assert.deepEqual(await readMigrations(pathToFileURL(migrations)), expected)
  assert.deepEqual(await readMigrations(pathToFileURL(`${migrations}/`)), expected)
  await writeFile(join(migrations, '0003_wrong.sql'), '')
  await assert.rejects(readMigrations(pathToFileURL(migrations)), failsWith('MIGRATION_INVALID', /0003_wrong\.sql/))
})
