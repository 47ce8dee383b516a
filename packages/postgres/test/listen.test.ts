import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openDatabase } from '../src/database.ts'
import type { Notice } from '../src/listen.ts'
import { testDatabase } from '../src/testing.ts'
import { dropPrepared, preparedFolder, start, until } from './fixture.ts'

after(dropPrepared)

const wordOf = (notice: Notice): string => (notice.kind === 'connected' ? 'connected' : notice.payload)

test('listen() tells when it listens and what is notified, until it is disposed', async () => {
  await using db = await testDatabase()
  const heard: string[] = []
  const subscription = db.listen('Some "channel"', (notice) => {
    heard.push(wordOf(notice))
    if (wordOf(notice) === 'one') throw new Error('a handler that fails costs nothing')
  })
  await until('it listens', () => heard.length === 1)
  await db.query(`select pg_notify('Some "channel"', 'one')`)
  await db.query(`select pg_notify('Some "channel"', 'two')`)
  await until('both are heard', () => heard.length === 3)
  assert.deepEqual(heard, ['connected', 'one', 'two'])
  await subscription[Symbol.asyncDispose]()
  await until('nobody listens', async () => {
    const left = await db.query("select 1 from pg_stat_activity where datname = current_database() and query like 'listen%'")
    return left.rowCount === 0
  })
})

test('listen() survives a restart of the server, and tells so that nothing is missed', async () => {
  await using folder = await preparedFolder()
  await using server = await start({ dataDir: folder.dataDir })
  await using db = openDatabase(server.target)
  const heard: string[] = []
  db.listen('news', (notice) => heard.push(wordOf(notice)))
  await until('it listens', () => heard.length === 1)
  process.kill((await server.pid()) ?? assert.fail(), 'SIGKILL')
  await until('it listens again', () => heard.length === 2)
  await until('the pool is back', () => db.query("select pg_notify('news', 'after')").then(Boolean, () => false))
  await until('it is heard', () => heard.includes('after'))
  assert.deepEqual([...new Set(heard)], ['connected', 'after'])
})

test('listen() begins when the server does, and close() ends it while it tries', async () => {
  await using folder = await preparedFolder()
  const target = { socketDir: `${folder.dataDir}/socket`, user: 'ascribe', database: 'ascribe' }
  const heard: string[] = []
  await using db = openDatabase(target)
  db.listen('news', (notice) => heard.push(wordOf(notice)))
  const server = await start({ dataDir: folder.dataDir })
  await until('it listens', () => heard.length === 1)
  await server.release()
  await db.close()
  assert.deepEqual(heard, ['connected'])
})
