import { isObject, isSame } from './json.ts'
import type { Json, JsonObject } from './json.ts'
import { Refusal, badRequest } from './refusal.ts'

/** RFC 7386. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}

/** RFC 6902. A test that fails is answered as the real server does: 422, without a field. */
export function jsonPatch(target: JsonObject, operations: Json): JsonObject {
  if (!Array.isArray(operations)) throw badRequest('a JSON patch is a list')
  let document: Json = structuredClone(target)
  for (const operation of operations as readonly Json[]) {
    if (!isObject(operation) || typeof operation['path'] !== 'string') throw badRequest('an operation of the JSON patch has no path')
    document = applyOne(document, operation)
  }
  if (!isObject(document)) throw failed()
  return document
}

const failed = (): Refusal => new Refusal(422, 'Invalid', { message: 'the server rejected our request due to an error in our request' })

function applyOne(document: Json, operation: JsonObject): Json {
  const path = pointer(operation['path'])
  const from = operation['from'] === undefined ? [] : pointer(operation['from'])
  const value = operation['value'] ?? null
  switch (operation['op']) {
    case 'test':
      if (!isSame(read(document, path), value)) throw failed()
      return document
    case 'add':
      return write(document, path, { value, mode: 'add' })
    case 'replace':
      read(document, path)
      return write(document, path, { value, mode: 'replace' })
    case 'remove':
      read(document, path)
      return write(document, path, { value: undefined, mode: 'remove' })
    case 'copy':
      return write(document, path, { value: read(document, from), mode: 'add' })
    case 'move': {
      const moved = read(document, from)
      return write(write(document, from, { value: undefined, mode: 'remove' }), path, { value: moved, mode: 'add' })
    }
    default:
      throw badRequest(`the JSON patch has an operation ${JSON.stringify(operation['op'])}`)
  }
}

function pointer(text: Json | undefined): string[] {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) throw badRequest('a path of the JSON patch is no JSON pointer')
  const parts = text.split('/').slice(1)
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function read(document: Json, path: readonly string[]): Json {
  let current: Json | undefined = document
  for (const part of path)
    current = Array.isArray(current) ? (current as readonly Json[])[Number(part)] : isObject(current) ? current[part] : undefined
  if (current === undefined) throw failed()
  return current
}

type Write = { readonly value: Json | undefined; readonly mode: 'add' | 'replace' | 'remove' }

function write(document: Json, path: readonly string[], change: Write): Json {
  const [part, ...rest] = path
  if (part === undefined) return change.value ?? null
  if (Array.isArray(document)) return writeItem(document as readonly Json[], { part, rest, change })
  if (!isObject(document)) throw failed()
  if (rest.length > 0) {
    const inner = document[part]
    if (inner === undefined) throw failed()
    return { ...document, [part]: write(inner, rest, change) }
  }
  const { [part]: _, ...others } = document
  return change.value === undefined ? others : { ...document, [part]: change.value }
}

function writeItem(list: readonly Json[], { part, rest, change }: { part: string; rest: readonly string[]; change: Write }): Json {
  const index = part === '-' ? list.length : Number(part)
  if (!Number.isInteger(index) || index < 0 || index > list.length) throw failed()
  const items = [...list]
  if (rest.length > 0) {
    const inner = items[index]
    if (inner === undefined) throw failed()
    items[index] = write(inner, rest, change)
  } else if (change.value === undefined) items.splice(index, 1)
  else if (change.mode === 'add') items.splice(index, 0, change.value)
  else items[index] = change.value
  return items
}
