import assert from 'node:assert/strict'
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { manifest } from '../tidy/planted.ts'
import { readCommittedManifest } from './committed-manifest.ts'
import { useOwnExports, usePublishedExports } from './publish-exports.ts'

const OWN = `${manifest('tokens', 2, { publishConfig: { exports: { '.': './dist/index.js' } } })}\n\n`

test('usePublishedExports() and useOwnExports() change exports for the while of a pack, and nothing else', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-exports-'))
  const path = join(folder.path, 'package.json')
  await writeFile(path, OWN)
  await usePublishedExports(folder.path)
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), { ...JSON.parse(OWN), exports: { '.': './dist/index.js' } })
  await useOwnExports(folder.path)
  assert.equal(await readFile(path, 'utf8'), OWN)
})

test('a pack that runs beside another never reads the manifest that is only there for the tarball', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-exports-'))
  await writeFile(join(folder.path, 'package.json'), OWN)
  assert.equal(readCommittedManifest(folder.path), OWN)
  await usePublishedExports(folder.path)
  assert.equal(readCommittedManifest(folder.path), OWN)
  await useOwnExports(folder.path)
  assert.equal(readCommittedManifest(folder.path), OWN)
})

test('usePublishedExports() puts right what a pack that was killed has left behind', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-exports-'))
  const path = join(folder.path, 'package.json')
  await writeFile(path, OWN)
  await usePublishedExports(folder.path)
  await usePublishedExports(folder.path)
  await useOwnExports(folder.path)
  await useOwnExports(folder.path)
  assert.equal(await readFile(path, 'utf8'), OWN)
})

test('usePublishedExports() leaves a command, which has no exports to publish, as it is', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'ascribe-exports-'))
  const path = join(folder.path, 'package.json')
  await writeFile(path, manifest('cli', 7))
  await usePublishedExports(folder.path)
  await useOwnExports(folder.path)
  assert.equal(await readFile(path, 'utf8'), manifest('cli', 7))
})
