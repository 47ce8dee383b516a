import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { createCredential, createOrganization, readPolicySnapshot, revokeCredential } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { publishPolicy } from '../src/index.ts'
import { inBackground, openBench, readJson, until } from './support.ts'
import type { Bench } from './support.ts'

let serial = 0

async function createKey(db: Database): Promise<string> {
  serial += 1
  const { id } = await createOrganization(db, { name: 'Acme' })
  const created = await createCredential(db, { organizationId: id, publicId: `p${serial}`, hmac: 'h', scopes: ['inference'] })
  assert(created.kind === 'created')
  return created.authId
}

async function isPublished(bench: Bench): Promise<boolean> {
  return (await readFile(bench.policy, 'utf8').catch(() => '')) === JSON.stringify(await readPolicySnapshot(bench.db))
}

/** The same database, and how often its keys have been read; with `deaf`, no notice ever comes. */
function counting(db: Database, { deaf = false } = {}): Database & { readonly reads: () => number } {
  let reads = 0
  return {
    ...db,
    reads: () => reads,
    transaction: (fn, options) => {
      if (options?.readOnly === true) reads += 1
      return db.transaction(fn, options)
    },
    listen: (channel, handler) => (deaf ? { [Symbol.asyncDispose]: async () => {} } : db.listen(channel, handler)),
  }
}

test('run() publishes a new key and takes back a revoked one', async () => {
  await using bench = await openBench()
  await using _running = inBackground(bench.settler())
  const authId = await createKey(bench.db)
  await until('the key is published', () => isPublished(bench))
  assert.match(await readFile(bench.policy, 'utf8'), new RegExp(authId))
  await revokeCredential(bench.db, authId)
  await until('it is gone', () => isPublished(bench))
  assert.doesNotMatch(await readFile(bench.policy, 'utf8'), new RegExp(authId))
})

test('run() publishes a change whose notice was missed', async () => {
  await using bench = await openBench()
  await using _running = inBackground(bench.settler({ db: counting(bench.db, { deaf: true }) }))
  await until('the first policy is published', () => isPublished(bench))
  await createKey(bench.db)
  await until('the change is published', () => isPublished(bench))
})

test('run() puts the policy back when the file is lost or spoilt, and leaves it alone otherwise', async () => {
  await using bench = await openBench()
  await createKey(bench.db)
  const db = counting(bench.db)
  await using _running = inBackground(bench.settler({ db }))
  await until('the policy is published', () => isPublished(bench))
  const { ino, mtimeMs } = await stat(bench.policy)
  const reads = db.reads()
  await until('it was looked at again, twice', () => db.reads() >= reads + 2)
  const after = await stat(bench.policy)
  assert.deepEqual([after.ino, after.mtimeMs], [ino, mtimeMs])
  await rm(bench.policy)
  await until('the policy is back', () => isPublished(bench))
  await writeFile(bench.policy, 'garbage')
  await until('the policy is mended', () => isPublished(bench))
})

test('publishPolicy() never puts an older policy in the place of a newer one', async () => {
  await using bench = await openBench()
  await createKey(bench.db)
  const newer = JSON.stringify({ ...(await readPolicySnapshot(bench.db)), version: 1_000_000, keys: [] })
  await writeFile(bench.policy, newer)
  await publishPolicy(bench.db, bench.policy, tryLock)
  await bench.settler().pass()
  assert.equal(await readFile(bench.policy, 'utf8'), newer)
})

test('publishPolicy() waits for the turn of another writer', async () => {
  await using bench = await openBench()
  await createKey(bench.db)
  const lock = tryLock(`${bench.policy}.lock`)
  assert(lock !== undefined)
  let attempts = 0
  const version = await publishPolicy(bench.db, bench.policy, (path) => {
    attempts += 1
    if (attempts === 3) lock[Symbol.dispose]()
    return tryLock(path)
  })
  assert.equal(attempts, 3)
  assert.deepEqual(await readJson(bench.policy), { ...(await readPolicySnapshot(bench.db)), version })
})

test('publishPolicy() reads keys by the notice when there are many, not by the clock', async () => {
  await using bench = await openBench()
  const slow = counting(bench.db)
  const db: Database = {
    ...slow,
    async transaction(fn, options) {
      const result = await slow.transaction(fn, options)
      // As with very many keys: reading takes its time, so that the next look is seconds away.
      if (options?.readOnly === true) await new Promise((resolve) => setTimeout(resolve, 60))
      return result
    },
  }
  await using _running = inBackground(bench.settler({ db }))
  await until('the first policy is published', () => isPublished(bench))
  await createKey(bench.db)
  const reads = slow.reads()
  await until('the change is published', () => isPublished(bench))
  assert(slow.reads() <= reads + 2, `${slow.reads() - reads} reads`)
})
