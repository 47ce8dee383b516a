import type { Call, Reply } from '../oauth/http.ts'
import { ApiRefusal, JSON_HEADERS } from './api-reply.ts'
import type { Actor } from './authenticate.ts'
import type { RegionState } from './region-state.ts'
import type { World } from './world.ts'

/** A JSON object whose members are not known yet. */
export type Fields = Readonly<Record<string, unknown>>

/** A call of API 2.0 after authentication, as the handlers get it. */
export type ApiRequest = {
  readonly world: World
  readonly actor: Actor
  readonly region: string
  /** What that region holds. */
  readonly state: RegionState
  readonly call: Call
  /** What the `:id` of the route's pattern matched. */
  readonly id: string
}

export type ApiHandler = (request: ApiRequest) => Reply

/** The JSON object of a request. @throws {ApiRefusal} */
export function fieldsOf({ call }: ApiRequest): Fields {
  if (call.body.trim() === '') throw new ApiRefusal(400, 'validation', 'The request has no body')
  const value = parseJson(call.body)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiRefusal(400, 'validation', 'The body is not an object')
  return value as Fields
}

/** As {@link fieldsOf}, for calls that may come without a body: `null` and nothing are an empty object. @throws {ApiRefusal} */
export function optionalFieldsOf(request: ApiRequest): Fields {
  const text = request.call.body.trim()
  return text === '' || text === 'null' ? {} : fieldsOf(request)
}

/** The objects of a create: one by itself, or a list under `objects`. @throws {ApiRefusal} */
export function objectsOf(request: ApiRequest): readonly Fields[] {
  const fields = fieldsOf(request)
  const { objects } = fields
  return Array.isArray(objects) ? objects.map(objectIn) : [fields]
}

function objectIn(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ApiRefusal(400, 'validation', 'An element of objects is not an object')
  return value as Fields
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiRefusal(400, 'validation', 'The body is not JSON')
  }
}

/** So many objects of a kind a region holds; far more than any test makes, and a loop gone wild ends here. */
const OBJECTS_MAX = 50_000

/** @throws {ApiRefusal} 503 where there is no room for so many more. */
export function assertRoom(objects: ReadonlyMap<string, unknown>, more: number): void {
  if (objects.size + more > OBJECTS_MAX)
    throw new ApiRefusal(503, 'backend', `The sandbox holds at most ${OBJECTS_MAX} of these in a region`)
}

export const ok = (body: unknown): Reply => ({ status: 200, headers: JSON_HEADERS, body })
export const accepted = (body: unknown): Reply => ({ status: 202, headers: JSON_HEADERS, body })
export const deleted = (): Reply => ({ status: 204, headers: { 'Content-Type': 'text/html; charset=utf-8' } })

/** 201 with `Location`: of the first object, where several were made. */
export function created(objects: readonly { readonly resource_uri: string }[]): Reply {
  const location = objects[0]?.resource_uri
  return { status: 201, headers: { ...JSON_HEADERS, ...(location !== undefined && { Location: location }) }, body: { objects } }
}
