import { listOrganizations, readPriceVersion } from '@ascribe/ledger'
import type { LedgerRecord } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { priceGroup } from '@ascribe/rating'
import type { PriceBook } from '@ascribe/rating'
import { formatNano, isCloudAuthId } from '@ascribe/units'
import { versionsInForce } from './book-in-force.ts'

/** Says what a record comes to by the prices of its instant, for people to read along. The ledger's charges are the truth: they are rounded once for an hour, not for a record. */
export type Pricer = { moneyOf(found: LedgerRecord): Promise<{ readonly kind: 'priced' | 'held'; readonly text: string }> }

export function createPricer(db: Database): Pricer {
  const books = new Map<number, PriceBook | undefined>()
  const currencies = new Map<string, string>()

  async function currencyOf(organizationId: string): Promise<string | undefined> {
    if (!currencies.has(organizationId)) for (const { id, currency } of await listOrganizations(db)) currencies.set(id, currency)
    return currencies.get(organizationId)
  }

  async function booksAt(currency: string, instant: number): Promise<readonly PriceBook[]> {
    // Asked each time: a new version may have come, and this is one short query for each line that a person reads.
    const found: PriceBook[] = []
    for (const sequence of await versionsInForce(db, currency, instant)) {
      if (!books.has(sequence)) books.set(sequence, (await readPriceVersion(db, sequence))?.book)
      const book = books.get(sequence)
      if (book !== undefined) found.push(book)
    }
    return found
  }

  return {
    async moneyOf({ record, organizationId }) {
      if (record.outcome === 'upstream_error' && record.provenance === 'unknown') return { kind: 'held', text: 'nothing to bill' }
      if (record.provenance === 'unknown') return { kind: 'held', text: 'held: unknown' }
      if (organizationId === undefined) return { kind: 'held', text: 'held: nobody’s' }
      const currency = (await currencyOf(organizationId)) ?? 'USD'
      const model = record.model ?? record.modelAsked
      const quantities = Object.fromEntries(Object.entries(record.meters).map(([meter, quantity]) => [meter, BigInt(quantity)]))
      const group = {
        quantities,
        organizationId,
        isMachine: isCloudAuthId(record.authId),
        ...(model !== undefined && { model }),
        ...(record.baseModel !== undefined && { baseModel: record.baseModel }),
      }
      const all = (await booksAt(currency, record.startedAt)).map((book) => priceGroup(book, group))
      const priced = all.find((each) => each.kind === 'priced')
      if (priced === undefined) return { kind: 'held', text: 'held: no price' }
      const amount = priced.charges.reduce((sum, each) => sum + each.amount, 0n)
      const period = priced.period.length === 0 ? '' : `, and ${priced.period.map(({ meter }) => meter).join(', ')} by the month`
      return { kind: 'priced', text: `${formatNano(amount)} ${currency}${period}` }
    },
  }
}
