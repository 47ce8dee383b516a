import { createHash } from 'node:crypto'
import { parseInstant } from '@ascribe/units'
import type { Instant } from '@ascribe/units'
import { canonicalJson, isObject, parseExactJson } from './exact-json.ts'

/** An event of CloudEvents 1.0.2 as far as we read it. */
export type CloudEvent = {
  /** With `source` it names the event, within a tenant. */
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string
  /** Absent: it was not said. */
  readonly time?: Instant
  /** JSON, see `parseExactJson`; `undefined`: none. */
  readonly data: unknown
  /** As JSON text, numbers as they were written. */
  readonly text: string
  /** SHA-256 of all that it says, whatever the order of its fields and however it travelled. */
  readonly digest: Uint8Array
}

export type CloudEventCheck = { readonly kind: 'event'; readonly event: CloudEvent } | { readonly kind: 'fault'; readonly reason: string }

/** What cannot be used; thrown and caught within this file. */
class Fault extends Error {}

/** Attribute names of section 3.1 of the specification, a little longer than it asks for. */
const ATTRIBUTE = /^[a-z0-9]{1,64}$/
/** Section 3.4: attributes hold no control characters. NUL, which the database cannot hold, is one. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u{0}-\u{1f}\u{7f}-\u{9f}]/u
/** Long enough for any URI that names something; they are stored and shown. */
const TEXT_LENGTH_MAX = 2048
const JSON_TYPE = /^[^;]*[/+]json\s*(?:;|$)/i

/**
 * Reads one event of the JSON format (`value` as `parseExactJson` gives it). Attributes that we do not know are kept in its digest and
 * used for nothing. `data_base64` is read where its content type is JSON.
 */
export function readCloudEvent(value: unknown): CloudEventCheck {
  try {
    return { kind: 'event', event: eventOf(value) }
  } catch (thrown) {
    if (thrown instanceof Fault) return { kind: 'fault', reason: thrown.message }
    throw thrown
  }
}

function eventOf(value: unknown): CloudEvent {
  if (!isObject(value)) throw new Fault('is not a JSON object')
  const { data: plain, data_base64: packed, specversion, ...attributes } = value
  if (specversion !== '1.0') throw new Fault('specversion must be "1.0"')
  for (const [name, attribute] of Object.entries(attributes)) checkAttribute(name, attribute)
  const [id, source, type] = [required(attributes, 'id'), required(attributes, 'source'), required(attributes, 'type')]
  const subject = text(attributes, 'subject')
  const time = timeOf(text(attributes, 'time'))
  const data = packed === undefined ? plain : unpack(packed, { plain, type: text(attributes, 'datacontenttype') })
  const { datacontenttype: _format, ...said } = attributes
  const digested = canonicalJson({ ...said, ...(time !== undefined && { time }), ...(data !== undefined && { data }) })
  return {
    id,
    source,
    type,
    ...(subject !== undefined && { subject }),
    ...(time !== undefined && { time }),
    data,
    text: JSON.stringify(value),
    digest: createHash('sha256').update(digested).digest(),
  }
}

function checkAttribute(name: string, value: unknown): void {
  if (!ATTRIBUTE.test(name)) throw new Fault(`attribute ${JSON.stringify(name.slice(0, 80))} has a name that no attribute can have`)
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return
  if (typeof value !== 'string') throw new Fault(`attribute ${name} is neither text, integer nor boolean`)
  if (value.length > TEXT_LENGTH_MAX) throw new Fault(`attribute ${name} is longer than ${TEXT_LENGTH_MAX} characters`)
  if (CONTROL.test(value) || !value.isWellFormed()) throw new Fault(`attribute ${name} holds a character that no attribute may hold`)
}

/** Null is absent in the JSON format, section 2.2. */
function text(attributes: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = attributes[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || value === '') throw new Fault(`${name} must be text that is not empty`)
  return value
}

function required(attributes: Readonly<Record<string, unknown>>, name: string): string {
  const value = text(attributes, name)
  if (value === undefined) throw new Fault(`${name} is missing`)
  return value
}

function timeOf(written: string | undefined): Instant | undefined {
  if (written === undefined) return undefined
  const at = parseInstant(written)
  if (at === undefined) throw new Fault('time is not an instant of RFC 3339, such as 2026-11-22T06:00:00Z')
  return at
}

function unpack(packed: unknown, { plain, type }: { readonly plain: unknown; readonly type: string | undefined }): unknown {
  if (plain !== undefined) throw new Fault('data and data_base64 exclude each other')
  if (typeof packed !== 'string') throw new Fault('data_base64 is not text')
  if (type === undefined || !JSON_TYPE.test(type)) throw new Fault('data_base64 can be read only where datacontenttype is JSON')
  const parsed = parseExactJson(Buffer.from(packed, 'base64').toString())
  if (parsed === undefined) throw new Fault('data_base64 does not hold JSON')
  return parsed.value
}
