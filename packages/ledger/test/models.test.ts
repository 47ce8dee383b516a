import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from '@ascribe/postgres/testing'
import { applyPriceBook } from '../src/index.ts'
import { ledgerMigrations } from '../src/schema.ts'
import { readModels } from '../src/views.ts'

const BOOK = `version: 1
base_models:
  small: { prompt: "0.000001", cached: "0", completion: "0.000002" }
  large: { prompt: "0.000003", cached: "0", completion: "0" }
  vm.small: { prompt: "0", cached: "0", completion: "0", meters: { vm_hours: "0.08" } }
fine_tunes:
  "ft:somebody": { derived_from: small }
`

test('readModels() names what has a price now, in this currency: no machine, and no fine-tune, which is somebody else’s', async () => {
  await using db = await testDatabase({ migrations: await ledgerMigrations() })
  const at = Date.UTC(2026, 10, 22)
  assert.deepEqual(await readModels(db, { currency: 'USD', at }), [])
  await applyPriceBook(db, { text: BOOK, file: 'prices.yaml', effectiveFrom: Date.UTC(2026, 10, 1), appliedBy: 'test' })
  assert.deepEqual(await readModels(db, { currency: 'USD', at }), ['large', 'small'])
  assert.deepEqual(await readModels(db, { currency: 'USD', at: Date.UTC(2026, 9, 31) }), [])
  assert.deepEqual(await readModels(db, { currency: 'EUR', at }), [])
})
