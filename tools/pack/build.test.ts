import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { manifest } from '../tidy/planted.ts'
import { buildPackage } from './build.ts'

const run = promisify(execFile)

const REPOSITORY: Readonly<Record<string, string>> = {
  LICENSE: 'Apache-2.0\n',
  '.gitignore': 'dist/\n',
  'tsconfig.base.json': JSON.stringify({
    compilerOptions: { target: 'esnext', module: 'nodenext', declaration: true, types: [], allowImportingTsExtensions: true },
  }),
  'packages/units/package.json': manifest('units', 0),
  'packages/units/src/index.ts': 'export type Nano = bigint\nexport const half = (of: Nano): Nano => of / 2n\n',
  'packages/store/package.json': manifest('store', 2, { dependencies: { '@ascribe/units': '0.1.0' } }),
  'packages/store/migrations/0001.sql': 'select 42;\n',
  'packages/store/src/index.ts':
    "import { readFileSync } from 'node:fs'\nimport { half } from '@ascribe/units'\nimport type { Nano } from '@ascribe/units'\n" +
    "export const halfOfSix: Nano = half(6n as Nano)\nexport const sql = (): string => readFileSync(new URL('../migrations/0001.sql', import.meta.url), 'utf8')\n",
  'packages/store/src/index.test.ts': "throw new Error('tests are not packed')\n",
  'apps/cli/package.json': manifest('cli', 7, {
    bin: { ascribe: './dist/ascribe.js' },
    files: ['dist'],
    devDependencies: { '@ascribe/store': '0.1.0' },
    engines: { node: '>=26' },
  }),
  'apps/cli/src/main.ts':
    "#!/usr/bin/env node\nimport { halfOfSix, sql } from '@ascribe/store'\nconst { version } = JSON.parse((await import('node:fs')).readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }\n" +
    'process.stdout.write(`${version} ${halfOfSix} ${sql()}`)\n',
}

test('buildPackage() makes a tarball that installs in an empty folder and runs as JavaScript with its files', async () => {
  await using temporary = await mkdtempDisposable(join(tmpdir(), 'ascribe-pack-'))
  const [repository, elsewhere] = [join(temporary.path, 'repository'), join(temporary.path, 'elsewhere')]
  for (const [path, text] of Object.entries(REPOSITORY)) {
    await mkdir(dirname(join(repository, path)), { recursive: true })
    await writeFile(join(repository, path), text)
  }
  await run('git', ['init', '--quiet'], { cwd: repository })
  await mkdir(elsewhere)

  await buildPackage(repository, 'apps/cli')
  const { stdout: packed } = await run('npm', ['pack', '--json', '--pack-destination', elsewhere], { cwd: join(repository, 'apps/cli') })
  const [{ filename, files }] = Object.values(JSON.parse(packed) as Record<string, { filename: string; files: { path: string }[] }>) as [
    { filename: string; files: { path: string }[] },
  ]
  const shipped = files.map(({ path }) => path)
  assert.deepEqual(
    shipped.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts')),
    [],
  )
  assert.ok(!shipped.some((path) => path.includes('.test.')))

  await writeFile(join(elsewhere, 'package.json'), '{}')
  await run('npm', ['install', '--no-audit', '--no-fund', `./${filename}`], { cwd: elsewhere })
  const { stdout } = await run(process.execPath, [join(elsewhere, 'node_modules/.bin/ascribe')], { cwd: elsewhere })
  assert.equal(stdout, '0.1.0 3 select 42;\n')

  const declarations = await readFile(join(elsewhere, 'node_modules/@ascribe/cli/dist/packages/store/src/index.d.ts'), 'utf8')
  assert.match(declarations, /import type \{ Nano \} from '\.\.\/\.\.\/units\/src\/index\.js'/)
})
