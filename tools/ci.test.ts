import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

/** A suite that counts what it is told to, or that dies before it could. */
const SUITE = `
import { writeFileSync } from 'node:fs'
const [passed, failed, , summary] = process.argv.slice(2)
if (passed === 'dies') throw new Error('before the summary')
writeFileSync(summary, JSON.stringify({ passed: Number(passed), failed: Number(failed), skipped: 0 }) + '\\n')
process.exitCode = failed === '0' ? 0 : 1
`

/** Runs `.ci/run` in a folder whose npm scripts are such suites. */
async function runCi(scripts: Readonly<Record<string, string>>): Promise<{ code: number; lines: string[] }> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-ci-'))
  await mkdir(join(folder.path, '.ci'))
  await copyFile(join(import.meta.dirname, '..', '.ci', 'run'), join(folder.path, '.ci', 'run'))
  await writeFile(join(folder.path, 'suite.mjs'), SUITE)
  await writeFile(join(folder.path, 'package.json'), JSON.stringify({ scripts }))
  // Awaited here: the folder has to outlive the run.
  return await new Promise((resolve) => {
    execFile(join(folder.path, '.ci', 'run'), (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code), lines: stdout.trimEnd().split('\n') })
    })
  })
}

test('.ci/run sums up the suites on its last line and succeeds when nothing failed', async () => {
  const { code, lines } = await runCi({ check: 'node suite.mjs 6 0', test: 'node suite.mjs 100 0', 'test:peers': 'node suite.mjs 4 0' })
  assert.equal(lines.at(-1), '110 passed, 0 failed')
  assert.equal(code, 0)
})

test('.ci/run fails, but runs on, when a suite has failures', async () => {
  const { code, lines } = await runCi({ check: 'node suite.mjs 5 1', test: 'node suite.mjs 98 2', 'test:peers': 'node suite.mjs 4 0' })
  assert.equal(lines.at(-1), '107 passed, 3 failed')
  assert.equal(code, 1)
})

test('.ci/run counts a suite that could not run as one failure', async () => {
  const { code, lines } = await runCi({ check: 'node suite.mjs 6 0', test: 'node suite.mjs dies', 'test:peers': 'node suite.mjs 4 0' })
  assert.equal(lines.at(-1), '10 passed, 1 failed')
  assert.equal(code, 1)
})
