import { lineOfText } from './rule.ts'
import type { Problem, Rule } from './rule.ts'
import type { Tree, Workspace } from './tree.ts'

const EXACT = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/
const SECTIONS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const
const LAYER_OF_HOME = [
  { home: /^packages\//, least: 0, most: 5 },
  { home: /^apps\/cli$/, least: 7, most: 7 },
  { home: /^apps\//, least: 6, most: 6 },
  { home: /^(e2e|bench)$/, least: 8, most: 8 },
] as const

/** The layer of a workspace; above everything when its manifest does not say, so that nothing may import it. */
export function layerOf(workspace: Workspace): number {
  return workspace.manifest.ascribe?.layer ?? Number.MAX_SAFE_INTEGER
}

/** Composition roots: nobody imports them, and what they are made of may stand in `devDependencies`. */
export function isRoot(workspace: Workspace): boolean {
  return layerOf(workspace) >= 7
}

/** Published by itself: npm gets one tarball, and the workspaces that it needs are built in. They may stand in `devDependencies`. */
export function isPublished(workspace: Workspace): boolean {
  return workspace.manifest.publishConfig?.exports !== undefined
}

function describes({ workspaces, files }: Tree): Problem[] {
  return workspaces.flatMap((workspace) => {
    const { dir, manifest } = workspace
    const file = `${dir}/package.json`
    const says: string[] = []
    const range = LAYER_OF_HOME.find(({ home }) => home.test(dir))
    const layer = manifest.ascribe?.layer
    if (!files.has(file)) says.push('is missing; every folder of packages/ and apps/ is a workspace: add the manifest or move the files')
    else if (range !== undefined && (layer === undefined || !Number.isInteger(layer) || layer < range.least || layer > range.most))
      says.push(`has layer ${layer}; state "ascribe": { "layer": n } with n from ${range.least} to ${range.most}`)
    if (manifest.name !== `@ascribe/${dir.split('/').at(-1)}`) says.push(`is named ${manifest.name}; the name is @ascribe/ and the folder`)
    if (!manifest.description) says.push('has no description; say in one sentence what it is for')
    if (manifest.type !== 'module') says.push('has no "type": "module"; Node would take its files for CommonJS')
    return says.map((text) => ({ file, line: 1, says: text }))
  })
}

function isDocumentedAndTested({ workspaces, files }: Tree): Problem[] {
  const paths = [...files.keys()]
  return workspaces
    .filter(({ dir }) => dir.includes('/'))
    .flatMap(({ dir }) => {
      const problems: Problem[] = []
      if (!files.has(`${dir}/README.md`))
        problems.push({
          file: `${dir}/README.md`,
          line: 1,
          says: 'is missing; write purpose, words, what it owns and does not own, invariants',
        })
      if (!paths.some((path) => path.startsWith(`${dir}/`) && path.endsWith('.test.ts')))
        problems.push({ file: `${dir}/src`, line: 1, says: 'has no test; add x.test.ts beside a source, or remove the empty room' })
      return problems
    })
}

function pins(tree: Tree): Problem[] {
  const manifests = [{ dir: '', manifest: tree.root }, ...tree.workspaces]
  return manifests.flatMap(({ dir, manifest }) => {
    const file = dir === '' ? 'package.json' : `${dir}/package.json`
    return SECTIONS.flatMap((section) =>
      Object.entries(manifest[section] ?? {})
        .filter(([, version]) => !EXACT.test(version))
        .map(([name, version]) => ({
          file,
          line: lineOfText(tree, file, `"${name}"`),
          says: `asks for ${name} ${version}; pin one exact version, which an older Node cannot quietly lower`,
        })),
    )
  })
}

function goesDown(tree: Tree): Problem[] {
  const byName = new Map(tree.workspaces.map((workspace) => [workspace.name, workspace]))
  return tree.workspaces.flatMap((workspace) => {
    const file = `${workspace.dir}/package.json`
    const { dependencies = {}, optionalDependencies = {}, devDependencies = {} } = workspace.manifest
    const at = (name: string, says: string): Problem => ({ file, line: lineOfText(tree, file, `"${name}"`), says })
    const isLower = (other: Workspace): boolean => layerOf(other) < layerOf(workspace)
    const shipped = Object.keys({ ...dependencies, ...optionalDependencies }).flatMap((name) => {
      const other = byName.get(name)
      if (other === undefined || isLower(other)) return []
      const says = `(layer ${layerOf(workspace)}) depends on ${name} (layer ${layerOf(other)}); move the shared piece down, or pass it in as a parameter`
      return [at(name, says)]
    })
    // Tests may use any package (a lock, a database, the sandbox), but never start an app: that is what e2e is for.
    const proving = Object.keys(devDependencies).flatMap((name) => {
      const other = byName.get(name)
      if (other === undefined || isLower(other) || other.dir.startsWith('packages/')) return []
      return [at(name, `tests with the app ${name}; a test that needs an app of its own layer or above belongs in e2e/`)]
    })
    return [...shipped, ...proving]
  })
}

function lockfileIsNeutral(tree: Tree): Problem[] {
  const lines = (tree.files.get('package-lock.json') ?? '').split('\n')
  return lines.flatMap((line, index) =>
    /"resolved": "[a-z+]+:/.test(line)
      ? [
          {
            file: 'package-lock.json',
            line: index + 1,
            says: 'carries an address; install with omit-lockfile-registry-resolved=true and commit again',
          },
        ]
      : [],
  )
}

export const manifestRules: readonly Rule[] = [
  { name: 'every workspace says what it is and on which layer', check: describes },
  { name: 'every package and app has a README and a test', check: isDocumentedAndTested },
  { name: 'every dependency is pinned to an exact version', check: pins },
  { name: 'a workspace depends only on lower layers', check: goesDown },
  { name: 'the lockfile carries no download addresses', check: lockfileIsNeutral },
]
