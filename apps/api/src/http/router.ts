import type { Route } from '../handler.ts'

/** What a path leads to: what it answers by method, and what its placeholders were. */
export type RouteMatch = {
  readonly byMethod: ReadonlyMap<string, Route>
  readonly params: Readonly<Record<string, string>>
  /** Of `Allow`. */
  readonly allow: string
}

export type Router = {
  /** `undefined`: there is nothing at that path. `'malformed'`: it cannot be read. */
  find(path: string): RouteMatch | 'malformed' | undefined
}

type Node = {
  readonly literal: Map<string, Node>
  variable: Node | undefined
  /** `{path...}`: whatever follows, at least one segment, which may be empty. */
  rest: Node | undefined
  readonly ends: Map<string, { readonly route: Route; readonly names: readonly string[] }>
}

const newNode = (): Node => ({ literal: new Map(), variable: undefined, rest: undefined, ends: new Map() })

/**
 * Finds routes by path alone, so that what a method may do is known before anything else is looked at. A literal segment goes before a
 * placeholder, and that before `{name...}`, which takes all that is left; case, trailing slashes and empty segments count: one address, one thing.
 */
export function createRouter(routes: readonly Route[]): Router {
  const root = newNode()
  for (const route of routes) insert(root, route)
  return {
    find(path) {
      const segments = segmentsOf(path)
      if (segments === undefined) return 'malformed'
      const values: string[] = []
      const node = walk(root, segments, values)
      return node === undefined ? undefined : matchOf(node, values)
    },
  }
}

function insert(root: Node, route: Route): void {
  const names: string[] = []
  let node = root
  for (const segment of route.def.path.split('/').slice(1)) {
    if (segment.endsWith('...}')) {
      names.push(segment.slice(1, -4))
      node.rest ??= newNode()
      node = node.rest
    } else if (segment.startsWith('{')) {
      names.push(segment.slice(1, -1))
      node.variable ??= newNode()
      node = node.variable
    } else {
      node = node.literal.getOrInsertComputed(segment, newNode)
    }
  }
  const { method, path } = route.def
  if (node.ends.has(method)) throw new Error(`two routes answer ${method} ${path}`)
  node.ends.set(method, { route, names })
}

function walk(node: Node, segments: readonly string[], values: string[]): Node | undefined {
  const [segment, ...rest] = segments
  if (segment === undefined) return node.ends.size > 0 ? node : undefined
  const literal = node.literal.get(segment)
  const found = literal === undefined ? undefined : walk(literal, rest, values)
  if (found !== undefined) return found
  const below = segment === '' ? undefined : walkVariable(node, segment, { rest, values })
  if (below !== undefined || node.rest === undefined) return below
  values.push([segment, ...rest].join('/'))
  return node.rest
}

type Below = { readonly rest: readonly string[]; readonly values: string[] }

function walkVariable({ variable }: Node, segment: string, { rest, values }: Below): Node | undefined {
  if (variable === undefined) return undefined
  values.push(segment)
  const below = walk(variable, rest, values)
  if (below === undefined) values.pop()
  return below
}

function matchOf(node: Node, values: readonly string[]): RouteMatch {
  const byMethod = new Map<string, Route>()
  let params: Record<string, string> = {}
  for (const [method, { route, names }] of node.ends) {
    byMethod.set(method, route)
    if (method === 'GET') byMethod.set('HEAD', route)
    params = Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']))
  }
  return { byMethod, params, allow: [...byMethod.keys(), 'OPTIONS'].join(', ') }
}

/** Decoded once, each for itself: an encoded slash stays inside its segment. */
function segmentsOf(path: string): readonly string[] | undefined {
  try {
    return path.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return undefined
  }
}
