import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import type { Database } from '@ascribe/postgres'
import { createIdSource, idOfHash } from '@ascribe/units'
import { applyPriceBook, createOrganization, ingestBatch, mapAuthId, mapOwner, readStatement, verifyRating } from '../src/index.ts'
import { HOUR, MONTH, TEN, openLedger, priceBook, rateAll, usageRecord } from './support.ts'

const USER = '44444444-4444-4444-8444-444444444444'
const SERVER = '0c7b1a52-13b5-4a0f-9a43-6f3a4f1a2b3c'
const MINUTE = 60_000
/** In the platform's account it is owed, in the owner's own a memo. */
const CHARGED = { model: 'platform-vm', authId: `cloudsigma:${USER}/team` }
const MEMO = { model: 'vm', authId: `cloudsigma:${USER}` }

const book = (mhzHour: string): string => `version: 1
base_models:
  vm: { meters: { vm_cpu_mhz_hours: "${mhzHour}" } }
  platform-vm: { meters: { vm_cpu_mhz_hours: "${mhzHour}" } }
`

let offset = 0
/** What a controller states of a machine of so many MHz that ran in [from, to). */
async function ran(db: Database, mhz: number, [from, to]: readonly [number, number]): Promise<void> {
  for (const whose of [CHARGED, MEMO]) {
    const record = usageRecord({
      ...whose,
      eventId: idOfHash(from, hash('sha256', `${SERVER} ${from} ${whose.authId}`, 'buffer')),
      startedAt: from,
      endedAt: to,
      resourceId: SERVER,
      resourceType: 'vm',
      api: 'machine',
      identifiedBy: 'binding',
      headers: { state: 'running', region: 'zrh' },
      meters: { vm_cpu_mhz_hours: (mhz * 1_000_000 * (to - from)) / HOUR },
      promptTokens: null,
      cachedTokens: null,
      completionTokens: null,
    })
    const side = { kind: 'usage', eventId: createIdSource(() => from)(), record }
    offset += 1
    const records = [{ eventId: side.eventId, payload: JSON.stringify(side) }]
    assert.equal((await ingestBatch(db, { writer: 'controller-1', position: { segment: 1, offset }, records })).inserted, 1)
  }
}

type Line = { readonly meter: string; readonly quantity: string; readonly rate: string; readonly amount: string }
const short = ({ quantity, rate, amount }: Line): string => `${quantity} × ${rate} = ${amount}`

test('a price that changes within an hour while a machine runs holds for what begins from then on, and reprices nothing', async () => {
  await using db = await openLedger()
  const acme = await createOrganization(db, { name: 'Acme' })
  await mapOwner(db, { userId: USER, organizationId: acme.id })
  await mapAuthId(db, { authId: CHARGED.authId, organizationId: acme.id })
  const [old, dear] = [book('0.00001'), book('0.00003')]
  const change = TEN + 20 * MINUTE
  await applyPriceBook(db, priceBook({ text: old }))
  const memo = async (): Promise<readonly string[]> => {
    const found = await readStatement(db, { organizationId: acme.id, month: MONTH, scope: 'operator' })
    assert.ok(found?.memo !== undefined)
    // What the provider settles goes by the same prices at the same instants.
    assert.equal(found.memo.total, found.total)
    return found.memo.lines.map(short)
  }
  // It runs from 10:00; the price changes at 10:20; it gets another size at 10:40, and runs on.
  await ran(db, 2400, [TEN, TEN + 40 * MINUTE])
  await rateAll(db)
  const applied = await applyPriceBook(db, priceBook({ text: dear, effectiveFrom: change }))
  assert.equal(applied.kind, 'applied', 'the charge is of 10:00: the change governs no instant of it')
  await ran(db, 3000, [TEN + 40 * MINUTE, TEN + HOUR])
  await ran(db, 3000, [TEN + HOUR, TEN + 2 * HOUR])
  await rateAll(db)
  // 2400 × 40 min at the price of 10:00; 3000 × 20 min and × 1 h at that of 10:40 and 11:00.
  const expected = ['1600 × 0.00001 = 0.016', '4000 × 0.00003 = 0.12']
  assert.deepEqual(await memo(), expected)
  assert.deepEqual((await verifyRating(db)).differences, [])

  // What is told late is priced at its own instant, too: before the change, and at the very instant of it.
  await ran(db, 2400, [TEN - HOUR, TEN])
  await ran(db, 6000, [change, change + MINUTE])
  await rateAll(db)
  assert.deepEqual(await memo(), ['4000 × 0.00001 = 0.04', '4100 × 0.00003 = 0.123'])
  // A price cannot be put where something was charged at another.
  const third = await applyPriceBook(db, priceBook({ text: book('0.00005'), effectiveFrom: TEN + 30 * MINUTE }))
  assert.equal(third.kind, 'overlap')
  assert.deepEqual((await verifyRating(db)).differences, [])
})
