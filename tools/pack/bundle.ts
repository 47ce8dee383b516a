import { posix } from 'node:path'
import { dependenciesOf, isRelative, packageOf, targetOf } from '../tidy/imports.ts'
import type { Import, Source } from '../tidy/source.ts'
import { isPublished } from '../tidy/manifests.ts'
import { isTest, isTesting } from '../tidy/tree.ts'
import type { Tree, Workspace } from '../tidy/tree.ts'

/** What a packed command is made of. Paths are from the root of the repository and keep their layout inside the package. */
export type Bundle = {
  readonly workspaces: readonly Workspace[]
  /** TypeScript that ships. */
  readonly sources: readonly Source[]
  /** Everything else that code finds beside itself: `.sql`, `.yaml`, `.json`, and what pages are made of. */
  readonly assets: readonly string[]
  /** Packages from elsewhere that the bundled workspaces ask for, with their versions. */
  readonly dependencies: ReadonlyMap<string, string>
  readonly optionalDependencies: ReadonlyMap<string, string>
}

const ASSET = /\.(sql|ya?ml|json|html|css)$|\/assets\/[\w.-]+\.js$/
const NOT_SHIPPED = /(^|\/)(test|fixtures|recorded|node_modules|dist)\/|\/(package|tsconfig[^/]*)\.json$/

/** Collects a workspace and every workspace that it reaches. The entry may name them as devDependencies: they are built in. */
export function collectBundle(tree: Tree, entryDir: string): Bundle {
  const byName = new Map(tree.workspaces.map((workspace) => [workspace.name, workspace]))
  const entry = tree.workspaces.find(({ dir }) => dir === entryDir)
  if (entry === undefined) throw new Error(`Cannot pack ${entryDir}: it is not a workspace`)

  const workspaces = new Set<Workspace>([entry])
  // A set that grows while it is walked: the new members are walked too.
  for (const workspace of workspaces) {
    const buildsIn = workspace === entry || isPublished(workspace)
    const names = [...dependenciesOf(workspace), ...(buildsIn ? Object.keys(workspace.manifest.devDependencies ?? {}) : [])]
    for (const name of names) {
      const next = byName.get(name)
      if (next !== undefined) workspaces.add(next)
    }
  }

  const isInside = (path: string): boolean => [...workspaces].some(({ dir }) => path.startsWith(`${dir}/`))
  return {
    workspaces: [...workspaces].toSorted((a, b) => (a.dir < b.dir ? -1 : 1)),
    sources: tree.sources.filter(({ path }) => isInside(path) && path.includes('/src/') && !isTest(path) && !isTesting(path)),
    assets: [...tree.files.keys()].filter((path) => isInside(path) && ASSET.test(path) && !NOT_SHIPPED.test(path)),
    dependencies: externalsOf(workspaces, byName, 'dependencies'),
    optionalDependencies: externalsOf(workspaces, byName, 'optionalDependencies'),
  }
}

function externalsOf(
  workspaces: Iterable<Workspace>,
  byName: ReadonlyMap<string, Workspace>,
  section: 'dependencies' | 'optionalDependencies',
): Map<string, string> {
  const found = new Map<string, string>()
  for (const { manifest } of workspaces) {
    for (const [name, version] of Object.entries(manifest[section] ?? {})) if (!byName.has(name)) found.set(name, version)
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Finds the file that a bundled workspace exports under a specifier such as `@ascribe/units`; `undefined` for packages from elsewhere. */
function bundledTarget(bundle: Pick<Bundle, 'workspaces'>, specifier: string): string | undefined {
  const workspace = bundle.workspaces.find(({ name }) => name === packageOf(specifier))
  if (workspace === undefined) return undefined
  const { exports } = workspace.manifest
  const subpath = `.${specifier.slice(workspace.name.length)}`
  const target = typeof exports === 'string' && subpath === '.' ? exports : typeof exports === 'object' ? exports[subpath] : undefined
  if (typeof target !== 'string') throw new Error(`Cannot pack: ${workspace.name} does not export ${specifier}`)
  return posix.join(workspace.dir, target)
}

/**
 * Rewrites the specifiers of one file for its place inside the package: `./x.ts` becomes `./x.js`, `@ascribe/units` the relative
 * path of its entry. `text` is what is rewritten, at the places that `source` (parsed from the same text) found.
 *
 * @throws {Error} when a relative specifier leads to a file that is not packed.
 */
export function rewriteSpecifiers(source: Source, bundle: Bundle, packed: ReadonlySet<string>): string {
  let text = source.text
  for (const found of source.imports.toReversed()) {
    const specifier = rewritten(source, found, bundle, packed)
    if (specifier !== undefined) text = text.slice(0, found.start) + specifier + text.slice(found.end)
  }
  return text
}

function rewritten(source: Source, found: Import, bundle: Bundle, packed: ReadonlySet<string>): string | undefined {
  const { specifier, kind } = found
  const target = isRelative(specifier) ? targetOf(source, found) : kind === 'url' ? undefined : bundledTarget(bundle, specifier)
  if (target === undefined) return undefined
  if (/\.tsx?$/.test(target) && !packed.has(target))
    throw new Error(`Cannot pack ${source.path}: it imports ${target}, which is not packed`)
  const path = posix.relative(posix.dirname(source.path), target)
  const relative = path.startsWith('.') ? path : `./${path}`
  return (specifier.endsWith('/') && !relative.endsWith('/') ? `${relative}/` : relative).replace(/\.ts$/, '.js')
}
