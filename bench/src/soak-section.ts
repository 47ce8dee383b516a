import { faultsOf } from './compare.ts'
import { startWholeGateway } from './contestants.ts'
import type { PeerResult } from './peer.ts'
import { memoryOf, processTree } from './processes.ts'
import { number } from './report.ts'
import type { Section } from './report.ts'
import { requestBytes } from './requests.ts'
import type { Setting } from './setting.ts'

/** Slow enough for ten minutes of it to fit into the journal's bound on the disk without a settler; longer ones are slower, for the same reason. */
const RATE = 4_000
const RATE_SECONDS_MAX = 600
const STEPS = 10
const SETTLE_SECONDS = 3
/** A shorter soak is over before the heap has grown to its size: it is printed and not judged. */
const JUDGED_SECONDS_MIN = 300
/** Of the last third's mean over the first third's. */
const GROWTH_MAX = 1.15

/** Whether memory stays where it is: JSON and streams in turns, at a steady rate, sampled as it goes. */
export async function measureSoak(setting: Setting): Promise<Section> {
  const { peer, soakSeconds, progress, scratch } = setting
  progress(`soak, ${soakSeconds} s`)
  await using gateway = await startWholeGateway(peer.port, { ack: 'durable', scratch })
  const results: PeerResult[] = []
  const perSecond = RATE * Math.min(1, RATE_SECONDS_MAX / soakSeconds)
  const load = async (stream: boolean, seconds: number): Promise<void> => {
    results.push(
      await peer.run({
        port: gateway.port,
        request: requestBytes(gateway.headers, { stream }),
        connections: 256,
        rate: stream ? perSecond / 4 : perSecond,
        warmSeconds: 0.2,
        seconds,
        events: 10,
        pids: processTree(gateway.pid),
      }),
    )
  }
  await load(false, SETTLE_SECONDS)
  await load(true, SETTLE_SECONDS)
  const memory: number[] = []
  const step = soakSeconds / STEPS
  for (let index = 0; index < STEPS; index += 1) {
    await load(index % 2 === 1, step)
    memory.push(memoryOf(gateway.pid).now)
  }
  const third = Math.ceil(STEPS / 3)
  const growth = mean(memory.slice(-third)) / mean(memory.slice(0, third))
  const requests = results.reduce((sum, { completed }) => sum + completed, 0)
  const faults = faultsOf(results)
  return {
    name: 'soak',
    title: `Memory over ${number(soakSeconds)} s and ${number(requests)} requests (--soak 10m for the claim)`,
    columns: ['', 'MiB'],
    rows: [
      ['RSS at the start', number(memory[0] ?? Number.NaN)],
      ['RSS at the end', number(memory.at(-1) ?? Number.NaN)],
      ['peak', number(memoryOf(gateway.pid).peak)],
    ],
    notes: [`each tenth: ${memory.map((one) => number(one)).join(', ')}`, ...(faults === undefined ? [] : [faults])],
    targets:
      soakSeconds < JUDGED_SECONDS_MIN
        ? []
        : [{ what: 'RSS of the last third over the first', value: growth, limit: GROWTH_MAX, kind: 'most', unit: ' x' }],
    raw: { memory, results },
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
