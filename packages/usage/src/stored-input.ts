import { TEXT_NAMES } from './json-cursor.ts'
import type { JsonCursor } from './json-cursor.ts'
import { KeySet } from './key-set.ts'

/** What a request for Responses refers to and does not hold; the last of each kind. */
export type Referred = {
  /** The member by which the engine takes in what it has kept. */
  storedBy?: string
  /** A member by which more goes in than the body has bytes. */
  unboundedBy?: string
}

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const QUOTE = 0x22
const NULL = 0x6e

const REFERENCE = 'item_reference'

const ITEM = new KeySet([...TEXT_NAMES, 'type', 'role', 'id'])
const [TYPE, ROLE, ID] = [TEXT_NAMES.length, TEXT_NAMES.length + 1, TEXT_NAMES.length + 2]
const [CONTENT, OUTPUT] = [TEXT_NAMES.indexOf('content'), TEXT_NAMES.indexOf('output')]
const PART = new KeySet([...TEXT_NAMES, 'file_id', 'file_url'])
const [FILE_ID, FILE_URL] = [TEXT_NAMES.length, TEXT_NAMES.length + 1]
const TOOL = new KeySet(['type', 'vector_store_ids', 'container', 'environment', 'input_image_mask'])
/** Of an object in a tool. What a function's `parameters` call so is no reference, and is not looked at. */
const IN_TOOL = new KeySet(['file_id', 'file_ids', 'container_id', 'skills', 'skill_id'])
/** Skills stand in a place, and nothing in them is one: deeper ones are nobody's. */
const PLACE_DEPTH_MAX = 5
/** Tools that the client runs: what they find comes with the next request. Whatever else there is, the engine runs by itself. */
const RUN_BY_CLIENT = new Set(['function', 'custom', 'local_shell', 'apply_patch', 'computer', 'computer_use_preview'])

/**
 * Reads `input` of Responses, its text into {@link JsonCursor.textBytes}, and finds what it refers to: an item that is a reference, and files
 * in the content of items. Where it stands decides, and not its words: text may hold any of them. Names count in any case, as everywhere.
 */
export function readInput(cursor: JsonCursor, referred: Referred): void {
  eachObject(cursor, { depth: 1, referred, read: readItem, pass: passText })
}

/** Reads `tools` of Responses, which go into the prompt nearly as they stand, and finds those that take in more than that. */
export function readTools(cursor: JsonCursor, referred: Referred): void {
  cursor.peek()
  const start = cursor.position
  eachObject(cursor, { depth: 1, referred, read: readTool, pass: passBy })
  cursor.textBytes += cursor.position - start
}

/** Reads the value that begins at the cursor, and stands so deep. */
type Reader = (cursor: JsonCursor, depth: number, referred: Referred) => void

const passText: Reader = (cursor, depth) => cursor.skipText(depth, true)
const passData: Reader = (cursor, depth) => cursor.skipText(depth, false)
const passBy: Reader = (cursor, depth) => cursor.skip(depth)

type Each = { readonly depth: number; readonly referred: Referred; readonly read: Reader; readonly pass: Reader }

/** The value at the cursor, or each element if it is an array: `read` reads objects, `pass` what is none. */
function eachObject(cursor: JsonCursor, { depth, referred, read, pass }: Each): void {
  const first = cursor.peek()
  if (first === OPEN_BRACE) return read(cursor, depth, referred)
  if (first !== OPEN_BRACKET) return pass(cursor, depth, referred)
  if (!cursor.open(CLOSE_BRACKET)) return
  do {
    if (cursor.peek() === OPEN_BRACE) read(cursor, depth + 1, referred)
    else pass(cursor, depth + 1, referred)
  } while (cursor.more(CLOSE_BRACKET))
}

function readItem(cursor: JsonCursor, depth: number, referred: Referred): void {
  if (!cursor.open(CLOSE_BRACE)) return
  let isReference = false
  let hasId = false
  // An item of the id alone is a reference too. Which of two equal names wins differs from parser to parser: only what each would see counts.
  let isTyped = false
  let isUntyped = false
  let hasRole = false
  let lacksRole = false
  do {
    const found = cursor.key(ITEM)
    const isExact = found >= 0 && cursor.keyIsExact
    const first = cursor.peek()
    switch (found) {
      case TYPE:
        if (first === NULL) isUntyped = true
        else if (isExact) isTyped = true
        if (first !== QUOTE) passData(cursor, depth + 1, referred)
        else if (isItemReference(cursor)) isReference = true
        break
      case ROLE:
        if (first === NULL) lacksRole = true
        else if (isExact) hasRole = true
        passData(cursor, depth + 1, referred)
        break
      case ID:
        if (first !== NULL) hasId = true
        passData(cursor, depth + 1, referred)
        break
      case CONTENT:
      case OUTPUT:
        eachObject(cursor, { depth: depth + 1, referred, read: readPart, pass: isExact ? passText : passData })
        break
      default:
        cursor.skipText(depth + 1, isExact)
    }
  } while (cursor.more(CLOSE_BRACE))
  const isBare = hasId && (!isTyped || isUntyped) && (!hasRole || lacksRole)
  if (isReference || isBare) refer(referred, REFERENCE)
}

/** Reads a string. */
function isItemReference(cursor: JsonCursor): boolean {
  cursor.string('a string')
  // Decoding the type of every item would take as long as reading it.
  if (!cursor.stringEscaped && cursor.stringEnd - cursor.stringStart !== REFERENCE.length) return false
  return cursor.stringValue() === REFERENCE
}

function readPart(cursor: JsonCursor, depth: number, referred: Referred): void {
  if (!cursor.open(CLOSE_BRACE)) return
  do {
    const found = cursor.key(PART)
    const isExact = found >= 0 && cursor.keyIsExact
    if (found !== FILE_ID && found !== FILE_URL) {
      cursor.skipText(depth + 1, isExact)
      continue
    }
    const isNull = cursor.peek() === NULL
    passData(cursor, depth + 1, referred)
    if (isNull) continue
    if (found === FILE_ID) refer(referred, 'file_id')
    else referred.unboundedBy = 'file_url'
  } while (cursor.more(CLOSE_BRACE))
}

function readTool(cursor: JsonCursor, depth: number, referred: Referred): void {
  if (!cursor.open(CLOSE_BRACE)) return
  do {
    const found = cursor.key(TOOL)
    const name = TOOL.nameOf(found)
    const first = cursor.peek()
    if (found < 0 || (name === 'type' && first !== QUOTE)) cursor.skip(depth + 1)
    else if (name === 'type') {
      cursor.string('a string')
      if (!RUN_BY_CLIENT.has(cursor.stringValue())) referred.unboundedBy = 'tools'
    } else if (first === OPEN_BRACE && name !== 'vector_store_ids') readPlace(cursor, depth + 1, referred)
    else if (isSaid(cursor, depth + 1)) refer(referred, name)
  } while (cursor.more(CLOSE_BRACE))
}

/** Where a tool works, and with what. */
function readPlace(cursor: JsonCursor, depth: number, referred: Referred): void {
  if (!cursor.open(CLOSE_BRACE)) return
  do {
    const found = cursor.key(IN_TOOL)
    const name = IN_TOOL.nameOf(found)
    if (name === 'skills' && depth < PLACE_DEPTH_MAX) eachObject(cursor, { depth: depth + 1, referred, read: readPlace, pass: passBy })
    else if (isSaid(cursor, depth + 1) && found >= 0) refer(referred, name)
  } while (cursor.more(CLOSE_BRACE))
}

function refer(referred: Referred, name: string): void {
  referred.storedBy = name
  referred.unboundedBy = name
}

/** Reads a value: whether it is neither null nor an empty list. */
function isSaid(cursor: JsonCursor, depth: number): boolean {
  const first = cursor.peek()
  if (first !== OPEN_BRACKET) {
    cursor.skip(depth)
    return first !== NULL
  }
  if (!cursor.open(CLOSE_BRACKET)) return false
  do cursor.skip(depth + 1)
  while (cursor.more(CLOSE_BRACKET))
  return true
}
