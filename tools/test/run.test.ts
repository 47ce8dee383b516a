import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { findTests } from './run.ts'
import type { RunResult } from './run.ts'

const run = promisify(execFile)

async function folder(files: Readonly<Record<string, string>>): Promise<AsyncDisposable & { readonly path: string }> {
  const temporary = await mkdtempDisposable(join(tmpdir(), 'ascribe-run-'))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(temporary.path, path)), { recursive: true })
    await writeFile(join(temporary.path, path), text)
  }
  return { path: temporary.path, [Symbol.asyncDispose]: () => temporary.remove() }
}

/** Runs all test files of a folder in a process of its own, since node:test does not run inside a test. */
async function runFolder(root: string): Promise<{ result: RunResult; shown: string }> {
  const program = join(root, 'run-all.mjs')
  await writeFile(
    program,
    `import { findTests, runTests } from ${JSON.stringify(join(import.meta.dirname, 'run.ts'))}
    const root = ${JSON.stringify(root)}
    let shown = ''
    const result = await runTests({ root, files: findTests(root, ['**/*.test.ts']), style: 'compact', write: (text) => { shown += text } })
    process.stdout.write(JSON.stringify({ result, shown }))`,
  )
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await run(process.execPath, [program], { env })
  return JSON.parse(stdout) as { result: RunResult; shown: string }
}

test('findTests() takes whole globs, drops the excepted, and filters by parts of a path', async () => {
  await using files = await folder({
    'packages/units/src/id.test.ts': '',
    'packages/units/src/id.ts': '',
    'packages/units/test/store.peer.test.ts': '',
    'packages/units/node_modules/x/src/x.test.ts': '',
    'tools/tidy.test.ts': '',
  })
  const globs = ['packages/*/{src,test}/**/*.test.ts', 'tools/**/*.test.ts']
  const except = '**/*.peer.test.ts'
  assert.deepEqual(findTests(files.path, globs, { except }), ['packages/units/src/id.test.ts', 'tools/tidy.test.ts'])
  assert.deepEqual(findTests(files.path, globs, { except, filters: ['./packages/units'] }), ['packages/units/src/id.test.ts'])
  assert.deepEqual(findTests(files.path, globs, { filters: ['peer', 'tidy'] }), [
    'packages/units/test/store.peer.test.ts',
    'tools/tidy.test.ts',
  ])
})

test('runTests() counts every test, and shows where what failed and what it printed', { timeout: 60_000 }, async () => {
  const head = "import assert from 'node:assert/strict'\nimport { describe, test } from 'node:test'\n"
  await using files = await folder({
    'sound.test.ts': `${head}test('a', () => {})\ntest('b', { skip: 'peer nginx cannot be had' }, () => {})\n`,
    'faulty.test.ts': `${head}console.log('printed by faulty')\ndescribe('outer', () => {\n  test('inner', () => assert.equal(1 + 1, 3))\n})\n`,
    'broken.test.ts': "import './missing.ts'\n",
  })
  const { result, shown } = await runFolder(files.path)
  assert.deepEqual({ passed: result.passed, failed: result.failed, skipped: result.skipped }, { passed: 1, failed: 2, skipped: 1 })
  assert.deepEqual(
    result.skips.map(({ name, reason }) => ({ name, reason })),
    [{ name: 'b', reason: 'peer nginx cannot be had' }],
  )
  assert.match(shown, /^✓ +[\d.]+ s {2}sound\.test\.ts {2}\(1 passed, 1 skipped\)$/m)
  assert.match(shown, /^✗ +[\d.]+ s {2}faulty\.test\.ts {2}\(0 passed, 1 failed\)$/m)
  assert.match(shown, /^✗ faulty\.test\.ts:5 outer › inner$/m)
  assert.match(shown, /2 !== 3/)
  assert.match(shown, /printed by faulty/)
  assert.match(shown, /^✗ broken\.test\.ts:1 cannot be run to its end$/m)
  assert.match(shown, /Cannot find module .*missing\.ts/)
  // What closes a run of node:test, for whoever reads that.
  assert.match(shown, /\nℹ tests 4\nℹ suites 1\nℹ pass 1\nℹ fail 2\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\nℹ duration_ms [\d.]+\n$/)
})
