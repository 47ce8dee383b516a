import { readFileSync } from 'node:fs'
import { errorCode } from '@ascribe/kit'
import { type Document, LineCounter, type Node, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import { ConfigError } from './errors.ts'
import type { Path } from './config-schema.ts'

/** A place in the configuration file: `file:line:column`, both from 1. */
export type FilePlace = { readonly file: string; readonly line: number; readonly column: number }

/** A configuration file, read. */
export type ConfigFile = {
  readonly path: string
  /** Its content as plain values; an empty file is an empty map. */
  readonly value: object
  /** What makes it no YAML map at all, each with its place. */
  readonly problems: readonly string[]
  /** The place of the key at `path`, or of the nearest one above it. */
  placeOf(path: Path): FilePlace
}

const FILE_BYTES_MAX = 1024 * 1024

/** Reads one YAML 1.2 file. Keys that come twice are problems. @throws {ConfigError} when it cannot be read at all. */
export function readConfigFile(path: string): ConfigFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = errorCode(cause) === 'ENOENT' ? 'there is no such file' : 'it cannot be read'
    throw new ConfigError(`Cannot read the configuration file ${path}: ${reason}`, { cause })
  }
  if (text.length > FILE_BYTES_MAX)
    throw new ConfigError(`Cannot use the configuration file ${path}: it has more than ${FILE_BYTES_MAX} bytes`)
  return parseConfigText(path, text)
}

/** The same from text; `path` is only what places are called by. */
function parseConfigText(path: string, text: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, strict: true })
  const at = (offset: number): FilePlace => {
    const { line, col } = lines.linePos(offset)
    return { file: path, line, column: col }
  }
  const problems = [...document.errors, ...document.warnings].map(({ message, pos }) => `${placeText(at(pos[0]))}: ${yamlMessage(message)}`)
  const root = document.contents
  if (problems.length === 0 && root !== null && !isMap(root) && !(isScalar(root) && root.value === null)) {
    problems.push(`${placeText(at(root.range?.[0] ?? 0))}: must be a map of settings`)
  }
  return {
    path,
    problems,
    value: problems.length === 0 ? plain(document, problems, path) : {},
    placeOf: (keys) => at(offsetOf(document, keys)),
  }
}

export function placeText(place: FilePlace): string {
  return `${place.file}:${place.line}:${place.column}`
}

function plain(document: Document.Parsed, problems: string[], path: string): object {
  try {
    // The limit stops a small file that expands to a huge one.
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    return typeof value === 'object' && value !== null ? value : {}
  } catch (cause) {
    problems.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`)
    return {}
  }
}

function yamlMessage(message: string): string {
  return message === 'Map keys must be unique' ? 'this key comes twice' : message
}

function offsetOf(document: Document.Parsed, keys: Path): number {
  let node: Node | null | undefined = document.contents
  let offset = node?.range?.[0] ?? 0
  for (const key of keys) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
      if (pair === undefined || !isScalar(pair.key)) return offset
      offset = pair.key.range?.[0] ?? offset
      node = pair.value as Node | null
    } else if (isSeq(node)) {
      node = node.items[Number(key)] as Node | undefined
      offset = node?.range?.[0] ?? offset
    } else return offset
  }
  return offset
}
