import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openJournalWriter } from '@ascribe/journal'
import { silentLogger, silentMeters, systemClock } from '@ascribe/kit'
import type { Database } from '@ascribe/postgres'
import { tryLock } from '@ascribe/service'
import { createSettler } from '@ascribe/settler'
import type { RecordSource } from './synthetic-records.ts'

/** Requests that settle at once while the backlog is made. */
const CONCURRENCY = 1000
/** Beyond what any backlog here takes: a gateway would refuse earlier. */
const RETAINED_BYTES_MAX = 256 * 1024 ** 3

export type BacklogRun = { readonly records: number; readonly seconds: number; readonly perSecond: number }

/** Fills a journal while no settler runs, then lets one drain it: ships all of it, and rates. */
export async function runBacklog(
  db: Database,
  { scratch, source, count }: { readonly scratch: string; readonly source: RecordSource; readonly count: number },
): Promise<BacklogRun> {
  const root = join(scratch, 'journal')
  mkdirSync(root, { recursive: true })
  await fill(root, source, count)
  const settler = createSettler({
    db,
    journal: root,
    policy: join(scratch, 'policy.json'),
    tryLock,
    clock: systemClock,
    logger: silentLogger,
    meters: silentMeters,
  })
  const before = await countRecords(db)
  const started = performance.now()
  await settler.pass()
  const seconds = (performance.now() - started) / 1000
  const shipped = Number((await countRecords(db)) - before)
  if (shipped !== count) throw new Error(`${count} records were in the journal, ${shipped} came out`)
  return { records: count, seconds, perSecond: count / seconds }
}

async function fill(root: string, source: RecordSource, count: number): Promise<void> {
  await using writer = await openJournalWriter({
    root,
    tryLock,
    clock: systemClock,
    logger: silentLogger,
    retainedBytesMax: RETAINED_BYTES_MAX,
  })
  let left = count
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const record = source.next()
      await writer.intend(record.eventId, JSON.stringify({ startedAt: record.startedAt, authId: record.authId }))
      await writer.settle(record.eventId, JSON.stringify(record))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
}

async function countRecords(db: Database): Promise<bigint> {
  const { rows } = await db.query<{ count: bigint }>('select count(*) as count from usage_record')
  return rows[0]?.count ?? 0n
}
