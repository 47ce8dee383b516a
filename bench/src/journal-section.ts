import { nodeProgram } from './contestants.ts'
import { measureDisk } from './disk.ts'
import { Lines, start } from './processes.ts'
import { number } from './report.ts'
import type { Section } from './report.ts'
import type { Setting } from './setting.ts'

const CONCURRENCIES = [64, 1_000] as const

type JournalRun = {
  readonly recordsPerSecond: number
  readonly cpuUs: number
  readonly commitsPerSecond: number
  readonly payloadBytes: readonly [number, number]
}

/** Records a second through packages/journal alone, durable, on the real disk. A request has two: intent and settlement. */
export async function measureJournal(setting: Setting): Promise<Section> {
  const { quick, progress, scratch } = setting
  progress('the journal alone')
  const disk = await measureDisk(scratch, quick ? 300 : 1_000)
  const seconds = quick ? 1 : 2
  const best = new Map<number, JournalRun>()
  const runs: (JournalRun & { concurrency: number })[] = []
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    for (const concurrency of CONCURRENCIES) {
      await using started = start(
        nodeProgram(new URL('./journal-process.ts', import.meta.url), [scratch, String(seconds), String(concurrency)]),
        { core: 'any' },
      )
      const run = await new Lines(started).next<JournalRun>()
      runs.push({ ...run, concurrency })
      if (run.recordsPerSecond > (best.get(concurrency)?.recordsPerSecond ?? 0)) best.set(concurrency, run)
    }
  }
  const [intentBytes, settlementBytes] = runs[0]?.payloadBytes ?? [0, 0]
  return {
    name: 'journal',
    title: `The journal alone, every settlement durable (fdatasync): intents of ${intentBytes} B, settlements of ${settlementBytes} B`,
    columns: ['requests at once', 'records/s', 'µs CPU a record', 'commits/s'],
    rows: [...best].map(([concurrency, run]) => [
      number(concurrency),
      number(run.recordsPerSecond),
      number(run.cpuUs),
      number(run.commitsPerSecond),
    ]),
    notes: [`this disk: fdatasync of one 4 KiB overwrite p50 ${number(disk.p50)} µs, p99 ${number(disk.p99)} µs`],
    targets: [
      {
        what: `journal, ${number(CONCURRENCIES[1])} requests at once`,
        value: best.get(CONCURRENCIES[1])?.recordsPerSecond ?? Number.NaN,
        limit: 200_000,
        kind: 'least',
        unit: ' records/s',
      },
    ],
    raw: { disk, runs },
  }
}
