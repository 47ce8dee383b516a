import type { ServerResponse } from 'node:http'
import type { RouteDef } from '@ascribe/contract'
import { Refusal } from '../errors.ts'
import type { HandlerInput } from '../handler.ts'
import { queryOf } from './incoming.ts'
import type { Incoming } from './incoming.ts'
import { BODY_BYTES_MAX, parseForm, parseJson, readBytes } from './read-body.ts'

export type ReadOptions = {
  readonly params: Readonly<Record<string, string>>
  readonly response: ServerResponse
  /** Of a raw body. */
  readonly rawBytesMax: number
}

export type ReadInput = { readonly input: HandlerInput<unknown, unknown, unknown>; /** As they came. */ readonly bytes: Buffer }

/** Reads and checks everything that an operation is told. @throws {Refusal} with the first thing that cannot be used */
export async function readInput(def: RouteDef, incoming: Incoming, { params, response, rawBytesMax }: ReadOptions): Promise<ReadInput> {
  const path = checked(def.params, params, 'path')
  const query = checked(def.query, queryOf(incoming.search), 'query')
  if (def.body === undefined) return { input: { params: path, query, body: undefined }, bytes: Buffer.alloc(0) }
  const bytes = await readBytes(incoming.message, response, def.bodyType === 'raw' ? rawBytesMax : BODY_BYTES_MAX)
  const contentType = incoming.headers['content-type']
  // Where a body may be left out, nothing is nothing, of whatever type.
  if (bytes.length === 0 && def.bodyType !== 'raw')
    return { input: { params: path, query, body: checked(def.body, undefined, 'body') }, bytes }
  const body =
    def.bodyType === 'raw'
      ? bytes
      : checked(def.body, def.bodyType === 'form' ? parseForm(bytes, contentType) : parseJson(bytes, contentType), 'body')
  return { input: { params: path, query, body }, bytes }
}

function checked(schema: RouteDef['query'], value: unknown, what: 'path' | 'query' | 'body'): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.join('.') ?? ''
  throw new Refusal('invalid_request', `Cannot use the ${what}: ${place === '' ? 'its fields' : place}: ${issue?.message ?? 'invalid'}`)
}
