import { instantOfId, isUuid } from '@ascribe/units'
import { ATTEMPTS_MAX } from '@ascribe/usage'
import type { Attempt, Meters, Outcome, Provenance, UsageRecord } from '@ascribe/usage'
import { ID_TOLERANCE_MS } from './partitions.ts'
import { COMMON_METERS } from './record-row.ts'

/** A payload as a record, or why it cannot be one. */
export type CheckedRecord = { readonly kind: 'record'; readonly record: UsageRecord } | { readonly kind: 'fault'; readonly reason: string }

type Fields = Readonly<Record<string, unknown>>

const OUTCOMES: ReadonlySet<string> = new Set<Outcome>([
  'completed',
  'aborted',
  'upstream_error',
  'upstream_reset',
  'interrupted',
  'unknown',
])
const PROVENANCES: ReadonlySet<string> = new Set<Provenance>(['reported', 'continuous', 'estimated', 'unknown'])

/** Instants from 1970 to before 2200: beyond that a clock is wrong, and arithmetic in doubles would not be exact for ever. */
const INSTANT_MAX = Date.UTC(2200, 0, 1)
/** As in price books. Anything else is no meter of ours; it is set aside, not charged under a name that was mended. */
const METER = /^[a-z][a-z0-9_]{0,62}$/
/** Of which almost all records are. */
const COMMON: ReadonlySet<string> = new Set(COMMON_METERS)
/** An HTTP status has three digits. */
const STATUS_MAX = 999

/** What cannot be stored; thrown and caught within this file. */
class Fault extends Error {}

/**
 * Reads a settlement payload: JSON of a whole `UsageRecord` whose event id is the one of its frame. Text may have any length;
 * NUL, which the database cannot hold, and halves of surrogate pairs become U+FFFD, and empty text is absent.
 */
export function checkRecord(payload: string, eventId: string): CheckedRecord {
  try {
    return { kind: 'record', record: recordOf(fieldsOf(payload), eventId, isPlain(payload) ? plainText : text) }
  } catch (thrown) {
    if (thrown instanceof Fault) return { kind: 'fault', reason: thrown.message }
    throw thrown
  }
}

/**
 * Whether JSON holds nothing that JSON, COPY or the database would escape or refuse in its texts: without a backslash it can have no control
 * character, and a well-formed whole has well-formed parts. Almost all payloads are so, and then no text has to be looked at by itself.
 */
export function isPlain(payload: string): boolean {
  return !payload.includes('\\') && payload.isWellFormed()
}

type ReadText = (fields: Fields, name: string) => string | undefined

function fieldsOf(payload: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(payload)
  } catch {
    throw new Fault('payload is not JSON')
  }
  return objectOf(value, 'payload')
}

function recordOf(fields: Fields, eventId: string, text: ReadText): UsageRecord {
  const id = fields['eventId']
  if (typeof id !== 'string' || !isUuid(id)) throw new Fault('eventId is missing or no UUID')
  if (id !== eventId) throw new Fault('eventId is not the one of its frame')
  const startedAt = instant(fields, 'startedAt')
  // By its id a record is put into the partition of a month, and found there by its instant.
  if (Math.abs(instantOfId(id) - startedAt) > ID_TOLERANCE_MS) throw new Fault('startedAt is more than an hour from the time in eventId')
  const record: Fields = {
    eventId: id,
    startedAt,
    requestId: required(text(fields, 'requestId'), 'requestId'),
    authId: required(text(fields, 'authId'), 'authId'),
    resourceId: required(text(fields, 'resourceId'), 'resourceId'),
    resourceType: text(fields, 'resourceType'),
    userId: text(fields, 'userId'),
    groupId: text(fields, 'groupId'),
    baseModel: text(fields, 'baseModel'),
    claimedOrganizationId: text(fields, 'claimedOrganizationId'),
    headers: headersOf(fields['headers']),
    identifiedBy: required(text(fields, 'identifiedBy'), 'identifiedBy'),
    route: required(text(fields, 'route'), 'route'),
    api: required(text(fields, 'api'), 'api'),
    modelAsked: text(fields, 'modelAsked'),
    streamed: bool(fields, 'streamed'),
    endedAt: instant(fields, 'endedAt'),
    outcome: oneOf(fields, 'outcome', OUTCOMES),
    provenance: oneOf(fields, 'provenance', PROVENANCES),
    status: count(fields, 'status', STATUS_MAX) ?? undefined,
    model: text(fields, 'model'),
    finishReason: text(fields, 'finishReason'),
    promptTokens: count(fields, 'promptTokens'),
    cachedTokens: count(fields, 'cachedTokens'),
    completionTokens: count(fields, 'completionTokens'),
    meters: metersOf(fields['meters']),
    firstByteMs: finite(fields, 'firstByteMs'),
    invalidUsage: fields['invalidUsage'] === true ? true : undefined,
    idempotencyKey: text(fields, 'idempotencyKey'),
    unclassified: unclassifiedOf(fields['unclassified']),
    attempts: attemptsOf(fields['attempts']),
  }
  // Every field was checked above; `api` and `identifiedBy` are only ever passed on, so that a newer gateway may name others. Absent
  // fields are there as undefined: taking them out would cost as much as all the rest.
  return record as unknown as UsageRecord
}

function objectOf(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Fault(`${name} is not a JSON object`)
  // `JSON.parse` gave it, so its keys are text.
  return value as Fields
}

function plainText(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw new Fault(`${name} is not text`)
  return value
}

function text(fields: Fields, name: string): string | undefined {
  const value = plainText(fields, name)
  return value === undefined ? undefined : storableText(value)
}

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new Fault(`${name} is missing`)
  return value
}

/** The text with what PostgreSQL cannot hold replaced by U+FFFD. */
export function storableText(value: string): string {
  const formed = value.isWellFormed() ? value : value.toWellFormed()
  return formed.includes('\0') ? formed.replaceAll('\0', '\u{FFFD}') : formed
}

function bool(fields: Fields, name: string): boolean {
  const value = fields[name]
  if (typeof value !== 'boolean') throw new Fault(`${name} is not a boolean`)
  return value
}

function oneOf(fields: Fields, name: string, allowed: ReadonlySet<string>): string {
  const value = fields[name]
  if (typeof value !== 'string' || !allowed.has(value)) throw new Fault(`${name} is not one of ${[...allowed].join(', ')}`)
  return value
}

function instant(fields: Fields, name: string): number {
  const value = fields[name]
  if (!isCount(value) || value >= INSTANT_MAX) throw new Fault(`${name} is not an instant in milliseconds`)
  return value
}

function count(fields: Fields, name: string, max: number = Number.MAX_SAFE_INTEGER): number | null {
  const value = fields[name]
  if (value === undefined || value === null) return null
  if (!isCount(value) || value > max) throw new Fault(`${name} is not an integer from 0 to ${max}`)
  return value
}

function finite(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new Fault(`${name} is not a number from 0`)
  return value
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function metersOf(value: unknown): Meters {
  const meters = objectOf(value ?? {}, 'meters')
  // Not by entries: this runs for every record.
  for (const name in meters) {
    if (!COMMON.has(name) && !METER.test(name)) throw new Fault('a meter has a name that no price book can have')
    if (!isCount(meters[name])) throw new Fault('a meter is not an integer from 0 to 2^53 - 1')
  }
  return meters as Meters
}

/** Numbers under an engine's names, which may be any text. */
function unclassifiedOf(value: unknown): Readonly<Record<string, number>> | undefined {
  if (value === undefined || value === null) return undefined
  const numbers = Object.entries(objectOf(value, 'unclassified')).map(([name, number]): [string, number] => {
    if (typeof number !== 'number' || !Number.isFinite(number)) throw new Fault('a number without a class is no number')
    return [storableText(name), number]
  })
  return numbers.length === 0 ? undefined : Object.fromEntries(numbers)
}

function attemptsOf(value: unknown): readonly Attempt[] | undefined {
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || value.length > ATTEMPTS_MAX) throw new Fault(`attempts is not a list of up to ${ATTEMPTS_MAX}`)
  return value.length === 0 ? undefined : value.map((each: unknown) => attemptOf(objectOf(each, 'an attempt')))
}

function attemptOf(fields: Fields): Attempt {
  const status = count(fields, 'status', STATUS_MAX)
  const failure = text(fields, 'failure')
  return {
    upstream: required(text(fields, 'upstream'), 'upstream of an attempt'),
    startedMs: finite(fields, 'startedMs') ?? 0,
    endedMs: finite(fields, 'endedMs') ?? 0,
    ...(status !== null && { status }),
    ...(failure !== undefined && { failure }),
    provenance: oneOf(fields, 'provenance', PROVENANCES) as Provenance,
    meters: metersOf(fields['meters']),
    billed: bool(fields, 'billed'),
  }
}

function headersOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined
  const headers = objectOf(value, 'headers')
  let names = 0
  for (const name in headers) {
    const content = headers[name]
    if (typeof content !== 'string') throw new Fault('a header is not text')
    if (storableText(name) !== name || storableText(content) !== content) return storableHeaders(headers)
    names += 1
  }
  return names === 0 ? undefined : (headers as Readonly<Record<string, string>>)
}

function storableHeaders(headers: Fields): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(headers).map(([name, content]): [string, unknown] => [
    storableText(name),
    typeof content === 'string' ? storableText(content) : content,
  ])
  return headersOf(Object.fromEntries(entries))
}
