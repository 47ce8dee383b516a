import { number } from '../report.ts'
import type { Section } from '../report.ts'
import type { LedgerSetting } from '../setting.ts'
import { deliveriesOf, runIngest } from './ingest-run.ts'
import { openLedgerWorld } from './ledger-world.ts'
import { compareWithRecords, runQueries, runRating } from './rating-run.ts'
import { recordSource } from './synthetic-records.ts'

const CHUNK = 100_000
/** Parts of the soak; after each, what is dirty is rated, and a line is written. */
const PARTS = 10
const MIB = 1024 * 1024

type Part = {
  readonly records: number
  readonly perSecond: number
  readonly ratingSeconds: number
  readonly memoryMib: number
  readonly queryMs: number
}

/** Many records, in and rated, with a look at memory and at the price of a statement as the tables grow. Only when it is asked for. */
export async function measureLedgerSoak(setting: LedgerSetting): Promise<Section> {
  const { progress, scratch, soakRecords } = setting
  await using world = await openLedgerWorld(scratch)
  const source = recordSource({ count: soakRecords })
  const parts: Part[] = []
  for (let part = 0; part < PARTS; part += 1) {
    const count = Math.floor(soakRecords / PARTS)
    progress(`soak, part ${part + 1} of ${PARTS}: ${number(count)} records`)
    let seconds = 0
    for (let done = 0; done < count; done += CHUNK) {
      seconds += (await runIngest(world.db, deliveriesOf(source, Math.min(CHUNK, count - done)), 2)).seconds
    }
    const rating = await runRating(world.db)
    const query = await runQueries(world.db, world.organizations, 1)
    parts.push({
      records: count,
      perSecond: count / seconds,
      ratingSeconds: rating.seconds,
      memoryMib: process.memoryUsage.rss() / MIB,
      queryMs: query.p50Ms,
    })
  }
  const wrong = await compareWithRecords(world.db, world.organizations)
  const [first, last] = [parts[1] ?? parts[0], parts.at(-1)]
  return {
    name: 'ledger-soak',
    title: `${number(soakRecords)} synthetic records into one ledger, in ${PARTS} parts`,
    columns: ['part', 'records/s', 'rating s', 'memory MiB', 'statement ms'],
    rows: parts.map((part, index) => [
      String(index + 1),
      number(part.perSecond),
      number(part.ratingSeconds),
      number(part.memoryMib),
      number(part.queryMs),
    ]),
    notes: wrong.map((what) => `WRONG: ${what}`),
    targets: [
      { what: 'organizations whose statement is not their records', value: wrong.length, limit: 0, kind: 'most', unit: '' },
      {
        what: 'ingest of the last part, of the second',
        value: (last?.perSecond ?? 0) / (first?.perSecond ?? 1),
        limit: 0.7,
        kind: 'least',
        unit: ' x',
      },
      {
        what: 'memory of the last part, of the second',
        value: (last?.memoryMib ?? 0) / (first?.memoryMib ?? 1),
        limit: 1.5,
        kind: 'most',
        unit: ' x',
      },
    ],
    raw: parts,
  }
}
