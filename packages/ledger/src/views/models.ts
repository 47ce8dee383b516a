import type { Database } from '@ascribe/postgres'
import type { Rates } from '@ascribe/rating'
import type { Currency, Instant } from '@ascribe/units'
import { readDatedBooks, shelfOf, versionsAt } from '../price-versions.ts'

/**
 * The base models that have a price in a currency at an instant, by name; prices of an organization's own name no others. Only what counts tokens: machines
 * are not asked. Fine-tunes are not told, for a book does not say whose they are.
 */
export async function readModels(
  db: Database,
  { currency, at }: { readonly currency: Currency; readonly at: Instant },
): Promise<readonly string[]> {
  const shelf = shelfOf(db)
  const found = new Set<string>()
  for (const version of versionsAt(await readDatedBooks(db), { currency, at })) {
    const { models } = await shelf.bookOf(db, version)
    for (const [model, rates] of models) if (countsTokens(rates)) found.add(model)
  }
  return [...found].toSorted()
}

function countsTokens(rates: Rates): boolean {
  const meters = [...rates.keys()]
  return meters.some((meter) => meter.endsWith('_tokens')) && !meters.some((meter) => meter.endsWith('_hours'))
}
