import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readCommittedManifest } from '../pack/committed-manifest.ts'
import { parseSource } from './source.ts'
import type { Source } from './source.ts'

type Versions = Readonly<Record<string, string>>

/** The fields of a package.json that rules look at. */
export type Manifest = {
  readonly name?: string
  readonly version?: string
  readonly description?: string
  readonly type?: string
  readonly exports?: string | Readonly<Record<string, unknown>>
  readonly dependencies?: Versions
  readonly devDependencies?: Versions
  readonly optionalDependencies?: Versions
  readonly peerDependencies?: Versions
  /** Of a package that is published by itself: what its `exports` are inside the tarball. */
  readonly publishConfig?: { readonly exports?: Readonly<Record<string, unknown>> }
  readonly ascribe?: { readonly layer?: number }
}

export type Workspace = { readonly dir: string; readonly name: string; readonly manifest: Manifest }

/** The repository as rules see it: a value, so that each rule can be tested with a planted fault. */
export type Tree = {
  /** Text by path from the root, `/` as separator. */
  readonly files: ReadonlyMap<string, string>
  /** The manifest at the root. */
  readonly root: Manifest
  readonly workspaces: readonly Workspace[]
  /** The parsed TypeScript files, in the order of their paths. */
  readonly sources: readonly Source[]
  /** Files that are not valid TypeScript or JSON, with the reason. */
  readonly broken: ReadonlyMap<string, string>
}

const WORKSPACE = /^(?:(?:packages|apps)\/[^/]+|e2e|bench)(?=\/)/

const WORKSPACE_MANIFEST = /^(?:packages|apps)\/[^/]+\/package\.json$/

/** Builds a tree from paths and texts. */
export function createTree(texts: Readonly<Record<string, string>> | ReadonlyMap<string, string>): Tree {
  const entries = texts instanceof Map ? [...texts] : Object.entries(texts as Readonly<Record<string, string>>)
  const files = new Map<string, string>(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const broken = new Map<string, string>()
  const attempt = <T>(path: string, parse: () => T): T | undefined => {
    try {
      return parse()
    } catch (cause) {
      broken.set(path, `Cannot parse it: ${cause instanceof Error ? cause.message : String(cause)}`)
      return undefined
    }
  }
  const manifestAt = (path: string): Manifest => attempt(path, () => JSON.parse(files.get(path) ?? '{}') as Manifest) ?? {}
  const dirs = new Set([...files.keys()].map((path) => WORKSPACE.exec(path)?.[0]).filter((dir) => dir !== undefined))
  const workspaces = [...dirs].map((dir) => {
    const manifest = manifestAt(`${dir}/package.json`)
    return { dir, name: manifest.name ?? dir, manifest }
  })
  const sources = [...files]
    .filter(([path]) => /\.tsx?$/.test(path) && !isForeign(path))
    .map(([path, text]) => attempt(path, () => parseSource(path, text)))
    .filter((source) => source !== undefined)
  return { files, root: manifestAt('package.json'), workspaces, sources, broken }
}

/** Reads what git tracks or would track (so that a file not yet added is checked as well). */
export function readTree(root: string): Tree {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  const files = new Map<string, string>()
  for (const path of new Set(listed.split('\0').filter((line) => line !== ''))) {
    try {
      files.set(
        path,
        WORKSPACE_MANIFEST.test(path) ? readCommittedManifest(join(root, dirname(path))) : readFileSync(join(root, path), 'utf8'),
      )
    } catch {
      // Deleted but not committed as such yet, or a link to a folder: nothing to read.
    }
  }
  return createTree(files)
}

/** Bytes that came from elsewhere: rules on what is written here leave them alone. */
export function isForeign(path: string): boolean {
  return /(^|\/)(recorded|generated|fixtures)\//.test(path)
}

export function workspaceOf(tree: Tree, path: string): Workspace | undefined {
  const dir = WORKSPACE.exec(path)?.[0]
  return tree.workspaces.find((workspace) => workspace.dir === dir)
}

/** Code that proves other code: not shipped, so exempt from rules on what ships. */
export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || /(^|\/)test\//.test(path) || path.startsWith('e2e/') || path.startsWith('bench/')
}

/** The sources that ship: `src` of packages and apps, without tests. */
export function shippedSources(tree: Tree): Source[] {
  return tree.sources.filter((source) => /^(packages|apps)\/[^/]+\/src\//.test(source.path) && !isTest(source.path))
}

/** `src/testing.ts` and `src/testing/`: published to other packages' tests. */
export function isTesting(path: string): boolean {
  return /\/src\/testing(\.ts$|\/|-[^/]*\.ts$)/.test(path)
}
