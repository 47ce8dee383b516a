import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startSandboxCloud } from '@ascribe/sandbox'

const run = promisify(execFile)
const repository = join(import.meta.dirname, '..')
const home = join(repository, 'packages', 'impersonation')
const OWNER = 'user@example.com'

test('the tarball of the token client installs in an empty folder, has no dependencies, and its README runs from there', async () => {
  const before = await readFile(join(home, 'package.json'), 'utf8')
  await using elsewhere = await mkdtempDisposable(join(tmpdir(), 'ascribe-impersonation-'))
  const { path } = elsewhere
  const { stdout: packed } = await run('npm', ['pack', '--json', '--workspace', 'packages/impersonation', '--pack-destination', path], {
    cwd: repository,
  })
  assert.equal(await readFile(join(home, 'package.json'), 'utf8'), before)
  const [tarball] = Object.values(JSON.parse(packed) as Record<string, { filename: string; files: { path: string }[] }>)
  assert.ok(tarball)
  const shipped = tarball.files.map((file) => file.path)
  assert.deepEqual(
    shipped.filter((file) => /\.test\.|recorded|(?<!\.d)\.ts$/.test(file)),
    [],
  )

  await writeFile(join(path, 'package.json'), '{}')
  await run('npm', ['install', '--no-audit', '--no-fund', `./${tarball.filename}`], { cwd: path })
  const lock = JSON.parse(await readFile(join(path, 'package-lock.json'), 'utf8')) as { packages: object }
  assert.deepEqual(Object.keys(lock.packages), ['', 'node_modules/@ascribe/impersonation'])

  const readme = await readFile(join(path, 'node_modules', '@ascribe', 'impersonation', 'README.md'), 'utf8')
  const example = /```js\n([^]*?)```/.exec(readme)?.[1] ?? assert.fail('the README has no example')
  await writeFile(join(path, 'example.mjs'), example)
  await using cloud = await startSandboxCloud({ realm: 'cloudsigma' })
  const user = cloud.users.find(({ email }) => email === OWNER)
  assert.ok(user)
  const env = {
    PATH: process.env['PATH'],
    OWNER,
    CLOUDSIGMA_OAUTH_URL: cloud.oauthUrl,
    CLOUDSIGMA_CLIENT_ID: 'kubernetes_cluster_service',
    CLOUDSIGMA_CLIENT_SECRET: cloud.clients.find(({ id }) => id === 'kubernetes_cluster_service')?.secret,
    CLOUDSIGMA_API_URL: cloud.apiUrl,
  }
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: path, env })
  assert.match(stdout, new RegExp(`^${user.uuid} \\d+ true \\[redacted\\]\n$`))
  assert.match(stderr, new RegExp(`^minted ${user.uuid} [0-9a-f]{64}\nminted ${user.uuid} [0-9a-f]{64}\n$`))
})

test('the types in the tarball check without the repository', async () => {
  await using elsewhere = await mkdtempDisposable(join(tmpdir(), 'ascribe-impersonation-types-'))
  const { path } = elsewhere
  const pack = ['pack', '--json', '--workspace', 'packages/impersonation', '--pack-destination', path]
  const { stdout: packed } = await run('npm', pack, { cwd: repository })
  const [tarball] = Object.values(JSON.parse(packed) as Record<string, { filename: string }>)
  await writeFile(join(path, 'package.json'), '{"type":"module"}')
  await run('npm', ['install', '--no-audit', '--no-fund', `./${tarball?.filename}`], { cwd: path })
  await writeFile(
    join(path, 'use.ts'),
    "import { createRegionTable } from '@ascribe/impersonation'\nimport type { TokenSource } from '@ascribe/impersonation'\n" +
      "export const origin: string = createRegionTable().endpoint('zrh').origin\n" +
      'export const subject = async (source: TokenSource): Promise<string> => (await source.discover({ ownerEmail: origin, region: origin })).ownerUuid\n' +
      '// @ts-expect-error the owner is not optional (R-2)\nexport const wrong = (source: TokenSource) => source.token({ ownerEmail: origin, region: origin, bindingGeneration: 1 })\n',
  )
  const types = join(repository, 'node_modules', '@types')
  const options = { module: 'nodenext', target: 'esnext', strict: true, noEmit: true, types: ['node'], typeRoots: [types], lib: ['esnext'] }
  await writeFile(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['use.ts'] }))
  await run(join(repository, 'node_modules', '.bin', 'tsc'), ['-p', path]).catch((cause: { stdout?: string }) => assert.fail(cause.stdout))
})
