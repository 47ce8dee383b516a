import type { Queryable } from '@ascribe/postgres'
import { resolvePrice } from '@ascribe/rating'
import { hourOf, monthOf } from '@ascribe/units'
import type { Period } from '@ascribe/units'
import type { LedgerRecord } from '../event-json.ts'
import { streamEvents } from '../events.ts'
import { sqlInstant } from '../instants.ts'
import { streamLineRecords } from '../line-records.ts'
import { createBookShelf, readDatedBooks } from '../price-versions.ts'
import type { BookShelf, DatedBook } from '../price-versions.ts'
import { createRecount } from '../recount.ts'
import type { Fate, Recount } from '../recount.ts'
import { digestOfBits, digestOfRecord } from '../records-digest.ts'
import type { InvoiceContent, InvoiceLine } from './invoice-content.ts'

/**
 * What the records that were found prove.
 * - `exact`: they are the very records that were charged, by their number and digest.
 * - `corrected`: they are not, for others came later, or some were mapped otherwise since: adjustments say so. Records that were voided or
 *   amended after the month was closed are among those that were charged, and say what became of them.
 * - `context`: the line has no charges of its own; these are the records of the hours that it corrects, or of the month that it fills up.
 */
export type LineProof = { readonly kind: 'exact' | 'corrected' | 'context'; readonly records: number; readonly charged: bigint | undefined }

/** What a line took of one hour: a meter at one version of the prices, and the records that it covers. */
type SourceRow = {
  readonly hour: number
  readonly meter: string
  readonly price_sequence: number
  readonly base_model: string | null
  readonly records: bigint
  readonly digest: string
}

const CHARGED = `
select hour, meter, price_sequence, base_model, sum(record_count)::bigint as records, bit_xor(records_digest)::text as digest
from charge
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and model = $4::text and meter = $5::text
  and auth_id = $6::text and rate = $7::numeric
group by hour, meter, price_sequence, base_model order by hour`

const BY_THE_MONTH = `
select hour, meter, price_sequence, base_model, sum(record_count)::bigint as records, bit_xor(records_digest)::text as digest
from period_quantity
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and model = $4::text
group by hour, meter, price_sequence, base_model order by hour`

const CORRECTED = `
select distinct hour from adjustment
where organization_id = $1::uuid and booked_month = $2::date and month = $3::date and model = $4::text and meter = $5::text
  and auth_id = $6::text and hour is not null
order by hour`

/** A line of an invoice, by its number. */
export type InvoiceLineQuery = { readonly content: InvoiceContent; readonly line: number }

/** Reads the records behind lines of invoices; directory and price books are those of the moment in which it was made. */
export type LineReader = (query: InvoiceLineQuery) => AsyncGenerator<LedgerRecord, LineProof | undefined, undefined>

/**
 * Makes a reader of the records behind lines of invoices: in order, in bounded memory, with a word at the end on what they prove;
 * `undefined` when there is no such line. A line of a tier or a package leads to every record of its meter and model, since its price
 * depends on all of them; a minimum or commitment to every charged record of the month. Nothing of this is loaded with an invoice.
 */
export async function createLineReader(db: Queryable): Promise<LineReader> {
  const recount = await createRecount(db)
  const versions = new Map((await readDatedBooks(db)).map((version) => [version.sequence, version]))
  const known: Known = { recount, shelf: createBookShelf(), versions, acts: new Map() }
  return async function* readLine({ content, line: number }) {
    const line = content.lines[number - 1]
    const period = monthOf(content.month)
    if (line === undefined || period === undefined) return undefined
    switch (line.kind) {
      case 'minimum':
      case 'commitment':
        return yield* asContext(streamLineRecords(db, { organizationId: content.organization_id, month: content.month }))
      case 'adjustment':
        return yield* asContext(correctedRecords(db, content, line))
      case 'usage':
      case 'tier':
      case 'package':
      case 'included':
        return yield* chargedRecords(db, { content, line, period, known })
    }
  }
}

async function* asContext(records: AsyncGenerator<LedgerRecord>): AsyncGenerator<LedgerRecord, LineProof, undefined> {
  let count = 0
  for await (const record of records) {
    yield record
    count += 1
  }
  return { kind: 'context', records: count, charged: undefined }
}

async function* chargedRecords(
  db: Queryable,
  of: { readonly content: InvoiceContent; readonly line: InvoiceLine; readonly period: Period; readonly known: Known },
): AsyncGenerator<LedgerRecord, LineProof, undefined> {
  const { content, line, period, known } = of
  const organizationId = content.organization_id
  const sources = await sourcesOf(db, { organizationId, line, period, known })
  // Of a pool of meters one record may be covered by several rows: each counts for itself.
  let [records, covered, digest] = [0, 0n, 0n]
  const charged = sources.reduce((sum, row) => sum + row.records, 0n)
  for (const row of sources) digest ^= digestOfBits(row.digest)
  const keys = Map.groupBy(sources, ({ hour }) => hour)
  const acts = line.auth_id === '' ? NO_ACTS : await actsAfterClose(db, { month: content.month, period, known })
  const filter = {
    from: period.start,
    to: period.end,
    organizationId,
    superseded: acts.superseded.size > 0,
    ...(line.auth_id !== '' && { authId: line.auth_id }),
  }
  if (sources.length === 0) return { kind: 'exact', records, charged }
  for await (const found of streamEvents(db, filter)) {
    const rows = keys.get(hourOf(found.record.startedAt).start)
    if (rows === undefined || !countedAtClose(found, acts)) continue
    const meters = coveredMeters(found, { fate: known.recount.fateOf(found.record), organizationId, line, rows })
    if (meters.length === 0) continue
    yield found
    records += 1
    covered += BigInt(meters.length)
    for (const _meter of meters) digest ^= digestOfRecord(found.record.eventId)
  }
  // What was charged and what was found cancel each other out exactly when they are the same records.
  const isSame = digest === 0n && charged === covered && !(line.auth_id === '' && (await wasCorrected(db, content, line)))
  return { kind: isSame ? 'exact' : 'corrected', records, charged }
}

/** What acts upon records have changed after a month was closed: its charges are those of before. */
type ActsAfterClose = { readonly superseded: ReadonlySet<string>; readonly replacements: ReadonlySet<string> }

const NO_ACTS: ActsAfterClose = { superseded: new Set(), replacements: new Set() }

async function actsAfterClose(
  db: Queryable,
  { month, period, known }: { readonly month: string; readonly period: Period; readonly known: Known },
): Promise<ActsAfterClose> {
  const acts = known.acts.get(month) ?? (await readActsAfterClose(db, month, period))
  known.acts.set(month, acts)
  return acts
}

async function readActsAfterClose(db: Queryable, month: string, { start, end }: Period): Promise<ActsAfterClose> {
  const { rows } = await db.query<{ event_id: string; replacement_event_id: string | null }>(
    `select s.event_id, s.replacement_event_id from superseded_record s join record_act a using (act_id)
     where s.instant >= $1::timestamptz and s.instant < $2::timestamptz
       and a.at > (select min(closed_at) from billing_period where month >= $3::date)
       -- What came after the close was never charged: a backfill that was undone.
       and not exists (select from foreign_event f where f.event_id = s.event_id
         and f.received_at > (select min(closed_at) from billing_period where month >= $3::date))`,
    [sqlInstant(start), sqlInstant(end), `${month}-01`],
  )
  return {
    superseded: new Set(rows.map((row) => row.event_id)),
    replacements: new Set(rows.flatMap((row) => row.replacement_event_id ?? [])),
  }
}

/** Whether a record counted when its month was closed: one that was voided or amended since did, and what replaces it did not. */
function countedAtClose({ record, superseded }: LedgerRecord, acts: ActsAfterClose): boolean {
  return (superseded === undefined || acts.superseded.has(record.eventId)) && !acts.replacements.has(record.eventId)
}

/** Quantities of a month follow the facts after it was closed, too: what they made then differs if something corrects it. */
async function wasCorrected(db: Queryable, content: InvoiceContent, line: InvoiceLine): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from adjustment
     where month = $1::date and hour is null and organization_id = $2::uuid and model = $3::text and meter = $4::text limit 1`,
    [`${content.month}-01`, content.organization_id, line.model, line.meter],
  )
  return rowCount > 0
}

/** What one reader reads once for all of its lines. */
type Known = {
  readonly recount: Recount
  readonly shelf: BookShelf
  readonly versions: ReadonlyMap<number, DatedBook>
  /** By month. */
  readonly acts: Map<string, ActsAfterClose>
}

type LineOf = { readonly organizationId: string; readonly line: InvoiceLine; readonly period: Period; readonly known: Known }

async function sourcesOf(db: Queryable, { organizationId, line, period, known }: LineOf): Promise<readonly SourceRow[]> {
  const where = [organizationId, sqlInstant(period.start), sqlInstant(period.end), line.model]
  if (line.auth_id !== '') return (await db.query<SourceRow>(CHARGED, [...where, line.meter, line.auth_id, line.rate])).rows
  const { rows } = await db.query<SourceRow>(BY_THE_MONTH, where)
  const own: SourceRow[] = []
  for (const row of rows) {
    const version = known.versions.get(row.price_sequence)
    if (version === undefined) continue
    const key = { organizationId, model: line.model, baseModel: row.base_model ?? undefined }
    const price = resolvePrice(await known.shelf.bookOf(db, version), key)?.rates.get(row.meter)
    // Meters that are priced together stand on the line of one of them.
    if (typeof price === 'object' && price.kind !== 'provider' && price.pool === line.meter) own.push(row)
  }
  return own
}

/** The meters of a record that the line has charged, as things stand now. */
function coveredMeters(
  { record }: LedgerRecord,
  of: { readonly fate: Fate; readonly organizationId: string; readonly line: InvoiceLine; readonly rows: readonly SourceRow[] },
): readonly string[] {
  const { fate, organizationId, line, rows } = of
  if (fate.state !== 'charged' || fate.organizationId !== organizationId || fate.model !== line.model) return []
  return Object.entries(record.meters)
    .filter(([, quantity]) => quantity > 0)
    .map(([meter]) => meter)
    .filter((meter) =>
      rows.some((row) => row.meter === meter && row.price_sequence === fate.price?.sequence && row.base_model === fate.baseModel),
    )
}

async function* correctedRecords(db: Queryable, content: InvoiceContent, line: InvoiceLine): AsyncGenerator<LedgerRecord, void, undefined> {
  const { rows } = await db.query<{ hour: number }>(CORRECTED, [
    content.organization_id,
    `${content.month}-01`,
    `${line.corrects ?? content.month}-01`,
    line.model,
    line.meter,
    line.auth_id,
  ])
  // A mapping that was corrected took them away from this organization: they are shown all the same, for they were billed to it.
  for (const { hour } of rows) {
    const filter = { from: hour, to: hourOf(hour).end, ...(line.auth_id !== '' && { authId: line.auth_id }) }
    for await (const found of streamEvents(db, filter)) {
      if ((found.record.meters[line.meter] ?? 0) > 0) yield found
    }
  }
}
