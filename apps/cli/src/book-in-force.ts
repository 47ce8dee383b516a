import { listPriceVersions, readPriceVersion } from '@ascribe/ledger'
import type { PriceVersion } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { versionAt } from '@ascribe/rating'

/** The full price version of a currency that is in force at an instant; `undefined`: none. */
export async function versionInForce(db: Database, currency: string, at: number): Promise<PriceVersion | undefined> {
  const versions = (await listPriceVersions(db)).filter((version) => version.kind === 'full' && version.currency === currency)
  const dated = versions.map((version) => ({
    sequence: version.sequence,
    effectiveFrom: version.effectiveFrom === 'beginning' ? Number.NEGATIVE_INFINITY : version.effectiveFrom,
  }))
  const inForce = versionAt(dated, at)
  return versions.find(({ sequence }) => sequence === inForce?.sequence)
}

/** The books in force now, of every currency that has one, as their files held them. */
export async function booksInForce(db: Database): Promise<readonly { readonly file: string; readonly text: string }[]> {
  const currencies = [...new Set((await listPriceVersions(db)).map(({ currency }) => currency))]
  const found = []
  for (const currency of currencies) {
    const version = await versionInForce(db, currency, Date.now())
    const read = version === undefined ? undefined : await readPriceVersion(db, version.sequence)
    if (version !== undefined && read !== undefined) found.push({ file: version.file, text: read.text })
  }
  return found
}

/** The versions that may price something at an instant, in the order in which they are asked: the full one, then supplements. */
export async function versionsInForce(db: Database, currency: string, at: number): Promise<readonly number[]> {
  const full = await versionInForce(db, currency, at)
  const supplements = (await listPriceVersions(db)).filter(
    ({ kind, currency: of, effectiveFrom, effectiveUntil = Infinity }) =>
      kind === 'supplement' && of === currency && (effectiveFrom === 'beginning' || effectiveFrom <= at) && at < effectiveUntil,
  )
  return [...(full === undefined ? [] : [full]), ...supplements].map(({ sequence }) => sequence)
}
