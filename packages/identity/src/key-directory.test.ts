import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TryLock } from '@ascribe/kit'
import { silentLogger } from '@ascribe/kit'
import { createApiKey } from './api-key.ts'
import { openKeyDirectory } from './key-directory.ts'
import { readPolicyFile, writePolicyFile } from './policy-file.ts'
import type { PolicySnapshot } from './policy.ts'
import { allSecrets, readServerSecret } from './server-secret.ts'
import type { ServerSecret } from './server-secret.ts'

const free: TryLock = () => ({ [Symbol.dispose]() {} })
const taken: TryLock = () => undefined

function setUp(): { path: string; secret: ServerSecret } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'ascribe-identity-'))
  return {
    path: join(folder, 'policy.json'),
    secret: readServerSecret(join(folder, 'secrets', 'server')),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

function snapshot(version: number, ...keys: readonly { publicId: string; hmac: string }[]): PolicySnapshot {
  return {
    ledger: 'one',
    version,
    keys: keys.map(({ publicId, hmac }) => ({ publicId, hmac, authId: `auth-${publicId}`, organizationId: 'org', scopes: ['inference'] })),
  }
}

test('find() knows a key as soon as its snapshot is on disk, and no longer than that', async () => {
  using place = setUp()
  using directory = openKeyDirectory({ path: place.path, serverSecret: place.secret, logger: silentLogger })
  const made = createApiKey(place.secret)
  assert.equal(directory.find(made.key), undefined)

  assert.equal(writePolicyFile(place.path, snapshot(1, made), free), 'written')
  assert.equal(directory.find(made.key)?.authId, `auth-${made.publicId}`)

  writePolicyFile(place.path, snapshot(2), free)
  const deadline = Date.now() + 5_000
  while (directory.find(made.key) !== undefined) {
    assert.ok(Date.now() < deadline, 'a key that is gone from the snapshot still works after 5 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(directory.version, 2)
})

test('ownerOf() says to whom an auth id belongs that an edge names, and follows the snapshot', async () => {
  using place = setUp()
  const [first, second] = [createApiKey(place.secret), createApiKey(place.secret)]
  writePolicyFile(place.path, snapshot(1, first), free)
  using directory = openKeyDirectory({ path: place.path, serverSecret: place.secret, logger: silentLogger })
  assert.equal(directory.ownerOf(`auth-${first.publicId}`)?.organizationId, 'org')
  assert.equal(directory.ownerOf('nobody'), undefined)
  writePolicyFile(place.path, snapshot(2, second), free)
  // An unknown key makes it look.
  assert.notEqual(directory.find(second.key), undefined)
  assert.equal(directory.ownerOf(`auth-${second.publicId}`)?.organizationId, 'org')
  assert.equal(directory.ownerOf(`auth-${first.publicId}`), undefined)
})

test('a snapshot that cannot be read never replaces a good one', () => {
  using place = setUp()
  const made = createApiKey(place.secret)
  writePolicyFile(place.path, snapshot(1, made), free)
  using directory = openKeyDirectory({ path: place.path, serverSecret: place.secret, logger: silentLogger })
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"version":2,"keys":[]}',
    '{"ledger":"one","version":"2","keys":[]}',
    '{"ledger":"one","version":2,"keys":[{"authId":1}]}',
  ]) {
    writeFileSync(place.path, text)
    directory.find('ask_000000000000_00000000000000000000000000000000')
    assert.ok(directory.find(made.key), JSON.stringify(text))
  }
})

test('writePolicyFile() never puts an older snapshot over a newer one, and mends a broken file', () => {
  using place = setUp()
  assert.equal(writePolicyFile(place.path, snapshot(5), free), 'written')
  assert.equal(writePolicyFile(place.path, snapshot(4), free), 'current')
  assert.equal(writePolicyFile(place.path, snapshot(5), free), 'current')
  assert.equal(writePolicyFile(place.path, snapshot(6), taken), 'busy')
  assert.equal(readPolicyFile(place.path)?.version, 5)
  writeFileSync(place.path, 'torn')
  assert.equal(writePolicyFile(place.path, snapshot(1), free), 'written')
})

test('the snapshot of another ledger is in force whatever its version: a new database must not be deaf to new keys', () => {
  using place = setUp()
  const [before, after] = [createApiKey(place.secret), createApiKey(place.secret)]
  writePolicyFile(place.path, snapshot(900, before), free)
  using directory = openKeyDirectory({ path: place.path, serverSecret: place.secret, logger: silentLogger })
  assert.equal(writePolicyFile(place.path, { ...snapshot(2, after), ledger: 'two' }, free), 'written')
  assert.ok(directory.find(after.key))
  assert.equal(directory.find(before.key), undefined)
})

test('readServerSecret() gives the same secret each time, and refuses a file that holds none', () => {
  using place = setUp()
  const path = join(place.path, '..', 'secrets', 'server')
  assert.deepEqual(readServerSecret(path), place.secret)
  assert.deepEqual(
    allSecrets(place.secret).map((secret) => secret.length),
    [32],
  )
  writeFileSync(path, 'short')
  assert.throws(() => readServerSecret(path), { code: 'SERVER_SECRET_INVALID' })
})
