import type { Values } from './constants.ts'

/** What a load of so many requests a second needs. Counts are of machines or processes, and are whole. */
export type Plan = {
  readonly requestsPerSecond: number
  readonly gatewayCores: number
  readonly gatewayMachines: number
  /** What journals write, in MB/s over all gateways. */
  readonly journalMbPerSecond: number
  /** Streams of the broker; 0: the journals' own disks are enough. */
  readonly streams: number
  readonly brokerMbPerSecond: number
  /** Settlers that ingest, and the databases that they ingest into. */
  readonly ingestWriters: number
  readonly databases: number
  readonly raters: number
  readonly recordsPerDay: number
  /** Of records and their indexes, in GB a day over all databases. */
  readonly databaseGbPerDay: number
  /** ClickHouse nodes for analytics; 0 where PostgreSQL's rollups do. */
  readonly clickhouseNodes: number
  readonly clickhouseGbPerDay: number
}

const DAY_S = 86_400
/** Beyond a billion records in a quarter analytics go to ClickHouse. */
const QUARTER_DAYS = 90
const CLICKHOUSE_FROM = 1_000_000_000
const MEGA = 1e6
const GIGA = 1e9

/** Computes a plan: pure, from the constants and nothing else. */
export function planFor(requestsPerSecond: number, values: Values): Plan {
  const usable = values.targetUtilization
  const whole = (needed: number): number => Math.max(1, Math.ceil(needed - 1e-9))
  const cpuUs = values.gatewayCpuUs + values.streamShare * values.streamEvents * values.streamCpuUs
  // An intent and a settlement each.
  const byJournal = (2 * requestsPerSecond) / (values.journalRecordsPerSecond * usable)
  const gatewayCores = whole(Math.max((requestsPerSecond * cpuUs) / (MEGA * usable), byJournal))
  const gatewayMachines = whole(gatewayCores / values.gatewayCores)
  const ingestWriters = whole(requestsPerSecond / (values.ingestPerSecond * usable))
  // A database whose cores are half busy with ingest has the other half for rating, reads and vacuum.
  const writersEach = Math.max(1, values.databaseCores / 2)
  const messages = requestsPerSecond / values.batchRecords
  const recordsPerDay = requestsPerSecond * DAY_S
  const needsClickhouse = recordsPerDay * QUARTER_DAYS > CLICKHOUSE_FROM
  const bytes = requestsPerSecond * values.journalBytes
  const byMessages = messages / (values.natsPerSecond * usable)
  const byBytes = bytes / (values.streamMbPerSecond * MEGA)
  return {
    requestsPerSecond,
    gatewayCores,
    gatewayMachines,
    journalMbPerSecond: bytes / MEGA,
    streams: gatewayMachines === 1 ? 0 : whole(Math.max(byMessages, byBytes)),
    brokerMbPerSecond: gatewayMachines === 1 ? 0 : (bytes * values.copies) / MEGA,
    ingestWriters,
    databases: whole(ingestWriters / writersEach),
    raters: whole(requestsPerSecond / (values.ratingPerSecond * usable)),
    recordsPerDay,
    databaseGbPerDay: (recordsPerDay * values.recordBytes) / GIGA,
    clickhouseNodes: needsClickhouse ? whole(requestsPerSecond / (values.clickhousePerSecond * usable)) : 0,
    clickhouseGbPerDay: needsClickhouse ? (recordsPerDay * values.clickhouseBytes) / GIGA : 0,
  }
}

/** The most that one machine of `cores` cores holds with everything on it: gateways, settler, database. */
export function oneBox(
  cores: number,
  values: Values,
): { readonly requestsPerSecond: number; readonly bound: 'gateway and ledger share its cores' | 'one writer of records' } {
  const cpuUs = values.gatewayCpuUs + values.streamShare * values.streamEvents * values.streamCpuUs
  // Client and server together keep a core busy at the measured rate of a writer, and two at that of a rater.
  const ledgerUs = MEGA / values.ingestPerSecond + (2 * MEGA) / values.ratingPerSecond
  const byCores = (cores * MEGA * values.targetUtilization) / (cpuUs + ledgerUs)
  const byWriter = values.ingestPerSecond * values.targetUtilization
  return byCores <= byWriter
    ? { requestsPerSecond: Math.floor(byCores), bound: 'gateway and ledger share its cores' }
    : { requestsPerSecond: Math.floor(byWriter), bound: 'one writer of records' }
}

export type BurstRun = {
  /** The most that waited in journals or streams, in records. */
  readonly backlogMax: number
  /** Seconds from the end of the burst until nothing waits. */
  readonly drainedAfterS: number
  readonly journalGbMax: number
}

/**
 * Plays a burst second by second: so many requests a second for a while, against what ingest takes in; then the load that stays.
 * `Infinity` for a load that ingest never catches up with.
 */
export function playBurst(
  {
    normal,
    burst,
    burstSeconds,
    ingestPerSecond,
  }: { readonly normal: number; readonly burst: number; readonly burstSeconds: number; readonly ingestPerSecond: number },
  values: Values,
): BurstRun {
  let [backlog, backlogMax] = [0, 0]
  for (let second = 0; second < burstSeconds; second += 1) {
    backlog = Math.max(0, backlog + burst - ingestPerSecond)
    backlogMax = Math.max(backlogMax, backlog)
  }
  let drainedAfterS = 0
  if (backlog > 0 && ingestPerSecond <= normal) drainedAfterS = Infinity
  for (; backlog > 0 && Number.isFinite(drainedAfterS); drainedAfterS += 1) backlog = Math.max(0, backlog + normal - ingestPerSecond)
  return { backlogMax, drainedAfterS, journalGbMax: (backlogMax * values.journalBytes) / GIGA }
}
