import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Manifest } from '../tidy/tree.ts'
import { savedManifestPath } from './committed-manifest.ts'

// Inside the repository `exports` leads to TypeScript, below node_modules it has to lead to JavaScript, and npm takes the manifest as it
// stands on the disk. So for the moment in which npm reads it, `publishConfig.exports` takes the place of `exports`: what pnpm and yarn do
// by themselves. Either leads to the same code, so whoever imports the package in that moment gets it too.

/** Puts the exports of the tarball in. What a pack that was killed has left behind is put right first. */
export async function usePublishedExports(packageDir: string): Promise<void> {
  await useOwnExports(packageDir)
  const path = join(packageDir, 'package.json')
  const text = await readFile(path, 'utf8')
  const manifest = JSON.parse(text) as Manifest
  const published = manifest.publishConfig?.exports
  if (published === undefined) return
  const saved = savedManifestPath(packageDir)
  await mkdir(dirname(saved), { recursive: true })
  await writeFile(saved, text)
  await writeAtOnce(path, `${JSON.stringify({ ...manifest, exports: published }, undefined, 2)}\n`)
}

/** Puts the manifest of the repository back, byte for byte. */
export async function useOwnExports(packageDir: string): Promise<void> {
  await rename(savedManifestPath(packageDir), join(packageDir, 'package.json')).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause
  })
}

/** Nobody must find half a manifest. */
async function writeAtOnce(path: string, text: string): Promise<void> {
  const beside = `${path}.new`
  await writeFile(beside, text)
  await rename(beside, path)
}
