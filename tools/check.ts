import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runSteps } from './check/steps.ts'
import type { Step } from './check/steps.ts'
import { writeSummary } from './test/summary.ts'

// `npm run check`: everything that can be said about the repository without running it. `npm run check -- lint types` runs
// only the steps so named; --summary FILE writes the counts for .ci/run.

const STEPS: readonly Step[] = [
  { name: 'format', command: ['oxfmt', '--check', '.'], mend: 'npm run format' },
  { name: 'lint', command: ['oxlint', '--type-aware', '--format=unix', '.'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json', '--pretty', 'false'] },
  { name: 'console', command: ['tsc', '-p', 'apps/console/tsconfig.json', '--pretty', 'false'] },
  { name: 'unused', command: ['knip', '--no-progress', '--no-config-hints'] },
  { name: 'tidy', command: ['node', 'tools/test.ts', 'tools/tidy.test.ts'] },
  { name: 'generated', command: ['node', 'tools/generate.ts', '--check'], mend: 'npm run generate' },
]

const { values, positionals } = parseArgs({ options: { summary: { type: 'string' } }, allowPositionals: true })
const unknown = positionals.filter((name) => !STEPS.some((step) => step.name === name))
if (unknown.length > 0) throw new Error(`Cannot check ${unknown.join(', ')}: the steps are ${STEPS.map(({ name }) => name).join(', ')}`)

const chosen = STEPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const summary = await runSteps(chosen, { root: join(import.meta.dirname, '..'), print: (line) => console.log(line) })
await writeSummary(values.summary, summary)
if (summary.failed > 0) process.exitCode = 1
