import { parseSync, Visitor } from 'oxc-parser'
import type { Comment, Program, VisitorObject } from 'oxc-parser'

/** How one module names another. `type` imports vanish when Node strips types; `url` is `new URL('./x', import.meta.url)`. */
export type ImportKind = 'value' | 'type' | 'dynamic' | 'url'

export type Import = {
  readonly specifier: string
  readonly kind: ImportKind
  /** What is taken from the module; empty for `import 'x'`, `export * from` and dynamic imports. `*` is the namespace. */
  readonly names: readonly string[]
  /** Offsets of the specifier without its quotes. */
  readonly start: number
  readonly end: number
}

/** One parsed TypeScript or JavaScript file. */
export type Source = {
  readonly path: string
  readonly text: string
  readonly program: Program
  readonly comments: readonly Comment[]
  readonly imports: readonly Import[]
  /** The 1-based line that holds an offset. */
  lineOf(offset: number): number
  /** Walks the syntax tree once. */
  visit(visitor: VisitorObject): void
}

/** Parses one file. @throws {SyntaxError} when it is not valid TypeScript. */
export function parseSource(path: string, text: string): Source {
  const parsed = parseSync(path, text)
  const broken = parsed.errors[0]
  if (broken !== undefined) throw new SyntaxError(broken.message)
  const { program, comments } = parsed
  return {
    path,
    text,
    program,
    comments,
    imports: importsOf(program, text),
    lineOf: (offset) => text.slice(0, offset).split('\n').length,
    visit: (visitor) => new Visitor(visitor).visit(program),
  }
}

type Literal = { readonly type: string; readonly value?: unknown; readonly start: number; readonly end: number }

function importsOf(program: Program, text: string): Import[] {
  const found: Import[] = []
  const add = (node: Literal | null | undefined, kind: ImportKind, names: readonly string[] = []): void => {
    if (node?.type !== 'Literal' || typeof node.value !== 'string') return
    found.push({ specifier: node.value, kind, names, start: node.start + 1, end: node.end - 1 })
  }
  new Visitor({
    ImportDeclaration(node) {
      const taken = node.specifiers.filter((entry) => entry.type !== 'ImportSpecifier' || entry.importKind !== 'type')
      const isType = node.importKind === 'type' || (taken.length === 0 && node.specifiers.length > 0)
      const named = isType ? node.specifiers : taken
      add(
        node.source,
        isType ? 'type' : 'value',
        named.map((entry) => (entry.type === 'ImportSpecifier' ? nameOf(entry.imported) : '*')),
      )
    },
    ExportNamedDeclaration(node) {
      const isType =
        node.exportKind === 'type' || (node.specifiers.length > 0 && node.specifiers.every((entry) => entry.exportKind === 'type'))
      add(
        node.source,
        isType ? 'type' : 'value',
        node.specifiers.map((entry) => nameOf(entry.local)),
      )
    },
    ExportAllDeclaration(node) {
      add(node.source, node.exportKind === 'type' ? 'type' : 'value')
    },
    ImportExpression(node) {
      add(node.source, 'dynamic')
    },
    TSImportType(node) {
      add(node.source, 'type')
    },
    CallExpression(node) {
      // import.meta.resolve('x') names a module as an import does.
      const callee = text.slice(node.callee.start, node.callee.end)
      if (callee === 'import.meta.resolve') add(node.arguments[0], 'dynamic')
    },
    NewExpression(node) {
      const [target, base] = node.arguments
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'URL' || target === undefined || base === undefined) return
      if (text.slice(base.start, base.end) === 'import.meta.url') add(target, 'url')
    },
  }).visit(program)
  return found.sort((a, b) => a.start - b.start)
}

function nameOf(node: { readonly type: string; readonly name?: string; readonly value?: string }): string {
  return node.name ?? node.value ?? ''
}
