import type { Problem, Rule } from './rule.ts'
import type { Source } from './source.ts'
import { shippedSources } from './tree.ts'
import type { Tree } from './tree.ts'

/** A class of packages or apps that declares `code = 'AREA_WHAT'`. */
export type ErrorCode = {
  readonly code: string
  readonly className: string
  readonly file: string
  readonly line: number
  /** The workspace, without its folder: `journal`. */
  readonly area: string
  /** The docstring of the class on one line; empty where there is none. */
  readonly meaning: string
  readonly isRetryable: boolean
}

export const ERRORS_FILE = 'docs/errors.md'
const CODE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/

type Valued = { readonly type: string; readonly value?: unknown; readonly expression?: Valued }

function literalOf(node: Valued | null | undefined): unknown {
  if (node?.expression !== undefined) return literalOf(node.expression)
  return node?.type === 'Literal' ? node.value : undefined
}

/** The docstring that ends where a declaration begins, `export` and `abstract` between them or not. */
function docstringBefore(source: Source, start: number): string {
  const comment = source.comments.findLast(
    ({ type, end }) => type === 'Block' && end <= start && /^[\s\w]*$/.test(source.text.slice(end, start)),
  )
  if (comment === undefined || !comment.value.startsWith('*')) return ''
  const lines = comment.value
    .slice(1)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
  return lines
    .join(' ')
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .trim()
}

/** Every error code that is declared in `src` of packages and apps, in the order of the codes. */
export function errorCodesOf(tree: Tree): ErrorCode[] {
  const codes: ErrorCode[] = []
  for (const source of shippedSources(tree)) {
    const visitClass = (node: { id: { name: string } | null; body: { body: readonly unknown[] }; start: number }): void => {
      const fields = new Map<string, Valued & { start: number }>()
      for (const member of node.body.body as readonly {
        type: string
        key?: { name?: string }
        value?: (Valued & { start: number }) | null
      }[])
        if (member.type === 'PropertyDefinition' && member.key?.name !== undefined && member.value)
          fields.set(member.key.name, member.value)
      const field = fields.get('code')
      const code = literalOf(field)
      if (field === undefined || typeof code !== 'string' || !CODE.test(code)) return
      codes.push({
        code,
        className: node.id?.name ?? '',
        file: source.path,
        line: source.lineOf(field.start),
        area: source.path.split('/')[1] ?? '',
        meaning: docstringBefore(source, node.start),
        isRetryable: literalOf(fields.get('retryable')) === true,
      })
    }
    source.visit({ ClassDeclaration: visitClass, ClassExpression: visitClass })
  }
  return codes.toSorted((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : a.file < b.file ? -1 : 1))
}

function codesAreDeclaredOnce(tree: Tree): Problem[] {
  const first = new Map<string, ErrorCode>()
  return errorCodesOf(tree).flatMap((declared) => {
    const earlier = first.get(declared.code)
    first.set(declared.code, earlier ?? declared)
    if (earlier === undefined) return []
    const says = `declares ${declared.code}, as ${earlier.file}:${earlier.line} does; one code, one class`
    return [{ file: declared.file, line: declared.line, says }]
  })
}

/** The codes that docs/errors.md lists: first cells of its tables. */
function listedCodes(text: string): Map<string, number> {
  const lines = text.split('\n').map((line, index) => [/^\| `([A-Z0-9_]+)` \|/.exec(line)?.[1], index + 1] as const)
  return new Map(lines.filter((entry): entry is readonly [string, number] => entry[0] !== undefined))
}

function codesAreListed(tree: Tree): Problem[] {
  const listed = listedCodes(tree.files.get(ERRORS_FILE) ?? '')
  const declared = errorCodesOf(tree)
  const codes = new Set(declared.map(({ code }) => code))
  const mend = 'run `npm run generate`'
  return [
    ...declared
      .filter(({ code }) => !listed.has(code))
      .map(({ code, file, line }) => ({ file, line, says: `declares ${code}, which ${ERRORS_FILE} does not list; ${mend}` })),
    ...[...listed]
      .filter(([code]) => !codes.has(code))
      .map(([code, line]) => ({ file: ERRORS_FILE, line, says: `lists ${code}, which no class declares; ${mend}` })),
  ]
}

export const errorCodeRules: readonly Rule[] = [
  { name: 'an error code is declared by one class', check: codesAreDeclaredOnce },
  { name: 'declared and listed error codes agree', check: codesAreListed },
]
