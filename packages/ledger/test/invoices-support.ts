import assert from 'node:assert/strict'
import { after } from 'node:test'
import type { TestDatabase } from '@ascribe/postgres/testing'
import type { Organization } from '../src/index.ts'
import { issueInvoice } from '../src/money/issue-invoice.ts'
import type { InvoiceOutcome, IssueRequest } from '../src/money/issue-invoice.ts'
import { readInvoiceContent } from '../src/money/read-invoices.ts'
import { ISSUED, closeMarch, customerWithUsage, openMoneyLedger } from './money-support.ts'
import { HOUR, MONTH, TEN } from './support.ts'

export const DAY: number = 24 * HOUR
/** At 0.000001 each, 12.345678. */
const TOKENS = 12_345_678

export type Issued = Extract<InvoiceOutcome, { readonly outcome: 'issued' | 'exists' }>

export type Invoices = {
  readonly db: TestDatabase
  /** The names of all customers. */
  readonly names: readonly string[]
  readonly customer: (name: string) => Organization
  /** Issues March to the customer of this name; the numbers begin with it. */
  readonly issue: (name: string, fields?: Partial<IssueRequest>) => Promise<Issued>
  readonly contentOf: (id: string) => Promise<NonNullable<Awaited<ReturnType<typeof readInvoiceContent>>>>
}

/**
 * A ledger of one's own, gone after the tests, in which March is closed. Each of `customers` owes 24.691356 for it; `many-0` and so on, as many
 * as are asked for, owe a tenth of a cent.
 */
export async function openInvoices({
  customers: wanted,
  many = 0,
}: {
  readonly customers: readonly string[]
  readonly many?: number
}): Promise<Invoices> {
  const db = await openMoneyLedger()
  after(() => db[Symbol.asyncDispose]())
  const customers = new Map<string, Organization>()
  for (const name of wanted) customers.set(name, await customerWithUsage(db, { name, tokens: TOKENS, at: [TEN, TEN + 10 * DAY] }))
  for (let index = 0; index < many; index += 1) {
    const name = `many-${index}`
    customers.set(name, await customerWithUsage(db, { name, tokens: 1000 + index, at: [TEN] }))
  }
  await closeMarch(db)

  const customer = (name: string): Organization => {
    const found = customers.get(name)
    assert.ok(found !== undefined, name)
    return found
  }
  return {
    db,
    names: [...customers.keys()],
    customer,
    async issue(name, fields = {}) {
      const outcome = await issueInvoice(db, {
        organizationId: customer(name).id,
        month: MONTH,
        at: ISSUED,
        by: 'test',
        prefix: `${name}-`,
        ...fields,
      })
      assert.ok(outcome.outcome === 'issued' || outcome.outcome === 'exists', outcome.outcome)
      return outcome
    },
    async contentOf(id) {
      const content = await readInvoiceContent(db, id)
      assert.ok(content !== undefined)
      return content
    },
  }
}
