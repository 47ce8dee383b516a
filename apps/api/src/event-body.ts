import type { IncomingHttpHeaders } from 'node:http'
import { parseExactJson } from '@ascribe/ledger'
import { Refusal } from './errors.ts'

/** What a request brings: one event, or a batch, as JSON in which no number was rounded. */
export type EventBody =
  | { readonly kind: 'single'; readonly value: unknown }
  | { readonly kind: 'batch'; readonly values: readonly unknown[] }

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'
const JSON_TYPE = 'application/json'
/** CloudEvents HTTP binding 1.0.2, section 3.1.3: attributes travel as headers with this prefix. */
const ATTRIBUTE = 'ce-'
const DECODER = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a request by the HTTP binding of CloudEvents 1.0.2: structured, batch, or binary with `ce-` headers. `application/json` without
 * these headers is an event or a list of events, as OpenMeter's clients send it.
 * @throws {Refusal} `invalid_request` for what is no JSON, `unsupported_media_type` for what is said to be something else
 */
export function readEventBody(headers: IncomingHttpHeaders, body: Uint8Array | undefined): EventBody {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new Refusal('unsupported_media_type', 'A body of events is not encoded: leave Content-Encoding out.')
  }
  const mediaType = mediaTypeOf(headers['content-type'])
  if (mediaType === STRUCTURED) return { kind: 'single', value: parsed(body) }
  if (mediaType === BATCH) return batchOf(parsed(body))
  if (headers['ce-specversion'] !== undefined) return { kind: 'single', value: binary(headers, mediaType, body) }
  if (mediaType !== JSON_TYPE) {
    throw new Refusal('unsupported_media_type', `Events come as ${STRUCTURED}, ${BATCH} or ${JSON_TYPE}, or with ce- headers, in UTF-8.`)
  }
  const value = parsed(body)
  return Array.isArray(value) ? batchOf(value) : { kind: 'single', value }
}

function batchOf(value: unknown): EventBody {
  if (!Array.isArray(value)) throw new Refusal('invalid_request', 'A batch of events is a JSON array.')
  return { kind: 'batch', values: value }
}

/** In lower case; `undefined` for none and for one that says another charset than UTF-8. */
function mediaTypeOf(field: string | undefined): string | undefined {
  const [type = '', ...parameters] = (field ?? '').split(';').map((part) => part.trim().toLowerCase())
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length)
  if (charset !== undefined && charset.replaceAll('"', '') !== 'utf-8' && charset.replaceAll('"', '') !== 'utf8') return undefined
  return type === '' ? undefined : type
}

function parsed(body: Uint8Array | undefined): unknown {
  const json = parseExactJson(textOf(body))
  if (json === undefined) throw new Refusal('invalid_request', 'The body is not JSON, or is nested deeper than 64 levels.')
  return json.value
}

function textOf(body: Uint8Array | undefined): string {
  try {
    return DECODER.decode(body ?? new Uint8Array())
  } catch {
    throw new Refusal('invalid_request', 'The body is not UTF-8.')
  }
}

function binary(headers: IncomingHttpHeaders, mediaType: string | undefined, body: Uint8Array | undefined): Record<string, unknown> {
  const event: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(ATTRIBUTE) && typeof value === 'string') event[name.slice(ATTRIBUTE.length)] = decoded(name, value)
  }
  if (mediaType !== undefined) event['datacontenttype'] = mediaType
  if (body === undefined || body.length === 0) return event
  if (mediaType !== undefined && mediaType !== JSON_TYPE && !mediaType.endsWith('+json')) {
    throw new Refusal('unsupported_media_type', 'The data of an event has to be JSON: quantities are read from it.')
  }
  event['data'] = parsed(body)
  return event
}

/** Section 3.1.3.2: percent-encoded UTF-8. What is not is taken as it is. */
function decoded(name: string, value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    throw new Refusal('invalid_request', `The header ${name} is not percent-encoded UTF-8.`)
  }
}
