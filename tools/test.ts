import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findTests, runTests } from './test/run.ts'
import { writeSummary } from './test/summary.ts'

// `npm test`: every test but those that need a peer. `npm test -- packages/units id.test` takes only files whose path holds one
// of the words; --name PATTERN only tests so named; --summary FILE writes the counts for .ci/run.

const GLOBS = ['{packages,apps}/*/{src,test}/**/*.test.ts', '{e2e,bench,tools}/**/*.test.ts']

const { values, positionals } = parseArgs({
  options: { summary: { type: 'string' }, name: { type: 'string' }, style: { type: 'string' } },
  allowPositionals: true,
})
const root = join(import.meta.dirname, '..')
const files = findTests(root, GLOBS, { except: '**/*.peer.test.ts', filters: positionals })
if (files.length === 0) throw new Error(`Cannot test: no test file matches ${positionals.join(' ')}`)

const style = (values.style ?? (process.stdout.isTTY ? 'spec' : 'compact')) === 'spec' ? 'spec' : 'compact'
const result = await runTests({ root, files, style, name: values.name, write: (text) => void process.stdout.write(text) })
await writeSummary(values.summary, { passed: result.passed, failed: result.failed, skipped: result.skipped })
if (result.failed > 0) process.exitCode = 1
