import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '../src/database.ts'
import { isAlive, findPostmaster } from '../src/embedded/postmaster.ts'
import { clusterOf } from '../src/embedded/server-folder.ts'
import { createTestServer, testDatabase } from '../src/testing.ts'
import { externalTestUrl } from '../src/testing/config.ts'
import { testTryLock } from '../src/testing/lock.ts'
import { testServerFolder } from '../src/testing/server.ts'
import { temporaryFolder, until } from './fixture.ts'

const migrations = [{ id: 1, name: 'first', sql: 'create table first (n int); insert into first values (1)' }]
const isExternal = externalTestUrl() !== undefined

test('testDatabase() gives every caller a migrated database of its own, and drops it', async () => {
  await using one = await testDatabase({ migrations })
  const names: string[] = []
  {
    const [two, three] = await Promise.all([testDatabase({ migrations }), testDatabase({ migrations })])
    await using disposables = new AsyncDisposableStack()
    disposables.use(two)
    disposables.use(three)
    names.push(two.name, three.name)
    await two.query('insert into first values (2)')
    assert.deepEqual((await three.query('select n from first')).rows, [{ n: 1 }])
    await using other = openDatabase({ url: two.url })
    assert.equal((await other.query('select n from first')).rowCount, 2)
  }
  const left = await one.query('select 1 from pg_database where datname = any ($1)', [names])
  assert.equal(left.rowCount, 0)
})

test('testDatabase() makes a template once for each set of migrations', async () => {
  const counting = [
    { id: 1, name: 'random', sql: `create table id (id uuid); insert into id values (gen_random_uuid()); -- ${process.pid}` },
  ]
  const databases = await Promise.all(Array.from({ length: 4 }, () => testDatabase({ migrations: counting })))
  await using disposables = new AsyncDisposableStack()
  for (const database of databases) disposables.use(database)
  const ids = await Promise.all(databases.map(async (database) => (await database.query<{ id: string }>('select id from id')).rows[0]?.id))
  assert.equal(new Set(ids).size, 1)
})

const PROGRAM = `
import { testDatabase } from ${JSON.stringify(new URL('../src/testing.ts', import.meta.url).href)}
const db = await testDatabase()
console.log(db.name)
setInterval(() => {}, 1000)
`

test('testDatabase() drops what a killed run left behind', { skip: isExternal }, async () => {
  await using holder = await createTestServer()
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--no-warnings', '--eval', PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [name] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  child.kill('SIGKILL')
  await once(child, 'exit')
  await using maintenance = openDatabase(holder.maintenance)
  const isThere = async (): Promise<boolean> =>
    (await maintenance.query('select 1 from pg_database where datname = $1', [name])).rowCount > 0
  assert.equal(await isThere(), true)
  await using db = await testDatabase()
  assert.notEqual(db.name, name)
  assert.equal(await isThere(), false)
})

test('createTestServer() is stopped by nobody while it is used, and by the caretaker soon after', { skip: isExternal }, async (t) => {
  const server = await createTestServer()
  const pid = await findPostmaster(clusterOf(testServerFolder()))
  assert.ok(pid !== undefined)
  await server[Symbol.asyncDispose]()
  assert.equal(await isAlive(pid), true)
  // Other test processes of this user may hold the same server.
  const stopped = await until('the server is gone, or somebody else uses it', async () => {
    if (!(await isAlive(pid))) return 'stopped'
    return false
  }).catch(() => 'used by others')
  if (stopped !== 'stopped') t.skip(stopped)
})

test('testTryLock() is held by one, in this process and among processes, and goes with its holder', async () => {
  await using folder = await temporaryFolder()
  const path = `${folder.path}/a.lock`
  const first = testTryLock(path)
  assert.ok(first !== undefined)
  assert.equal(testTryLock(path), undefined)
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  const lockFile = fileURLToPath(new URL('../src/testing/lock.ts', import.meta.url))
  const script = `
    import { testTryLock } from ${JSON.stringify(lockFile)}
    globalThis.lock = testTryLock(${JSON.stringify(path)})
    console.log(globalThis.lock === undefined ? 'refused' : 'held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--no-warnings', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [word] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  assert.equal(word, 'held')
  assert.equal(testTryLock(path), undefined)
  child.kill('SIGKILL')
  await once(child, 'exit')
  using again = testTryLock(path)
  assert.notEqual(again, undefined)
})
