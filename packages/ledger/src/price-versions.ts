import { parsePriceBook, versionAt } from '@ascribe/rating'
import type { Dated, PriceBook } from '@ascribe/rating'
import type { Database, Queryable } from '@ascribe/postgres'
import type { Currency, Instant } from '@ascribe/units'
import { startOf } from './instants.ts'
import type { Start } from './instants.ts'

/**
 * - `full`: in force until the next full version of its currency.
 * - `supplement`: in [effectiveFrom, effectiveUntil), and only for what no full version and no earlier supplement prices there.
 */
export type PriceVersionKind = 'full' | 'supplement'

/** One applied price book. It never changes. */
export type PriceVersion = {
  readonly sequence: number
  readonly kind: PriceVersionKind
  readonly currency: Currency
  readonly effectiveFrom: Start
  /** Of a supplement. */
  readonly effectiveUntil?: Instant
  /** Hex SHA-256 of the file's bytes. */
  readonly sha256: string
  readonly file: string
  /** UTC epoch milliseconds. */
  readonly appliedAt: number
  readonly appliedBy: string
}

/** What the rater needs of a version. `effectiveFrom` is `-Infinity` for the beginning of time. */
export type DatedBook = Dated & {
  readonly currency: Currency
  readonly sha256: string
  /** Where it ends, of a supplement; a full version has none. */
  readonly until?: Instant
}

type VersionRow = {
  readonly sequence: number
  readonly kind: PriceVersionKind
  readonly effective_until: number | null
  readonly currency: string
  readonly effective_from: number
  readonly sha256: string
  readonly file: string
  readonly applied_at: number
  readonly applied_by: string
}

const TEXT = new TextDecoder()

/** Every price version, in the order in which they were applied. */
export async function listPriceVersions(db: Queryable): Promise<readonly PriceVersion[]> {
  const { rows } = await db.query<VersionRow>(
    'select sequence, kind, currency, effective_from, effective_until, sha256, file, applied_at, applied_by from price_version order by sequence',
  )
  return rows.map((row) => ({
    sequence: row.sequence,
    kind: row.kind,
    currency: row.currency,
    effectiveFrom: startOf(row.effective_from),
    ...(row.effective_until !== null && { effectiveUntil: row.effective_until }),
    sha256: row.sha256,
    file: row.file,
    appliedAt: row.applied_at,
    appliedBy: row.applied_by,
  }))
}

/** The text of a version as it was applied, and its book; `undefined` when there is no such version. */
export async function readPriceVersion(
  db: Queryable,
  sequence: number,
): Promise<{ readonly text: string; readonly book: PriceBook } | undefined> {
  const { rows } = await db.query<{ source: Uint8Array; file: string }>(
    'select source, file from price_version where sequence = $1::integer',
    [sequence],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const text = TEXT.decode(row.source)
  return { text, book: parsePriceBook(text, { file: row.file }) }
}

/** All versions of all currencies, without their text, in the order in which they were applied. */
export async function readDatedBooks(db: Queryable): Promise<readonly DatedBook[]> {
  const { rows } = await db.query<VersionRow>(
    'select sequence, currency, effective_from, effective_until, sha256 from price_version order by sequence',
  )
  return rows.map((row) => ({
    sequence: row.sequence,
    effectiveFrom: row.effective_from,
    currency: row.currency,
    sha256: row.sha256,
    ...(row.effective_until !== null && { until: row.effective_until }),
  }))
}

/** The versions of a currency that may price something at an instant, in the order in which they are asked: the full one first. */
export function versionsAt(
  versions: readonly DatedBook[],
  { currency, at }: { readonly currency: Currency; readonly at: Instant },
): readonly DatedBook[] {
  const own = versions.filter((version) => version.currency === currency)
  const full = versionAt(
    own.filter(({ until }) => until === undefined),
    at,
  )
  const supplements = own.filter(({ effectiveFrom, until }) => until !== undefined && effectiveFrom <= at && at < until)
  return [...(full === undefined ? [] : [full]), ...supplements]
}

/** Parsed books by content. A book never changes, so a shelf is never stale; it holds no more than there are versions. */
export type BookShelf = { bookOf(db: Queryable, version: Pick<DatedBook, 'sequence' | 'sha256'>): Promise<PriceBook> }

/** Makes an empty shelf; parsing a large book for each hour would cost more than rating it. */
export function createBookShelf(): BookShelf {
  const books = new Map<string, PriceBook>()
  return {
    async bookOf(db, version) {
      const known = books.get(version.sha256)
      if (known !== undefined) return known
      const read = await readPriceVersion(db, version.sequence)
      if (read === undefined) throw new Error(`price version ${version.sequence} is gone`)
      books.set(version.sha256, read.book)
      return read.book
    },
  }
}

/** The parts of a period in which the same versions are in force, in order. */
export function slicesOf(
  period: { readonly start: Instant; readonly end: Instant },
  versions: readonly DatedBook[],
): readonly { readonly start: Instant; readonly end: Instant }[] {
  const ends = versions.flatMap(({ effectiveFrom, until }) => (until === undefined ? [effectiveFrom] : [effectiveFrom, until]))
  const cuts = ends.filter((at) => at > period.start && at < period.end)
  const starts = [period.start, ...new Set(cuts.toSorted((a, b) => a - b))]
  return starts.map((start, index) => ({ start, end: starts[index + 1] ?? period.end }))
}

const shelves = new WeakMap<Database, BookShelf>()

/** The shelf of a database: for those who read again and again. It lives as long as the database is open. */
export function shelfOf(db: Database): BookShelf {
  const shelf = shelves.get(db) ?? createBookShelf()
  shelves.set(db, shelf)
  return shelf
}
