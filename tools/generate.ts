import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { GENERATORS } from './generated.ts'

// `node tools/generate.ts` writes every generated file; with --check it only says which are stale, and fails.
const flag = process.argv.includes('--check') ? '--check' : '--write'
const root = join(import.meta.dirname, '..')

for (const script of GENERATORS) {
  const { status } = spawnSync(process.execPath, [script, flag], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
