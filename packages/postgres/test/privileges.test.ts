import assert from 'node:assert/strict'
import { chmod, chown, copyFile, link, mkdir, readFile, readdir, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '../src/database.ts'
import { runCommand } from '../src/embedded/command.ts'
import { findNativePackage, prepareNative } from '../src/embedded/native.ts'
import { findUnshare } from '../src/embedded/run-as.ts'
import { EmbeddedUnavailableError } from '../src/errors.ts'
import { spawnUser, start, temporaryFolder } from './fixture.ts'

const isRoot = process.geteuid?.() === 0
/** Nobody has this number, nor a name for it. */
const NAMELESS = 61_000
const settings = { fsync: 'off' }

/** The package as npm unpacks it when it may not run scripts: without its symbolic links. Its 40 MB are linked hard where that can be. */
async function packageWithoutLinks(target: string): Promise<void> {
  const source = findNativePackage()
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name)
    const to = join(target, relative(source, from))
    await mkdir(dirname(to), { recursive: true })
    if (entry.isFile() && !entry.name.endsWith('.a')) await link(from, to).catch(() => copyFile(from, to))
  }
}

async function setModes(folder: string, mode: number): Promise<void> {
  for (const path of ['native/lib', 'native/bin', 'native', '.']) await chmod(join(folder, path), mode)
}

test('prepareNative() makes the links that npm could not carry, by several processes at once', async () => {
  await using folder = await temporaryFolder()
  const nativePackage = join(folder.path, 'package')
  await packageWithoutLinks(nativePackage)
  const unshare = isRoot ? await findUnshare() : undefined
  const runAs = unshare === undefined ? ({ kind: 'self' } as const) : ({ kind: 'mapped', unshare, uid: 1000 } as const)
  const before = await runCommand({ file: join(nativePackage, 'native/bin/postgres'), args: ['--version'] })
  assert.notEqual(before.code, 0)

  const sideFolder = join(folder.path, 'side')
  const tools = await Promise.all(Array.from({ length: 8 }, () => prepareNative(nativePackage, { sideFolder, runAs })))
  assert.deepEqual(new Set(tools.map((tool) => tool.postgres)), new Set([join(nativePackage, 'native/bin/postgres')]))
  await assert.rejects(stat(sideFolder), { code: 'ENOENT' })
})

test('startEmbedded() copies a package that cannot be written to, and runs for a user without a name', async (t) => {
  if (isRoot && (await findUnshare()) === undefined) return t.skip('user namespaces are forbidden here')
  await using folder = await temporaryFolder()
  const nativePackage = join(folder.path, 'package')
  await packageWithoutLinks(nativePackage)
  await setModes(nativePackage, 0o555)
  t.after(() => setModes(nativePackage, 0o755).catch(() => {}))
  const dataDir = join(folder.path, 'data')
  await mkdir(dataDir, { mode: 0o700 })
  if (isRoot) {
    await chmod(folder.path, 0o755)
    await chown(dataDir, NAMELESS, NAMELESS)
    const script = `require('node:fs').accessSync(${JSON.stringify(import.meta.filename)})`
    const reaches = await runCommand({ file: process.execPath, args: ['--eval', script], uid: NAMELESS, gid: NAMELESS })
    if (reaches.code !== 0) return t.skip('another user cannot reach the sources')
  }
  await using user = await spawnUser(dataDir, { nativePackage, ...(isRoot ? { uid: NAMELESS } : {}) })
  assert.equal(user.started, 'initialised')
  assert.equal(await user.ask('release'), 'stopped')
  const made = await readdir(dataDir)
  assert.ok(
    made.some((name) => name.startsWith('native-')),
    made.join(),
  )
  await setModes(nativePackage, 0o755)
  return undefined
})

test(
  'startEmbedded() as root keeps the files where it may map users, and hands them over where it may not',
  { skip: !isRoot },
  async (t) => {
    if ((await findUnshare()) === undefined) return t.skip('user namespaces are forbidden here')
    await using folder = await temporaryFolder()
    await chmod(folder.path, 0o755)
    const dataDir = join(folder.path, 'data')
    const versionFile = join(dataDir, 'cluster', 'PG_VERSION')
    {
      await using server = await start({ dataDir, settings })
      assert.equal((await stat(versionFile)).uid, 0)
      const status = await readFile(`/proc/${await server.pid()}/status`, 'latin1')
      assert.match(status, /^CapEff:\s+0+$/m)
      await using db = openDatabase(server.target)
      await db.query('create table mark (n bigint)')
    }
    for (const unsharePaths of [[], undefined]) {
      await using server = await start({ dataDir, settings, ...(unsharePaths && { unsharePaths }) })
      await using second = await start({ dataDir, settings })
      assert.deepEqual([server.started, second.started], ['started', 'adopted'])
      assert.match(await readFile(`/proc/${await server.pid()}/status`, 'latin1'), /^Uid:\s+61000\s/m)
      assert.equal((await stat(versionFile)).uid, NAMELESS)
      assert.equal((await stat(join(dataDir, 'cluster'))).mode & 0o777, 0o700)
      await using db = openDatabase(server.target)
      await db.query('insert into mark values (1)')
    }
    return undefined
  },
)

test('startEmbedded() as root makes the database as another user where it may not map users', { skip: !isRoot }, async () => {
  await using folder = await temporaryFolder()
  await chmod(folder.path, 0o755)
  const dataDir = join(folder.path, 'data')
  await using server = await start({ dataDir, settings, unsharePaths: [] })
  assert.equal(server.started, 'initialised')
  const owners = await Promise.all(['.', 'cluster', 'cluster/base', 'socket'].map(async (path) => (await stat(join(dataDir, path))).uid))
  assert.deepEqual(new Set(owners), new Set([NAMELESS]))
})

test('startEmbedded() names DATABASE_URL when root has nobody to run the server as', { skip: !isRoot }, async () => {
  await using folder = await temporaryFolder()
  // mkdtemp makes it 0700, so nobody but root passes to what is below.
  await assert.rejects(start({ dataDir: join(folder.path, 'deep', 'data'), unsharePaths: ['/nowhere/unshare'] }), (error) => {
    assert.ok(error instanceof EmbeddedUnavailableError)
    assert.match(error.message, /refuses to run as root.*user namespaces are forbidden.*DATABASE_URL/)
    return true
  })
})

test('findNativePackage() names DATABASE_URL on a machine without a package', () => {
  assert.throws(
    () => findNativePackage('plan9-mips'),
    (error) => error instanceof EmbeddedUnavailableError && /plan9-mips.*DATABASE_URL/.test(error.message),
  )
})
