import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EmbeddedUnavailableError } from '../errors.ts'
import { canPass, planRunAs } from './run-as.ts'
import type { RunAsFacts } from './run-as.ts'

const UNSHARE = '/usr/bin/unshare'
const root = { uid: 0, gid: 0, mode: 0o755 }
const rootOnly = { uid: 0, gid: 0, mode: 0o700 }
const alices = { uid: 501, gid: 20, mode: 0o700 }
const facts = (some: Partial<RunAsFacts>): RunAsFacts => ({
  euid: 0,
  cluster: undefined,
  ancestors: [rootOnly, root, root],
  unshare: UNSHARE,
  users: new Set([0, 1000, 65_534]),
  ...some,
})

test('planRunAs() starts the server as itself for who is not root', () => {
  assert.deepEqual(planRunAs(facts({ euid: 501 })).server, { kind: 'self' })
  assert.deepEqual(planRunAs(facts({ euid: 501, cluster: alices })).server, { kind: 'self' })
})

test('planRunAs() refuses a database of somebody else for who is not root', () => {
  assert.throws(() => planRunAs(facts({ euid: 502, cluster: alices })), EmbeddedUnavailableError)
})

test('planRunAs() keeps the owner of a database', () => {
  assert.deepEqual(planRunAs(facts({ cluster: alices })).server, { kind: 'user', uid: 501, gid: 20 })
})

test('planRunAs() maps root where it can and every folder lets the mapped user pass', () => {
  assert.deepEqual(planRunAs(facts({})).server, { kind: 'mapped', unshare: UNSHARE, uid: 1000 })
  assert.deepEqual(planRunAs(facts({ cluster: rootOnly })).server, { kind: 'mapped', unshare: UNSHARE, uid: 1000 })
})

test('planRunAs() takes the owner of the folders above where the mapped user cannot pass', () => {
  assert.deepEqual(planRunAs(facts({ ancestors: [rootOnly, alices, root] })).server, { kind: 'user', uid: 501, gid: 20 })
})

test('planRunAs() takes a user of its own where root cannot be mapped', () => {
  assert.deepEqual(planRunAs(facts({ unshare: undefined })).server, { kind: 'user', uid: 61_000, gid: 61_000 })
})

test('planRunAs() gives up where nobody but root can pass', () => {
  assert.throws(
    () => planRunAs(facts({ unshare: undefined, ancestors: [rootOnly, rootOnly, root] })),
    (error) => error instanceof EmbeddedUnavailableError && error.message.includes('DATABASE_URL'),
  )
})

test('planRunAs() makes the database as a user with a name, which initdb asks for', () => {
  const noPerson = new Set([0, 1, 65_534])
  assert.deepEqual(planRunAs(facts({ users: noPerson })), {
    server: { kind: 'mapped', unshare: UNSHARE, uid: 65_534 },
    init: { kind: 'mapped', unshare: UNSHARE, uid: 65_534 },
  })
  assert.deepEqual(planRunAs(facts({ unshare: undefined })).init, { kind: 'user', uid: 1000, gid: 1000 })
  assert.deepEqual(planRunAs(facts({ euid: 1000 })).init, { kind: 'self' })
  assert.deepEqual(planRunAs(facts({ euid: 501, users: undefined })).init, { kind: 'self' })
  assert.deepEqual(planRunAs(facts({ euid: 123_456 })), { server: { kind: 'self' }, init: { kind: 'mapped', unshare: UNSHARE, uid: 1000 } })
})

test('canPass() looks at the bits of the first class that fits', () => {
  const folder = (mode: number): { uid: number; gid: number; mode: number } => ({ uid: 1, gid: 2, mode })
  assert.deepEqual(
    [
      canPass(folder(0o100), 1, 9),
      canPass(folder(0o011), 1, 2),
      canPass(folder(0o010), 9, 2),
      canPass(folder(0o001), 9, 9),
      canPass(folder(0o110), 9, 9),
    ],
    [true, false, true, true, false],
  )
})
