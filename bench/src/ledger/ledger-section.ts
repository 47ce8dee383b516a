import type { Delivery } from '@ascribe/ledger'
import { number } from '../report.ts'
import type { Section } from '../report.ts'
import type { LedgerSetting } from '../setting.ts'
import { runBacklog } from './backlog-run.ts'
import { deliveriesOf, floorChunks, makeFloor, runFloor, runIngest } from './ingest-run.ts'
import type { IngestRun } from './ingest-run.ts'
import { openLedgerWorld } from './ledger-world.ts'
import type { LedgerWorld } from './ledger-world.ts'
import { compareWithRecords, rerate, runQueries, runRating } from './rating-run.ts'
import { MONTH_HOURS, recordSource } from './synthetic-records.ts'
import type { RecordSource } from './synthetic-records.ts'

/** Records of one round of ingest: enough for many batches, few enough for their texts to be in memory. */
const ROUND = 100_000
const ROUND_QUICK = 20_000
const ROUNDS = 5
/** The claim is about so many, in a month of 720 hours. Fewer are put into fewer hours, so that an hour is as full as one of the claim. */
const RATED = 10_000_000
const RECORDS_PER_HOUR = RATED / MONTH_HOURS
const RERATED_HOURS_MAX = 8

/** The ledger on the embedded server with the settings that users get: ingest beside COPY, rating, the bill, a backlog. */
export async function measureLedger(setting: LedgerSetting): Promise<Section> {
  const { quick, progress, scratch } = setting
  progress('starting a ledger')
  await using world = await openLedgerWorld(scratch)
  const rounds = quick ? 2 : ROUNDS
  const round = Math.min(quick ? ROUND_QUICK : ROUND, Math.ceil(setting.records / (2 * rounds)))
  const total = Math.max(setting.records, 2 * rounds * round)
  const hours = Math.min(MONTH_HOURS, Math.ceil(total / RECORDS_PER_HOUR))
  const source = recordSource({ count: total, hours })
  const ingest = await measureIngest(world, { source, round, rounds, progress })
  await load(world, source, { count: total - 2 * rounds * round, progress })
  const rated = await measureRating(world, { total, rerated: Math.max(1, Math.min(RERATED_HOURS_MAX, Math.floor(hours / 2))), progress })
  progress('a backlog in a journal')
  // Into hours after those that were rated, as long as the month has any: to rate full hours again is measured by itself.
  const backlogHours = Math.min(MONTH_HOURS, Math.ceil(setting.backlog / RECORDS_PER_HOUR))
  const startHour = Math.min(hours, MONTH_HOURS - backlogHours)
  const backlogSource = recordSource({ count: setting.backlog, hours: backlogHours, startHour })
  const backlog = await runBacklog(world.db, { scratch, source: backlogSource, count: setting.backlog })
  const backlogWrong = await compareWithRecords(world.db, world.organizations)
  return sectionOf({ ingest, rated, backlog, backlogWrong, total, serverVersion: world.serverVersion })
}

type Ingest = {
  readonly floor: readonly IngestRun[]
  readonly one: readonly IngestRun[]
  readonly two: readonly IngestRun[]
  readonly ratios: readonly number[]
}

async function measureIngest(
  { db }: LedgerWorld,
  { source, round, rounds, progress }: { source: RecordSource; round: number; rounds: number; progress: (what: string) => void },
): Promise<Ingest> {
  await makeFloor(db)
  const floorSource = recordSource({ count: round * (2 * rounds + 2) })
  await runFloor(db, floorChunks(floorSource, round))
  const [floor, one, two]: [IngestRun[], IngestRun[], IngestRun[]] = [[], [], []]
  const ratios: number[] = []
  for (let done = 0; done < rounds; done += 1) {
    progress(`ingest, round ${done + 1} of ${rounds}`)
    const [before, single, double] = [floorChunks(floorSource, round), deliveriesOf(source, round), deliveriesOf(source, round)]
    const first = await runFloor(db, before)
    const exact = await runIngest(db, single)
    const twice = await runIngest(db, double, 2)
    const last = await runFloor(db, floorChunks(floorSource, round))
    floor.push(first, last)
    one.push(exact)
    two.push(twice)
    ratios.push(exact.perSecond / ((first.perSecond + last.perSecond) / 2))
  }
  await db.query('drop table copy_floor')
  return { floor, one, two, ratios }
}

async function load(
  { db }: LedgerWorld,
  source: RecordSource,
  { count, progress }: { count: number; progress: (what: string) => void },
): Promise<void> {
  for (let left = count; left > 0; left -= ROUND) {
    if (left % 1_000_000 < ROUND) progress(`loading, ${number(left)} records to go`)
    const deliveries: Delivery[] = deliveriesOf(source, Math.min(left, ROUND))
    await runIngest(db, deliveries, 2)
  }
}

type Rated = {
  readonly cold: { readonly hours: number; readonly seconds: number }
  readonly part: { readonly hours: number; readonly seconds: number }
  readonly query: { readonly p50Ms: number; readonly p99Ms: number; readonly queries: number }
  readonly wrong: readonly string[]
}

async function measureRating(
  { db, organizations }: LedgerWorld,
  { total, rerated, progress }: { total: number; rerated: number; progress: (what: string) => void },
): Promise<Rated> {
  // As autovacuum would have, given the time that a real month has.
  await db.query('analyze usage_record')
  progress(`rating ${number(total)} records, cold`)
  const cold = await runRating(db)
  // The middle one of a few: a checkpoint in one of them is not what is asked about.
  const parts = []
  for (let time = 0; time < 3; time += 1) parts.push(await rerate(db, rerated))
  const [, part = cold] = parts.toSorted((a, b) => a.seconds - b.seconds)
  await db.query('analyze charge, usage_hour')
  progress('statements')
  await runQueries(db, organizations, 1)
  const query = await runQueries(db, organizations, 3)
  return { cold, part, query, wrong: await compareWithRecords(db, organizations) }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const perSecond = (runs: readonly IngestRun[]): number => median(runs.map((run) => run.perSecond))

/** What two steps come to that each record takes one after the other. */
const inTurn = (first: number, second: number): number => 1 / (1 / first + 1 / second)

type Measured = {
  readonly ingest: Ingest
  readonly rated: Rated
  readonly backlog: IngestRun
  readonly backlogWrong: readonly string[]
  readonly total: number
  readonly serverVersion: string
}

function sectionOf({ ingest, rated, backlog, backlogWrong, total, serverVersion }: Measured): Section {
  const { cold, part, query, wrong } = rated
  const ratedPerSecond = total / cold.seconds
  const hourMs = (run: { readonly hours: number; readonly seconds: number }): number => (run.seconds * 1000) / run.hours
  return {
    name: 'ledger',
    title: `The ledger, PostgreSQL ${serverVersion} as it is embedded, fsync on; ${number(total)} records of a month, 100 organizations`,
    columns: ['', 'records/s', 'x COPY'],
    rows: [
      ['COPY, primary key, no checks (floor)', number(perSecond(ingest.floor)), '1'],
      ['exact ingest, one writer', number(perSecond(ingest.one)), number(median(ingest.ratios))],
      ['exact ingest, two writers', number(perSecond(ingest.two)), number(perSecond(ingest.two) / perSecond(ingest.floor))],
      [
        `backlog of ${number(backlog.records)}: shipped and rated`,
        number(backlog.perSecond),
        number(backlog.perSecond / perSecond(ingest.floor)),
      ],
      ['rating, cold', number(ratedPerSecond), number(ratedPerSecond / perSecond(ingest.floor))],
    ],
    notes: [
      `rating: ${number(cold.hours)} hours in ${number(cold.seconds)} s, ${number(hourMs(cold))} ms an hour; ${part.hours} dirty hours in ${number(part.seconds * 1000)} ms, ${number(hourMs(part))} ms an hour`,
      `statement of a month: p50 ${number(query.p50Ms)} ms, p99 ${number(query.p99Ms)} ms, ${query.queries} of them`,
      ...[...wrong, ...backlogWrong].map((what) => `WRONG: ${what}`),
    ],
    targets: [
      { what: 'exact ingest, one writer, of COPY with a primary key', value: median(ingest.ratios), limit: 0.4, kind: 'least', unit: ' x' },
      { what: `rating ${number(RATED)} records, at this rate`, value: RATED / ratedPerSecond, limit: 60, kind: 'most', unit: ' s' },
      { what: 'an hour rated again, of an hour rated cold', value: hourMs(part) / hourMs(cold), limit: 2, kind: 'most', unit: ' x' },
      { what: 'month of an organization, p50', value: query.p50Ms, limit: 5, kind: 'most', unit: ' ms' },
      {
        what: 'organizations whose statement is not their records',
        value: wrong.length + backlogWrong.length,
        limit: 0,
        kind: 'most',
        unit: '',
      },
      {
        what: 'backlog shipped and rated, of fresh records ingested and rated',
        value: backlog.perSecond / inTurn(perSecond(ingest.one), ratedPerSecond),
        limit: 0.7,
        kind: 'least',
        unit: ' x',
      },
    ],
    raw: { ingest, rated, backlog, total, serverVersion },
  }
}
