import type { Database } from '@ascribe/postgres'
import type { EventId, Instant } from '@ascribe/units'
import type { UsageRecord } from '@ascribe/usage'
import { readCloudEvent } from './cloud-event.ts'
import type { CloudEvent } from './cloud-event.ts'
import { readUsage } from './event-rules.ts'
import type { EventRule, EventUsage } from './event-rules.ts'
import { attributeEvents } from './event-subjects.ts'
import type { EventSender } from './event-subjects.ts'
import { ingestForeignEvents } from './foreign-events.ts'
import type { ForeignEvent, ForeignOutcome, Realm } from './foreign-events.ts'

export type CloudEventBatch = {
  readonly sender: EventSender
  /** As `parseExactJson` gives them. */
  readonly values: readonly unknown[]
  readonly rules: readonly EventRule[]
  /** When they came: bounds their times, and stands in for one that is not said. */
  readonly now: Instant
}

/** What became of an event, by the name that its sender gave it. */
export type CloudEventOutcome = {
  readonly source: string
  readonly id: string
  readonly kind: ForeignOutcome['kind']
  readonly eventId: EventId
}

/** Why an event cannot be a record. */
export type CloudEventFault = { readonly index: number; readonly reason: string }

/**
 * `stored`: everything is committed; outcomes are in the order of the events. `refused`: at least one event can never be a record, and
 * nothing of the batch was stored; every such event is named.
 */
export type CloudEventsResult =
  | { readonly kind: 'stored'; readonly outcomes: readonly CloudEventOutcome[] }
  | { readonly kind: 'refused'; readonly faults: readonly CloudEventFault[] }

type Read = { readonly event: CloudEvent; readonly usage: EventUsage; readonly rule: EventRule }

/**
 * How old an event may be that an organization's own key reports. Each month takes a partition, for good, and all of them are locked and
 * planned for: one request with an event in each month since 1970 made the ledger crawl. Whoever runs the installation has no bound.
 */
const AGE_DAYS_MAX = 400
const DAY_MS = 86_400_000

/** Realm of everything that the installation's own tokens send. */
const INSTALLATION: Realm = 'installation'

/** Within which a sender's `source` and `id` name an event. */
function realmOf(sender: EventSender): Realm {
  return sender.kind === 'organization' ? sender.organizationId : INSTALLATION
}

/** Takes CloudEvents in as usage records, each name once. Safe to repeat after any failure. @throws {DatabaseError} */
export async function ingestCloudEvents(db: Database, batch: CloudEventBatch): Promise<CloudEventsResult> {
  const { sender, values } = batch
  const faults: CloudEventFault[] = []
  const reads: Read[] = []
  for (const [index, value] of values.entries()) {
    const read = readOne(value, batch)
    if (typeof read === 'string') faults.push({ index, reason: read })
    else reads.push(read)
  }
  if (faults.length > 0) return { kind: 'refused', faults }
  const attributions = await attributeEvents(
    db,
    sender,
    reads.map(({ event, usage, rule }) => ({ subject: event.subject, takenFor: rule.subject, time: usage.time })),
  )
  const events: ForeignEvent[] = []
  for (const [index, attribution] of attributions.entries()) {
    const read = reads[index]
    if (attribution.kind === 'fault') faults.push({ index, reason: attribution.reason })
    else if (read !== undefined) events.push(foreignEventOf(read, attribution.owner))
  }
  if (faults.length > 0) return { kind: 'refused', faults }
  const outcomes = await ingestForeignEvents(db, { realm: realmOf(sender), writer: writerOf(sender), events })
  return {
    kind: 'stored',
    outcomes: outcomes.map((outcome, index) => ({ source: events[index]?.source ?? '', id: events[index]?.id ?? '', ...outcome })),
  }
}

function readOne(value: unknown, { sender, rules, now }: CloudEventBatch): Read | string {
  const checked = readCloudEvent(value)
  if (checked.kind === 'fault') return checked.reason
  const { event } = checked
  const rule = rules.find(({ type }) => type === event.type)
  if (rule === undefined) return `there is no rule for events of type ${JSON.stringify(event.type)}`
  const reading = readUsage(event, rule, now)
  if (reading.kind === 'fault') return reading.reason
  const { usage } = reading
  if (sender.kind === 'organization' && usage.time < now - AGE_DAYS_MAX * DAY_MS)
    return `time is more than ${AGE_DAYS_MAX} days ago: whoever runs this has to import it`
  return { event, usage, rule }
}

/** A CloudEvent as it is stored. */
export function foreignEventOf(
  { event, usage }: Pick<Read, 'event' | 'usage'>,
  owner: Pick<UsageRecord, 'authId' | 'userId' | 'claimedOrganizationId'>,
): ForeignEvent {
  const { id, source, type, digest, text } = event
  const { time, ...used } = usage
  return {
    id,
    source,
    type,
    digest,
    text,
    record: {
      startedAt: time,
      endedAt: time,
      ...owner,
      ...used,
      identifiedBy: 'event',
      route: 'events',
      api: 'event',
      streamed: false,
      outcome: 'completed',
      provenance: 'reported',
      promptTokens: null,
      cachedTokens: null,
      completionTokens: null,
    },
  }
}

function writerOf(sender: EventSender): string {
  return sender.kind === 'organization' ? `events:${sender.organizationId}` : `events:installation:${sender.name}`
}
