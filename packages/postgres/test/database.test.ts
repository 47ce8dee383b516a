import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorChain } from '@ascribe/kit'
import { openDatabase } from '../src/database.ts'
import { DatabaseError, DatabaseUrlError } from '../src/errors.ts'
import { testDatabase } from '../src/testing.ts'
import { formatInstant } from '../src/value-types.ts'
import { until } from './fixture.ts'

const failsAs =
  (kind: string, sqlstate?: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof DatabaseError, String(error))
    assert.deepEqual([error.kind, error.sqlstate], [kind, sqlstate])
    return true
  }

test('query() gives int8 as bigint, numeric as digits, timestamptz as epoch milliseconds', async () => {
  await using db = await testDatabase()
  const { rows } = await db.query(`
    select 9223372036854775807::int8 as big, 0.10::numeric(38,18) as exact, '2026-02-28 23:59:59.123+02'::timestamptz as at,
      date '2026-02-28' as day, array[1, null, 3]::int8[] as bigs, array[1.50]::numeric[] as exacts, array['2026-01-01Z']::timestamptz[] as times,
      '{}'::int8[] as none, '{"a":[1]}'::jsonb as json, '\\x00ff'::bytea as bytes, null::int8 as nothing, array['a,b', null]::text[] as texts,
      timestamp '2026-01-01 00:00' as local, interval '1 day 2 hours' as span, true as yes, 7 as small`)
  assert.deepEqual(rows, [
    {
      big: 9_223_372_036_854_775_807n,
      exact: '0.100000000000000000',
      at: Date.UTC(2026, 1, 28, 21, 59, 59, 123),
      day: '2026-02-28',
      bigs: [1n, null, 3n],
      exacts: ['1.50'],
      times: [Date.UTC(2026, 0, 1)],
      none: [],
      json: { a: [1] },
      bytes: Buffer.from([0, 255]),
      nothing: null,
      texts: ['a,b', null],
      local: '2026-01-01 00:00:00',
      span: '1 day 02:00:00',
      yes: true,
      small: 7,
    },
  ])
})

test('query() reads back every instant that was written, whatever the URL and the role set', async () => {
  await using db = await testDatabase()
  const url = `${db.url}${db.url.includes('?') ? '&' : '?'}options=${encodeURIComponent('-c TimeZone=Asia/Kolkata -c DateStyle=German')}`
  await using other = openDatabase({ url })
  const instants = Array.from({ length: 500 }, (_, index) => Math.trunc((index - 250) ** 5 * 71.3))
  const { rows } = await other.query<{ at: number }>('select at from unnest($1::timestamptz[]) with ordinality as t (at, n) order by n', [
    instants.map(formatInstant),
  ])
  assert.deepEqual(
    rows.map((row) => row.at),
    instants,
  )
})

test('query() takes bigints, arrays and bytes, counts rows, and refuses undefined', async () => {
  await using db = await testDatabase()
  await db.query('create table t (n bigint, tags text[], body bytea, data jsonb)')
  const values = [2n ** 60n, ['a', 'b"c', null], new Uint8Array([0, 1]), { x: 1 }]
  assert.equal((await db.query('insert into t values ($1, $2, $3, $4)', values)).rowCount, 1)
  assert.deepEqual((await db.query('select * from t')).rows, [
    { n: 2n ** 60n, tags: ['a', 'b"c', null], body: Buffer.from([0, 1]), data: { x: 1 } },
  ])
  assert.equal((await db.query('update t set n = 0; delete from t')).rowCount, 1)
  await assert.rejects(db.query('select $1', [undefined]), { name: 'AssertionError' })
})

test('query() classifies by SQLSTATE and says neither values nor details', async () => {
  await using db = await testDatabase()
  await db.query('create table person (mail text primary key, age int check (age > 0), boss text references person)')
  await db.query("insert into person values ('secret@example.org', 1)")
  const insert = (...values: readonly unknown[]): Promise<unknown> => db.query('insert into person values ($1, $2, $3)', values)

  await assert.rejects(insert('secret@example.org', 1, null), (error) => {
    assert.equal(errorChain(error), 'Cannot run a statement: unique violation (SQLSTATE 23505, constraint person_pkey, table person)')
    return failsAs('data', '23505')(error)
  })
  await assert.rejects(insert('NUL\u0000', 1, null), failsAs('data', '22021'))
  await assert.rejects(insert('a', -5, null), failsAs('data', '23514'))
  await assert.rejects(insert('a', 1, 'nobody'), failsAs('data', '23503'))
  await assert.rejects(insert(null, 1, null), failsAs('data', '23502'))
  await assert.rejects(insert('a', 'secret number', null), (error) => {
    assert.doesNotMatch(errorChain(error), /secret/)
    return failsAs('data', '22P02')(error)
  })
  await assert.rejects(db.query(`select '{"a":"\\u0000"}'::jsonb`), failsAs('data', '22P05'))
  await assert.rejects(db.query('select from nowhere'), (error) => {
    assert.match(errorChain(error), /relation "nowhere" does not exist/)
    return failsAs('other', '42P01')(error)
  })
})

test('query() fails as connection when no server answers, and never tells the password', async () => {
  for (const url of ['postgresql://me:hunter2@127.0.0.1:1/x', 'postgresql://me:hunter2@/x?host=%2Fnowhere']) {
    await using db = openDatabase({ url })
    await assert.rejects(db.query('select 1'), (error) => {
      assert.doesNotMatch(errorChain(error), /hunter2/)
      return failsAs('connection')(error)
    })
  }
  for (const url of ['mysql://me:hunter2@host/x', 'postgresql://me:hunter2@ho st:port/x', '']) {
    assert.throws(
      () => openDatabase({ url }),
      (error) => error instanceof DatabaseUrlError && !/hunter2/.test(errorChain(error)),
      url,
    )
  }
})

test('query() is cancelled after statementTimeoutMs', async () => {
  await using db = await testDatabase()
  await using hasty = openDatabase({ ...db.target, statementTimeoutMs: 20 })
  await assert.rejects(hasty.query('select pg_sleep(20)'), failsAs('other', '57014'))
})

test('query() survives the loss of idle connections and of one in use', async () => {
  await using db = await testDatabase({ max: 2 })
  await using other = openDatabase(db.target)
  const cut = (): Promise<unknown> =>
    other.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()')
  await db.query('select 1')
  await cut()
  await until('the pool has noticed', () => db.query('select 1').then(Boolean, () => false))

  const lost = db.transaction(async (tx) => {
    await tx.query('select 1')
    await cut()
    await tx.query('select 1')
  })
  await assert.rejects(lost, (error) => error instanceof DatabaseError && error.kind === 'connection')
  await db.query('select 1')
})

test('transaction() commits what was done, and rolls back when the function throws', async () => {
  await using db = await testDatabase()
  await db.query('create table t (n int)')
  const result = await db.transaction(async (tx) => {
    await tx.query('insert into t values (1)')
    return 'done'
  })
  assert.equal(result, 'done')
  const failure = new Error('on purpose')
  await assert.rejects(
    db.transaction(async (tx) => {
      await tx.query('insert into t values (2)')
      throw failure
    }),
    (error) => error === failure,
  )
  assert.deepEqual((await db.query('select n from t')).rows, [{ n: 1 }])
})

test('transaction() fails when a statement in it failed and the function went on', async () => {
  await using db = await testDatabase()
  await db.query('create table t (n int primary key)')
  const swallowed = db.transaction(async (tx) => {
    await tx.query('insert into t values (1)')
    await tx.query('insert into t values (1)').catch(() => {})
  })
  await assert.rejects(swallowed, /Cannot commit a transaction: a statement in it failed/)
  assert.deepEqual((await db.query('select n from t')).rows, [])
})

test('transaction() fails as data when a deferred constraint does at the commit', async () => {
  await using db = await testDatabase()
  await db.query('create table t (n int primary key, m int references t deferrable initially deferred)')
  await assert.rejects(
    db.transaction((tx) => tx.query('insert into t values (1, 2)')),
    failsAs('data', '23503'),
  )
  await db.query('insert into t values (1, 1)')
})

test('transaction() runs nothing after its end, and what nobody awaited before it', async () => {
  await using db = await testDatabase({ max: 1 })
  await db.query('create table t (n int)')
  const kept = await db.transaction(async (tx) => {
    void tx.query('insert into t values (1)')
    void tx.query('insert into t values (2)')
    return tx
  })
  await assert.rejects(kept.query('insert into t values (3)'), /its transaction has ended/)
  const [first] = await Promise.allSettled([
    db.transaction((tx) => Promise.all([tx.query('select from nowhere'), tx.query('insert into t values (4)')])),
  ])
  assert.equal(first.status, 'rejected')
  assert.deepEqual((await db.query('select n from t order by n')).rows, [{ n: 1 }, { n: 2 }])
})

test('transaction() takes an isolation level, and losers of a race fail as retry', async () => {
  await using db = await testDatabase()
  await db.query('create table t (n int); insert into t values (0)')
  const options = { isolation: 'serializable' } as const
  const { promise: bothRead, resolve } = Promise.withResolvers<void>()
  let readers = 0
  const increment = (): Promise<unknown> =>
    db.transaction(async (tx) => {
      const { rows } = await tx.query<{ n: number }>('select n from t')
      readers += 1
      if (readers === 2) resolve()
      await bothRead
      return tx.query('update t set n = $1', [(rows[0]?.n ?? 0) + 1])
    }, options)
  const outcomes = await Promise.allSettled([increment(), increment()])
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.equal(failed.length, 1)
  failsAs('retry', '40001')(failed[0]?.reason)

  await assert.rejects(
    db.transaction((tx) => tx.query('delete from t'), { readOnly: true }),
    failsAs('other', '25006'),
  )
  await db.transaction(async (tx) => {
    await tx.query('lock table t')
    await assert.rejects(
      db.transaction((other) => other.query('lock table t nowait')),
      failsAs('retry', '55P03'),
    )
  })
})

test('withConnection() lets no session state into the pool', async () => {
  await using db = await testDatabase({ max: 1 })
  await db.withConnection(async (connection) => {
    await connection.query('select pg_advisory_lock(42)')
    await connection.query("set timezone = 'Asia/Kolkata'")
  })
  const shown = await db.query<{ zone: string; locks: bigint }>(
    "select current_setting('timezone') as zone, (select count(*) from pg_locks where locktype = 'advisory' and objid = 42 and pid = pg_backend_pid()) as locks",
  )
  assert.deepEqual(shown.rows, [{ zone: 'UTC', locks: 0n }])
})

test('close() waits for what runs, refuses what comes later, and may be called twice', async () => {
  await using db = await testDatabase()
  const other = openDatabase(db.target)
  const running = other.query('select pg_sleep(0.05), 1 as n')
  await until('the statement runs', async () => {
    const active = await db.query("select 1 from pg_stat_activity where query like '%pg_sleep(0.05)%' and pid <> pg_backend_pid()")
    return active.rowCount > 0
  })
  await other.close()
  await other.close()
  assert.equal((await running).rowCount, 1)
  await assert.rejects(other.query('select 1'), failsAs('other'))
})

test('openDatabase() with a role runs every statement as the role, in transactions and on new connections too', async () => {
  await using db = await testDatabase()
  const role = `ascribe_test_"role_${process.pid}`
  const name = `"${role.replaceAll('"', '""')}"`
  await db.query(`create role ${name} nologin; create table secret (n integer)`)
  try {
    await using limited = openDatabase({ ...db.target, role })
    const { rows } = await limited.query<{ name: string }>('select current_user::text as name')
    assert.deepEqual(rows, [{ name: role }])
    for (const refused of [limited.query('select from secret'), limited.transaction((tx) => tx.query('select from secret'))]) {
      await assert.rejects(refused, (error) => error instanceof DatabaseError && error.sqlstate === '42501')
    }
    await using unknown = openDatabase({ ...db.target, role: 'ascribe_test_nobody' })
    await assert.rejects(unknown.query('select 1'), DatabaseError)
  } finally {
    await db.query(`drop role ${name}`)
  }
})

test('openDatabase() with prepared statements plans each once a connection, no more of them than it may, and outlives a table that changes', async () => {
  await using template = await testDatabase()
  await template.query('create table thing (id integer, name text); insert into thing values (1, $$one$$)')
  await using db = openDatabase({ ...template.target, max: 1, prepared: 2 })
  const ask = (id: number) => db.query<{ id: number }>('select * from thing where id = $1::integer', [id])
  assert.deepEqual((await ask(1)).rows, [{ id: 1, name: 'one' }])
  assert.deepEqual((await ask(2)).rows, [])
  await db.query('select $1::integer as two', [2])
  await db.query('select $1::integer as three', [3])
  // Without values it is not prepared itself.
  const kept = await db.query<{ statement: string }>('select statement from pg_prepared_statements order by prepare_time')
  assert.deepEqual(
    kept.rows.map(({ statement }) => statement),
    ['select * from thing where id = $1::integer', 'select $1::integer as two'],
  )
  await template.query('alter table thing add column more integer')
  assert.deepEqual((await ask(1)).rows, [{ id: 1, name: 'one', more: null }])
  assert.deepEqual((await ask(1)).rows, [{ id: 1, name: 'one', more: null }])
  await assert.rejects(ask(Number.NaN), failsAs('data', '22P02'))
  await assert.rejects(
    db.query('select $1::integer from nowhere', [1]),
    (error) => error instanceof DatabaseError && error.sqlstate === '42P01',
  )
  assert.equal((await ask(1)).rows.length, 1)
})
