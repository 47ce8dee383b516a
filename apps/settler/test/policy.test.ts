import assert from 'node:assert/strict'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { readPolicyFile } from '@ascribe/identity'
import type { PolicySnapshot } from '@ascribe/identity'
import { bumpPolicy, createCredential, createOrganization, mapAuthId, readPolicySnapshot, revokeCredential } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { publishPolicy } from '../src/index.ts'
import { createPolicyPublisher } from '../src/publish-policy.ts'
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
  return JSON.stringify(readOrNothing(bench.policy)) === JSON.stringify(await readPolicySnapshot(bench.db))
}

function readOrNothing(path: string): PolicySnapshot | undefined {
  try {
    return readPolicyFile(path)
  } catch {
    return undefined
  }
}

/** The same database, how often its version has been looked at, and its keys read; with `deaf`, no notice ever comes. */
function counting(db: Database, { deaf = false } = {}): Database & { readonly looks: () => number; readonly reads: () => number } {
  let [looks, reads] = [0, 0]
  return {
    ...db,
    looks: () => looks,
    reads: () => reads,
    query: (text, values) => {
      if (text.includes('from policy_version')) looks += 1
      return db.query(text, values)
    },
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
  const [looks, reads] = [db.looks(), db.reads()]
  await until('it was looked at again, twice', () => db.looks() >= looks + 2)
  assert.equal(db.reads(), reads, 'keys are not read while the version stays')
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
  const { ledger } = await readPolicySnapshot(bench.db)
  const newer = JSON.stringify({ ledger, version: 1_000_000, keys: [] })
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

test('run() makes a planned mapping take effect when its time has come, though nobody changes anything then', async () => {
  await using bench = await openBench()
  const authId = await createKey(bench.db)
  const { id: organizationId } = await createOrganization(bench.db, { name: 'Later' })
  await using _running = inBackground(bench.settler({ db: counting(bench.db, { deaf: true }) }))
  await until('the first policy is published', () => isPublished(bench))
  const from = Date.now() + 1_500
  await mapAuthId(bench.db, { authId, organizationId, from })
  const owner = (): string | undefined => readOrNothing(bench.policy)?.keys.find((key) => key.authId === authId)?.organizationId
  await until('it is planned', () => isPublished(bench))
  assert.notEqual(owner(), organizationId, 'not before its time')
  await until('it has begun', () => owner() === organizationId)
  assert.ok(Date.now() >= from)
})

test('publish() reads only the keys again that changed: a change of something else leaves them', async () => {
  await using bench = await openBench()
  await createKey(bench.db)
  const publisher = createPolicyPublisher({ db: bench.db, policy: bench.policy, tryLock })
  const first = await publisher.publish()
  await bench.db.transaction((tx) => bumpPolicy(tx, { keys: 'none' }))
  assert.equal(await publisher.publish(), first + 1)
  const snapshot = readPolicyFile(bench.policy)
  assert.deepEqual([snapshot?.version, snapshot?.keysVersion, snapshot?.keys.length], [first + 1, first, 1])
})
