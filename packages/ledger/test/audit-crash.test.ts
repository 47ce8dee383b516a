import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { openDatabase, startEmbedded } from '@ascribe/postgres'
import type { Queryable } from '@ascribe/postgres'
import { testDatabase, testTryLock } from '@ascribe/postgres/testing'
import { backupLedger, migrateLedger, readAccessLog, restoreLedger } from '../src/index.ts'
import { ORG, kindsOf, openTrail, verified, viewed } from './audit-support.ts'
import { TEN, openLedger } from './support.ts'

const PRINTED = /^([0-9a-f-]{36}) (\d+) ([0-9a-f]{64})$/

const SCRIPT = new URL('audit-writer.ts', import.meta.url).pathname
const startWriter = (url: string): ChildProcessWithoutNullStreams => spawn(process.execPath, [SCRIPT, url])

/** Lets a writer get so far, and then does `kill`, by default to the writer; gives the lines that it was told are durable. */
async function killAfter(
  writer: ChildProcessWithoutNullStreams,
  count: number,
  kill: () => unknown = () => writer.kill('SIGKILL'),
): Promise<readonly string[]> {
  const lines: string[] = []
  const closed = once(writer, 'close')
  writer.stderr.resume()
  for await (const line of createInterface({ input: writer.stdout })) {
    lines.push(line)
    if (lines.length === count) await kill()
  }
  await closed
  // The last one may be cut off.
  return lines.filter((line) => PRINTED.test(line))
}

async function missing(db: Queryable, promised: readonly string[]): Promise<readonly string[]> {
  const { rows } = await db.query<{ line: string }>("select chain || ' ' || sequence || ' ' || encode(hash, 'hex') as line from audit_line")
  const stored = new Set(rows.map(({ line }) => line))
  return promised.filter((line) => !stored.has(line))
}

test('two processes that append to two chains are killed in the middle: no line that was promised is missing, and the chains hold', async () => {
  await using db = await openLedger()
  const writers = [200, 300].map((count) => killAfter(startWriter(db.url), count))
  const promised = (await Promise.all(writers)).flat()
  assert.ok(promised.length >= 499)
  assert.deepEqual(await missing(db, promised), [])
  assert.deepEqual(kindsOf(await verified(db)), [])
  // Whoever comes next goes on where they were.
  await using trail = openTrail(db)
  await trail.append([viewed()])
  assert.deepEqual(kindsOf(await verified(db)), [])
})

test('the server is killed while lines are appended: it comes back with every line that was promised, and the chains hold', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-audit-'))
  await using embedded = await startEmbedded({ dataDir: join(folder.path, 'postgres'), tryLock: testTryLock, supervise: false })
  await using db = openDatabase(embedded.target)
  await migrateLedger(db)
  const promised = await killAfter(startWriter(embedded.url), 300, async () => process.kill((await embedded.pid()) ?? 0, 'SIGKILL'))
  assert.ok(promised.length >= 300)
  assert.equal(await embedded.ensureRunning(), 'restarted')
  assert.deepEqual(await missing(db, promised), [])
  assert.deepEqual(kindsOf(await verified(db)), [])
})

test('restoreLedger() brings the trail back, byte for byte and ready to go on, and a head that was kept still holds', async () => {
  await using db = await openLedger({ fresh: true })
  await using trail = openTrail(db)
  await trail.append([viewed(), viewed({ chain: 'installation', kind: 'admin' })])
  const kept = await trail.signedHead(db, ORG)
  assert.ok(kept !== undefined)
  const bytes = Buffer.concat(await backupLedger(db, { now: TEN, write: (chunks) => Array.fromAsync(chunks) }))
  await using restored = await testDatabase()
  const { rows } = await restoreLedger(
    restored,
    (async function* () {
      yield bytes
    })(),
  )
  assert.equal(rows['audit_line'], 4)
  assert.deepEqual(await readAccessLog(restored, { organizationId: ORG }), await readAccessLog(db, { organizationId: ORG }))
  assert.deepEqual(kindsOf(await verified(restored, [kept])), [])
  await using after = openTrail(restored)
  assert.equal((await after.append([viewed()]))[0]?.sequence, 3)
  assert.deepEqual(kindsOf(await verified(restored, [kept])), [])
  await assert.rejects(restored.query('delete from audit_line'), /23001/)
  // What was written after the backup is gone, and a head that was kept from then says so.
  await trail.append([viewed(), viewed()])
  const newest = await trail.signedHead(db, ORG)
  assert.deepEqual(kindsOf(await verified(restored, newest === undefined ? [] : [newest])), ['truncated'])
})
