import { dependenciesOf, isRelative, targetOf } from './imports.ts'
import { lineOfText } from './rule.ts'
import type { Problem, Rule } from './rule.ts'
import type { Tree } from './tree.ts'

type Graph = ReadonlyMap<string, readonly string[]>

/** The circles of a graph, each once, as the path that closes it. */
export function circlesOf(graph: Graph): string[][] {
  const circles: string[][] = []
  const done = new Set<string>()
  const walk = (node: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(node)
    if (seenAt >= 0) {
      circles.push([...trail.slice(seenAt), node])
      return
    }
    if (done.has(node)) return
    for (const next of graph.get(node) ?? []) walk(next, [...trail, node])
    done.add(node)
  }
  for (const node of graph.keys()) walk(node, [])
  return circles
}

function packagesHaveNoCircle(tree: Tree): Problem[] {
  const graph = new Map(tree.workspaces.map((workspace) => [workspace.name, dependenciesOf(workspace)]))
  return circlesOf(graph).map((circle) => {
    const [first = '', second = ''] = circle
    const file = `${tree.workspaces.find(({ name }) => name === first)?.dir}/package.json`
    return {
      file,
      line: lineOfText(tree, file, `"${second}"`),
      says: `closes the circle ${circle.join(' -> ')}; move the shared piece into a lower package`,
    }
  })
}

function filesHaveNoCircle(tree: Tree): Problem[] {
  const graph = new Map(
    tree.sources.map((source) => {
      // Type imports vanish before Node runs the file: they close no circle.
      const values = source.imports.filter(({ specifier, kind }) => kind === 'value' && isRelative(specifier))
      return [source.path, values.map((found) => targetOf(source, found))] as const
    }),
  )
  return circlesOf(graph).map((circle) => {
    const file = circle.at(-2) ?? ''
    const target = circle.at(-1)?.split('/').at(-1) ?? ''
    return {
      file,
      line: lineOfText(tree, file, target),
      says: `closes the circle ${circle.join(' -> ')}; move the shared piece into a file of its own`,
    }
  })
}

export const cycleRules: readonly Rule[] = [
  { name: 'packages form no circle', check: packagesHaveNoCircle },
  { name: 'files form no circle', check: filesHaveNoCircle },
]
