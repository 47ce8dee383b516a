import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import {
  LedgerInputError,
  createIdempotency,
  createPlatformCredential,
  listPlatformCredentials,
  provePlatformKey,
  revokePlatformCredential,
} from '../src/index.ts'
import type { IdempotentBegin } from '../src/index.ts'
import { TEN, openLedger } from './support.ts'

const SECRET = Buffer.alloc(32, 7)
const NEXT = Buffer.alloc(32, 8)
const MINUTE = 60_000

test('provePlatformKey() knows a key, under the server secret that it was made under, until it is revoked or its time is up', async () => {
  await using db = await openLedger()
  const made = await createPlatformCredential(db, SECRET, { name: ' terraform ', by: 'cli', now: TEN, expiresAt: TEN + 60 * MINUTE })
  assert.match(made.key, /^asp_[0-9a-f]{12}_[0-9a-f]{48}$/)
  const prove = (fields: object = {}): ReturnType<typeof provePlatformKey> =>
    provePlatformKey(db, SECRET, { key: made.key, now: TEN, ...fields })
  const proven = { kind: 'proven', credentialId: made.id, name: 'terraform', scopes: ['platform:read', 'platform:write'] }
  assert.deepEqual(await prove(), proven)
  assert.deepEqual(await provePlatformKey(db, [NEXT, SECRET], { key: made.key, now: TEN }), proven)
  assert.deepEqual(await provePlatformKey(db, NEXT, { key: made.key, now: TEN }), { kind: 'unknown' })
  for (const key of [
    '',
    'asp_x',
    `${made.key.slice(0, -1)}x`,
    made.key.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    `ask_${made.key.slice(4)}`,
  ]) {
    assert.deepEqual(await prove({ key }), { kind: 'unknown' }, key)
  }
  assert.deepEqual(await prove({ now: TEN + 60 * MINUTE }), { kind: 'ended' })
  assert.equal(await revokePlatformCredential(db, { id: made.id, by: 'cli', now: TEN }), 'revoked')
  assert.equal(await revokePlatformCredential(db, { id: made.id, by: 'cli', now: TEN }), 'already_revoked')
  assert.equal(await revokePlatformCredential(db, { id: '00000000-0000-4000-8000-000000000000', by: 'cli' }), 'unknown')
  assert.deepEqual(await prove(), { kind: 'ended' })
})

test('listPlatformCredentials() says when each was used last, to the minute, and never what proves it', async () => {
  await using db = await openLedger()
  const { id, key, publicId } = await createPlatformCredential(db, SECRET, { name: 'ci', scopes: ['platform:read'], by: 'cli', now: TEN })
  const credential = { id, name: 'ci', publicId, scopes: ['platform:read'], createdAt: TEN, createdBy: 'cli' }
  assert.deepEqual(await listPlatformCredentials(db), [credential])
  for (const [at, seen] of [
    [TEN + 1, TEN + 1],
    [TEN + 30_000, TEN + 1],
    [TEN + 61_000, TEN + 61_000],
  ] as const) {
    await provePlatformKey(db, SECRET, { key, now: at })
    assert.deepEqual(await listPlatformCredentials(db), [{ ...credential, lastUsedAt: seen }])
  }
})

test('createPlatformCredential() refuses one without a name, without a right, or already expired, and undoes one without its line', async () => {
  await using db = await openLedger()
  for (const fields of [{ name: ' ' }, { name: 'x'.repeat(201) }, { scopes: [] }, { expiresAt: TEN }]) {
    await assert.rejects(createPlatformCredential(db, SECRET, { name: 'ci', by: 'cli', now: TEN, ...fields }), LedgerInputError)
  }
  const audit = async (): Promise<never> => Promise.reject(new Error('no trail'))
  await assert.rejects(createPlatformCredential(db, SECRET, { name: 'ci', by: 'cli', audit }), /no trail/)
  assert.deepEqual(await listPlatformCredentials(db), [])
})

/** A store, and a request to it. */
async function idempotency(db: Database, secret: Buffer | readonly Buffer[] = SECRET) {
  let now = TEN
  const store = createIdempotency({ db, serverSecret: secret, clock: () => now })
  const { id } = await createPlatformCredential(db, SECRET, { name: 'ci', by: 'cli', now: TEN })
  return {
    begin: (fields: object = {}): Promise<IdempotentBegin> =>
      store.begin({ credentialId: id, key: 'key-1', requestHash: 'ab'.repeat(32), ...fields }),
    pass: (ms: number): unknown => (now += ms),
    id,
  }
}

function fresh(begun: IdempotentBegin): Extract<IdempotentBegin, { kind: 'fresh' }> {
  assert.ok(begun.kind === 'fresh', begun.kind)
  return begun
}

test('createIdempotency() gives the same answer again, and what was asked differently no answer', async () => {
  await using db = await openLedger()
  const { begin, pass, id } = await idempotency(db)
  const first = fresh(await begin())
  assert.deepEqual(await begin(), { kind: 'running' })
  await first.finish({ status: 201, body: '{"secret":"ask_1_ü"}' })
  assert.deepEqual(await begin(), { kind: 'replay', status: 201, body: '{"secret":"ask_1_ü"}' })
  assert.deepEqual(await begin({ requestHash: 'cd'.repeat(32) }), { kind: 'conflict' })
  fresh(await begin({ key: 'key-2' }))
  // Another credential's key of the same name is another one.
  const other = await createPlatformCredential(db, SECRET, { name: 'other', by: 'cli', now: TEN })
  fresh(await begin({ credentialId: other.id }))
  pass(24 * 60 * MINUTE)
  fresh(await begin())
  for (const key of ['', 'k'.repeat(256)]) await assert.rejects(begin({ key }), LedgerInputError)
  assert.notEqual(id, other.id)
})

test('createIdempotency() lets one of twenty that come at once do it', async () => {
  await using db = await openLedger()
  const { begin } = await idempotency(db)
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => begin()))
  assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ['fresh', ...Array<string>(19).fill('running')])
})

test('createIdempotency() lets a repeat try what was given up or died, and who died does not answer for it', async () => {
  await using db = await openLedger()
  const { begin, pass } = await idempotency(db)
  await fresh(await begin()).abandon()
  const died = fresh(await begin())
  pass(59_000)
  assert.deepEqual(await begin(), { kind: 'running' })
  pass(1000)
  assert.deepEqual(await begin({ requestHash: 'cd'.repeat(32) }), { kind: 'conflict' })
  const second = fresh(await begin())
  await died.finish({ status: 500, body: 'late' })
  await died.abandon()
  assert.deepEqual(await begin(), { kind: 'running' })
  await second.finish({ status: 200, body: '' })
  assert.deepEqual(await begin(), { kind: 'replay', status: 200, body: '' })
})

test('createIdempotency() keeps answers so that the database alone does not tell them, and reads them under a former server secret', async () => {
  await using db = await openLedger()
  const { begin, id } = await idempotency(db)
  await fresh(await begin()).finish({ status: 201, body: 'ask_secret' })
  const { rows } = await db.query<{ line: string }>(
    "select encode(sealed_body, 'escape') || key_sha256::text as line from idempotent_request",
  )
  assert.ok(!(rows[0]?.line ?? 'ask_secret').includes('ask_secret'))
  const rotated = createIdempotency({ db, serverSecret: [NEXT, SECRET], clock: () => TEN })
  const request = { credentialId: id, key: 'key-1', requestHash: 'ab'.repeat(32) }
  assert.deepEqual(await rotated.begin(request), { kind: 'replay', status: 201, body: 'ask_secret' })
  assert.deepEqual(await createIdempotency({ db, serverSecret: NEXT, clock: () => TEN }).begin(request), { kind: 'conflict' })
})
