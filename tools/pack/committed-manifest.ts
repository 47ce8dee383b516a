import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where the manifest of the repository waits while npm packs: git ignores the folder. */
export function savedManifestPath(packageDir: string): string {
  return join(packageDir, 'node_modules', '.ascribe-pack', 'package.json')
}

/** The manifest of a package as it is committed, also in the moment in which npm packs it and another one lies in its place. */
export function readCommittedManifest(packageDir: string): string {
  const path = join(packageDir, 'package.json')
  // In this order: who finds the other one finds this one saved, or it is back by now.
  const found = readFileSync(path, 'utf8')
  try {
    return readFileSync(savedManifestPath(packageDir), 'utf8')
  } catch {
    return found.includes('"publishConfig"') ? readFileSync(path, 'utf8') : found
  }
}
