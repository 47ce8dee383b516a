import type { Contestant } from './contestants.ts'
import type { Peer, PeerResult, PeerRun } from './peer.ts'
import { processTree } from './processes.ts'
import { requestBytes } from './requests.ts'

/** One run of one contestant: what it costs, and everything that was seen. */
export type Measured = { readonly costUs: number; readonly result: PeerResult }

export type Compared = {
  readonly name: string
  /** CPU microseconds of one unit, the least of all rounds: noise only ever adds. */
  readonly costUs: number
  /** Times the sentinel's cost, the median of the rounds; `undefined` without a sentinel. */
  readonly ratio: number | undefined
  /** Least and most of the rounds' ratios. */
  readonly spread: readonly [number, number] | undefined
  readonly perSecond: number
  readonly faults: string | undefined
  readonly runs: readonly Measured[]
}

export type CompareOptions = {
  readonly peer: Peer
  /** Runs before and after every other one: what the machine does meanwhile strikes both. */
  readonly sentinel: Contestant | undefined
  readonly contestants: readonly Contestant[]
  readonly rounds: number
  readonly stream: boolean
  readonly load: (contestant: Contestant) => Omit<PeerRun, 'port' | 'request' | 'pids'>
  /** What one unit of work is, and how many there were. */
  readonly units: (result: PeerResult) => number
}

/** Measures every contestant between two runs of the sentinel, some rounds of that. The sentinel comes first in the answer. */
export async function compare(options: CompareOptions): Promise<Compared[]> {
  const { sentinel, contestants, rounds } = options
  const runs = new Map<Contestant, Measured[]>()
  const ratios = new Map<Contestant, number[]>()
  const measure = async (contestant: Contestant): Promise<Measured> => {
    const earlier = runs.get(contestant) ?? []
    runs.set(contestant, earlier)
    const measured = await measureOne(options, contestant, earlier.length > 0)
    earlier.push(measured)
    return measured
  }
  for (let round = 0; round < rounds; round += 1) {
    let before = sentinel && (await measure(sentinel))
    for (const contestant of contestants) {
      const { costUs } = await measure(contestant)
      if (sentinel === undefined || before === undefined) continue
      const after = await measure(sentinel)
      const found = ratios.get(contestant) ?? []
      ratios.set(contestant, found)
      found.push(costUs / ((before.costUs + after.costUs) / 2))
      before = after
    }
  }
  const all = sentinel === undefined ? contestants : [sentinel, ...contestants]
  return all.map((contestant) =>
    summaryOf(contestant, runs.get(contestant) ?? [], contestant === sentinel ? [1] : (ratios.get(contestant) ?? [])),
  )
}

async function measureOne(options: CompareOptions, contestant: Contestant, warm: boolean): Promise<Measured> {
  const load = options.load(contestant)
  const result = await options.peer.run({
    ...load,
    ...(warm && { warmCount: 0 }),
    port: options.stream ? (contestant.streamPort ?? contestant.port) : contestant.port,
    request: requestBytes(contestant.headers, { stream: options.stream }),
    loose: contestant.loose === true,
    pids: processTree(contestant.pid),
  })
  return { costUs: ((result.user + result.system) * 1e6) / options.units(result), result }
}

function summaryOf(contestant: Contestant, runs: readonly Measured[], ratios: readonly number[]): Compared {
  const best = runs.toSorted((a, b) => a.costUs - b.costUs)[0]
  return {
    name: contestant.name,
    costUs: best?.costUs ?? Number.NaN,
    ratio: ratios.length === 0 ? undefined : median(ratios),
    spread: ratios.length === 0 ? undefined : [Math.min(...ratios), Math.max(...ratios)],
    perSecond: best === undefined ? Number.NaN : best.result.completed / best.result.seconds,
    faults: faultsOf(runs.map(({ result }) => result)),
    runs,
  }
}

/** What was wrong with replies, in words; `undefined` when nothing was. */
export function faultsOf(results: readonly PeerResult[]): string | undefined {
  const mismatches = results.reduce((sum, { mismatches: one, broken }) => sum + one + broken, 0)
  const complaint = results.find(({ complaint: one }) => one !== '')?.complaint
  if (mismatches === 0 && complaint === undefined) return undefined
  return `${mismatches} bad replies${complaint === undefined ? '' : `: ${complaint}`}`
}

/** The middle value; of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
