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

const ITEM = new KeySet([...TEXT_NAMES, 'type', 'role', 'id'])
const PART = new KeySet([...TEXT_NAMES, 'file_id', 'file_url'])
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
  eachObject(
    cursor,
    1,
    (depth) => readItem(cursor, depth, referred),
    (depth) => cursor.skipText(depth, true),
  )
}

/** Reads `tools` of Responses, which go into the prompt nearly as they stand, and finds those that take in more than that. */
export function readTools(cursor: JsonCursor, referred: Referred): void {
  cursor.peek()
  const start = cursor.position
  eachObject(
    cursor,
    1,
    (depth) => readTool(cursor, depth, referred),
    (depth) => cursor.skip(depth),
  )
  cursor.textBytes += cursor.position - start
}

/** The value at the cursor, or each element if it is an array: `read` reads objects, `pass` what is none. Both get the depth that they stand at. */
function eachObject(cursor: JsonCursor, depth: number, read: (depth: number) => void, pass: (depth: number) => void): void {
  const first = cursor.peek()
  if (first === OPEN_BRACE) return read(depth)
  if (first !== OPEN_BRACKET) return pass(depth)
  if (!cursor.open(CLOSE_BRACKET)) return
  do (cursor.peek() === OPEN_BRACE ? read : pass)(depth + 1)
  while (cursor.more(CLOSE_BRACKET))
}

/** `read` reads the value of each member, whose name is `undefined` where it is none of `known`. */
function eachMember(cursor: JsonCursor, known: KeySet, read: (name: string | undefined, isExact: boolean) => void): void {
  if (!cursor.open(CLOSE_BRACE)) return
  do {
    const found = cursor.key(known)
    read(found < 0 ? undefined : known.nameOf(found), found >= 0 && cursor.keyIsExact)
  } while (cursor.more(CLOSE_BRACE))
}

function readItem(cursor: JsonCursor, depth: number, referred: Referred): void {
  let isReference = false
  let hasId = false
  // An item of the id alone is a reference too. Which of two equal names wins differs from parser to parser: only what each would see counts.
  let [isTyped, isUntyped, hasRole, lacksRole] = [false, false, false, false]
  eachMember(cursor, ITEM, (name, isExact) => {
    const isNull = cursor.peek() === NULL
    switch (name) {
      case 'type':
        if (isNull) isUntyped = true
        else if (isExact) isTyped = true
        if (cursor.peek() !== QUOTE) cursor.skipText(depth + 1, false)
        else if (readText(cursor) === 'item_reference') isReference = true
        return
      case 'role':
        cursor.skipText(depth + 1, false)
        if (isNull) lacksRole = true
        else if (isExact) hasRole = true
        return
      case 'id':
        cursor.skipText(depth + 1, false)
        if (!isNull) hasId = true
        return
      case 'content':
      case 'output':
        eachObject(
          cursor,
          depth + 1,
          (at) => readPart(cursor, at, referred),
          (at) => cursor.skipText(at, isExact),
        )
        return
      default:
        cursor.skipText(depth + 1, isExact)
    }
  })
  const isBare = hasId && (!isTyped || isUntyped) && (!hasRole || lacksRole)
  if (isReference || isBare) refer(referred, 'item_reference')
}

function readPart(cursor: JsonCursor, depth: number, referred: Referred): void {
  eachMember(cursor, PART, (name, isExact) => {
    if (name !== 'file_id' && name !== 'file_url') return cursor.skipText(depth + 1, isExact)
    const isNull = cursor.peek() === NULL
    cursor.skipText(depth + 1, false)
    if (isNull) return
    if (name === 'file_id') refer(referred, name)
    else referred.unboundedBy = name
  })
}

function readTool(cursor: JsonCursor, depth: number, referred: Referred): void {
  eachMember(cursor, TOOL, (name) => {
    const first = cursor.peek()
    if (name === undefined) return cursor.skip(depth + 1)
    if (name === 'type') {
      const type = readText(cursor)
      if (type === undefined) cursor.skip(depth + 1)
      else if (!RUN_BY_CLIENT.has(type)) referred.unboundedBy = 'tools'
      return
    }
    if (first === OPEN_BRACE && name !== 'vector_store_ids') {
      return readPlace(cursor, depth + 1, referred)
    }
    if (isSaid(cursor, depth + 1)) refer(referred, name)
  })
}

/** Where a tool works, and with what. */
function readPlace(cursor: JsonCursor, depth: number, referred: Referred): void {
  eachMember(cursor, IN_TOOL, (name) => {
    if (name === 'skills' && depth < PLACE_DEPTH_MAX) {
      eachObject(
        cursor,
        depth + 1,
        (at) => readPlace(cursor, at, referred),
        (at) => cursor.skip(at),
      )
    } else if (isSaid(cursor, depth + 1) && name !== undefined) refer(referred, name)
  })
}

function refer(referred: Referred, name: string): void {
  referred.storedBy = name
  referred.unboundedBy = name
}

/** Reads a string, decoded. `undefined`: none stands here, and nothing was read. */
function readText(cursor: JsonCursor): string | undefined {
  if (cursor.peek() !== QUOTE) return undefined
  cursor.string('a string')
  return cursor.stringValue()
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
