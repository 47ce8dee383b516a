import { faultsOf, median } from './compare.ts'
import type { Contestant } from './contestants.ts'
import { measureDisk } from './disk.ts'
import type { Field } from './field.ts'
import type { PeerResult } from './peer.ts'
import { processTree } from './processes.ts'
import { number } from './report.ts'
import type { Section, Target } from './report.ts'
import { requestBytes } from './requests.ts'
import type { Setting } from './setting.ts'

const RATE = 10_000
/** Also measured, for machines that cannot take the rate of the claim. */
const CALM_RATE = 2_000
const CONNECTIONS = 256
/** A short stream: its first byte does not wait for the journal, its last one does. */
const EVENTS = 1
/** With no more than this added by nginx, microseconds of a proxy can be believed. */
const NGINX_US_MAX = 30
/** The journal starts commits this far apart under load, and up to four times as far while the event loop rests less than half of the time. */
const COMMIT_INTERVAL_US = 1_000
const COMMIT_BUSY_FACTOR = 4
const COMMIT_BUSY_FROM = 0.5
const FIRST_BYTE_US = 50
const FIRST_BYTE_P99_US = 1_500
const WARM_COUNT = 60_000

type Entry = { readonly name: string; readonly contestant: Contestant; readonly rate: number }
type Line = {
  readonly name: string
  readonly rate: number
  readonly first: number
  readonly last: number
  readonly runs: readonly PeerResult[]
}

/** What a proxy adds to the first and the last byte of a reply, at a steady rate of requests. */
export async function measureLatency(setting: Setting, field: Field): Promise<Section> {
  const { peer, quick, progress } = setting
  progress(`added latency at ${RATE} requests/s, open loop`)
  const direct: Contestant = { ...field.relay, name: 'no proxy', pid: 0, port: peer.port }
  const all = [direct, ...(field.nginx ? [field.nginx] : []), field.relay, field.gateway, field.gatewayAsync]
  const calm = [direct, ...(field.nginx ? [field.nginx] : []), field.gateway]
  const runs = new Map<Entry, PeerResult[]>([
    ...all.map((contestant): [Entry, PeerResult[]] => [{ name: contestant.name, contestant, rate: RATE }, []]),
    ...calm.map((contestant): [Entry, PeerResult[]] => [
      { name: `${contestant.name}, ${number(CALM_RATE)}/s`, contestant, rate: CALM_RATE },
      [],
    ]),
  ])
  const disk: number[] = []
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    disk.push((await measureDisk(setting.scratch, quick ? 200 : 500)).p50)
    for (const [entry, results] of runs) results.push(await run(setting, entry, results.length > 0))
  }
  const lines = [...runs].map(([{ name, rate }, results]) => lineOf(name, rate, results))
  const floorAt = (rate: number): Pick<Line, 'first' | 'last'> => lines.find((line) => line.rate === rate) ?? { first: 0, last: 0 }
  const floor = floorAt(RATE)
  const nginx = lines.find(({ name }) => name === field.nginx?.name)
  const gateway = lines.find(({ name }) => name === field.gateway.name)
  const pacingUs = pacingOf(gateway)
  const commitUs = pacingUs + median(disk)
  return {
    name: 'latency',
    title: `Added latency: streams of ${EVENTS + 2} events, ${number(RATE)} requests/s, Poisson arrivals, from the due instant to the body's byte`,
    columns: ['p50, µs', 'first byte', 'added', 'last byte', 'added', 'first p99', 'last p99'],
    rows: lines.map((line) => rowOf(line, floorAt(line.rate))),
    notes: [
      `this disk: fdatasync of one 4 KiB overwrite p50 ${number(median(disk))} µs; one group commit is that plus the pacing, ${number(pacingUs)} µs with the gateway as busy as it was`,
      ...(nginx !== undefined && nginx.first - floor.first > NGINX_US_MAX
        ? [
            `nginx itself adds ${number(nginx.first - floor.first)} µs now: this machine is too slow or too busy for microseconds to mean anything`,
          ]
        : []),
      ...lines.flatMap(({ name, runs: results }) => notesOf(name, results)),
    ],
    targets: targetsOf(gateway, floor, commitUs),
    raw: { lines, diskUs: disk },
  }
}

function run({ peer, quick }: Setting, { contestant, rate }: Entry, warm: boolean): Promise<PeerResult> {
  return peer.run({
    port: contestant.streamPort ?? contestant.port,
    request: requestBytes(contestant.headers, { stream: true }),
    connections: CONNECTIONS,
    rate,
    warmSeconds: 0.5,
    warmCount: warm || quick || rate !== RATE ? 0 : WARM_COUNT,
    seconds: quick ? 0.7 : 1.2,
    events: EVENTS,
    pids: processTree(contestant.pid),
  })
}

/** The calmest run counts: what else the machine does only ever adds. */
function lineOf(name: string, rate: number, runs: readonly PeerResult[]): Line {
  return {
    name,
    rate,
    first: Math.min(...runs.map(({ firstByteUs }) => firstByteUs.p50)),
    last: Math.min(...runs.map(({ lastByteUs }) => lastByteUs.p50)),
    runs,
  }
}

/** How far apart the journal starts its commits, in the run that counts. The CPU of all threads stands for how little the event loop rests. */
function pacingOf(line: Line | undefined): number {
  const run = line?.runs.toSorted((a, b) => a.lastByteUs.p50 - b.lastByteUs.p50)[0]
  const busy = run === undefined ? 0 : Math.min(1, (run.user + run.system) / run.seconds)
  const stretch = Math.max(0, (busy - COMMIT_BUSY_FROM) / (1 - COMMIT_BUSY_FROM))
  return COMMIT_INTERVAL_US * (1 + (COMMIT_BUSY_FACTOR - 1) * stretch)
}

function rowOf(line: Line, floor: Pick<Line, 'first' | 'last'>): string[] {
  const p99 = (of: (result: PeerResult) => number): string => number(Math.min(...line.runs.map(of)))
  return [
    line.name,
    number(line.first),
    number(line.first - floor.first),
    number(line.last),
    number(line.last - floor.last),
    p99(({ firstByteUs }) => firstByteUs.p99),
    p99(({ lastByteUs }) => lastByteUs.p99),
  ]
}

function notesOf(name: string, runs: readonly PeerResult[]): string[] {
  const faults = faultsOf(runs)
  const queued = Math.min(...runs.map((one) => one.queued / Math.max(1, one.completed)))
  return [
    ...(faults === undefined ? [] : [`${name}: ${faults}`]),
    ...(queued > 0.01
      ? [`${name}: ${number(queued * 100)} % of the requests waited for one of ${CONNECTIONS} connections: it is saturated`]
      : []),
  ]
}

function targetsOf(gateway: Line | undefined, floor: Pick<Line, 'first' | 'last'>, commitUs: number): Target[] {
  if (gateway === undefined) return []
  const common = { kind: 'most', unit: ' µs' } as const
  return [
    { ...common, what: 'whole gateway, durable, added to the first byte, p50', value: gateway.first - floor.first, limit: FIRST_BYTE_US },
    {
      ...common,
      what: 'whole gateway, durable, first byte, p99 (that of no proxy not taken off)',
      value: Math.min(...gateway.runs.map(({ firstByteUs }) => firstByteUs.p99)),
      limit: FIRST_BYTE_P99_US,
    },
    {
      ...common,
      what: 'whole gateway, durable, added to the last byte, p50 (first byte and one group commit)',
      value: gateway.last - floor.last,
      limit: FIRST_BYTE_US + commitUs,
    },
  ]
}
