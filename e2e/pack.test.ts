import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const NAME = '@ascribe/cli'
const repository = join(import.meta.dirname, '..')

test('the tarball of the CLI installs in an empty folder and runs there', async () => {
  await using elsewhere = await mkdtempDisposable(join(tmpdir(), 'ascribe-installed-'))
  const { path } = elsewhere
  const { stdout: packed } = await run('npm', ['pack', '--json', '--workspace', 'apps/cli', '--pack-destination', path], {
    cwd: repository,
  })
  const [tarball] = Object.values(JSON.parse(packed) as Record<string, { filename: string }>)
  assert.ok(tarball)

  await writeFile(join(path, 'package.json'), '{}')
  await run('npm', ['install', '--no-audit', '--no-fund', `./${tarball.filename}`], { cwd: path })
  const ascribe = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    run(process.execPath, [join(path, 'node_modules', '.bin', 'ascribe'), ...args], { cwd: path })

  const help = await ascribe('--help')
  assert.match(help.stdout, /^Usage: ascribe/m)
  for (const command of ['up', 'gateway', 'settler', 'api', 'statement', 'doctor'])
    assert.match(help.stdout, new RegExp(`^\\s+${command}\\b`, 'm'))
  const config = await ascribe('config', '--print')
  assert.notEqual(config.stdout.trim(), '')

  // The console comes with it: its page, and whatever the page names.
  const pages = join(path, 'node_modules', NAME, 'dist/apps/console/dist')
  const html = await readFile(join(pages, 'index.html'), 'utf8')
  const named = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, file = '']) => file)
  assert.ok(named.some((file) => file.endsWith('.js')) && named.some((file) => file.endsWith('.css')))
  for (const file of named) await access(join(pages, file))
})
