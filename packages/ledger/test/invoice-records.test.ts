import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { applyPriceBook, closeMonth, createOrganization, mapAuthId, readStatement, voidRecords } from '../src/index.ts'
import type { LedgerRecord } from '../src/index.ts'
import { createLineReader, findInvoice, issueInvoice, readInvoiceContent } from '../src/money.ts'
import type { InvoiceContent, InvoiceLine, LineProof } from '../src/money.ts'
import { ISSUED, nano, openMoneyLedger } from './money-support.ts'
import { DEAR_BOOK, HOUR, TEN, createCustomer, deliver, priceBook, rateAll, usageRecord } from './support.ts'

/** Half-way through 10:00: from here on everything of `small` is ten times as dear, and `large` is priced in tiers and packages. */
const DEARER = TEN + HOUR / 2
const TIERED = `${DEAR_BOOK.replace(
  /  large:.*\n/,
  `  large:
    prompt: "0.0001"
    cached: "0.00001"
    completion: { mode: graduated, tiers: [{ up_to: 100, price: "3" }, { price: "2" }] }
    meters: { images: { package: 10, price: "5", included: 5 } }
`,
)}minimums:
  - { amount: "1000000" }
`

let db: TestDatabase
let march: InvoiceContent
let april: InvoiceContent

const invoiceOf = async (organizationId: string, month: string): Promise<InvoiceContent> => {
  const issued = await issueInvoice(db, { organizationId, month, at: ISSUED, by: 'test' })
  assert.equal(issued.outcome, 'issued')
  const found = await findInvoice(db, 'number' in issued ? issued.number : '')
  const content = await readInvoiceContent(db, found?.id ?? '')
  assert.ok(content !== undefined)
  return content
}

before(async () => {
  db = await openMoneyLedger()
  await applyPriceBook(db, priceBook({ text: TIERED, effectiveFrom: DEARER }))
  const { id } = await createCustomer(db)
  await mapAuthId(db, { authId: 'auth-2', organizationId: id })
  const other = await createOrganization(db, { name: 'Other' })
  const at = (minutes: number): number => TEN + minutes * 60_000
  const voided = usageRecord({ startedAt: at(31), meters: { input_tokens: 40 } })
  await deliver(db, [
    usageRecord({ startedAt: at(1), meters: { input_tokens: 10, output_tokens: 1 } }),
    usageRecord({ startedAt: at(2), meters: { input_tokens: 20 } }),
    voided,
    usageRecord({ startedAt: at(32), authId: 'auth-2', meters: { input_tokens: 80 } }),
    usageRecord({ startedAt: at(33), model: 'large', meters: { output_tokens: 60, reasoning_tokens: 50 } }),
    usageRecord({ startedAt: at(95), model: 'large', authId: 'auth-2', meters: { output_tokens: 70, images: 7 } }),
    usageRecord({ startedAt: at(34), authId: 'nobody', meters: { input_tokens: 5 } }),
    usageRecord({ startedAt: Date.UTC(2026, 3, 1), meters: { input_tokens: 3 } }),
  ])
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: '2026-03', closedBy: 'test', force: true })).kind, 'closed')
  march = await invoiceOf(id, '2026-03')
  // After the invoice: a late record, one that turns out to be another organization's, and one that is void.
  await deliver(db, [usageRecord({ startedAt: at(3), meters: { input_tokens: 1000 } })])
  await mapAuthId(db, { authId: 'auth-2', organizationId: other.id, from: TEN + HOUR })
  await voidRecords(db, { eventIds: [voided.eventId], actor: 'ann', reason: 'sent twice' })
  await rateAll(db)
  assert.equal((await closeMonth(db, { month: '2026-04', closedBy: 'test' })).kind, 'closed')
  april = await invoiceOf(id, '2026-04')
})
after(() => db[Symbol.asyncDispose]())

async function follow(
  content: InvoiceContent,
  line: number,
): Promise<{ readonly records: LedgerRecord[]; readonly proof: LineProof | undefined }> {
  const stream = (await createLineReader(db))({ content, line })
  const records: LedgerRecord[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done === true) return { records, proof: next.value }
    records.push(next.value)
  }
}

const lineOf = (content: InvoiceContent, is: Partial<InvoiceLine>): InvoiceLine => {
  const found = content.lines.filter((line) => Object.entries(is).every(([name, value]) => line[name as keyof InvoiceLine] === value))
  assert.equal(found.length, 1, `${JSON.stringify(is)} in ${JSON.stringify(content.lines, null, 1)}`)
  return found[0] as InvoiceLine
}

test('createLineReader() tells two rates of one model, key and meter apart, also within an hour', async () => {
  const cheap = lineOf(march, { model: 'small', auth_id: 'auth-1', meter: 'input_tokens', rate: '0.000001' })
  const dear = lineOf(march, { model: 'small', auth_id: 'auth-1', meter: 'input_tokens', rate: '0.00001' })
  const quantities = async (line: InvoiceLine): Promise<readonly (number | undefined)[]> =>
    (await follow(march, line.line)).records.map(({ record }) => record.meters['input_tokens'])
  assert.deepEqual(await quantities(dear), [40])
  // The late record came after the invoice: it is found beside those that were charged, and the proof says so.
  assert.deepEqual(await quantities(cheap), [10, 20, 1000])
  assert.deepEqual((await follow(march, dear.line)).proof, { kind: 'exact', records: 1, charged: 1n })
  assert.deepEqual((await follow(march, cheap.line)).proof, { kind: 'corrected', records: 3, charged: 2n })
})

test('createLineReader() finds a record that was voided after it was billed, and says what became of it', async () => {
  const dear = lineOf(march, { model: 'small', auth_id: 'auth-1', meter: 'input_tokens', rate: '0.00001' })
  const { records, proof } = await follow(march, dear.line)
  assert.deepEqual([records.map(({ superseded }) => superseded?.kind), proof?.kind], [['void'], 'exact'])
  assert.ok(april.lines.some(({ kind, amount }) => kind === 'adjustment' && amount === '-0.0004'))
})

test('createLineReader() leads lines of tiers and packages to the records of all keys that count for them', async () => {
  const tier = march.lines.find(({ kind, model }) => kind === 'tier' && model === 'large')
  assert.ok(tier !== undefined, JSON.stringify(march.lines))
  const { records, proof } = await follow(march, tier.line)
  // auth-2 belongs to another organization by now; what is found of this one is still proven not to be all.
  assert.deepEqual([records.map(({ record }) => record.meters['output_tokens']), proof?.kind], [[60], 'corrected'])
})

test('killbill-1022: every line of an invoice exports the usage events behind it, and their quantities are the line', async () => {
  const line = lineOf(april, { kind: 'usage', meter: 'input_tokens', auth_id: 'auth-1' })
  const { records, proof } = await follow(april, line.line)
  assert.deepEqual(proof, { kind: 'exact', records: 1, charged: 1n })
  assert.equal(
    records.reduce((sum, { record }) => sum + (record.meters['input_tokens'] ?? 0), 0),
    Number(line.quantity),
  )
})

test('createLineReader() leads an adjustment to the records of the hours that it corrects', async () => {
  const adjustments = april.lines.filter(({ kind }) => kind === 'adjustment')
  assert.ok(adjustments.length > 0)
  const late = adjustments.find(({ model, rate }) => model === 'small' && rate === '0.000001')
  assert.ok(late !== undefined, JSON.stringify(adjustments))
  const { records, proof } = await follow(april, late.line)
  assert.ok(records.some(({ record }) => record.meters['input_tokens'] === 1000))
  assert.equal(proof?.kind, 'context')
})

test('createLineReader() leads a minimum to everything that counts for it', async () => {
  const minimum = lineOf(march, { kind: 'minimum' })
  const { records, proof } = await follow(march, minimum.line)
  assert.ok(records.length >= 4)
  assert.equal(proof?.kind, 'context')
  assert.equal((await follow(march, 99)).proof, undefined)
})

test('an issued invoice stays what it is after its month has been corrected, and so does its statement', async () => {
  const statement = await readStatement(db, { organizationId: march.organization_id, month: '2026-03', scope: 'operator' })
  assert.equal(statement?.total, march.subtotal)
  assert.equal(nano(march.subtotal), nano('1000000'))
})
