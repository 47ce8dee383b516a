import type { Queryable } from '@ascribe/postgres'
import { hourOf, monthOf } from '@ascribe/units'
import type { Instant, Period } from '@ascribe/units'
import type { LedgerRecord } from '../event-json.ts'
import { streamEvents } from '../events.ts'
import { sqlInstant } from '../instants.ts'
import { streamLineRecords } from '../line-records.ts'
import { createRecount } from '../recount.ts'
import type { Fate } from '../recount.ts'
import { digestOfBits, digestOfRecord } from '../records-digest.ts'
import type { InvoiceContent, InvoiceLine } from './invoice-content.ts'

/**
 * What the records that were found prove.
 * - `exact`: they are the very records that were charged, by their number and digest.
 * - `corrected`: they are not, for some of them were corrected, voided or mapped otherwise since: adjustments say so.
 * - `context`: the line has no charges of its own; these are the records of the hours that it corrects, or of the month that it fills up.
 */
export type LineProof = { readonly kind: 'exact' | 'corrected' | 'context'; readonly records: number; readonly charged: bigint | undefined }

type HourRow = { readonly hour: number; readonly keys: readonly string[]; readonly records: bigint | null; readonly digest: string | null }

/** The sources of a line, by hour: prices and base models that it took, records that it covers. */
const CHARGED = `
select hour, array_agg(distinct price_sequence::text || ' ' || coalesce(base_model, '')) as keys,
  sum(record_count)::bigint as records, bit_xor(records_digest)::text as digest
from charge
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and model = $4::text and meter = $5::text
  and auth_id = $6::text and rate = $7::numeric
group by hour order by hour`

const BY_THE_MONTH = `
select hour, array_agg(distinct price_sequence::text || ' ' || coalesce(base_model, '')) as keys,
  sum(record_count)::bigint as records, bit_xor(records_digest)::text as digest
from period_quantity
where organization_id = $1::uuid and hour >= $2::timestamptz and hour < $3::timestamptz and model = $4::text and meter = $5::text
group by hour order by hour`

const CORRECTED = `
select distinct hour from adjustment
where organization_id = $1::uuid and booked_month = $2::date and month = $3::date and model = $4::text and meter = $5::text
  and auth_id = $6::text and hour is not null
order by hour`

/**
 * Reads the records behind a line of an invoice, in order, in bounded memory, and says at its end what they prove. Follow a line of a
 * tier or a package to every record of its meter and model, since its price depends on all of them; a minimum or commitment to every
 * charged record of the month. Nothing of this is loaded with an invoice. `undefined` when there is no such line.
 */
export async function* streamInvoiceLineRecords(
  db: Queryable,
  { content, line: number }: { readonly content: InvoiceContent; readonly line: number },
): AsyncGenerator<LedgerRecord, LineProof | undefined, undefined> {
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
      return yield* chargedRecords(db, { content, line, period })
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
  { content, line, period }: { readonly content: InvoiceContent; readonly line: InvoiceLine; readonly period: Period },
): AsyncGenerator<LedgerRecord, LineProof, undefined> {
  const organizationId = content.organization_id
  const byMonth = line.auth_id === ''
  const where = [organizationId, sqlInstant(period.start), sqlInstant(period.end), line.model, line.meter]
  const { rows } = await db.query<HourRow>(byMonth ? BY_THE_MONTH : CHARGED, byMonth ? where : [...where, line.auth_id, line.rate])
  const recount = await createRecount(db)
  let [found, charged, digest] = [0, 0n, 0n]
  for (const { hour, keys, records, digest: bits } of rows) {
    charged += records ?? 0n
    digest ^= bits === null ? 0n : digestOfBits(bits)
    for await (const record of recordsOfHour(db, { organizationId, line, hour })) {
      if (!isCharged(recount.fateOf(record.record), { organizationId, line, keys })) continue
      yield record
      found += 1
      digest ^= digestOfRecord(record.record.eventId)
    }
  }
  // What was charged and what was found cancel each other out exactly when they are the same records.
  return { kind: digest === 0n && charged === BigInt(found) ? 'exact' : 'corrected', records: found, charged }
}

function isCharged(
  fate: Fate,
  { organizationId, line, keys }: { readonly organizationId: string; readonly line: InvoiceLine; readonly keys: readonly string[] },
): boolean {
  if (fate.state !== 'charged' || fate.organizationId !== organizationId || fate.model !== line.model) return false
  return keys.includes(`${fate.price?.sequence ?? ''} ${fate.baseModel ?? ''}`)
}

/** The records of an hour that have the meter of a line, and its auth id if it names one; whosever they are now. */
async function* recordsOfHour(
  db: Queryable,
  { organizationId, line, hour }: { readonly organizationId: string | undefined; readonly line: InvoiceLine; readonly hour: Instant },
): AsyncGenerator<LedgerRecord, void, undefined> {
  const filter = {
    from: hour,
    to: hourOf(hour).end,
    ...(organizationId === undefined ? {} : { organizationId }),
    ...(line.auth_id === '' ? {} : { authId: line.auth_id }),
  }
  for await (const record of streamEvents(db, filter)) {
    if ((record.record.meters[line.meter] ?? 0) > 0) yield record
  }
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
  for (const { hour } of rows) yield* recordsOfHour(db, { organizationId: undefined, line, hour })
}
