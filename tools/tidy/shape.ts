import type { Problem, Rule } from './rule.ts'
import type { Source } from './source.ts'
import { isForeign, isTest } from './tree.ts'
import type { Tree } from './tree.ts'

const LINES_MAX = 400
const TEST_LINES_MAX = 600
const VAGUE = /(^|\/)(utils?|helpers?|misc|common)\.tsx?$/
const STRAY = /\.(log|tgz|tar|tar\.gz|zip|orig|rej|swp|tmp)$|(^|\/)(\.DS_Store|nohup\.out|core)$/
// Written so that a plain search of the repository for such words does not find this file.
const LEFTOVER = /\b(TO[D]O|FIX[M]E|X[X]X|HAC[K])\b(\(#\d+\))?/g
const SILENCER = /@ts-(ignore|nocheck|expect-error)\b/
const MACHINE_PATH = /(?<![\w.:/@-])\/(?:root|work|workspace|(?:home|Users)\/[\w.-]+)\/[\w.-]/
const REGISTRY_HOST =
  /registry\.(?:npmjs|yarnpkg)\.|(?:files\.)?pythonhosted\.org|\bpypi\.(?:org|python\.org)|proxy\.golang\.org|\bcrates\.io\b|repo1?\.maven\.(?:org|apache)|deb\.debian\.org/
const TEST_FUNCTIONS = new Set(['test', 'it', 'describe', 'suite'])

function fitsOnAScreenOrTen(tree: Tree): Problem[] {
  return [...tree.files].flatMap(([file, text]) => {
    if (!/\.(tsx?|sql)$/.test(file) || isForeign(file)) return []
    const most = /\.test\.tsx?$/.test(file) ? TEST_LINES_MAX : LINES_MAX
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    return lines > most ? [{ file, line: most + 1, says: `has ${lines} lines; split it by idea (at most ${most})` }] : []
  })
}

function namesTheConcept(tree: Tree): Problem[] {
  return tree.sources
    .filter(({ path }) => VAGUE.test(path))
    .map(({ path }) => ({ file: path, line: 1, says: 'has a name that says nothing; name the concept' }))
}

function exportsByName(tree: Tree): Problem[] {
  const problems: Problem[] = []
  for (const source of tree.sources) {
    source.visit({
      ExportDefaultDeclaration({ start }) {
        problems.push({ file: source.path, line: source.lineOf(start), says: 'has a default export; export by name' })
      },
    })
  }
  return problems
}

function leavesNothingBehind(tree: Tree): Problem[] {
  return tree.sources.flatMap((source) =>
    source.comments.flatMap((comment) => {
      const says: { text: string; at: number }[] = []
      for (const match of comment.value.matchAll(LEFTOVER)) {
        const isFiled = match[1] === 'TO' + 'DO' && match[2] !== undefined
        if (!isFiled) says.push({ text: `says ${match[1]}; do it, or file an issue and write its number as (#123)`, at: match.index })
      }
      const silenced = SILENCER.exec(comment.value)
      if (silenced !== null) says.push({ text: `says ${silenced[0]}; give the checker the right type instead`, at: silenced.index })
      return says.map(({ text, at }) => ({ file: source.path, line: source.lineOf(comment.start + 2 + at), says: text }))
    }),
  )
}

type Argument = { readonly type: string; readonly properties?: readonly unknown[] }

/** `{ skip: true }`, `{ only: true }`, `{ todo: … }` among the arguments of a test. */
function mutedOption(source: Source, argument: Argument & { start: number; end: number }): string | undefined {
  if (argument.type !== 'ObjectExpression') return undefined
  const match = /\b(only|todo)\s*:\s*(?!false)|\bskip\s*:\s*true\b/.exec(source.text.slice(argument.start, argument.end))
  return match?.[0]
}

function runsEveryTest(tree: Tree): Problem[] {
  const problems: Problem[] = []
  for (const source of tree.sources.filter(({ path }) => isTest(path) || path.endsWith('.test.ts'))) {
    const add = (offset: number, says: string): void => void problems.push({ file: source.path, line: source.lineOf(offset), says })
    source.visit({
      CallExpression({ callee, arguments: args, start }) {
        if (callee.type === 'Identifier' && TEST_FUNCTIONS.has(callee.name)) {
          const muted = args.map((argument) => mutedOption(source, argument)).find((found) => found !== undefined)
          if (muted !== undefined) add(start, `mutes a test (${muted}); run it, or say why with { skip: 'reason' }`)
        }
        if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier' || callee.property.type !== 'Identifier') return
        const [object, method] = [callee.object.name, callee.property.name]
        if (TEST_FUNCTIONS.has(object) && ['only', 'skip', 'todo'].includes(method))
          add(start, `uses ${object}.${method}; run it, or say why with { skip: 'reason' }`)
        if (['t', 'context'].includes(object) && ['skip', 'todo'].includes(method) && args.length === 0)
          add(start, `uses ${object}.${method}() without a reason; give it as a string`)
      },
    })
  }
  return problems
}

function speaksOfItselfAlone(tree: Tree): Problem[] {
  return [...tree.files].flatMap(([file, text]) => {
    if (file === 'package-lock.json' || isForeign(file)) return []
    return text.split('\n').flatMap((line, index) => {
      const path = MACHINE_PATH.exec(line)?.[0]
      const host = REGISTRY_HOST.exec(line)?.[0]
      const problems: Problem[] = []
      if (path !== undefined)
        problems.push({
          file,
          line: index + 1,
          says: `names the machine path ${path}…; write it from the repository's root, or take it as a setting`,
        })
      if (host !== undefined)
        problems.push({ file, line: index + 1, says: `names the registry ${host}; where packages come from is the machine's setting` })
      return problems
    })
  })
}

function hasNoStrays(tree: Tree): Problem[] {
  return [...tree.files.keys()]
    .filter((path) => STRAY.test(path))
    .map((file) => ({ file, line: 1, says: 'is a stray; remove it, or add it to .gitignore' }))
}

function parses(tree: Tree): Problem[] {
  return [...tree.broken].map(([file, says]) => ({ file, line: 1, says }))
}

export const shapeRules: readonly Rule[] = [
  { name: 'every source and manifest can be parsed', check: parses },
  { name: 'files are short', check: fitsOnAScreenOrTen },
  { name: 'files are named for what they hold', check: namesTheConcept },
  { name: 'nothing is exported by default', check: exportsByName },
  { name: 'no unfinished business without an issue', check: leavesNothingBehind },
  { name: 'no test is muted without a reason', check: runsEveryTest },
  { name: 'no machine paths and no registry hosts', check: speaksOfItselfAlone },
  { name: 'no strays are tracked', check: hasNoStrays },
]
