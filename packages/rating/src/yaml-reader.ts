import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Alias, Document, Node, ParsedNode } from 'yaml'
import { nearest } from '@ascribe/kit'
import type { PriceProblem } from './errors.ts'

/** A place in the text: an offset in UTF-16 units. */
export type Place = number

/** A value of the file, aliases resolved, and the place (where an alias stands, not its anchor) and path that problems name. */
export type Value = {
  /** `undefined`: an alias of nothing, which is reported already. */
  readonly node: Node | null | undefined
  readonly place: Place
  /** For messages: `base_models."org/model".prompt`. */
  readonly path: string
}

/** A key of a mapping, and its value; without a value, `place` is the key's. */
export type Entry = Value & { readonly key: string; readonly keyPlace: Place }

/** Reads a YAML text as positioned values, and gathers what is wrong with them. */
export type YamlReader = {
  /** The whole file; `undefined` when it is not YAML at all, or too large. The problem is reported. */
  readonly root: Value | undefined
  /** A hint that takes work to find is a function: it is called only for problems that are kept. */
  report(place: Place, message: string, hint: string | (() => string)): void
  /** In the order of the file; at most {@link PROBLEMS_MAX}. */
  problems(): readonly PriceProblem[]
  lineOf(place: Place): number
  /**
   * The entries of a mapping; `undefined` when it is none. Reports that, a key twice, a key that is no string and, where `known` is given,
   * a key that is not in it, with the mend that `hint` has for it, if any. An empty value counts as an empty mapping.
   */
  entries(value: Value, known?: readonly string[], hint?: (key: string) => string | undefined): ReadonlyMap<string, Entry> | undefined
  /** The items of a list; `undefined` when it is none, which is reported. An empty value counts as an empty list. */
  items(value: Value): readonly Value[] | undefined
}

/** As much as may be fetched from a central manager: larger is no price book. */
const TEXT_LENGTH_MAX = 8 * 1024 * 1024
/** More than that is not read by anybody, and costs memory. */
const PROBLEMS_MAX = 100
/** The bound of the YAML library for a whole document. Each costs a walk from the top. */
const ALIASES_MAX = 100

/** Opens a text. Never throws. */
export function openYaml(text: string): YamlReader {
  const lineCounter = new LineCounter()
  const found: { place: Place; message: string; hint: string }[] = []
  const report = (place: Place, message: string, hint: string | (() => string)): void => {
    if (found.length < PROBLEMS_MAX) found.push({ place, message, hint: typeof hint === 'string' ? hint : hint() })
  }
  const document = text.length > TEXT_LENGTH_MAX ? undefined : parse(text, lineCounter, report)
  if (document === undefined && found.length === 0) {
    report(0, `file is larger than ${TEXT_LENGTH_MAX} characters`, 'a price book has models and rates, nothing else')
  }
  const resolve = aliasResolver(document, report)
  return {
    root: document === undefined ? undefined : { node: document.contents, place: 0, path: 'the file' },
    report,
    lineOf: (place) => lineCounter.linePos(place).line,
    problems: () =>
      found
        .toSorted((a, b) => a.place - b.place)
        .map(({ place, message, hint }) => {
          // A text without a line end counts as no line at all.
          const { line, col } = lineCounter.linePos(place)
          return { line: Math.max(line, 1), column: line === 0 ? place + 1 : col, message, hint }
        }),
    entries: (value, known, hint) =>
      readEntries({ value, known, hint, report, resolve, lineOf: (place) => lineCounter.linePos(place).line }),
    items: (value) => readItems(value, report, resolve),
  }
}

type Report = YamlReader['report']
type Resolve = (node: Node | null, place: Place) => Node | null | undefined

function parse(text: string, lineCounter: LineCounter, report: Report): Document.Parsed<ParsedNode> | undefined {
  // Keys are checked for being unique here, in one pass; the library compares each with each.
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false, version: '1.2' })
  let reported: Place | undefined
  for (const { pos, message } of [...document.errors, ...document.warnings]) {
    // What follows at the same place is a consequence of the first.
    if (pos[0] !== reported)
      report(pos[0], `not YAML: ${plain(message)}`, 'check quotes, brackets and indentation here and on the line before')
    reported = pos[0]
  }
  return document.errors.length + document.warnings.length === 0 ? document : undefined
}

/** The library's message without its advice to programmers. */
function plain(message: string): string {
  if (message.startsWith('Maximum call stack')) return 'nested too deeply'
  return message.split(/;| at line /)[0] ?? message
}

function aliasResolver(document: Document.Parsed | undefined, report: Report): Resolve {
  let count = 0
  return (node, place) => {
    if (document === undefined || !isAlias(node)) return node
    count += 1
    if (count > ALIASES_MAX) {
      if (count === ALIASES_MAX + 1) report(place, `more than ${ALIASES_MAX} aliases`, 'write the values out')
      return undefined
    }
    const target = (node as Alias).resolve(document)
    if (target === undefined)
      report(place, `alias *${node.source} has no anchor before it`, `write &${node.source} before what it stands for`)
    return target
  }
}

type ReadEntries = {
  readonly value: Value
  readonly known: readonly string[] | undefined
  readonly hint: ((key: string) => string | undefined) | undefined
  readonly report: Report
  readonly resolve: Resolve
  readonly lineOf: (place: Place) => number
}

function readEntries({ value, known, hint, report, resolve, lineOf }: ReadEntries): ReadonlyMap<string, Entry> | undefined {
  const entries = new Map<string, Entry>()
  if (isNothing(value.node)) return entries
  if (!isMap(value.node)) {
    if (value.node !== undefined) report(value.place, `${value.path} is not a mapping`, 'write "key: value" lines below it, indented')
    return undefined
  }
  for (const pair of value.node.items) {
    const keyPlace = placeOf(pair.key) ?? value.place
    const place = placeOf(pair.value) ?? keyPlace
    const key = isScalar(pair.key) ? pair.key.value : undefined
    if (typeof key !== 'string' || key === '') {
      report(keyPlace, `a key in ${value.path} is not text`, 'put the key in double quotes')
      continue
    }
    const first = entries.get(key)
    if (first !== undefined) {
      report(
        keyPlace,
        `duplicate key ${JSON.stringify(key)} in ${value.path}, first on line ${lineOf(first.keyPlace)}`,
        'keep one of the two',
      )
      continue
    }
    const path = value.path === 'the file' ? key : `${value.path}.${known?.includes(key) ? key : JSON.stringify(key)}`
    if (known !== undefined && !known.includes(key)) {
      report(keyPlace, `unknown key ${JSON.stringify(key)} in ${value.path}`, () => hint?.(key) ?? suggest(key, known))
    }
    entries.set(key, { key, keyPlace, place, path, node: resolve(pair.value as Node | null, place) })
  }
  return entries
}

function readItems(value: Value, report: Report, resolve: Resolve): readonly Value[] | undefined {
  if (isNothing(value.node)) return []
  if (!isSeq(value.node)) {
    if (value.node !== undefined) report(value.place, `${value.path} is not a list`, 'write "- …" lines below it, indented')
    return undefined
  }
  return value.node.items.map((item, index) => {
    const place = placeOf(item) ?? value.place
    return { place, path: `${value.path}[${index + 1}]`, node: resolve(item as Node | null, place) }
  })
}

/** Whether a key was left without a value. */
export function isNothing(node: Node | null | undefined): boolean {
  return node === null || (isScalar(node) && node.value === null)
}

/** The mend for a word that is not one of `known`. */
export function suggest(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === undefined ? `use one of ${known.join(', ')}` : `did you mean ${JSON.stringify(near)}?`
}

function placeOf(node: unknown): Place | undefined {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range) ? Number(node.range[0]) : undefined
}
