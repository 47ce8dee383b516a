import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '@ascribe/postgres/testing'
import {
  BackupError,
  applyPriceBook,
  backupLedger,
  bumpPolicy,
  closeMonth,
  createBudgetRounds,
  createCredential,
  readPolicySnapshot,
  readPolicyVersion,
  readStatement,
  restoreLedger,
  setBudget,
  streamEvents,
  verifyRating,
} from '../src/index.ts'
import type { Database } from '@ascribe/postgres'
import { HOUR, MONTH, TEN, createCustomer, deliver, dumpDerived, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const collect = (chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> => Array.fromAsync(chunks)
const backup = async (db: Database): Promise<Buffer> => Buffer.concat(await backupLedger(db, { now: TEN, write: collect }))

/** In pieces of any size, as a disk gives them. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const AWKWARD = 'tab\t new\nline \\N \\. "quoted" ü 🙂'

test('restoreLedger() makes a ledger whose statements, charges and records are those of the backup, byte for byte', async () => {
  await using db = await openLedger({ fresh: true })
  const { id } = await createCustomer(db)
  await applyPriceBook(db, priceBook())
  await createCredential(db, { organizationId: id, publicId: 'p1', hmac: 'h', scopes: ['inference'] })
  const records = Array.from({ length: 300 }, (_, number) => usageRecord({ startedAt: TEN + number * 20_000, resourceId: AWKWARD }))
  await deliver(db, [
    ...records,
    usageRecord({ startedAt: Date.UTC(2026, 3, 2), meters: { images: 3 } }),
    usageRecord({ authId: 'nobody' }),
  ])
  await deliver(db, [{ ...usageRecord(), outcome: 'nonsense' as 'completed' }])
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: MONTH, closedBy: 'test', force: true })).kind, 'closed')
  // Later, so that there is an adjustment too.
  await deliver(db, [usageRecord({ startedAt: TEN + HOUR })])
  await rateAll(db)
  const bytes = await backup(db)

  await using restored = await testDatabase()
  const outcome = await restoreLedger(restored, pieces(bytes, 1000))
  assert.equal(outcome.rows['usage_record'], 303)
  assert.ok((outcome.rows['adjustment'] ?? 0) > 0)
  assert.equal(await dumpDerived(restored), await dumpDerived(db))
  for (const month of [MONTH, '2026-04']) {
    const query = { organizationId: id, month, scope: 'customer' } as const
    assert.equal(JSON.stringify(await readStatement(restored, query)), JSON.stringify(await readStatement(db, query)))
  }
  assert.deepEqual(await Array.fromAsync(streamEvents(restored)), await Array.fromAsync(streamEvents(db)))
  assert.equal((await verifyRating(restored)).differenceCount, 0)
  // The lost ledger may have published versions after the backup: this one's are newer than all of them.
  const [before, after] = [await readPolicySnapshot(db), await readPolicySnapshot(restored)]
  assert.equal(after.ledger, before.ledger)
  assert.deepEqual(after.keys, before.keys)
  assert.ok(after.version > before.version + 1000)
})

test('restoreLedger() of one backup twice makes gateways follow the second one, whatever the first has published', async () => {
  await using db = await openLedger({ fresh: true })
  await createCustomer(db)
  const file = await backup(db)
  await using first = await testDatabase()
  await restoreLedger(first, pieces(file, 70_000))
  for (let changes = 0; changes < 3; changes += 1) await first.transaction((tx) => bumpPolicy(tx))
  const published = await readPolicyVersion(first)
  await using second = await testDatabase()
  await restoreLedger(second, pieces(file, 70_000))
  const { version, keysVersion, ledger } = await readPolicyVersion(second)
  assert.deepEqual([ledger, version > published.version, keysVersion], [published.ledger, true, version])
})

test('restoreLedger() makes a ledger that goes on: what it has is a duplicate, what is new is rated, what was fixed stays fixed', async () => {
  await using db = await openLedger({ fresh: true })
  await createCustomer(db)
  await applyPriceBook(db, priceBook())
  const records = [usageRecord(), usageRecord({ startedAt: TEN + HOUR })]
  await deliver(db, records)
  await using restored = await testDatabase()
  await restoreLedger(restored, pieces(await backup(db), 70_000))
  assert.deepEqual(await deliver(restored, [...records, usageRecord()]), { inserted: 1, duplicates: 2, conflicting: 0, quarantined: 0 })
  await rateAll(restored)
  assert.equal((await verifyRating(restored)).records, 3)
  await assert.rejects(restored.query('delete from usage_record'), /23001/)
  // Identities go on behind those that came with it.
  await restored.query('insert into dirty_hour (hour) values (now())')
})

test('a restored ledger never forgets what was spent of a budget, nor holds for ever what a dead gateway had, and gateways take its word', async () => {
  await using db = await openLedger({ fresh: true })
  const { id } = await createCustomer(db)
  const budget = { scope: 'organization', subject: id, unit: 'tokens', period: 'month', limit: 1000n, by: 'test' } as const
  await setBudget(db, budget, TEN)
  const alive = { writer: 'w1', accounts: [] }
  await createBudgetRounds(db).next({ reports: [alive], gone: [], now: TEN })
  await deliver(db, [usageRecord()], 'w1')
  // The numbers of transactions of a cluster that has lived for long.
  await db.query('update budget_state set counted_below = 1000000000')
  await db.query("update gateway_writer set end_transaction = 1000000000, seen_at = '-infinity'")
  const { snapshot: before } = await createBudgetRounds(db).next({ reports: [], gone: [], now: TEN })
  await db.query('update budget_state set counted_below = 1000000000')
  await using restored = await testDatabase()
  await restoreLedger(restored, pieces(await backup(db), 70_000))
  await deliver(restored, [usageRecord()], 'w1')
  const rounds = createBudgetRounds(restored)
  await rounds.next({ reports: [], gone: [], now: TEN })
  const { snapshot } = await rounds.next({ reports: [], gone: ['w1'], now: TEN })
  const { snapshot: after = assert.fail(), openWriters } = await rounds.next({ reports: [], gone: ['w1'], now: TEN })
  assert.equal(snapshot?.accounts[0]?.spent, '220')
  assert.deepEqual([after.accounts[0]?.leases, openWriters], [{}, []])
  assert.ok(after.version > (before?.version ?? 0) + 1000)
})

test('restoreLedger() refuses a backup that is cut off or changed anywhere, and keeps nothing of it', async () => {
  await using db = await openLedger({ fresh: true })
  await createCustomer(db)
  await deliver(db, [usageRecord()])
  const bytes = await backup(db)
  const at = bytes.lastIndexOf('auth-1')
  assert.ok(at > 0)
  const changed = Buffer.from(bytes)
  changed.write('auth-2', at)
  const wrong = [
    bytes.subarray(0, bytes.length - 10),
    bytes.subarray(0, Math.floor(bytes.length * 0.7)),
    changed,
    Buffer.concat([bytes, bytes]),
  ]
  for (const each of wrong) {
    await using target = await testDatabase()
    await assert.rejects(restoreLedger(target, pieces(each, 4096)), (error) => {
      assert.ok(error instanceof BackupError, String(error))
      return true
    })
    assert.deepEqual((await target.query('select count(*) as count from usage_record')).rows, [{ count: 0n }])
  }
})

test('restoreLedger() refuses a database that is not empty, and a backup of a newer program', async () => {
  await using db = await openLedger()
  const bytes = await backup(db)
  await assert.rejects(restoreLedger(db, pieces(bytes, 4096)), /is not empty/)
  const head = bytes.indexOf('"migrations":[{"id":1,')
  assert.ok(head > 0)
  const newer = Buffer.from(bytes.toString('latin1').replace('"migrations":[{"id":1,', '"migrations":[{"id":9,'), 'latin1')
  await using target = await testDatabase()
  await assert.rejects(restoreLedger(target, pieces(newer, 4096)), /which this program does not know/)
})

test('backupLedger() is of one instant, whatever commits while it is written', async () => {
  await using db = await openLedger({ fresh: true })
  await createCustomer(db)
  await deliver(db, [usageRecord()])
  let isDisturbed = false
  const bytes = await backupLedger(db, {
    now: TEN,
    async write(chunks) {
      const collected: Uint8Array[] = []
      for await (const chunk of chunks) {
        // After its first bytes the snapshot stands.
        if (!isDisturbed && collected.length > 2) {
          isDisturbed = true
          await deliver(db, [usageRecord()])
          await createCustomer(db, { authId: 'auth-2', name: 'Late' })
        }
        collected.push(chunk)
      }
      return Buffer.concat(collected)
    },
  })
  assert.ok(isDisturbed)
  await using restored = await testDatabase()
  const { rows } = await restoreLedger(restored, pieces(bytes, 4096))
  assert.deepEqual([rows['usage_record'], rows['organization']], [1, 1])
})
