import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { startSandboxCloud } from '@ascribe/sandbox'

// The token client as others get it: packed by npm, installed in a folder that knows nothing of this repository.

const run = promisify(execFile)
const repository = join(import.meta.dirname, '..')
const manifest = join(repository, 'packages', 'impersonation', 'package.json')
const OWNER = 'user@example.com'
const CLIENT = 'kubernetes_cluster_service'

type Packed = { readonly filename: string; readonly files: readonly { readonly path: string }[] }

let path = ''
let shipped: readonly string[] = []

before(async () => {
  const committed = await readFile(manifest, 'utf8')
  path = await mkdtemp(join(tmpdir(), 'ascribe-impersonation-'))
  const pack = ['pack', '--json', '--workspace', 'packages/impersonation', '--pack-destination', path]
  const { stdout } = await run('npm', pack, { cwd: repository })
  assert.equal(await readFile(manifest, 'utf8'), committed)
  const [tarball] = Object.values(JSON.parse(stdout) as Record<string, Packed>)
  assert.ok(tarball)
  shipped = tarball.files.map((file) => file.path)
  await writeFile(join(path, 'package.json'), '{"type":"module"}')
  await run('npm', ['install', '--no-audit', '--no-fund', `./${tarball.filename}`], { cwd: path })
})
after(() => rm(path, { recursive: true, force: true }))

test('the tarball of the token client holds JavaScript and types, and brings nothing along', async () => {
  const strange = shipped.filter(
    (file) => !/^(package\.json|README\.md|SPEC\.md|dist\/(LICENSE|.*\.(js|d\.ts)|.*\/package\.json))$/.test(file),
  )
  assert.deepEqual(strange, [])
  const lock = JSON.parse(await readFile(join(path, 'package-lock.json'), 'utf8')) as { packages: object }
  assert.deepEqual(Object.keys(lock.packages), ['', 'node_modules/@ascribe/impersonation'])
})

test('the example in the README of the token client runs from its tarball', async () => {
  const readme = await readFile(join(path, 'node_modules', '@ascribe', 'impersonation', 'README.md'), 'utf8')
  const example = /```js\n([^]*?)```/.exec(readme)?.[1] ?? assert.fail('the README has no example')
  await writeFile(join(path, 'example.mjs'), example)
  await using cloud = await startSandboxCloud({ realm: 'cloudsigma' })
  const uuid = cloud.users.find(({ email }) => email === OWNER)?.uuid ?? assert.fail('the sandbox has no such user')
  const env = {
    PATH: process.env['PATH'],
    OWNER,
    CLOUDSIGMA_OAUTH_URL: cloud.oauthUrl,
    CLOUDSIGMA_CLIENT_ID: CLIENT,
    CLOUDSIGMA_CLIENT_SECRET: cloud.clients.find(({ id }) => id === CLIENT)?.secret,
    CLOUDSIGMA_API_URL: cloud.apiUrl,
  }
  const { stdout, stderr } = await run(process.execPath, ['example.mjs'], { cwd: path, env })
  assert.match(stdout, new RegExp(`^${uuid} \\d+ true \\[redacted\\]\n$`))
  assert.match(stderr, new RegExp(`^minted ${uuid} [0-9a-f]{64}\nminted ${uuid} [0-9a-f]{64}\n$`))
})

test('the types of the token client check without the repository', async () => {
  const source = [
    "import { createRegionTable } from '@ascribe/impersonation'",
    "import type { TokenSource } from '@ascribe/impersonation'",
    "export const origin: string = createRegionTable().endpoint('zrh').origin",
    'const asked = { ownerEmail: origin, region: origin }',
    'export const find = async (source: TokenSource): Promise<string> => (await source.discover(asked)).ownerUuid',
    '// @ts-expect-error the owner is not optional (R-2)',
    'export const wrong = (source: TokenSource) => source.token({ ...asked, bindingGeneration: 1 })',
  ]
  await writeFile(join(path, 'use.ts'), source.join('\n'))
  const typeRoots = [join(repository, 'node_modules', '@types')]
  const compilerOptions = { module: 'nodenext', target: 'esnext', lib: ['esnext'], strict: true, noEmit: true, types: ['node'], typeRoots }
  await writeFile(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
  await run(join(repository, 'node_modules', '.bin', 'tsc'), ['-p', path]).catch((cause: { stdout?: string }) => assert.fail(cause.stdout))
})
