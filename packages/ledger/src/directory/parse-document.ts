import { LineCounter, isNode, parseDocument } from 'yaml'
import { nearest } from '@ascribe/kit'
import { checkDocument } from './check-document.ts'
import type { RawDocument } from './check-document.ts'
import { SECTION_NAMES } from './document.ts'
import type { DirectoryDocument, DocumentPlace, DocumentProblem, SectionName } from './document.ts'

/** Something wrong in a text, for people. */
export type LineProblem = { readonly line: number; readonly message: string; readonly hint: string }

export type ParsedDirectory = {
  readonly document: DirectoryDocument
  /** Empty: the document can be used. In the order of lines. */
  readonly problems: readonly LineProblem[]
  /** Puts problems that were found later in their places. */
  locate(problems: readonly DocumentProblem[]): readonly LineProblem[]
}

export type DirectoryFormat = 'yaml' | 'json' | 'ndjson'

/** A million of users take about so much. */
const TEXT_LENGTH_MAX = 256 * 1024 * 1024
/** Up to here JSON is read by the YAML reader, which finds a key that stands twice; it takes some seconds for each 10 MB. */
const STRICT_JSON_LENGTH_MAX = 1024 * 1024
const ALIASES_MAX = 100

type Read = { readonly raw: RawDocument; readonly problems: readonly LineProblem[]; readonly lineOf: (place: DocumentPlace) => number }

/** Reads a directory source. Never throws. `format` by default as the text looks. */
export function parseDirectory(text: string, options: { readonly format?: DirectoryFormat } = {}): ParsedDirectory {
  const read = readText(text.startsWith('\uFEFF') ? text.slice(1) : text, options.format)
  const locate = (problems: readonly DocumentProblem[]): readonly LineProblem[] =>
    problems.map(({ place, message, hint }) => ({ line: read.lineOf(place), message, hint })).toSorted((a, b) => a.line - b.line)
  if (read.problems.length > 0) return { document: {}, problems: read.problems, locate }
  const { document, problems } = checkDocument(read.raw)
  return { document, problems: locate(problems), locate }
}

function readText(text: string, format: DirectoryFormat = formatOf(text)): Read {
  if (text.length > TEXT_LENGTH_MAX) {
    return refused({ line: 1, message: `the source has more than ${TEXT_LENGTH_MAX} characters`, hint: 'split it by kind' })
  }
  if (format === 'ndjson') return readLines(text)
  if (format === 'json' && text.length > STRICT_JSON_LENGTH_MAX) return readJson(text)
  return readYaml(text)
}

/** JSON of one value, JSON of a value a line, or YAML. */
function formatOf(text: string): DirectoryFormat {
  const start = text.slice(0, 4096).trimStart()
  if (!start.startsWith('{')) return 'yaml'
  const line = start.split('\n', 1)[0] ?? ''
  return /^\{\s*"kind"\s*:/.test(start) || /"kind"\s*:.*\}\s*$/.test(line) ? 'ndjson' : 'json'
}

function refused(...problems: readonly LineProblem[]): Read {
  return { raw: {}, problems, lineOf: () => 1 }
}

/** The names of entries in NDJSON: one of each section. */
const KINDS: ReadonlyMap<string, SectionName> = new Map(SECTION_NAMES.map((section) => [section.slice(0, -1), section]))

function readLines(text: string): Read {
  const raw: Partial<Record<SectionName, unknown[]>> = {}
  const lines: Partial<Record<SectionName, number[]>> = {}
  const problems: LineProblem[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const at = index + 1
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      problems.push({ line: at, message: 'the line is no JSON', hint: 'write one whole object on each line' })
      continue
    }
    const { kind, ...entry } = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>
    const section = typeof kind === 'string' ? KINDS.get(kind) : undefined
    if (section === undefined) {
      problems.push({
        line: at,
        message: `kind is ${JSON.stringify(kind) ?? 'missing'}`,
        hint: `use one of ${[...KINDS.keys()].join(', ')}`,
      })
      continue
    }
    const entries = (raw[section] ??= [])
    entries.push(entry)
    const numbers = (lines[section] ??= [])
    numbers.push(at)
    if (problems.length >= 100) break
  }
  return { raw, problems, lineOf: ({ section, index }) => (section === undefined ? 1 : (lines[section]?.[index ?? 0] ?? 1)) }
}

function readJson(text: string): Read {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The YAML reader says where; JSON is YAML.
    return readYaml(text)
  }
  return sectionsOf(value, positionsIn(text))
}

/** Finds lines by reading the text once more, and only when somebody asks: a large source without problems is read once. */
function positionsIn(text: string): (path: readonly (string | number)[]) => number {
  let find: ((path: readonly (string | number)[]) => number) | undefined
  return (path) => (find ??= openYaml(text).lineOf)(path)
}

function openYaml(text: string): {
  readonly problems: readonly LineProblem[]
  readonly value: () => unknown
  readonly lineOf: (path: readonly (string | number)[]) => number
} {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, version: '1.2' })
  const lineAt = (offset: number): number => Math.max(lineCounter.linePos(offset).line, 1)
  return {
    problems: [...document.errors, ...document.warnings].slice(0, 1).map(({ pos, message }) => ({
      line: lineAt(pos[0]),
      message: `not YAML or JSON: ${message.split(/;| at line /)[0] ?? message}`,
      hint: 'check quotes, brackets and indentation here and on the line before',
    })),
    value: () => document.toJS({ maxAliasCount: ALIASES_MAX }),
    lineOf(path) {
      for (let length = path.length; length > 0; length -= 1) {
        const node: unknown = document.getIn(path.slice(0, length), true)
        if (isNode(node) && node.range) return lineAt(node.range[0])
      }
      return 1
    },
  }
}

function readYaml(text: string): Read {
  const yaml = openYaml(text)
  if (yaml.problems.length > 0) return refused(...yaml.problems)
  try {
    return sectionsOf(yaml.value() ?? {}, yaml.lineOf)
  } catch {
    return refused({ line: 1, message: `more than ${ALIASES_MAX} aliases, or nested too deeply`, hint: 'write the values out' })
  }
}

function sectionsOf(value: unknown, lineOfPath: (path: readonly (string | number)[]) => number): Read {
  const lineOf = ({ section, index, field }: DocumentPlace): number =>
    lineOfPath([section, index, field].filter((part) => part !== undefined))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused({ line: 1, message: 'the source is not a mapping of sections', hint: `begin with one of ${SECTION_NAMES.join(', ')}` })
  }
  const problems: LineProblem[] = []
  const raw: Partial<Record<SectionName, readonly unknown[]>> = {}
  for (const [name, entries] of Object.entries(value)) {
    const section = SECTION_NAMES.find((each) => each === name)
    if (section === undefined) {
      const near = nearest(name, SECTION_NAMES)
      problems.push({
        line: lineOfPath([name]),
        message: `unknown section ${JSON.stringify(name)}`,
        hint: near === undefined ? `use one of ${SECTION_NAMES.join(', ')}` : `did you mean ${JSON.stringify(near)}?`,
      })
    } else if (Array.isArray(entries)) raw[section] = entries
    else if (entries !== null)
      problems.push({ line: lineOfPath([name]), message: `${name} is not a list`, hint: 'begin each entry with "- "' })
  }
  return { raw, problems, lineOf }
}
