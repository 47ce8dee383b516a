import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { openDatabase } from '../src/database.ts'
import type { Database } from '../src/database.ts'
import type { EmbeddedPostgres } from '../src/embedded/embedded.ts'
import { isAlive, processState } from '../src/embedded/postmaster.ts'
import { DataVersionError, EmbeddedFailedError } from '../src/errors.ts'
import { dropPrepared, preparedFolder, spawnUser, start, temporaryFolder, until } from './fixture.ts'

after(dropPrepared)

async function pidOf(server: EmbeddedPostgres): Promise<number> {
  const pid = await server.pid()
  assert.ok(pid !== undefined)
  return pid
}

/** Queries until the server is back. */
function patiently<T>(work: () => Promise<T>): Promise<T> {
  return until('the database answers', () => work().catch(() => false as const))
}

const marks = async (db: Database): Promise<readonly bigint[]> =>
  (await db.query<{ n: bigint }>('select n from mark order by n')).rows.map((row) => row.n)

test('startEmbedded() makes the database at first, starts it later, and joins it when it runs', async () => {
  await using folder = await temporaryFolder()
  const dataDir = join(folder.path, 'data')
  // What a process that was killed while it made the database leaves.
  const unfinished = join(dataDir, 'cluster.init-1-1')
  await mkdir(unfinished, { recursive: true })
  await writeFile(join(unfinished, 'PG_VERSION'), '18\n')
  const first = await start({ dataDir })
  assert.equal(first.started, 'initialised')
  await assert.rejects(stat(unfinished), { code: 'ENOENT' })
  {
    await using db = openDatabase(first.target)
    await db.query('create table mark (n bigint)')
    await db.query('insert into mark values (1)')
    const settings = await db.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'listen_addresses', 'autovacuum') order by name`,
    )
    assert.deepEqual(
      settings.rows.map((row) => `${row.name}=${row.setting}`),
      ['autovacuum=on', 'fsync=on', 'full_page_writes=on', 'listen_addresses='],
    )
    const made = await db.query(
      "select datlocprovider, datlocale, pg_encoding_to_char(encoding) as encoding from pg_database where datname = 'ascribe'",
    )
    assert.deepEqual(made.rows, [{ datlocprovider: 'b', datlocale: 'C.UTF-8', encoding: 'UTF8' }])
  }
  assert.equal((await stat(first.target.socketDir)).mode & 0o777, 0o700)
  assert.equal(await first.release(), 'stopped')
  assert.equal(await first.pid(), undefined)

  const second = await start({ dataDir })
  assert.equal(second.started, 'started')
  const third = await start({ dataDir })
  assert.equal(third.started, 'adopted')
  await using db = openDatabase({ url: third.url })
  assert.deepEqual(await marks(db), [1n])
  assert.equal(await second.release(), 'left running')
  assert.equal(await third.release(), 'stopped')
  assert.equal(await third.release(), 'stopped')
})

test('startEmbedded() hands the server nothing of the environment', { skip: process.platform !== 'linux' }, async () => {
  await using folder = await preparedFolder()
  process.env['ASCRIBE_TEST_SECRET'] = 'not for the server'
  await using server = await start({ dataDir: folder.dataDir })
  delete process.env['ASCRIBE_TEST_SECRET']
  const environment = await readFile(`/proc/${await pidOf(server)}/environ`, 'latin1')
  assert.doesNotMatch(environment, /ASCRIBE_TEST_SECRET/)
})

test('startEmbedded() starts a killed server again by itself, with every commit', async () => {
  await using folder = await preparedFolder()
  const changes: string[] = []
  await using server = await start({ dataDir: folder.dataDir, onChange: (change) => changes.push(change) })
  await using db = openDatabase(server.target)
  await db.query('create table mark (n bigint)')
  for (let n = 1; n <= 3; n += 1) {
    await patiently(() => db.query('insert into mark values ($1)', [n]))
    const pid = await pidOf(server)
    process.kill(pid, 'SIGKILL')
    await until('it runs again and has told so', () => changes.length === 2 * n)
    assert.notEqual(await server.pid(), pid)
  }
  assert.deepEqual(await patiently(() => marks(db)), [1n, 2n, 3n])
  assert.deepEqual(changes, ['lost', 'running', 'lost', 'running', 'lost', 'running'])
})

test('startEmbedded() keeps its share when the sessions are cut and the server lives on', async () => {
  await using folder = await preparedFolder()
  let restored = 0
  await using server = await start({ dataDir: folder.dataDir, onChange: (change) => (restored += change === 'running' ? 1 : 0) })
  const pid = await pidOf(server)
  await using db = openDatabase(server.target)
  await db.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'ascribe user%'`)
  await until('the share is back', () => restored === 1)
  await using other = await start({ dataDir: folder.dataDir })
  assert.equal(await other.release(), 'left running')
  assert.equal(await server.pid(), pid)
})

test('ensureRunning() called by several processes at once starts one server', async () => {
  await using folder = await preparedFolder()
  await using server = await start({ dataDir: folder.dataDir, supervise: false })
  await using one = await spawnUser(folder.dataDir)
  await using two = await spawnUser(folder.dataDir)
  const killed = await pidOf(server)
  process.kill(killed, 'SIGKILL')
  await Promise.all([server.ensureRunning(), server.ensureRunning(), one.ask('ensure'), two.ask('ensure')])
  const pid = await pidOf(server)
  assert.notEqual(pid, killed)
  assert.deepEqual([await one.ask('pid'), await two.ask('pid')], [String(pid), String(pid)])
  assert.equal(await server.ensureRunning(), 'running')
})

test('release() stops the server for the last of several processes only', async () => {
  await using folder = await preparedFolder()
  await using one = await spawnUser(folder.dataDir)
  await using two = await spawnUser(folder.dataDir)
  assert.deepEqual([one.started, two.started], ['started', 'adopted'])
  const pid = Number(await two.ask('pid'))
  assert.equal(await one.ask('release'), 'left running')
  assert.equal(await isAlive(pid), true)
  assert.equal(await two.ask('release'), 'stopped')
  assert.equal(await isAlive(pid), false)
})

test('release() does not count a user that was killed a moment ago', async () => {
  await using folder = await preparedFolder()
  await using server = await start({ dataDir: folder.dataDir })
  await using user = await spawnUser(folder.dataDir)
  user.child.kill('SIGKILL')
  await once(user.child, 'exit')
  assert.equal(await server.release(), 'stopped')
})

test('release() leaves no server behind when several users go at once', async () => {
  await using folder = await preparedFolder()
  const servers = await Promise.all(Array.from({ length: 4 }, () => start({ dataDir: folder.dataDir })))
  const pid = await pidOf(servers[0] ?? assert.fail())
  const outcomes = await Promise.all(servers.map((server) => server.release()))
  assert.deepEqual(outcomes.toSorted(), ['left running', 'left running', 'left running', 'stopped'])
  // Its process may still be on its way out of the process table.
  await until('the server is gone', async () => !(await isAlive(pid)))
})

test('startEmbedded() joins a server whose starter was killed', async () => {
  await using folder = await preparedFolder()
  await using user = await spawnUser(folder.dataDir)
  const pid = Number(await user.ask('pid'))
  user.child.kill('SIGKILL')
  await once(user.child, 'exit')
  await using server = await start({ dataDir: folder.dataDir })
  assert.equal(server.started, 'adopted')
  assert.equal(await server.pid(), pid)
  assert.equal(await server.release(), 'stopped')
})

test("startEmbedded() keeps the server out of a Ctrl-C of its user's terminal", async () => {
  await using folder = await preparedFolder()
  await using user = await spawnUser(folder.dataDir)
  const pid = Number(await user.ask('pid'))
  const { pid: group } = user.child
  assert.ok(group !== undefined)
  process.kill(-group, 'SIGINT') // What a terminal does: the whole group. The user, who does nothing about it, ends.
  await once(user.child, 'exit')
  await using server = await start({ dataDir: folder.dataDir })
  assert.deepEqual([server.started, await server.pid()], ['adopted', pid])
})

test('startEmbedded() is not stopped by the file of a server that is no more', async (t) => {
  await using folder = await preparedFolder()
  const pidFile = join(folder.dataDir, 'cluster', 'postmaster.pid')
  const rest = `\n${join(folder.dataDir, 'cluster')}\n1795328843\n5432\n/nowhere\n\n  9977918         4\nready   \n`

  // The shell becomes sleep, which never asks for its children: the first child stays a zombie. It must not end before that.
  const parent = spawn('/bin/sh', ['-c', 'sleep 2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => parent.kill('SIGKILL'))
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
  const zombie = Number(line)
  await until('the child is a zombie', async () => !(await isAlive(zombie)))
  process.kill(zombie, 0) // Still there for whoever asks like this.

  for (const [what, content] of [
    ['a zombie', `${zombie}${rest}`],
    ['another program', `${process.pid}${rest}`],
    ['nobody', `${2 ** 22 + 1}${rest}`],
    ['no one at all', ''],
  ] as const) {
    await writeFile(pidFile, content)
    const server = await start({ dataDir: folder.dataDir })
    assert.equal(server.started, 'started', what)
    assert.equal(await server.release(), 'stopped', what)
  }
})

test('processState() tells the server of a folder from that of another', async () => {
  await using folder = await preparedFolder()
  await using other = await temporaryFolder()
  await using server = await start({ dataDir: folder.dataDir })
  const pid = await pidOf(server)
  assert.equal(await processState(pid, join(folder.dataDir, 'cluster')), 'server')
  assert.equal(await processState(pid, other.path), 'foreign')
})

test('startEmbedded() waits for a server that is coming up without it', async () => {
  await using folder = await preparedFolder()
  await using server = await start({ dataDir: folder.dataDir })
  const pid = await pidOf(server)
  // A stopped process is alive and mute, as one in recovery is.
  process.kill(pid, 'SIGSTOP')
  const second = start({ dataDir: folder.dataDir, timeoutMs: 300 })
  await assert.rejects(second, (error) => error instanceof EmbeddedFailedError && error.message.includes(String(pid)))
  process.kill(pid, 'SIGCONT')
  await using third = await start({ dataDir: folder.dataDir })
  assert.deepEqual([third.started, await third.pid()], ['adopted', pid])
})

test('startEmbedded() makes a short folder for a socket whose path would be too long', async () => {
  await using folder = await temporaryFolder()
  const dataDir = join(folder.path, 'd'.repeat(60), 'd'.repeat(60), 'data')
  await using source = await preparedFolder()
  await mkdir(dataDir, { recursive: true })
  await rename(join(source.dataDir, 'cluster'), join(dataDir, 'cluster'))
  const server = await start({ dataDir })
  const { socketDir } = server.target
  assert.ok(Buffer.byteLength(socketDir) < 90, socketDir)
  const { mode, uid } = await stat(socketDir)
  assert.deepEqual([mode & 0o777, uid], [0o700, process.geteuid?.()])
  // Another process finds it, though its temporary folder is another one.
  await using user = await spawnUser(dataDir, { env: { TMPDIR: folder.path } })
  assert.equal(user.started, 'adopted')
  assert.equal(await user.ask('release'), 'left running')
  assert.equal(await server.release(), 'stopped')
  await rename(join(dataDir, 'cluster'), join(source.dataDir, 'cluster'))
})

test('startEmbedded() refuses the folder of another major version and says how to move', async () => {
  await using folder = await preparedFolder()
  await writeFile(join(folder.dataDir, 'cluster', 'PG_VERSION'), '17\n')
  await assert.rejects(start({ dataDir: folder.dataDir }), (error) => {
    assert.ok(error instanceof DataVersionError)
    assert.match(error.message, /PostgreSQL 17 made it.*backup.*restore.*DATABASE_URL/)
    return true
  })
  await writeFile(join(folder.dataDir, 'cluster', 'PG_VERSION'), '18\n')
})

test('startEmbedded() shows the last words of a server that does not start', async () => {
  await using folder = await preparedFolder()
  await assert.rejects(start({ dataDir: folder.dataDir, settings: { shared_buffers: 'plenty' } }), (error) => {
    assert.ok(error instanceof EmbeddedFailedError)
    assert.match(error.message, /invalid value for parameter "shared_buffers".*postgres\.log/)
    return true
  })
  await using server = await start({ dataDir: folder.dataDir })
  assert.equal(server.started, 'started')
})
