import { collectBundle } from '../pack/bundle.ts'
import { lineOfText } from './rule.ts'
import type { Problem, Rule } from './rule.ts'
import type { Tree } from './tree.ts'

const COMMAND = 'apps/cli'

/**
 * The packed command holds every workspace that it reaches, so what those ask for has to stand in its own manifest: npm reads only
 * that. What stands there and nobody asks for would be installed for nothing.
 */
function declaresWhatItHolds(tree: Tree): Problem[] {
  const manifest = tree.workspaces.find(({ dir }) => dir === COMMAND)?.manifest
  if (manifest === undefined) return []
  const file = `${COMMAND}/package.json`
  const bundle = collectBundle(tree, COMMAND)
  const own = new Set(tree.workspaces.map(({ name }) => name))
  return (['dependencies', 'optionalDependencies'] as const).flatMap((section) => {
    const declared = new Map(Object.entries(manifest[section] ?? {}))
    const missing = bundle.workspaces.flatMap(({ dir, manifest: held }) =>
      Object.entries(held[section] ?? {})
        .filter(([name, version]) => !own.has(name) && declared.get(name) !== version)
        .map(([name, version]) => `lacks ${name} ${version} in ${section}, which ${dir} needs once it is packed; add it`),
    )
    const inside = [...declared.keys()]
      .filter((name) => own.has(name))
      .map((name) => `lists ${name} in ${section}; it is packed inside: move it to devDependencies`)
    const imported = new Set(
      bundle.sources
        .filter(({ path }) => path.startsWith(`${COMMAND}/`))
        .flatMap(({ imports }) => imports.map(({ specifier }) => specifier)),
    )
    const elsewhere = new Set(
      bundle.workspaces.filter(({ dir }) => dir !== COMMAND).flatMap(({ manifest: held }) => Object.keys(held[section] ?? {})),
    )
    const idle = [...declared.keys()]
      .filter((name) => !own.has(name) && !elsewhere.has(name) && !imported.has(name))
      .map((name) => `lists ${name} in ${section}, which nothing in it needs; remove it`)
    return [...missing, ...inside, ...idle].map((says) => ({ file, line: lineOfText(tree, file, `"${section}"`), says }))
  })
}

export const packedRules: readonly Rule[] = [{ name: 'the packed command declares what it holds', check: declaresWhatItHolds }]
