import { posix } from 'node:path'
import { isPublished, isRoot, layerOf } from './manifests.ts'
import type { Problem, Rule } from './rule.ts'
import type { Import, Source } from './source.ts'
import { isTest, workspaceOf } from './tree.ts'
import type { Manifest, Tree, Workspace } from './tree.ts'

/** `@ascribe/units/testing` is of package `@ascribe/units`. */
export function packageOf(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier)
}

export function isRelative(specifier: string): boolean {
  return specifier.startsWith('./') || specifier.startsWith('../')
}

/** The path from the root that a relative specifier means. */
export function targetOf(source: Source, found: Import): string {
  return posix.join(posix.dirname(source.path), found.specifier)
}

function eachImport(tree: Tree, judge: (found: Import, source: Source) => string | undefined): Problem[] {
  return tree.sources.flatMap((source) =>
    source.imports.flatMap((found) => {
      const says = judge(found, source)
      return says === undefined ? [] : [{ file: source.path, line: source.lineOf(found.start), says }]
    }),
  )
}

function isDeclared(tree: Tree): Problem[] {
  return eachImport(tree, (found, source) => {
    const { specifier, kind } = found
    if (isRelative(specifier) || specifier.startsWith('node:') || kind === 'url') return undefined
    const workspace = workspaceOf(tree, source.path)
    const manifest: Manifest = workspace?.manifest ?? tree.root
    const name = packageOf(specifier)
    if (name === manifest.name) return undefined
    const shipped = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }
    if (name in shipped) return undefined
    const isBuiltIn = workspace !== undefined && isPublished(workspace) && tree.workspaces.some((other) => other.name === name)
    // What builds and serves the console while it is developed is not in it.
    const isBuilder = /^apps\/console\/(build|dev)\//.test(source.path)
    const mayUseDev = isBuilder || workspace === undefined || isRoot(workspace) || isBuiltIn || isTest(source.path) || kind === 'type'
    if (name in (manifest.devDependencies ?? {}))
      return mayUseDev ? undefined : `ships an import of ${name}, a devDependency; move it to dependencies`
    return `imports ${name}, which ${workspace?.dir ?? 'the root'}'s package.json does not declare; add it there with an exact version`
  })
}

function usesExports(tree: Tree): Problem[] {
  const byName = new Map(tree.workspaces.map((workspace) => [workspace.name, workspace]))
  return eachImport(tree, ({ specifier }) => {
    const target = byName.get(packageOf(specifier))
    if (target === undefined) return undefined
    const { exports = {} } = target.manifest
    const subpath = `.${specifier.slice(target.name.length)}`
    const isExported = typeof exports === 'string' ? subpath === '.' : subpath in exports
    if (isExported) return undefined
    return `imports ${specifier}, which ${target.name} does not export; import what its index.ts exports`
  })
}

function staysAtHome(tree: Tree): Problem[] {
  return eachImport(tree, (found, source) => {
    if (!isRelative(found.specifier)) return undefined
    const home = `${workspaceOf(tree, source.path)?.dir ?? source.path.split('/')[0]}/`
    const target = targetOf(source, found)
    if (!`${target}/`.startsWith(home) && found.kind !== 'url')
      return `imports ${found.specifier} from outside ${home}; import the package by its name`
    // Styles are a bundler's business: Node never sees these files.
    const isStyle = source.path.startsWith('apps/console/src/') && found.specifier.endsWith('.css')
    if (found.kind !== 'url' && !isStyle && !/\.(ts|tsx|json)$/.test(found.specifier))
      return `imports ${found.specifier}; relative imports end in .ts, which Node needs`
    return undefined
  })
}

/** What layer 1 may take from Node: computation on bytes, no I/O. */
const PURE_MODULES = new Set([
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:crypto',
  'node:string_decoder',
  'node:util',
  'node:zlib',
])

function isPure(tree: Tree): Problem[] {
  const layerAt = (source: Source): number => {
    const workspace = workspaceOf(tree, source.path)
    return workspace === undefined || isTest(source.path) ? Number.MAX_SAFE_INTEGER : layerOf(workspace)
  }
  const modules = eachImport(tree, ({ specifier }, source) => {
    if (!specifier.startsWith('node:')) return undefined
    const layer = layerAt(source)
    if (layer === 0) return `imports ${specifier}; layer 0 runs in a browser too and imports nothing from Node`
    if (layer === 1 && !PURE_MODULES.has(specifier))
      return `imports ${specifier}; layer 1 does no I/O: take bytes or a function as a parameter`
    return undefined
  })
  const globals: Problem[] = []
  for (const source of tree.sources.filter((candidate) => layerAt(candidate) <= 1)) {
    source.visit({
      MemberExpression({ object, start }) {
        if (object.type === 'Identifier' && object.name === 'process')
          globals.push({
            file: source.path,
            line: source.lineOf(start),
            says: 'uses process; layers 0 and 1 do no I/O: take the value as a parameter',
          })
      },
    })
  }
  return [...modules, ...globals]
}

const CONSOLE_MAY_IMPORT = new Set(['@ascribe/units', '@ascribe/kit', '@ascribe/contract'])

function consoleIsSafe(tree: Tree): Problem[] {
  return eachImport(tree, ({ specifier }, source) => {
    if (!source.path.startsWith('apps/console/src/') || !specifier.startsWith('@ascribe/')) return undefined
    if (CONSOLE_MAY_IMPORT.has(packageOf(specifier))) return undefined
    return `imports ${specifier} into the browser; the console imports only units, kit and contract`
  })
}

/** The names of what a workspace ships with. */
export function dependenciesOf(workspace: Workspace): string[] {
  const { dependencies = {}, optionalDependencies = {} } = workspace.manifest
  return Object.keys({ ...dependencies, ...optionalDependencies })
}

export const importRules: readonly Rule[] = [
  { name: 'a source imports only what its package.json declares', check: isDeclared },
  { name: 'a package is imported only through its exports', check: usesExports },
  { name: 'relative imports stay in their workspace and end in .ts', check: staysAtHome },
  { name: 'layers 0 and 1 do no I/O', check: isPure },
  { name: 'the console imports only browser-safe packages', check: consoleIsSafe },
]
