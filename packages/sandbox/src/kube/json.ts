/** JSON as it is stored. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [field: string]: Json }
export type JsonObject = { readonly [field: string]: Json }

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((each, index) => isSame(each, other[index]))
  if (!isObject(one) || !isObject(other)) return false
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => name in other && isSame(one[name], other[name]))
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, path)
  return typeof found === 'string' ? found : undefined
}

export function at(value: unknown, path: readonly string[]): Json | undefined {
  let current: unknown = value
  for (const name of path) {
    if (!isObject(current)) return undefined
    current = current[name]
  }
  return current as Json | undefined
}

/** `object` with `value` at the path; `undefined` removes. Maps on the way are made, and stay when they become empty. */
export function withAt(object: JsonObject, path: readonly string[], value: Json | undefined): JsonObject {
  const [name, ...rest] = path
  if (name === undefined) return object
  if (rest.length === 0) {
    if (value !== undefined) return { ...object, [name]: value }
    const { [name]: _, ...others } = object
    return others
  }
  const inner = object[name]
  if (!isObject(inner) && value === undefined) return object
  return { ...object, [name]: withAt(isObject(inner) ? inner : {}, rest, value) }
}
