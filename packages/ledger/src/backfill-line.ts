import { createHash } from 'node:crypto'
import { idOfHash, isUuid } from '@ascribe/units'
import type { EventId, Instant } from '@ascribe/units'
import { readCloudEvent } from './cloud-event.ts'
import type { CloudEvent } from './cloud-event.ts'
import type { EventJson } from './event-json.ts'
import { readUsage } from './event-rules.ts'
import type { EventRule, EventUsage } from './event-rules.ts'
import { canonicalJson, isObject, parseExactJson } from './exact-json.ts'
import type { ForeignEvent } from './foreign-events.ts'
import { checkRecord } from './record-check.ts'

/** A line of a backfill: a usage event as `ascribe events list --json` prints it (or the reference), or a CloudEvent. */
export type BackfillLine =
  | { readonly kind: 'record'; readonly event: ForeignEvent; /** The record that it says it is. */ readonly eventId?: EventId }
  | { readonly kind: 'cloud_event'; readonly event: CloudEvent; readonly usage: EventUsage; readonly rule: EventRule }
  | { readonly kind: 'fault'; readonly reason: string }

/** Of lines that name no source of their own: their ids are unique by themselves. */
const OWN_SOURCE = ''
/** The record that is read has none yet: an id of the same time stands in for it. */
const NO_HASH = new Uint8Array(32)

/** Reads one line of NDJSON. Pure; `now` bounds times. */
export function readBackfillLine(
  text: string,
  { rules, now }: { readonly rules: readonly EventRule[]; readonly now: Instant },
): BackfillLine {
  const parsed = parseExactJson(text)
  if (parsed === undefined) return { kind: 'fault', reason: 'is not JSON' }
  const { value } = parsed
  if (!isObject(value)) return { kind: 'fault', reason: 'is not a JSON object' }
  return 'specversion' in value ? cloudEventLine(value, rules, now) : recordLine(value, text, now)
}

function cloudEventLine(value: unknown, rules: readonly EventRule[], now: Instant): BackfillLine {
  const checked = readCloudEvent(value)
  if (checked.kind === 'fault') return checked
  const { event } = checked
  const rule = rules.find(({ type }) => type === event.type)
  if (rule === undefined) return { kind: 'fault', reason: `there is no rule for events of type ${JSON.stringify(event.type)}` }
  if (event.time === undefined) return { kind: 'fault', reason: 'time is missing: when was it?' }
  const reading = readUsage(event, rule, now)
  return reading.kind === 'fault' ? reading : { kind: 'cloud_event', event, usage: reading.usage, rule }
}

type Fields = Readonly<Record<keyof EventJson, unknown>>

function recordLine(value: Readonly<Record<string, unknown>>, text: string, now: Instant): BackfillLine {
  // What is missing is undefined, which the check below knows.
  const fields = value as Fields
  const id = fields.event_id ?? fields.request_id
  if (typeof id !== 'string' || id === '')
    return { kind: 'fault', reason: 'has neither an event_id nor a request_id: its name, by which it is imported once' }
  const startedAt = fields.started_unix_ms ?? fields.timestamp_unix_ms
  const eventId = idOfHash(typeof startedAt === 'number' && startedAt >= 0 ? startedAt : 0, NO_HASH)
  const record = {
    eventId,
    requestId: id,
    startedAt,
    endedAt: fields.timestamp_unix_ms ?? startedAt,
    authId: fields.auth_id,
    userId: fields.user_id,
    groupId: fields.group_id,
    claimedOrganizationId: fields.org_id,
    resourceId: fields.resource_id,
    resourceType: fields.resource_type,
    model: fields.model,
    baseModel: fields.base_model,
    modelAsked: fields.model_asked,
    promptTokens: fields.prompt_tokens,
    cachedTokens: fields.cached_tokens,
    completionTokens: fields.completion_tokens,
    meters: fields.meters ?? metersOf(fields),
    finishReason: fields.finish_reason,
    outcome: fields.outcome ?? (fields.aborted === true ? 'aborted' : 'completed'),
    provenance: fields.provenance ?? 'reported',
    status: fields.status,
    route: fields.route ?? 'backfill',
    api: fields.api ?? 'event',
    streamed: fields.streamed ?? false,
    identifiedBy: fields.identified_by ?? 'event',
    firstByteMs: fields.first_byte_ms,
    invalidUsage: fields.invalid_usage,
    idempotencyKey: fields.idempotency_key,
    unclassified: fields.unclassified,
    attempts: Array.isArray(fields.attempts) ? fields.attempts.map(attemptOf) : fields.attempts,
    headers: fields.headers,
  }
  const checked = checkRecord(JSON.stringify(record), eventId)
  if (checked.kind === 'fault') return { kind: 'fault', reason: spoken(checked.reason) }
  if (checked.record.startedAt > now) return { kind: 'fault', reason: 'is of the future' }
  const { eventId: _none, requestId: _same, ...rest } = checked.record
  const digest = createHash('sha256').update(canonicalJson(rest)).digest()
  return {
    kind: 'record',
    event: { source: OWN_SOURCE, id, type: 'usage', digest, text, record: rest },
    ...(typeof fields.event_id === 'string' && isUuid(fields.event_id) && { eventId: fields.event_id }),
  }
}

/** Under the names of the record; what is in it is checked with the rest. */
function attemptOf(attempt: unknown): unknown {
  if (typeof attempt !== 'object' || attempt === null) return attempt
  const { started_ms: startedMs, ended_ms: endedMs, ...rest } = attempt as Readonly<Record<string, unknown>>
  return { ...rest, startedMs, endedMs }
}

/** The disjoint classes of totals, as far as they are told: cached tokens are inside those of the prompt. */
function metersOf({ prompt_tokens: prompt, cached_tokens: cached, completion_tokens: completion }: Fields): Record<string, number> {
  const meters: Record<string, number> = {}
  if (typeof prompt === 'number') {
    const part = typeof cached === 'number' ? Math.min(cached, prompt) : 0
    meters['input_tokens'] = prompt - part
    if (part > 0) meters['cached_input_tokens'] = part
  }
  if (typeof completion === 'number') meters['output_tokens'] = completion
  return meters
}

/** The check speaks of fields by our names; the line has them by those of the wire. */
function spoken(reason: string): string {
  return reason
    .replace(/^startedAt\b/, 'started_unix_ms')
    .replace(/[a-z][A-Z]/g, ([lower = '', upper = '']) => `${lower}_${upper.toLowerCase()}`)
}
