import { ingestBatches } from '@ascribe/ledger'
import type { Delivery } from '@ascribe/ledger'
import type { Database } from '@ascribe/postgres'
import type { UsageRecord } from '@ascribe/usage'
import type { RecordSource } from './synthetic-records.ts'

/** As the settler does. */
const BATCH = 5000

export type IngestRun = { readonly records: number; readonly seconds: number; readonly perSecond: number }

/** What a journal would hold of the next records. */
export function deliveriesOf(source: RecordSource, count: number): Delivery[] {
  return Array.from({ length: count }, () => {
    const record = source.next()
    return { eventId: record.eventId, payload: JSON.stringify(record) }
  })
}

let offset = 0

/** Exact ingest: check, dedupe, dirty hours and position in one transaction a batch; one connection a writer. */
export async function runIngest(db: Database, deliveries: readonly Delivery[], writers = 1): Promise<IngestRun> {
  const started = performance.now()
  let next = 0
  const work = async (writer: number): Promise<void> => {
    while (next < deliveries.length) {
      const records = deliveries.slice(next, next + BATCH)
      next += BATCH
      offset += 1
      const [summary] = await ingestBatches(db, [{ writer: `bench-${writer}`, position: { segment: 1, offset }, records }])
      if (summary?.inserted !== records.length) throw new Error(`${records.length} records were delivered, and ${JSON.stringify(summary)}`)
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => work(writer)))
  return rate(deliveries.length, started)
}

const FLOOR_COLUMNS = `event_id, instant, ended_at, request_id, auth_id, resource_id, resource_type, user_id, group_id, identified_by, route, api,
  model_asked, streamed, outcome, provenance, status, model, finish_reason, prompt_tokens, cached_tokens, completion_tokens, input_tokens,
  cached_input_tokens, output_tokens, first_byte_ms, writer, ingest_transaction`

/** The floor: a table with the same columns and a primary key, nothing else. */
export async function makeFloor(db: Database): Promise<void> {
  await db.query('create table copy_floor (like usage_record including defaults, primary key (event_id))')
}

/** Lines of COPY's text format, in pieces of 64 KiB or so; made before the clock runs. */
export function floorChunks(source: RecordSource, count: number): readonly string[] {
  const chunks: string[] = []
  for (let done = 0; done < count;) {
    let chunk = ''
    for (; done < count && chunk.length < 65_536; done += 1) chunk += floorLine(source.next())
    chunks.push(chunk)
  }
  return chunks
}

function floorLine(record: UsageRecord): string {
  const { meters } = record
  const fields = [
    record.eventId,
    new Date(record.startedAt).toISOString(),
    new Date(record.endedAt).toISOString(),
    record.requestId,
    record.authId,
    record.resourceId,
    record.resourceType,
    record.userId,
    record.groupId,
    record.identifiedBy,
    record.route,
    record.api,
    record.modelAsked,
    record.streamed ? 't' : 'f',
    record.outcome,
    record.provenance,
    record.status,
    record.model,
    record.finishReason,
    record.promptTokens,
    record.cachedTokens,
    record.completionTokens,
    meters['input_tokens'],
    meters['cached_input_tokens'],
    meters['output_tokens'],
    record.firstByteMs,
    'bench',
    1,
  ]
  return `${fields.map((field) => field ?? '\\N').join('\t')}\n`
}

/** COPY of lines that are there already: no check, no dedupe, no marks. */
export async function runFloor(db: Database, chunks: readonly string[]): Promise<IngestRun> {
  const started = performance.now()
  const records = await db.transaction((tx) => tx.copyIn(`copy copy_floor (${FLOOR_COLUMNS}) from stdin`, chunks))
  return rate(records, started)
}

function rate(records: number, started: number): IngestRun {
  const seconds = (performance.now() - started) / 1000
  return { records, seconds, perSecond: records / seconds }
}
