import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { spawnTied } from './tied-process.ts'
import { until } from './until.ts'

const MODULE = new URL('tied-process.ts', import.meta.url).href

test('spawnTied() gives the pid of the program itself, its output and its exit code', async () => {
  const child = spawnTied('sh', ['-c', 'echo $$; exit 3'])
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const [code] = (await once(child, 'close')) as [number]
  assert.deepEqual([Number(line), code], [child.pid, 3])
})

test('spawnTied() ends the program when the process that started it is killed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ascribe-tied-'))
  const [up, ended] = [join(dir, 'up'), join(dir, 'ended')]
  const program = `trap 'touch ${ended}; exit' TERM; touch ${up}; while :; do sleep 0.05; done`
  const script = `import { spawnTied } from '${MODULE}'; spawnTied('sh', ['-c', ${JSON.stringify(program)}])`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    await until(async () => existsSync(up), 'the program runs')
  } finally {
    parent.kill('SIGKILL')
  }
  await until(async () => existsSync(ended), 'the program is told to end')
  rmSync(dir, { recursive: true })
})
