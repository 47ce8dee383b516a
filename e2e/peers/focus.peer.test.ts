import assert from 'node:assert/strict'
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { applyPriceBook, closeMonth, createOrganization, ingestBatch, ledgerMigrations, mapAuthId, rateDirtyHours } from '@ascribe/ledger'
import {
  FOCUS_HEADER,
  addTaxRule,
  createCreditNote,
  focusLine,
  grantCredit,
  issueInvoice,
  streamExportRows,
  textOf,
} from '@ascribe/ledger/money'
import type { ExportRow, RowSelection } from '@ascribe/ledger/money'
import { testDatabase } from '@ascribe/postgres/testing'
import type { TestDatabase } from '@ascribe/postgres/testing'
import { createIdSource } from '@ascribe/units'
import { temporaryDir } from '../support/product.ts'
import { validator } from './focus/validator.ts'
import { validate } from './focus/validate.ts'
import type { Verdict } from './focus/validate.ts'

// The official focus-validator on our exports: of usage, tiers, packages, minimums, corrections, credits, taxes, rounding and credit notes.

const available = await validator()

const HOUR = 3_600_000
const MARCH = Date.UTC(2026, 2, 1)
const APRIL = Date.UTC(2026, 3, 1)
const MAY = Date.UTC(2026, 4, 1)
const PRICES = `version: 1
per: million
base_models:
  plain: { prompt: "0.2", cached: "0.05", completion: "0.6" }
  rich:
    prompt: "12.3"
    cached: "0"
    completion: { mode: graduated, tiers: [{ up_to: 100, price: "3000" }, { price: "2000.5" }] }
    meters: { images: { package: 10, price: "0.5", included: 5 }, vm_cpu_mhz_seconds: "0.000000000001" }
minimums:
  - { amount: "1.5" }
`

/**
 * Rules of the validator that hold for no file of the kind: InvoiceId-C-004-C wants it null, InvoiceId-C-005-C wants it there, for every
 * row of every file.
 */
const IMPOSSIBLE: Readonly<Record<'open' | 'invoiced', string>> = {
  open: 'InvoiceId-C-005-C :: Nullability',
  invoiced: 'InvoiceId-C-004-C :: Nullability',
}

describe('focus-validator on our FOCUS 1.2', { skip: available.skip }, () => {
  const dir = temporaryDir()
  let db: TestDatabase

  before(async () => {
    db = await testDatabase({ migrations: await ledgerMigrations() })
    await fill(db)
  })
  after(async () => {
    await db[Symbol.asyncDispose]()
    dir[Symbol.dispose]()
  })

  async function exported(select: RowSelection): Promise<string> {
    const file = join(dir.path, `${select}.csv`)
    const rows = streamExportRows(db, { from: MARCH, to: MAY, select })
    const text = textOf(rows, { header: FOCUS_HEADER, line: (row: ExportRow) => focusLine(row) })
    await pipeline(Readable.from(text), createWriteStream(file))
    return file
  }

  async function verdictOn(file: string): Promise<Verdict> {
    assert.ok(available.skip === false)
    return validate(available.installed, { file, report: `${file}.xml` })
  }

  for (const select of ['open', 'invoiced'] as const) {
    test(`${select} rows: of the rules that are run all hold but one, which excludes another`, async () => {
      const { tests, skipped, failures } = await verdictOn(await exported(select))
      assert.ok(tests - skipped > 240, `only ${tests - skipped} of ${tests} rules were run`)
      assert.deepEqual(failures, [IMPOSSIBLE[select]])
    })
  }

  test('a file that is wrong is seen, although the validator ends with 0', async () => {
    const file = await exported('open')
    const [header = '', first = '', ...rest] = readFileSync(file, 'utf8').split('\r\n')
    // Without the currency of its first row.
    writeFileSync(file, [header, first.replace(/,USD,/g, ',,'), ...rest].join('\r\n'))
    const { failures } = await verdictOn(file)
    assert.ok(
      failures.some((name) => name.startsWith('BillingCurrency-C-004-M')),
      failures.join(),
    )
  })
})

/** Two months of two customers: March closed, one of them invoiced, both corrected afterwards; April open. */
async function fill(db: TestDatabase): Promise<void> {
  await applyPriceBook(db, { text: PRICES, file: 'prices.yaml', effectiveFrom: 'beginning', appliedBy: 'peer' })
  const acme = await createOrganization(db, { name: 'Acme, "Ltd"' })
  const other = await createOrganization(db, { name: '=Other' })
  await mapAuthId(db, { authId: 'auth-1', organizationId: acme.id, userId: 'ann' })
  await mapAuthId(db, { authId: '@auth-2', organizationId: other.id })
  let offset = 0
  const deliver = async (at: number, authId: string, model: string, meters: Readonly<Record<string, number>>): Promise<void> => {
    offset += 1
    const eventId = createIdSource(() => at)()
    const record = {
      eventId,
      startedAt: at,
      requestId: eventId,
      authId,
      resourceId: meters['vm_cpu_mhz_seconds'] === undefined ? 'chat' : 'vm-1',
      identifiedBy: 'headers',
      route: 'default',
      api: 'chat',
      modelAsked: model,
      streamed: false,
      endedAt: at + 1,
      outcome: 'completed',
      provenance: 'reported',
      status: 200,
      model,
      promptTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
      meters,
    }
    await ingestBatch(db, { writer: 'peer', position: { segment: 1, offset }, records: [{ eventId, payload: JSON.stringify(record) }] })
  }
  const rate = async (): Promise<void> => {
    while ((await rateDirtyHours(db)).more);
  }
  for (let hour = 0; hour < 6; hour += 1) {
    for (const authId of ['auth-1', '@auth-2'])
      await deliver(MARCH + hour * HOUR, authId, 'plain', { input_tokens: 100 + hour, cached_input_tokens: 7, output_tokens: 3 })
  }
  await deliver(MARCH, 'auth-1', 'rich', { input_tokens: 3, output_tokens: 130, images: 27 })
  await deliver(MARCH, 'auth-1', 'rich', { vm_cpu_mhz_seconds: 123_456_789 })
  await deliver(APRIL, 'auth-1', 'plain', { input_tokens: 10 })
  await rate()
  assert.equal((await closeMonth(db, { month: '2026-03', closedBy: 'peer' })).kind, 'closed')
  await grantCredit(db, { organizationId: acme.id, amount: 100_000n, kind: 'trial', effectiveFrom: MARCH, by: 'peer' })
  await addTaxRule(db, {
    name: 'VAT',
    ratePercent: '19',
    organizationId: undefined,
    country: undefined,
    note: '',
    effectiveFrom: '2026-01-01',
    by: 'peer',
  })
  const issued = await issueInvoice(db, { organizationId: acme.id, month: '2026-03', at: APRIL, by: 'peer' })
  assert.ok(issued.outcome === 'issued')
  const lines = [{ line: 0, amount: 200_300_000n }]
  await createCreditNote(db, { invoiceId: issued.id, lines, reason: 'goodwill', at: APRIL + HOUR, by: 'peer' })
  await deliver(MARCH + 1, 'auth-1', 'plain', { input_tokens: 5 })
  await deliver(MARCH + 2, 'auth-1', 'rich', { output_tokens: 5 })
  await rate()
}
