import type { Queryable } from '@ascribe/postgres'
import { resolvePrice } from '@ascribe/rating'
import type { PriceBook, Rates } from '@ascribe/rating'
import { isCloudAuthId } from '@ascribe/units'
import type { Currency, Instant, Period } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { countedSql } from './counted-sql.ts'
import { sqlInstant } from './instants.ts'
import { createBookShelf, readDatedBooks } from './price-versions.ts'
import type { BookShelf, DatedBook } from './price-versions.ts'
import { idBoundsSql } from './partitions.ts'
import type { UsageState } from './rate-groups.ts'
import { RECORD_COLUMNS, recordOfRow } from './record-row.ts'
import type { RecordRow } from './record-row.ts'

/*
 * The rater groups in SQL and prices sums; here is the same question answered one record at a time, without its code: what became
 * of this record? It checks the rater, and finds the records behind a line.
 */

export type Fate = {
  readonly state: UsageState
  readonly organizationId: string | null
  readonly userId: string | null
  readonly groupId: string | null
  /** What prices go by. */
  readonly model: string | null
  /** Where it decides the rate, or the lack of one. */
  readonly baseModel: string | null
  /** Of a charged record. */
  readonly price?: { readonly sequence: number; readonly rates: Rates; readonly version: PricedVersion }
}

type Mapping = {
  readonly from: number
  /** Null: nobody's. */
  readonly organizationId: string | null
  readonly userId: string | null
  readonly groupId: string | null
  readonly currency: Currency | null
}

/** A version with its book. */
export type PricedVersion = DatedBook & { readonly book: PriceBook }

/** Directory and price books of one moment, held in memory: some 200 bytes a mapping. */
export type Recount = {
  fateOf(record: UsageRecord): Fate
  /** Whose records it can tell of. */
  readonly authIds: readonly string[]
}

export type RecountOptions = {
  /** Only auth ids that are, or were, this organization's: for those who show its records. Default: all. */
  readonly organizationId?: string
  /** Of those only this one. */
  readonly authId?: string
  /** Parsed books. Default: a shelf of its own. */
  readonly books?: BookShelf
}

/** Reads what is needed to tell the fate of any record. In a `repeatable read` transaction it fits the records read in the same one. */
export async function createRecount(db: Queryable, options: RecountOptions = {}): Promise<Recount> {
  const mappings = await readMappings(db, options)
  const books = await readBooks(db, options.books ?? createBookShelf())

  function mappingOf(record: UsageRecord): Mapping | undefined {
    return mappings.get(record.authId)?.findLast((mapping) => mapping.from <= record.startedAt)
  }

  return {
    authIds: [...mappings.keys()],
    fateOf(record) {
      const mapping = mappingOf(record)
      const model = pricedModel(record)
      const base = {
        organizationId: mapping?.organizationId ?? null,
        userId: mapping?.userId ?? null,
        groupId: mapping?.groupId ?? null,
        model,
        baseModel: null,
      }
      const used = Object.entries(record.meters).filter(([, quantity]) => quantity > 0)
      if ((record.outcome === 'upstream_error' || record.api === 'free') && used.length === 0) return { ...base, state: 'free' }
      if (mapping === undefined || mapping.organizationId === null || contradicts(record.claimedOrganizationId, mapping.organizationId))
        return { ...base, state: 'unattributed' }
      if (record.provenance === 'unknown' || Object.keys(record.meters).length === 0) return { ...base, state: 'unknown' }
      if (used.length === 0) return { ...base, state: 'free' }
      const timeline = books.get(mapping.currency ?? '') ?? []
      const key = { ...priceKey(model, record.baseModel), organizationId: mapping.organizationId, isMachine: isCloudAuthId(record.authId) }
      const [found] = candidates(timeline, record.startedAt).flatMap((version) => {
        const resolved = resolvePrice(version.book, key)
        return resolved !== undefined && used.every(([meter]) => resolved.rates.has(meter)) ? [{ version, resolved }] : []
      })
      if (found === undefined) return { ...base, baseModel: record.baseModel ?? null, state: 'unpriced' }
      const { version, resolved } = found
      const baseModel = resolved.via === 'base_model' ? (record.baseModel ?? null) : null
      return { ...base, baseModel, state: 'charged', price: { sequence: version.sequence, rates: resolved.rates, version } }
    },
  }
}

/** The full version in force, then the supplements in force, in the order in which they were applied. */
function candidates(timeline: readonly PricedVersion[], at: Instant): readonly PricedVersion[] {
  const full = timeline.filter((version) => version.until === undefined && version.effectiveFrom <= at)
  const latest = Math.max(...full.map(({ effectiveFrom }) => effectiveFrom))
  const newest = full
    .filter(({ effectiveFrom }) => effectiveFrom === latest)
    .toSorted((a, b) => a.sequence - b.sequence)
    .slice(-1)
  const supplements = timeline.filter(({ effectiveFrom, until }) => until !== undefined && effectiveFrom <= at && at < until)
  return [...newest, ...supplements.toSorted((a, b) => a.sequence - b.sequence)]
}

function pricedModel(record: UsageRecord): string | null {
  if (record.model !== undefined) return record.model
  const isWhole = record.outcome === 'completed' && (record.provenance === 'reported' || record.provenance === 'unknown')
  return isWhole ? null : (record.modelAsked ?? null)
}

function contradicts(claimed: string | undefined, organizationId: string): boolean {
  return claimed !== undefined && claimed.replaceAll('-', '').toLowerCase() !== organizationId.replaceAll('-', '')
}

function priceKey(model: string | null, baseModel: string | undefined): { model?: string; baseModel?: string } {
  return { ...(model === null ? {} : { model }), ...(baseModel === undefined ? {} : { baseModel }) }
}

type MappingRow = {
  readonly auth_id: string
  readonly valid_from: number
  readonly organization_id: string | null
  readonly user_id: string | null
  readonly group_id: string | null
  readonly currency: string | null
}

const MAPPINGS = `
select m.auth_id, m.valid_from, m.organization_id, m.user_id, m.group_id, o.currency
from auth_mapping m left join organization o on o.organization_id = m.organization_id`
const IN_ORDER = 'order by m.valid_from, m.revision'
// Two statements, so that the one of a single organization is by the index auth_mapping_organization whatever the other one is.
const OWN_MAPPINGS = `${MAPPINGS}
where m.auth_id in (select auth_id from auth_mapping where organization_id = $1::uuid) and ($2::text is null or m.auth_id = $2::text) ${IN_ORDER}`

async function readMappings(db: Queryable, { organizationId, authId }: RecountOptions): Promise<ReadonlyMap<string, readonly Mapping[]>> {
  const { rows } =
    organizationId === undefined
      ? await db.query<MappingRow>(`${MAPPINGS} ${IN_ORDER}`)
      : await db.query<MappingRow>(OWN_MAPPINGS, [organizationId, authId ?? null])
  const mappings = new Map<string, Mapping[]>()
  for (const row of rows) {
    const { organization_id: owner, user_id: userId, group_id: groupId, currency } = row
    mappings.getOrInsertComputed(row.auth_id, () => []).push({ from: row.valid_from, organizationId: owner, userId, groupId, currency })
  }
  return mappings
}

async function readBooks(db: Queryable, shelf: BookShelf): Promise<ReadonlyMap<Currency, readonly PricedVersion[]>> {
  const books = new Map<Currency, PricedVersion[]>()
  for (const version of await readDatedBooks(db)) {
    const priced = { ...version, book: await shelf.bookOf(db, version) }
    books.getOrInsertComputed(version.currency, () => []).push(priced)
  }
  return books
}

/** Records read at once: the bound on memory. */
const PAGE = 2000

/** Every record of a period, in order of (instant, event id). */
export async function* readRecords(db: Queryable, period: Period): AsyncGenerator<UsageRecord, void, undefined> {
  let after: { readonly instant: Instant; readonly eventId: string } = {
    instant: period.start - 1,
    eventId: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  }
  for (;;) {
    const { rows }: { readonly rows: readonly RecordRow[] } = await db.query<RecordRow>(
      `select ${RECORD_COLUMNS} from usage_record r
       where (r.instant, r.event_id) > ($1::timestamptz, $2::uuid) and r.instant < $3::timestamptz and ${countedSql()}
         and ${idBoundsSql('$1::timestamptz', '$3::timestamptz')}
       order by r.instant, r.event_id limit ${PAGE}`,
      [sqlInstant(after.instant), after.eventId, sqlInstant(period.end)],
    )
    for (const row of rows) yield recordOfRow(row)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = { instant: last.instant, eventId: last.event_id }
  }
}
