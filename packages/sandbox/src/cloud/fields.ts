import { ApiRefusal, invalidField, missingField } from './api-reply.ts'
import type { Fields } from './api-request.ts'

const META_KEY_MAX = 32
const NAME_MAX = 255

export function requiredText(fields: Fields, name: string): string {
  const value = fields[name]
  if (value === undefined || value === null || value === '') throw missingField(name)
  if (typeof value !== 'string') throw invalidField(name, 'This value must be a string')
  if (value.length > NAME_MAX) throw invalidField(name, `Ensure this value has at most ${NAME_MAX} characters`)
  return value
}

export type Range = { readonly min: number; readonly max: number }

/** A whole number in a range. Floats without a fraction pass, as the API sends them itself. @throws {ApiRefusal} */
export function requiredNumber(fields: Fields, name: string, range: Range): number {
  const value = fields[name]
  if (value === undefined || value === null) throw missingField(name)
  return numberIn(value, name, range)
}

export function numberIn(value: unknown, name: string, { min, max }: Range): number {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw invalidField(name, 'A whole number is required')
  if (number < min || number > max) throw invalidField(name, `Ensure this value is between ${min} and ${max}`)
  return number
}

/** Meta: string values under keys of at most 32 characters; replaced as a whole. @throws {ApiRefusal} */
export function metaOf(fields: Fields): Readonly<Record<string, string>> {
  const { meta } = fields
  if (meta === undefined || meta === null) return {}
  if (typeof meta !== 'object' || Array.isArray(meta)) throw invalidField('meta', 'Meta must be an object')
  for (const [key, value] of Object.entries(meta)) {
    if (key.length > META_KEY_MAX) throw invalidField('meta', `Meta key '${key}' has more than ${META_KEY_MAX} characters`)
    if (typeof value !== 'string') throw invalidField('meta', `Meta value of '${key}' is not a string`)
  }
  return { ...meta } as Readonly<Record<string, string>>
}

/** A reference: sent as a string by some clients, as `{"uuid"}` by others, returned as an object. @throws {ApiRefusal} */
export function referenceOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value
  if (typeof value === 'object' && value !== null && 'uuid' in value && typeof value.uuid === 'string') return value.uuid
  throw invalidField(name, 'A uuid, or an object with one, is required')
}

/** A list of references; undefined where the field is absent. @throws {ApiRefusal} */
export function referencesOf(fields: Fields, name: string): readonly string[] | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) throw invalidField(name, 'A list is required')
  return [...new Set(value.map((each) => referenceOf(each, name)))]
}

/** A list of objects; empty where the field is absent. @throws {ApiRefusal} */
export function listOf(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'object' || each === null))
    throw invalidField(name, 'A list of objects is required')
  return value as readonly Fields[]
}

/** The action of `?do=`. @throws {ApiRefusal} where it is none of `known`, or the request has no body at all. */
export function actionOf<Action extends string>(query: URLSearchParams, known: readonly Action[]): Action {
  const wanted = query.get('do')
  const action = known.find((each) => each === wanted)
  if (action === undefined) throw new ApiRefusal(400, 'validation', `Unknown action '${wanted ?? ''}'`)
  return action
}

/** RFC 3339 as the API writes it. */
export const apiTime = (at: number): string => new Date(at).toISOString().replace('Z', '000+00:00')
export const uriOf = (collection: string, id: string | number): string => `/api/2.0/${collection}/${id}/`
export const refTo = (collection: string, uuid: string): { readonly resource_uri: string; readonly uuid: string } => ({
  resource_uri: uriOf(collection, uuid),
  uuid,
})
export const ownerRef = (owner: string | null): unknown => (owner === null ? null : refTo('user', owner))
