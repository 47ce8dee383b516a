import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { findTests, runTests } from './test/run.ts'
import { writeSummary } from './test/summary.ts'

// `npm run test:peers`: the tests that run against real engines, servers and proxies. Each installs what it needs; a peer that
// cannot be had skips its tests and says why. Here such peers are listed by name; with --strict they count as failures, so that
// CI never takes "could not run" for "passed".

const GLOBS = ['{packages,apps}/*/{src,test}/**/*.peer.test.ts', '{e2e,bench}/**/*.peer.test.ts']

const { values, positionals } = parseArgs({
  options: {
    summary: { type: 'string' },
    name: { type: 'string' },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const root = join(import.meta.dirname, '..')
const files = findTests(root, GLOBS, { filters: positionals })
if (values.help) printHelp()
else if (files.length === 0) console.log('There is no peer suite yet')
else await runPeers()
if (files.length === 0 && !values.help) await writeSummary(values.summary, { passed: 0, failed: 0, skipped: 0 })

async function runPeers(): Promise<void> {
  // Before any test's clock runs: building an engine for the first time takes longer than a test file may.
  for (const installer of new Set(files.map((file) => join(root, dirname(file), 'main.ts')).filter((file) => existsSync(file)))) {
    spawnSync(process.execPath, [installer], { stdio: ['ignore', 'inherit', 'inherit'] })
  }
  const result = await runTests({
    root,
    files,
    style: process.stdout.isTTY ? 'spec' : 'compact',
    name: values.name,
    write: (text) => void process.stdout.write(text),
  })
  if (result.skips.length > 0) console.log('\nNot run, because a peer could not be had:')
  for (const { name, reason } of result.skips) console.log(`  ${name}: ${reason}`)
  const failed = result.failed + (values.strict ? result.skips.length : 0)
  await writeSummary(values.summary, { passed: result.passed, failed, skipped: result.skips.length })
  if (failed > 0) process.exitCode = 1
}

/** The table of peers is kept in one place; here it is read. */
function printHelp(): void {
  const rows = readFileSync(join(root, 'e2e', 'peers', 'README.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && line.includes('.peer.test.ts'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  console.log(
    'npm run test:peers -- [PATH WORDS] [--name PATTERN] [--strict] [--summary FILE]\n\nPeers, their suites, and how long they take to install once:',
  )
  for (const [, peer = '', suite = '', proves = '', install = ''] of rows) console.log(`  ${peer}\n    ${suite} (${install}): ${proves}`)
  const listed = new Set(rows.map(([, , suite]) => suite))
  for (const file of files.filter((path) => !listed.has(basename(path)))) console.log(`  ${file}`)
}
