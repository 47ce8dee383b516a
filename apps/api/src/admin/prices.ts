import { applyPrices, diffPrices, listPrices } from '@ascribe/contract/admin'
import type { ApplyPrices, PriceOutcome } from '@ascribe/contract/admin'
import { applyPriceBook, listPriceVersions, readKnownOrganizations, readPriceVersion } from '@ascribe/ledger'
import type { PriceVersion, Start } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import { PriceBookError, diffBooks, parsePriceBook } from '@ascribe/rating'
import { formatInstant } from '@ascribe/units'
import { Refusal } from '../errors.ts'
import { route } from '../handler.ts'
import type { RequestContext, Route } from '../handler.ts'
import { authorOf, instantOf } from './by.ts'
import { linesReply } from './lines.ts'

export const priceRoutes: readonly Route[] = [
  route(applyPrices, (context, { body }) => readable(() => apply(context, body))),
  route(diffPrices, ({ db, clock }, { body }) => readable(() => plan(db, body, clock()))),
  route(listPrices, async ({ db }) => linesReply((await listPriceVersions(db)).map(versionJson))),
]

/** What stands in messages where there is no file. */
const FILE = 'request'

/** A book that is none is the caller's to mend. */
async function readable<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof PriceBookError) throw new Refusal('invalid_request', thrown.message, { cause: thrown })
    throw thrown
  }
}

async function apply({ db, caller, note }: RequestContext, { text, effectiveFrom }: ApplyPrices): Promise<PriceOutcome> {
  const start = startOf(effectiveFrom)
  const outcome = await applyPriceBook(db, {
    text,
    file: FILE,
    appliedBy: authorOf(caller),
    ...(start !== undefined && { effectiveFrom: start }),
  })
  switch (outcome.kind) {
    case 'applied': {
      const { sequence, currency } = outcome
      note({ version: sequence, currency })
      return { outcome: 'applied', sequence, currency, effectiveFrom: startJson(outcome.effectiveFrom), diff: { ...outcome.diff } }
    }
    case 'unchanged': {
      const { sequence, currency } = outcome
      return { outcome: 'unchanged', sequence, currency, effectiveFrom: startJson(outcome.effectiveFrom), diff: {} }
    }
    case 'overlap':
      throw new Refusal(
        'conflict',
        `It would govern ${outcome.records} records that have been charged, the first at ${formatInstant(outcome.firstInstant)}. What has been charged is never repriced.`,
      )
  }
}

/** Compared with the book that is in force at the instant from which this one would be. */
async function plan(db: Database, { text, effectiveFrom }: ApplyPrices, now: number): Promise<PriceOutcome> {
  const book = parsePriceBook(text, { file: FILE, organizations: await readKnownOrganizations(db) })
  const start = startOf(effectiveFrom) ?? now
  const versions = (await listPriceVersions(db)).filter(({ kind, currency }) => kind === 'full' && currency === book.currency)
  const inForce = versions
    .filter((version) => order(version.effectiveFrom) <= order(start))
    .toSorted(bySince)
    .at(-1)
  const before = inForce === undefined ? undefined : (await readPriceVersion(db, inForce.sequence))?.book
  return { outcome: 'planned', currency: book.currency, effectiveFrom: startJson(start), diff: { ...diffBooks(before, book) } }
}

const order = (start: Start): number => (start === 'beginning' ? -Infinity : start)

function bySince(a: PriceVersion, b: PriceVersion): number {
  const [first, second] = [order(a.effectiveFrom), order(b.effectiveFrom)]
  return first === second ? a.sequence - b.sequence : first < second ? -1 : 1
}

function startOf(text: string | undefined): Start | undefined {
  return text === undefined || text === 'beginning' ? text : instantOf(text)
}

function startJson(start: Start): string | null {
  return start === 'beginning' ? null : formatInstant(start)
}

function versionJson({ sequence, kind, currency, effectiveFrom, effectiveUntil, sha256, appliedAt, appliedBy }: PriceVersion): object {
  return {
    sequence,
    kind,
    currency,
    effectiveFrom: startJson(effectiveFrom),
    ...(effectiveUntil !== undefined && { effectiveUntil: formatInstant(effectiveUntil) }),
    sha256,
    appliedAt: formatInstant(appliedAt),
    appliedBy,
  }
}
