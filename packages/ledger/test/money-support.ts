import assert from 'node:assert/strict'
import type { Database } from '@ascribe/postgres'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { parseNano } from '@ascribe/units'
import type { Nano } from '@ascribe/units'
import { applyPriceBook, closeMonth, ledgerMigrations } from '../src/index.ts'
import type { Organization } from '../src/index.ts'
import { createCustomer, deliver, priceBook, rateAll, usageRecord } from './support.ts'

/** A database of one's own: what is issued can never be emptied away. */
export async function openMoneyLedger(): Promise<TestDatabase> {
  const db = await testDatabase({ migrations: await ledgerMigrations() })
  await applyPriceBook(db, priceBook())
  return db
}

export const nano = (text: string): Nano => {
  const amount = parseNano(text)
  if (typeof amount !== 'bigint') throw new RangeError(`${text} is no amount`)
  return amount
}

/** 2026-04-02T00:00:00Z: when March is billed. */
export const ISSUED: number = Date.UTC(2026, 3, 2)

/** A customer that has used so many input tokens of `small`, 0.000001 each, in each of the given hours (or days) of March. */
export async function customerWithUsage(
  db: Database,
  { name, tokens, at }: { readonly name: string; readonly tokens: number; readonly at: readonly number[] },
): Promise<Organization> {
  const authId = `auth-${name}`
  const organization = await createCustomer(db, { name, authId })
  await deliver(
    db,
    at.map((startedAt) => usageRecord({ authId, startedAt, meters: { input_tokens: tokens } })),
  )
  return organization
}

/** Rates everything and closes March. */
export async function closeMarch(db: Database): Promise<void> {
  await rateAll(db)
  const { kind } = await closeMonth(db, { month: '2026-03', closedBy: 'test' })
  assert.equal(kind, 'closed')
}
