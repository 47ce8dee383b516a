import { listOrganizations, readPriceVersion } from '@ascribe/ledger'
import type { LedgerRecord } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { priceGroup } from '@ascribe/rating'
import type { PriceBook } from '@ascribe/rating'
import { formatNano } from '@ascribe/units'
import { versionInForce } from './book-in-force.ts'

/** Says what a record comes to by the prices of its instant, for people to read along. The ledger's charges are the truth: they are rounded once for an hour, not for a record. */
export type Pricer = { moneyOf(found: LedgerRecord): Promise<{ readonly kind: 'priced' | 'held'; readonly text: string }> }

export function createPricer(db: Database): Pricer {
  const books = new Map<number, PriceBook | undefined>()
  const currencies = new Map<string, string>()

  async function currencyOf(organizationId: string): Promise<string | undefined> {
    if (!currencies.has(organizationId)) for (const { id, currency } of await listOrganizations(db)) currencies.set(id, currency)
    return currencies.get(organizationId)
  }

  async function bookAt(currency: string, instant: number): Promise<PriceBook | undefined> {
    // Asked each time: a new version may have come, and this is one short query for each line that a person reads.
    const inForce = await versionInForce(db, currency, instant)
    if (inForce === undefined) return undefined
    if (!books.has(inForce.sequence)) books.set(inForce.sequence, (await readPriceVersion(db, inForce.sequence))?.book)
    return books.get(inForce.sequence)
  }

  return {
    async moneyOf({ record, organizationId }) {
      if (record.outcome === 'upstream_error' && record.provenance === 'unknown') return { kind: 'held', text: 'nothing to bill' }
      if (record.provenance === 'unknown') return { kind: 'held', text: 'held: unknown' }
      if (organizationId === undefined) return { kind: 'held', text: 'held: nobody’s' }
      const currency = (await currencyOf(organizationId)) ?? 'USD'
      const book = await bookAt(currency, record.startedAt)
      const model = record.model ?? record.modelAsked
      const quantities = Object.fromEntries(Object.entries(record.meters).map(([meter, quantity]) => [meter, BigInt(quantity)]))
      const group = {
        quantities,
        ...(model !== undefined && { model }),
        ...(record.baseModel !== undefined && { baseModel: record.baseModel }),
      }
      const priced = book === undefined ? undefined : priceGroup(book, group)
      if (priced?.kind !== 'priced') return { kind: 'held', text: 'held: no price' }
      return { kind: 'priced', text: `${formatNano(priced.charges.reduce((sum, { amount }) => sum + amount, 0n))} ${currency}` }
    },
  }
}
