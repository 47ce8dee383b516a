import { parseArgs } from 'node:util'
import { runChaos } from './run-chaos.ts'

// node apps/controller/test/chaos/main.ts --machines 100 --owners 5 --seconds 60 --seed 1

const { values } = parseArgs({
  options: {
    machines: { type: 'string', default: '100' },
    owners: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '60' },
    factor: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
  },
})
const say = (line: string): void => void process.stdout.write(`${line}\n`)
say(`seed ${values.seed}`)
const report = await runChaos({
  machines: Number(values.machines),
  owners: Number(values.owners),
  seconds: Number(values.seconds),
  factor: Number(values.factor),
  seed: Number(values.seed),
  say,
})
say(JSON.stringify(report, undefined, 2))
const isGood = [report.differences, report.violations, report.ranTwice, report.leaks].every(({ length }) => length === 0)
process.exitCode = isGood ? 0 : 1
