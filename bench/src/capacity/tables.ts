import { number } from '../report.ts'
import { CONSTANTS, valuesOf } from './constants.ts'
import { oneBox, planFor, playBurst } from './plan.ts'
import type { Plan } from './plan.ts'

const LOADS = [1_000, 10_000, 100_000, 1_000_000] as const
const BOXES = [2, 8, 16] as const

const ROWS: readonly (readonly [string, (plan: Plan) => number])[] = [
  ['gateway processes, one a core', (plan) => plan.gatewayCores],
  ['gateway machines', (plan) => plan.gatewayMachines],
  ['journals, MB/s in all', (plan) => plan.journalMbPerSecond],
  ['streams of the broker', (plan) => plan.streams],
  ['broker, MB/s written, copies included', (plan) => plan.brokerMbPerSecond],
  ['settlers that ingest', (plan) => plan.ingestWriters],
  ['databases', (plan) => plan.databases],
  ['raters', (plan) => plan.raters],
  ['records a day, millions', (plan) => plan.recordsPerDay / 1e6],
  ['PostgreSQL, GB a day', (plan) => plan.databaseGbPerDay],
  ['ClickHouse nodes', (plan) => plan.clickhouseNodes],
  ['ClickHouse, GB a day', (plan) => plan.clickhouseGbPerDay],
]

/** The tables of docs/capacity.md, as Markdown. */
export function capacityTables(): string {
  const values = valuesOf()
  const plans = LOADS.map((load) => planFor(load, values))
  const lines = [
    '| constant | value | unit | kind | source |',
    '|---|---|---|---|---|',
    ...Object.entries(CONSTANTS).map(
      ([name, { value, unit, kind, source }]) => `| \`${name}\` | ${number(value)} | ${unit} | ${kind} | ${source} |`,
    ),
    '',
    `| derived | ${plans.map(({ requestsPerSecond }) => `${number(requestsPerSecond)} requests/s`).join(' | ')} |`,
    `|---|${plans.map(() => '---|').join('')}`,
    ...ROWS.map(([what, valueOf]) => `| ${what} | ${plans.map((plan) => number(valueOf(plan))).join(' | ')} |`),
    '',
    '| derived: one box with everything on it | requests/s | bound by |',
    '|---|---|---|',
    ...BOXES.map((cores) => {
      const { requestsPerSecond, bound } = oneBox(cores, values)
      return `| ${cores} cores | ${number(requestsPerSecond)} | ${bound} |`
    }),
    '',
    '| derived: a burst on one database | records that wait at most | journals, GB | drained after |',
    '|---|---|---|---|',
    ...burstRows(),
  ]
  return lines.join('\n')
}

function burstRows(): readonly string[] {
  const values = valuesOf()
  const ingestPerSecond = values.ingestPerSecond
  return [2, 5, 10].map((times) => {
    const normal = ingestPerSecond / 2
    const run = playBurst({ normal, burst: normal * times, burstSeconds: 600, ingestPerSecond }, values)
    return `| ${times} x its usual load (half of what it takes in) for ten minutes | ${number(run.backlogMax)} | ${number(run.journalGbMax)} | ${number(run.drainedAfterS)} s |`
  })
}
