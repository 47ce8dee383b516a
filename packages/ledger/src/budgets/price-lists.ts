import type { ListedRates, MeterRates, PriceList } from '@ascribe/admission'
import type { Queryable } from '@ascribe/postgres'
import { ceilingRate } from '@ascribe/rating'
import type { ModelRates, PriceBook, Rates } from '@ascribe/rating'
import type { Currency, Instant } from '@ascribe/units'
import { readDatedBooks, versionsAt } from '../price-versions.ts'
import type { BookShelf, DatedBook } from '../price-versions.ts'

/**
 * The rates of a currency as budgets know them, from ever and for all that is planned: one list for each stretch of time in which the
 * same versions are in force, in order.
 */
export async function readPriceLists(
  db: Queryable,
  { currency, books }: { readonly currency: Currency; readonly books: BookShelf },
): Promise<readonly PriceList[]> {
  const versions = (await readDatedBooks(db)).filter((version) => version.currency === currency)
  const cuts = versions.flatMap(({ effectiveFrom, until }) => (until === undefined ? [effectiveFrom] : [effectiveFrom, until]))
  const lists: PriceList[] = []
  for (const start of new Set(cuts.toSorted((a, b) => a - b))) {
    const inForce = await Promise.all(versionsAt(versions, { currency, at: start }).map((version: DatedBook) => books.bookOf(db, version)))
    lists.push({ currency, ...(start !== -Infinity && { from: start }), ...flat(inForce) })
  }
  return lists
}

/** The list in force at `at` and those that come after it. */
export function listsFrom(lists: readonly PriceList[], at: Instant): readonly PriceList[] {
  const first = lists.findLastIndex(({ from = -Infinity }) => from <= at)
  return lists.slice(Math.max(0, first))
}

/** What supplements price, and over it what the full version prices. */
function flat(books: readonly PriceBook[]): ListedRates & { readonly overrides?: Readonly<Record<string, ListedRates>> } {
  const organizations = new Set(books.flatMap((book) => [...book.overrides.keys()]))
  const overrides = Object.fromEntries(
    [...organizations].map((organization) => [organization, ratesOf(books.map((book) => book.overrides.get(organization) ?? book))]),
  )
  return { ...ratesOf(books), ...(organizations.size > 0 && { overrides }) }
}

function ratesOf(books: readonly ModelRates[]): ListedRates {
  const models = merged(books.flatMap(({ models: own, fineTunes }) => [own, fineTunes]))
  const derived = merged(books.map((book) => book.derived))
  return { models, ...(Object.keys(derived).length > 0 && { derived }) }
}

/** Of one model in several, the first one's rates stand; the others fill in the meters that it lacks. */
function merged(sources: readonly ReadonlyMap<string, Rates>[]): Readonly<Record<string, MeterRates>> {
  const found: Record<string, Record<string, string>> = Object.create(null) as Record<string, Record<string, string>>
  for (const source of sources) {
    for (const [model, rates] of source) {
      const known = (found[model] ??= Object.create(null) as Record<string, string>)
      for (const [meter, price] of rates) known[meter] ??= String(ceilingRate(price))
    }
  }
  return found
}
